"""Where the API server serves a kind. Pure."""

from urllib.parse import quote

from controller.domain.cluster import Kind, ObjectRef


def path_of_kind(kind: Kind, namespace: str = "") -> str:
    """For lists, watches and new objects; an empty namespace means all of them."""
    group = f"/apis/{quote(kind.group)}/{kind.version}" if kind.group else f"/api/{kind.version}"
    inside = f"/namespaces/{quote(namespace, safe='')}" if namespace and kind.namespaced else ""
    return f"{group}{inside}/{quote(kind.plural)}"


def path_of(ref: ObjectRef, part: str = "") -> str:
    """For one object, or its sub-resource `part`. Raises ValueError where a name is missing: it would mean all."""
    if not ref.name or (ref.kind.namespaced and not ref.namespace):
        raise ValueError(f"`{ref}` names no object: its name or its namespace is missing")
    whole = f"{path_of_kind(ref.kind, ref.namespace)}/{quote(ref.name, safe='')}"
    return f"{whole}/{part}" if part else whole
