"""The shape of `spec.routes`. The key of a route says which router moves its traffic."""

from typing import Annotated

from pydantic import Field

from controller.spec.fields import Address, Block, HeaderName, HostName, HttpPath, ObjectName, Slug, Text
from controller.spec.sentences import ROUTER_KEYS, ROUTER_NAMES

ROUTERS = dict(zip(ROUTER_KEYS, ROUTER_NAMES, strict=True))
"""Key in the file -> name of the router."""


class EnvoyBlock(Block):
    admin: Address = Field(description="host:port of Envoy's admin interface.")
    config_dir: Text = Field(
        description="Folder whose files Envoy reads its clusters, listeners and routes from; ours alone."
    )
    listen: Address | None = Field(
        default=None,
        description="host:port to serve on: Tidegate then runs this Envoy. Without it, it drives one that exists.",
    )
    hosts: Annotated[list[HostName], Field(min_length=1, max_length=32)] = Field(
        default=["*"], description="Host names whose requests belong to this rollout."
    )
    prefix: HttpPath = Field(default="/", description="Path prefix of the requests that belong to this rollout.")


class GatewayApiBlock(Block):
    http_route: ObjectName = Field(description="Name of the HTTPRoute; it lies in the rollout's namespace.")
    rule: Slug | None = Field(
        default=None,
        description="Name of the rule in it. Default: the only rule with one of the rollout's versions as a backend.",
    )
    gitops_managers: Annotated[list[Text], Field(max_length=16)] = Field(
        default=[],
        description="Field managers (argocd-controller, kustomize-controller) that write the route from git: what they "
        "write over our weights is undone at once. Anybody else's writing is taken as a wish, and holds.",
    )


class StickyBlock(Block):
    header: HeaderName | None = Field(
        default=None, description="Requests with the same value of this header stay together."
    )
    cookie: HeaderName | None = Field(
        default=None, description="Requests with the same value of this cookie stay together."
    )


class RouteBlock(Block):
    envoy: EnvoyBlock | None = Field(default=None, description="Traffic passes an Envoy on this machine.")
    gateway_api: GatewayApiBlock | None = Field(
        default=None, alias="gatewayAPI", description="Traffic passes an HTTPRoute of the cluster."
    )
    sticky_by: StickyBlock | None = Field(
        default=None, description="What keeps a conversation on one version: a header or a cookie."
    )
