"""Break-glass in a cluster: an HTTPRoute to stable, with nothing but the rights of the person who asks.

Nothing counts requests there: what is proven is that the gateways report the very route that was written.
"""

import hashlib
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from controller.cli.desk import Reach
from controller.cli.emergency import Ending, shares
from controller.cli.output import Code, CommandError
from controller.cli.reach import who_am_i
from controller.domain.cluster import EVENT, HTTP_ROUTE, MODEL_ROLLOUT, ClusterError, Document, ObjectRef
from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import GatewayApiRoute
from controller.domain.traffic import BrokenGlass, RouterUnavailableError, RouteSeen, Split
from controller.ports import Clock, ObjectApi, RouteBinding, TrafficRouter
from controller.spec.route_alone import route_alone
from controller.spec.yaml_text import read_documents
from controller.traffic import router_for
from controller.traffic.breakglass_cluster import ReadThrough, try_note

QUIET_SECONDS, PATIENCE_SECONDS, STEP_SECONDS = 1.0, 15.0, 0.1


@dataclass(frozen=True, slots=True)
class RoutePlace:
    """A rollout's HTTPRoute, and the version that shall have everything. `uid` is the ModelRollout's, where known."""

    binding: RouteBinding
    stable: VersionName
    uid: str = ""

    proof = "its gateways report the HTTPRoute as it was written (their word: requests are not counted there)"
    holder = "The HTTPRoute says"

    @property
    def key(self) -> RolloutKey:
        """The rollout."""
        return self.binding.key

    @property
    def target(self) -> GatewayApiRoute:
        """Where its traffic is moved."""
        target = self.binding.route.target
        assert isinstance(target, GatewayApiRoute), "read as one"
        return target

    @property
    def ref(self) -> ObjectRef:
        """The HTTPRoute."""
        return ObjectRef(HTTP_ROUTE, self.target.namespace, self.target.http_route)

    def told(self) -> dict[str, object]:
        """For machines."""
        return {"http_route": f"{self.target.namespace}/{self.target.http_route}", "rule": self.target.rule}


def in_files(name: str, paths: list[Path], namespace: str = "default") -> RouteBinding | None:
    """The HTTPRoute of that rollout by rollout files, broken ones too."""
    key = RolloutKey.parse(name, namespace)
    found = (route_alone(one, key) for path in paths for one in _documents(path))
    return next((one for one in found if one is not None), None)


def _documents(path: Path) -> Iterator[object]:
    files = [path] if path.is_file() else sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")])
    for file in files:
        try:
            text = file.read_text("utf-8", errors="replace")
        except OSError:
            continue
        yield from (one.value for one in read_documents(text))


def the_route(name: str, reach: Reach, paths: list[Path], version: str | None) -> RoutePlace:
    """The HTTPRoute of that rollout, by the files given, else by its ModelRollout. Raises CommandError."""
    key = RolloutKey.parse(name, reach.namespace)
    binding, document = in_files(name, paths, reach.namespace), None
    if binding is None or version is None:
        document = _resource(reach.api, key, may_fail=binding is not None)
    if binding is None:
        binding = route_alone({"kind": MODEL_ROLLOUT.name, **document}, key) if document else None
    if binding is None:
        raise CommandError(f"the ModelRollout {key} names no HTTPRoute (spec.routes[].gatewayAPI.httpRoute)", todo=TODO)
    stable = VersionName(version) if version else _stable(document)
    if stable is None or stable not in binding.backends:
        known = ", ".join(sorted(binding.backends)) or "none"
        said = f"{stable} is none of them" if stable else "its status does not say which one is stable"
        raise CommandError(f"{key} lists the versions {known}; {said}", todo="ACT NOW: name it with --version VERSION.")
    return RoutePlace(binding, stable, str(_part(document, "metadata").get("uid", "")))


TODO = (
    "ACT NOW: give a rollout file that names it with --rollouts FILE, or change the HTTPRoute by hand (kubectl edit)."
)


def _resource(api: ObjectApi, key: RolloutKey, *, may_fail: bool) -> Document | None:
    try:
        found = api.get(ObjectRef(MODEL_ROLLOUT, key.namespace, key.name))
        if found is not None or may_fail:
            return found
        others = ", ".join(str(_part(one, "metadata").get("name")) for one in api.list(MODEL_ROLLOUT, key.namespace))
    except ClusterError as error:
        if may_fail:
            return None
        raise CommandError(str(error), Code.REFUSED, TODO) from error
    raise CommandError(f"there is no ModelRollout {key}; in that namespace: {others or 'none'}", Code.REFUSED, TODO)


