"""Where a rollout's traffic is moved, read from a document that may be wrong in every other part. Pure.

For people in a hurry: the daemon itself reads whole specs only.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef, GatewayApiRoute, Route
from controller.ports import RouteBinding
from controller.spec.schema import KIND

KINDS = ("Service", "InferencePool")


def route_alone(document: object, key: RolloutKey) -> RouteBinding | None:
    """The HTTPRoute and the backends of that rollout; None when the document is no such rollout, or names none."""
    if not isinstance(document, Mapping) or document.get("kind") != KIND or _key(document, key.namespace) != key:
        return None
    spec = _part(document, "spec")
    for one in _parts(spec, "routes"):
        route = _part(one, "gatewayAPI")
        name, rule = route.get("httpRoute"), route.get("rule")
        if isinstance(name, str) and name:
            target = GatewayApiRoute(key.namespace, name, rule if isinstance(rule, str) and rule else None)
            return RouteBinding(key, Route(target), dict(_backends(spec)))
    return None


def _key(document: Mapping[str, Any], namespace: str) -> RolloutKey:
    metadata = _part(document, "metadata")
    return RolloutKey(str(metadata.get("namespace") or namespace), str(metadata.get("name")))


def _backends(spec: Mapping[str, Any]) -> Iterator[tuple[VersionName, BackendRef]]:
    """Those that can be read."""
    for one in _parts(spec, "versions"):
        name, ref = one.get("name"), _part(one, "backendRef")
        kind, backend, port = ref.get("kind", "Service"), ref.get("name"), ref.get("port", 0)
        if isinstance(name, str) and isinstance(backend, str) and kind in KINDS and isinstance(port, int):
            yield VersionName(name), BackendRef(kind, backend, port)


def _part(value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name)
    return found if isinstance(found, Mapping) else {}


def _parts(value: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    found = value.get(name)
    yield from (one for one in found if isinstance(one, Mapping)) if isinstance(found, list) else ()
