"""Where the API server serves a kind that a `scale` names. Pure."""

from controller.domain.cluster import Kind
from controller.domain.rollout import Scale

VOWELS = "aeiou"


def kind_of(scale: Scale) -> Kind:
    """Its plural is what Kubernetes makes of nearly every kind's name: deployments, proxies, ingresses."""
    group, _, version = scale.api_version.rpartition("/")
    return Kind(group, version, plural_of(scale.kind), scale.kind)


def plural_of(kind: str) -> str:
    """Lower case, as in URLs and RBAC rules."""
    name = kind.lower()
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return f"{name}es"
    if name.endswith("y") and name[-2:-1] not in VOWELS:
        return f"{name[:-1]}ies"
    return f"{name}s"
