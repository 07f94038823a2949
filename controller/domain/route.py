"""Where requests pass: routes, what moves them, and the backends behind them."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class BackendRef:
    """Where a version listens. `Host`: `name` is an address or DNS name; the others are objects of a cluster."""

    kind: Literal["Host", "Service", "InferencePool"]
    name: str
    port: int


@dataclass(frozen=True, slots=True)
class EnvoyRoute:
    """An Envoy on this machine. With `listen` Tidegate runs it; without, it drives one that reads `config_dir`.

    `admin` is host:port of the admin interface. `hosts` and `prefix` say which requests the rollout owns.
    """

    admin: str
    config_dir: str
    listen: str | None = None
    hosts: tuple[str, ...] = ("*",)
    prefix: str = "/"
    router: Literal["envoy"] = "envoy"

    @property
    def place(self) -> str:
        """The data plane, for messages: rollouts with the same place share its fate."""
        return self.admin


@dataclass(frozen=True, slots=True)
class GatewayApiRoute:
    """An HTTPRoute of a cluster, which people own: ours are the entries of the rollout's versions in one rule.

    `rule` is the rule's name; None: the only rule that has one of the rollout's versions among its backends.
    `gitops_managers` are field managers whose writing over ours is undone at once instead of being taken as a wish.
    """

    namespace: str
    http_route: str
    rule: str | None = None
    gitops_managers: tuple[str, ...] = ()
    router: Literal["gateway_api"] = "gateway_api"

    @property
    def place(self) -> str:
        """The data plane, for messages: rollouts with the same place share its fate."""
        return f"HTTPRoute {self.namespace}/{self.http_route}"


@dataclass(frozen=True, slots=True)
class Sticky:
    """What keeps a conversation on one version: the value of a request header or of a cookie."""

    by: Literal["header", "cookie"]
    name: str


@dataclass(frozen=True, slots=True)
class Route:
    """Where the rollout's requests pass. `identity` (in `target`) makes two rollouts on one route comparable."""

    target: EnvoyRoute | GatewayApiRoute
    sticky: Sticky | None = None

    @property
    def envoy(self) -> EnvoyRoute:
        """The target, for those who drive an Envoy of this machine. Raises LookupError for a route of another kind."""
        if isinstance(self.target, EnvoyRoute):
            return self.target
        raise LookupError(f"the route {self.target.place} has the router `{self.target.router}`, not `envoy`")

    @property
    def counts(self) -> bool:
        """Does its data plane tell how many requests each version got?"""
        return isinstance(self.target, EnvoyRoute)
