"""A Kubernetes cluster as the house sees it: kinds, references, plain documents, changes, and what can go wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Document = Mapping[str, object]
"""An object as the API server tells it: JSON, with `apiVersion`, `kind`, `metadata`."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A served resource. `group` is empty for the core group; `plural` is its name in URLs and RBAC rules."""

    group: str
    version: str
    plural: str
    name: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """As written in an object: `group/version`, or the version alone for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def resource(self) -> str:
        """As people and RBAC write it: `plural.group`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


MODEL_ROLLOUT = Kind("tidegate.dev", "v1alpha1", "modelrollouts", "ModelRollout")
SLO_TEMPLATE = Kind("tidegate.dev", "v1alpha1", "slotemplates", "SLOTemplate")
ROLLOUT_REQUEST = Kind("tidegate.dev", "v1alpha1", "rolloutrequests", "RolloutRequest")
HTTP_ROUTE = Kind("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
GATEWAY = Kind("gateway.networking.k8s.io", "v1", "gateways", "Gateway")
GATEWAY_CLASS = Kind("gateway.networking.k8s.io", "v1", "gatewayclasses", "GatewayClass", namespaced=False)
SERVICE = Kind("", "v1", "services", "Service")
ENDPOINT_SLICE = Kind("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
EVENT = Kind("events.k8s.io", "v1", "events", "Event")
LEASE = Kind("coordination.k8s.io", "v1", "leases", "Lease")


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """One object. `namespace` is empty for kinds without one."""

    kind: Kind
    namespace: str
    name: str

    def __str__(self) -> str:
        where = f"{self.namespace}/" if self.namespace else ""
        return f"{self.kind.name} {where}{self.name}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One step of a JSON Patch (RFC 6902). `path` is a JSON pointer; `value` is not used by `remove`."""

    op: Literal["add", "remove", "replace", "test"]
    path: str
    value: object = None


class ClusterError(Exception):
    """The API server did not do what was asked; says what, where and what to do."""


class ClusterUnavailableError(ClusterError):
    """No usable answer: network, time-out, 429, 5xx, or a view that is not current. `retry_after` in seconds."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ConflictError(ClusterError):
    """Somebody else changed the object (409), or a `test` of the patch does not hold any more: read again."""


class ForbiddenError(ClusterError):
    """RBAC does not allow it (403). The message names verb and resource, and the rule to add."""


class NotServedError(ClusterError):
    """The API server does not know that kind (its CustomResourceDefinition is missing), or not that object (404)."""


class InvalidObjectError(ClusterError):
    """The API server refused the object itself (400, 422): its message is kept."""