def _stable(document: Document | None) -> VersionName | None:
    found = _part(document, "status").get("stable")
    return VersionName(found) if isinstance(found, str) and found else None


def _part(document: Document | None, name: str) -> Document:
    found = (document or {}).get(name)
    return found if isinstance(found, dict) else {}


def to_stable(place: RoutePlace, api: ObjectApi, clock: Clock) -> Ending:
    """Write the HTTPRoute, and look until its gateways have reported it, unchanged, for a second."""
    try:
        router = router_for(place.binding, (api, ReadThrough(api, place.target.namespace)))
        router.apply(Split(place.stable))
    except RouterUnavailableError as error:
        return Ending(place.stable, None, str(error))
    return _verified(router, place.stable, clock)


def _verified(router: TrafficRouter, stable: VersionName, clock: Clock) -> Ending:
    wanted, deadline = Split(stable), clock.monotonic() + PATIENCE_SECONDS
    seen, why, since = None, "", None
    while clock.monotonic() < deadline:
        try:
            seen = router.observe()
            why = _why(seen, wanted)
            if not seen.holds(wanted):
                router.apply(wanted)  # somebody wrote at the same time: a controller that was raising
        except RouterUnavailableError as error:
            why = str(error)
        now = clock.monotonic()
        since = None if why else since if since is not None else now
        if since is not None and now - since >= QUIET_SECONDS:
            return Ending(stable, seen, None)
        clock.sleep(STEP_SECONDS)
    return Ending(stable, seen, why or "it did not stay as it was written for a second")


def _why(seen: RouteSeen, wanted: Split) -> str:
    if not seen.holds(wanted):
        return f"the HTTPRoute holds another split: {shares(seen)}; somebody else writes it"
    return "" if seen.accepted else seen.trouble or "its gateways do not report the HTTPRoute as it was written"


def by_hand(place: RoutePlace) -> list[str]:
    """What a person can do without Tidegate."""
    backend, target = place.binding.backends[place.stable], place.target
    rule = f"the rule `{target.rule}`" if target.rule else "the rule with the rollout's backends"
    route = f"-n {shlex.quote(target.namespace)} httproute {shlex.quote(target.http_route)}"
    return [
        f"kubectl edit {route}",
        f"  in {rule}: weight 1 for {backend.kind} {backend.name}, weight 0 for the other versions' backends,",
        "  no RequestMirror filter to them; and remove the rule whose name ends in `-cohort`, if there is one",
        f"kubectl get {route} -o yaml     (status.parents: Accepted and ResolvedRefs, of the newest generation)",
    ]


def actor(api: ObjectApi, otherwise: str) -> str:
    """Who asks, by the API server's word; on an old one, or where it does not answer, `otherwise`."""
    try:
        return who_am_i(api) or otherwise
    except ClusterError:
        return otherwise


def note(place: RoutePlace, api: ObjectApi, who: str, reason: str, clock: Clock) -> str | None:
    """Say on the HTTPRoute who, when and why, before it is moved: the controller looks there. Why not, or None."""
    return try_note(api, place.ref, place.key, BrokenGlass(clock.now(), who, reason))


def tell(place: RoutePlace, api: ObjectApi, ending: Ending, who: str, reason: str, clock: Clock) -> None:
    """The same as an Event of the rollout, for `kubectl describe`; not everybody may write Events."""
    now = clock.now().astimezone(UTC)
    name = hashlib.sha256(f"{place.key}{now.isoformat()}{who}".encode()).hexdigest()[:16]
    ref = ObjectRef(EVENT, place.key.namespace, f"{place.key.name[:200]}.{name}")
    proven = "its gateways report it" if ending.trouble is None else f"NOT confirmed: {ending.trouble}"
    regarding = {"apiVersion": MODEL_ROLLOUT.api_version, "kind": MODEL_ROLLOUT.name, "name": place.key.name}
    event = {
        "metadata": {"name": ref.name, "namespace": ref.namespace},
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "reportingController": "tidegate.dev/route",
        "reportingInstance": who[:128] or "unknown",
        "action": "Route",
        "reason": "BrokenGlass",
        "regarding": regarding | {"namespace": place.key.namespace} | ({"uid": place.uid} if place.uid else {}),
        "note": f"{who} sent everything to {place.stable} by hand ({reason or 'no reason given'}); {proven}"[:1000],
        "type": "Warning",
    }
    try:
        api.create(ref, event)
    except ClusterError:
        return  # the note on the route says it, too
