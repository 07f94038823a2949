"""Is what rollouts of a cluster name there, can their gateways do it, and what must GitOps tools be told?"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.cli.checks import Check, Checks, fine, note, unseen, wrong
from controller.domain.cluster import (
    GATEWAY_CLASS,
    MODEL_ROLLOUT,
    SERVICE,
    ClusterError,
    Document,
    Kind,
    NotServedError,
    ObjectRef,
)
from controller.domain.names import RolloutKey
from controller.domain.needs import unmet
from controller.domain.rollout import ModelRollout, StageKind
from controller.domain.route import BackendRef, GatewayApiRoute
from controller.domain.traffic import RouterUnavailableError
from controller.ports import KindFinder, ObjectApi, RouteBinding
from controller.spec.parse import parse_document
from controller.spec.route_alone import route_alone
from controller.traffic import router_for
from controller.traffic.breakglass_cluster import ReadThrough
from controller.traffic.gateway_api_names import annotation, glass_annotation
from controller.traffic.gateway_api_status import MIRROR, MIRROR_PERCENT, features_of

POOL = Kind("inference.networking.k8s.io", "v1", "inferencepools", "InferencePool")


@dataclass(frozen=True, slots=True)
class Rollout:
    """A ModelRollout. `spec` is None where it does not read, or needs templates; `binding` without an HTTPRoute."""

    key: RolloutKey
    document: Document
    spec: ModelRollout | None
    binding: RouteBinding | None


def rollouts(api: ObjectApi, namespaces: Sequence[str]) -> list[Rollout]:
    """All of them. Raises ClusterError."""
    return [_read(one) for namespace in namespaces for one in api.list(MODEL_ROLLOUT, namespace)]


def _read(document: Document) -> Rollout:
    metadata = _part(document, "metadata")
    key = RolloutKey(str(metadata.get("namespace")), str(metadata.get("name")))
    parsed = parse_document(document, f"modelrollout {key}")
    return Rollout(key, document, parsed.rollout, route_alone({**document, "kind": MODEL_ROLLOUT.name}, key))


def of_rollout(api: ObjectApi, rollout: Rollout) -> Checks:
    """Is it looked after, and is what it names there?"""
    about = f"rollout {rollout.key}"
    yield _looked_after(rollout, about)
    if rollout.binding is not None:
        yield from _route(api, rollout, rollout.binding)
        for version, backend in sorted(rollout.binding.backends.items()):
            yield _backend(api, rollout.key, f"{about}, version {version}", backend)
        yield _gitops(rollout, rollout.binding)


def _looked_after(rollout: Rollout, about: str) -> Check:
    status, generation = _part(rollout.document, "status"), _part(rollout.document, "metadata").get("generation")
    if not status:
        todo = "Does the controller run, and does it watch this namespace? kubectl -n tidegate logs deployment/tidegate"
        return wrong(about, "no controller has looked at it yet", todo)
    if status.get("observedGeneration") != generation:
        return unseen(about, f"the controller has not told of generation {generation} yet: look again in a moment")
    stalled: Mapping[str, Any] = next(
        (one for one in status.get("conditions") or () if one.get("type") == "Stalled"), {}
    )
    if stalled.get("status") == "True":
        return wrong(about, f"stalled, {stalled.get('reason')}: {stalled.get('message')}")
    return fine(about, f"{status.get('phase')}: {status.get('message') or 'nothing to tell'}")


def _route(api: ObjectApi, rollout: Rollout, binding: RouteBinding) -> Checks:
    about = binding.route.target.place
    try:
        router = router_for(binding, (api, ReadThrough(api, rollout.key.namespace)))
        seen, able = router.observe(), router.capabilities
    except RouterUnavailableError as error:
        yield wrong(about, str(error))
        return
    yield wrong(about, seen.trouble) if seen.trouble else fine(about, "in force, as its gateways say")
    lacks = unmet(rollout.spec, able) if rollout.spec is not None else None
    if lacks:
        yield wrong(about, lacks)


def _backend(api: ObjectApi, key: RolloutKey, about: str, backend: BackendRef) -> Check:
    kind = POOL if backend.kind == "InferencePool" else SERVICE
    ref = ObjectRef(kind, key.namespace, backend.name)
    try:
        found = api.get(ref)
        if found is None:
            there = ", ".join(str(_part(one, "metadata").get("name")) for one in api.list(kind, key.namespace))
            return wrong(about, f"{ref} does not exist; in that namespace: {there or 'none'}")
    except ClusterError as error:
        return unseen(about, str(error))
    ports = [one.get("port") for one in _part(found, "spec").get("ports") or ()]
    if kind == SERVICE and backend.port not in ports:
        return wrong(about, f"{ref} has no port {backend.port}; it has: {', '.join(map(str, ports)) or 'none'}")
    return fine(about, f"{ref} is there")


def classes(api: ObjectApi) -> Checks:
    """What the gateways of this cluster can do."""
    try:
        found = api.list(GATEWAY_CLASS)
    except ClusterError as error:
        yield unseen("gateway classes", str(error))
        return
    if not found:
        yield wrong("gateway classes", "there is no GatewayClass", "Install an implementation of the Gateway API.")
    for one in found:
        yield _class(f"GatewayClass {_part(one, 'metadata').get('name')}", features_of(one))


def _class(about: str, features: frozenset[str] | None) -> Check:
    if features is None:
        said = "does not say what it supports: weights and a mirror of all requests are taken for granted"
        return note(about, f"{said}, a mirror of a part of them is refused")
    mirror = "mirrors a part of the requests" if MIRROR_PERCENT in features else "mirrors all requests or none"
    return fine(about, f"weights, headers; {mirror if MIRROR in features else 'mirrors nothing'}")


def _gitops(rollout: Rollout, binding: RouteBinding) -> Check:
    said = "if Argo CD applies it, add this to the Application; with Flux, or otherwise, name the tool's field manager "
    return note(binding.route.target.place, f"{said}in gatewayAPI.gitopsManagers", "\n".join(ignored(rollout, binding)))


def ignored(rollout: Rollout, binding: RouteBinding) -> Iterator[str]:
    """What Argo CD must leave alone: a piece of an Application."""
    target = binding.route.target
    assert isinstance(target, GatewayApiRoute), "read as one"
    kinds = {stage.kind for stage in rollout.spec.stages} if rollout.spec else set(StageKind)
    yield "spec:"
    yield "  syncPolicy: {syncOptions: [RespectIgnoreDifferences=true]}"
    yield "  ignoreDifferences:"
    yield "  - group: gateway.networking.k8s.io"
    yield "    kind: HTTPRoute"
    yield f"    name: {target.http_route}"
    yield f"    namespace: {target.namespace}"
    yield "    jqPathExpressions:"
    if StageKind.COHORT in kinds:
        yield "    - .spec.rules"
    else:
        yield "    - .spec.rules[].backendRefs"
        if StageKind.SHADOW in kinds:
            yield "    - .spec.rules[].filters"
    for name in (annotation(rollout.key), glass_annotation(rollout.key)):
        yield f'    - .metadata.annotations["{name}"]'


def scaled(kinds: KindFinder | None, found: Sequence[Rollout]) -> tuple[list[Kind], list[Check]]:
    """The kinds by which versions are brought up and down; and of each that there is none of, why."""
    known: dict[tuple[str, str], Kind | ClusterError] = {}
    checks: list[Check] = []
    for one, version in ((a, b) for a in found if a.spec for b in a.spec.versions):
        if kinds is None or version.scale is None:
            continue
        named = (version.scale.api_version, version.scale.kind)
        if named not in known:
            known[named] = _kind(kinds, *named)
        error = known[named]
        if isinstance(error, ClusterError):
            about, sure = f"rollout {one.key}, version {version.name}", isinstance(error, NotServedError)
            checks.append(wrong(about, str(error)) if sure else unseen(about, str(error)))
    return [kind for kind in known.values() if isinstance(kind, Kind)], checks


def _kind(kinds: KindFinder, api_version: str, name: str) -> Kind | ClusterError:
    try:
        return kinds.with_scale(api_version, name)
    except ClusterError as error:
        return error


def _part(document: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}
