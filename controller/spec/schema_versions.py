"""The shape of `spec.versions`."""

from typing import Annotated, Literal

from pydantic import Field

from controller.spec.fields import (
    Block,
    Duration,
    GroupVersion,
    HttpPath,
    KindName,
    LabelName,
    Name,
    NodeName,
    ObjectName,
    Text,
)
from controller.spec.sentences import VERSION_MARK

__all__ = ["VERSION_MARK"]


class BackendRefBlock(Block):
    kind: Literal["Host", "Service", "InferencePool"] = Field(
        description="`Host`: an address or DNS name (with the envoy router). `Service`, `InferencePool`: an object in "
        "the rollout's namespace (with gatewayAPI)."
    )
    name: NodeName = Field(description="Address or DNS name of the host, or name of the object.")
    port: Annotated[int, Field(ge=1, le=65535)] = Field(description="Port the version listens on.")


class StartupBlock(Block):
    path: HttpPath = Field(default="/health", description="GET of this path answers 2xx when the version is loaded.")
    deadline: Duration = Field(
        default="30m", description="Not loaded after this long: the run is held. Loading is not failing."
    )


class ScaleBlock(Block):
    api_version: GroupVersion = Field(default="apps/v1", description="API version of the object.")
    kind: KindName = Field(
        default="Deployment", description="Its kind: Deployment, StatefulSet, anything with a scale sub-resource."
    )
    name: ObjectName = Field(description="Its name; it lies in the rollout's namespace.")
    replicas: Annotated[int, Field(ge=1, le=10_000)] = Field(description="So many replicas before the version's run.")
    deadline: Duration = Field(
        default="30m", description="Not there after this long: the run is held. Loading is not failing."
    )
    down_after: Duration = Field(
        default="10m", description="Down to 0 when the version has served nobody for so long and cannot be returned to."
    )


class IdentityBlock(Block):
    label: LabelName = Field(default="version", description="Label that tells the versions' series apart.")
    value: Text = Field(default=VERSION_MARK, description="Its value; `{{version}}` stands for the version's name.")


class VersionBlock(Block):
    name: Name = Field(description="Name of the version: small letters, digits and `-`, at most 63.")
    backend_ref: BackendRefBlock = Field(description="Where the version listens.")
    bundle: Annotated[dict[str, Text], Field(min_length=1, max_length=64)] | None = Field(
        default=None,
        description="What the version is made of (weights, adapter, prompt, policy: any keys). Its hash is the digest; "
        "without it the version is shown as unpinned.",
    )
    startup: StartupBlock | None = Field(default=None, description="How to see that the version is loaded.")
    scale: ScaleBlock | None = Field(
        default=None, description="What is scaled up before the version's run, and down after it."
    )
    identity: IdentityBlock | None = Field(
        default=None, description="Which series are this version's, when it differs from metrics.identity."
    )
