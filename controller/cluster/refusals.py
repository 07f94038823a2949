"""What the API server's refusals mean, in our words: what was asked, why it was refused, what to do. Pure."""

from controller.domain.cluster import (
    ClusterUnavailableError,
    ConflictError,
    ForbiddenError,
    InvalidObjectError,
    Kind,
    NotServedError,
    ObjectRef,
)

_WHERE_IT_COMES_FROM = {
    "tidegate.dev": "apply Tidegate's manifests/crd.yaml",
    "gateway.networking.k8s.io": "install the Gateway API's custom resource definitions",
    "inference.networking.k8s.io": "install the Gateway API Inference Extension's custom resource definitions",
}


def rule(verb: str, kind: Kind, part: str = "") -> str:
    """The RBAC rule that allows it, as one line of YAML to paste under `rules:`."""
    resource = f"{kind.plural}/{part}" if part else kind.plural
    return f'- {{apiGroups: ["{kind.group}"], resources: ["{resource}"], verbs: ["{verb}"]}}'


def forbidden(verb: str, ref: ObjectRef, part: str = "") -> ForbiddenError:
    """403. `ref.name` is empty for lists and watches."""
    asked = f"{verb} {ref.kind.resource}{f'/{part}' if part else ''}"
    which = f" {ref.name}" if ref.name else ""
    where = f"in namespace {ref.namespace}" if ref.namespace else "in the whole cluster"
    role = "Role or ClusterRole" if ref.namespace else "ClusterRole"
    return ForbiddenError(
        f"not allowed to {asked}{which} {where}: add this rule to the {role} of Tidegate's service account: "
        f"{rule(verb, ref.kind, part)}"
    )


def not_served(kind: Kind) -> NotServedError:
    """404 for a kind."""
    hint = _WHERE_IT_COMES_FROM.get(kind.group, "apply its custom resource definition")
    return NotServedError(
        f"the API server does not serve {kind.resource} in version {kind.version}: {hint}; it is tried again"
    )


def missing(verb: str, ref: ObjectRef, part: str = "") -> NotServedError:
    """404 for one object that was to be changed."""
    or_part = f", or has no sub-resource {part}" if part else ""
    return NotServedError(f"cannot {verb} {ref}: it does not exist{or_part}; create it, or correct the name")


def no_namespace(verb: str, ref: ObjectRef) -> NotServedError:
    """404 for the namespace of a new object."""
    return NotServedError(f"cannot {verb} {ref}: there is no namespace {ref.namespace}; create it, or correct the name")


def conflict(verb: str, ref: ObjectRef, said: str) -> ConflictError:
    """409, or a `test` that does not hold."""
    return ConflictError(f"cannot {verb} {ref}: it was changed in the meantime ({said}); read it again")


def invalid(verb: str, ref: ObjectRef, said: str) -> InvalidObjectError:
    """400, 422, and other refusals of the request itself."""
    return InvalidObjectError(f"the API server refused to {verb} {ref}: {said}")


def unavailable(verb: str, ref: ObjectRef, said: str, retry_after: float | None = None) -> ClusterUnavailableError:
    """429, 5xx, time-outs, network."""
    which = str(ref) if ref.name else f"{ref.kind.resource}{f' in {ref.namespace}' if ref.namespace else ''}"
    return ClusterUnavailableError(
        f"cannot {verb} {which}: {said}; it is tried again, see whether the API server is up and reachable", retry_after
    )
