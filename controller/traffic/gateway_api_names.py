"""Who is who in an HTTPRoute: which backends are our versions, and how a version is written. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef
from controller.ports import RouteBinding

Json = dict[str, Any]

POOL_GROUP = "inference.networking.k8s.io"
POOL_GROUPS = (POOL_GROUP, "inference.networking.x-k8s.io")
_Identity = tuple[str, str, int]


class ShapeError(Exception):
    """A route, or a wish, that cannot be understood or fulfilled; says what was found."""


class Names:
    """The versions of one rollout as backends of a route in `namespace`. Raises ShapeError for impossible ones."""

    def __init__(self, binding: RouteBinding, namespace: str) -> None:
        self._namespace = namespace
        self._backends = binding.backends
        self._versions: dict[_Identity, VersionName] = {}
        for version, backend in sorted(binding.backends.items()):
            if backend.kind == "Host":
                raise ShapeError(
                    f"version {version} has a backendRef of kind Host, which no HTTPRoute can have: give it a Service "
                    "(or an InferencePool), or use the router `envoy`"
                )
            twin = self._versions.setdefault(_identity_of(backend), version)
            if twin != version:
                raise ShapeError(f"versions {twin} and {version} have the same backend {backend.kind} {backend.name}")

    def version(self, ref: Mapping[str, Any]) -> VersionName | None:
        """Which of our versions a reference means, or None when it is not ours."""
        if (ref.get("namespace") or self._namespace) != self._namespace:
            return None
        group, kind = ref.get("group") or "", ref.get("kind") or "Service"
        if kind == "Service" and not group:
            return self._versions.get((kind, ref["name"], int(ref.get("port") or 0)))
        if kind == "InferencePool" and group in POOL_GROUPS:
            return self._versions.get((kind, ref["name"], 0))
        return None

    def ref(self, version: VersionName, beside: Sequence[Mapping[str, Any]] = ()) -> Json:
        """A reference to `version`, with every default written out. A pool has the group of those `beside` it."""
        backend = self._backends[version]
        if backend.kind == "Service":
            return {"group": "", "kind": "Service", "name": backend.name, "port": backend.port}
        group = next((ref["group"] for ref in beside if ref.get("group") in POOL_GROUPS), POOL_GROUP)
        return {"group": group, "kind": "InferencePool", "name": backend.name}

    def told(self) -> str:
        """The versions and where they listen, for messages."""
        return ", ".join(f"{v} ({b.kind} {b.name}:{b.port})" for v, b in sorted(self._backends.items())) or "none"


def weight(ref: Mapping[str, Any]) -> int:
    """The weight of a backend; the Gateway API counts an absent one as 1."""
    found = ref.get("weight")
    return 1 if found is None else int(found)


def refs_of(rule: Mapping[str, Any]) -> list[Json]:
    """The backends of a rule."""
    return list(rule.get("backendRefs") or ())


def filters_of(rule: Mapping[str, Any]) -> list[Json]:
    """The filters of a rule."""
    return list(rule.get("filters") or ())


def mirrored(item: Mapping[str, Any], names: Names) -> VersionName | None:
    """Which of our versions a filter copies requests to, or None."""
    if item.get("type") != "RequestMirror":
        return None
    return names.version(item["requestMirror"]["backendRef"])


def cohort_rule(key: RolloutKey) -> str:
    """The name of our header rule, where the API server keeps names of rules."""
    return f"tidegate-{_short(key.name, 200)}-cohort"


def annotation(key: RolloutKey) -> str:
    """Where the route itself remembers what a rollback puts back."""
    return f"tidegate.dev/before-{_short(key.name, 50)}"


def glass_annotation(key: RolloutKey) -> str:
    """Where people who go round the controller say so."""
    return f"tidegate.dev/break-glass-{_short(key.name, 45)}"


def _short(name: str, most: int) -> str:
    """Names of labels and annotations are limited; a long one keeps its beginning and stays its own."""
    if len(name) <= most:
        return name
    return f"{name[: most - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _identity_of(backend: BackendRef) -> _Identity:
    return backend.kind, backend.name, backend.port if backend.kind == "Service" else 0
