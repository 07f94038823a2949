"""The Gateway API router on a real API server, with Contour and Envoy: shares are counted on real requests."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from controller.domain.traffic import RouterUnavailableError, Split
from controller.testing.cluster_parts.netns import Netns
from controller.testing.cluster_parts.resources import backend
from controller.testing.conformance.traffic import PROMISES
from controller.testing.conformance.traffic_rig import TrafficRig, settle, settled
from controller.traffic.gateway_api_names import annotation, cohort_rule
from tests.cluster.gateway_rig import (
    IMPROBABLE,
    SERVICES,
    V11,
    V12,
    ContourRig,
    Doors,
    Ground,
    Hammer,
    a_filter,
    a_ground,
    chance_of_as_far,
)

pytestmark = pytest.mark.xdist_group("gateway-api")

COHORT = (("x-cohort", "employees"),)
HOME = Split(V11)
CHAT: dict[str, Any] = {"name": "chat"}
STABLE: dict[str, Any] = {"name": "chat", "backendRefs": [{"name": "bot-v11", "port": 8000}]}
STAGES = (
    Split(V11, V12, mirror=100),
    Split(V11, V12, cohort=COHORT),
    Split(V11, V12, weight=1),
    Split(V11, V12, weight=50),
    Split(V11, V12, weight=100),
)


@pytest.fixture(scope="module")
def ground(own_netns: Netns) -> Iterator[Ground]:
    """With names of rules, as the standard definitions have them from Gateway API 1.4 on."""
    with a_ground(own_netns, "experimental") as made:
        yield made


@pytest.fixture
def rig(ground: Ground) -> ContourRig:
    return ContourRig(ground, [STABLE], "chat")


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
def test_keeps_the_promise(ground: Ground, promise: Callable[[TrafficRig], None]) -> None:
    promise(ContourRig(ground, [CHAT], "chat"))


@pytest.mark.parametrize("weight", [1, 10, 50, 100])
def test_weights_are_shares_of_real_requests(rig: ContourRig, weight: int) -> None:
    settle(rig, Split(V11, V12, weight=weight))
    answers = Counter(rig.send(400))
    assert answers.total() == 400
    assert Counter({version: rig.reached(version) for version in SERVICES}) == answers
    assert chance_of_as_far(answers[V12], 400, weight / 100) > IMPROBABLE, answers


def test_a_whole_mirror_reaches_the_candidate_and_goes_without_residue(rig: ContourRig) -> None:
    before = rig.route["spec"]
    settle(rig, Split(V11, V12, mirror=100))
    assert set(rig.send(100)) == {V11}
    _poll(lambda: rig.reached(V12) == 100, "100 copies to arrive")
    settle(rig, HOME)
    assert rig.route["spec"] == before
    rig.send(50)
    assert rig.reached(V12) == 100


def test_a_percentage_is_refused_where_the_class_does_not_list_it(rig: ContourRig) -> None:
    assert not rig.router.capabilities.mirror_percent
    before = _written(rig)
    with pytest.raises(RouterUnavailableError, match="HTTPRouteRequestPercentageMirror"):
        rig.router.apply(Split(V11, V12, mirror=20))
    assert _written(rig) == before


def _written(rig: ContourRig) -> tuple[object, ...]:
    """What writers of the spec leave; the class's own controller writes status whenever it likes."""
    metadata = rig.route["metadata"]
    return rig.route["spec"], metadata["generation"], metadata.get("annotations")


def test_what_the_class_lists_is_believed(rig: ContourRig) -> None:
    features = [{"name": "HTTPRouteRequestMirror"}, {"name": "HTTPRouteRequestPercentageMirror"}]
    _tell_features(rig, features)
    try:
        _poll(lambda: rig.router.capabilities.mirror_percent, "the view to have the features")
        _tell_features(rig, [{"name": "HTTPRouteQueryParamMatching"}])
        _poll(lambda: not rig.router.capabilities.mirror, "the view to have the features")
        with pytest.raises(RouterUnavailableError, match="HTTPRouteRequestMirror "):
            rig.router.apply(Split(V11, V12, mirror=100))
    finally:
        _tell_features(rig, None)
    _poll(lambda: rig.router.capabilities.mirror, "the view to have them no more")


def _tell_features(rig: ContourRig, features: list[dict[str, str]] | None) -> None:
    patch = json.dumps({"status": {"supportedFeatures": features}})
    rig.ground.server.kubectl("patch", "gatewayclass", "contour", "--subresource=status", "--type=merge", "-p", patch)


@pytest.mark.parametrize("stage", STAGES, ids=str)
def test_a_rollback_from_every_stage_is_byte_for_byte_and_zero(ground: Ground, stage: Split) -> None:
    listed = {"name": "bot-v12", "port": 8000, "weight": 0}
    rules = [
        {"name": "theirs", "matches": [{"path": {"value": "/x"}}], "backendRefs": STABLE["backendRefs"]},
        {**STABLE, "backendRefs": [{"name": "bot-v11", "port": 8000, "weight": 7}, listed]},
    ]
    rig = ContourRig(ground, rules, "chat")
    before = _seen_by_people(rig)
    settle(rig, stage)
    assert annotation(rig.key) in rig.route["metadata"]["annotations"]
    again = rig.new_router()
    assert again.observe().table == stage.table(), "a controller that was killed does not know the stage"
    rig.router = again
    settle(rig, HOME)
    assert _seen_by_people(rig) == before
    _poll(lambda: _is_quiet(rig), "copies under way to arrive")
    quiet = rig.reached(V12)
    assert set(rig.send(60)) | set(rig.send(20, dict(COHORT))) == {V11}
    assert rig.reached(V12) == quiet


def _is_quiet(rig: ContourRig) -> bool:
    before = rig.reached(V12)
    rig.send(3)
    return rig.reached(V12) == before


def _seen_by_people(rig: ContourRig) -> tuple[Any, ...]:
    route = rig.route
    return json.dumps(route["spec"]), route["metadata"].get("annotations"), route["metadata"].get("labels")


def test_a_promoted_version_serves_alone_and_the_next_run_starts_from_it(rig: ContourRig) -> None:
    settle(rig, Split(V11, V12, weight=100))
    settle(rig, Split(V12))
    assert set(rig.send(50)) == {V12}
    assert [(ref["name"], ref["weight"]) for ref in rig.route["spec"]["rules"][0]["backendRefs"]] == [("bot-v12", 1)]
    settle(rig, Split(V12, V11, weight=30))
    settle(rig, Split(V12))
    assert [(ref["name"], ref["weight"]) for ref in rig.route["spec"]["rules"][0]["backendRefs"]] == [("bot-v12", 1)]


def test_nobody_is_sent_to_a_service_that_is_missing_and_it_says_which(ground: Ground) -> None:
    ghost = [{"name": "bot-v11", "port": 8000}]
    rig = ContourRig(ground, [{**STABLE, "backendRefs": ghost}], "chat")
    settle(rig, HOME)
    ground.server.kubectl("delete", "service", "bot-v12", "-n", ground.namespace)
    try:
        rig.router.apply(Split(V11, V12, weight=10))
        _poll(lambda: "ResolvedRefs is False" in rig.router.observe().trouble, "Contour to miss the Service")
        rig.router.apply(Split(V11, V12, weight=10))
        seen = rig.router.observe()
        assert (seen.table, seen.accepted) == (HOME.table(), False)
        assert "bot-v12" in seen.trouble
        assert rig.send(40) == [V11] * 40
        settle(rig, HOME)
        assert [ref["name"] for ref in rig.route["spec"]["rules"][0]["backendRefs"]] == ["bot-v11"]
    finally:
        _bring_back(ground)


def test_nobody_gets_an_error_while_the_traffic_moves(rig: ContourRig) -> None:
    """What Envoy does not know yet it answers with 503: a version is made known before its first request, and stays so.

    On the way home Envoy may forget the candidate a moment before it stops to send requests there.
    """
    settle(rig, HOME)
    rig.ground.contour.wait_served(host=rig.host)
    with Hammer(rig.ground.contour.url, rig.host) as hammer:
        for _ in range(6):
            settle(rig, HOME)
            hammer.now("up")
            for weight in (50, 100):
                settle(rig, Split(V11, V12, weight=weight))
                time.sleep(0.2)
            hammer.now("home")
            settle(rig, HOME)
            time.sleep(0.2)
    assert hammer.answers["up", 200] > 100
    assert {status for phase, status in hammer.answers if phase == "up"} == {200}, hammer.answers
    assert {status for phase, status in hammer.answers if phase == "home"} <= {200, 503}
    assert hammer.answers["home", 503] < hammer.answers["home", 200] / 10, hammer.answers


def _bring_back(ground: Ground) -> None:
    one = ground.backends[V12]
    ground.server.kubectl.apply(*backend(SERVICES[V12], ground.namespace, one.address, one.port))


def test_a_control_plane_that_stands_still_verifies_nothing(rig: ContourRig) -> None:
    settle(rig, Split(V11, V12, weight=100))
    rig.ground.contour.contour.pause()
    try:
        rig.router.apply(HOME)
        seen = rig.router.observe()
        assert seen.table == HOME.table()
        assert not seen.accepted
        assert "has not looked at generation" in seen.trouble
        assert set(rig.send(20)) == {V12}
    finally:
        rig.ground.contour.contour.resume()
    assert settled(rig, HOME).trouble == ""
    _poll(lambda: set(rig.send(5)) == {V11}, "Envoy to follow")


@pytest.mark.parametrize("how", ["server-side", "client-side"])
def test_a_tool_that_applies_its_manifest_is_seen_and_undone(ground: Ground, how: str) -> None:
    rig = ContourRig(ground, [STABLE], "chat", tools=("argocd-controller",))
    flags = ["--server-side", "--force-conflicts"] if how == "server-side" else []

    def sync() -> None:
        kubectl = ground.server.kubectl
        kubectl("apply", *flags, "--field-manager=argocd-controller", "-f", "-", stdin=json.dumps(committed))

    committed = dict(rig.document)
    committed["spec"] = {**committed["spec"], "rules": [{"name": "chat", "backendRefs": [_weighted("bot-v11", 5)]}]}
    sync()
    split = Split(V11, V12, weight=30)
    settle(rig, split)
    assert rig.router.observe().overwritten_by is None
    assert annotation(rig.key) in rig.route["metadata"]["annotations"]
    committed["spec"]["rules"] = [{"name": "chat", "backendRefs": [_weighted("bot-v11", 6)]}]
    sync()
    seen = settled(rig, HOME)
    assert seen.overwritten_by == "argocd-controller"
    settle(rig, split)
    assert rig.router.observe().overwritten_by is None
    settle(rig, HOME)
    refs = rig.route["spec"]["rules"][0]["backendRefs"]
    assert [(ref["name"], ref["weight"]) for ref in refs] == [("bot-v11", 6)], "home is what was committed last"


def _weighted(service: str, weight: int) -> dict[str, object]:
    return {"name": service, "port": 8000, "weight": weight}


def test_others_who_write_at_the_same_time_lose_nothing_and_stop_nothing(
    rig: ContourRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each patch meets an object that was changed after it was read."""
    patch, left = rig.ground.doors.patch, [2]

    def behind(*args: Any) -> Any:
        if left[0]:
            left[0] -= 1
            rig.ground.server.kubectl("label", "httproute", rig.name, "-n", rig.ground.namespace, f"n{left[0]}=yes")
        return patch(*args)

    with monkeypatch.context() as patched:
        patched.setattr(rig.ground.doors, "patch", behind)
        settle(rig, Split(V11, V12, weight=20))
    assert rig.route["metadata"]["labels"] == {"n0": "yes", "n1": "yes"}
    settle(rig, HOME)
    assert rig.route["metadata"]["labels"] == {"n0": "yes", "n1": "yes"}


def test_without_permission_the_rule_to_add_is_named_and_with_it_nothing_else_is_needed(rig: ContourRig) -> None:
    kubectl = rig.ground.server.kubectl
    read = ["--verb=get,list,watch", "--resource=httproutes.gateway.networking.k8s.io"]
    read += ["--resource=gateways.gateway.networking.k8s.io", "--resource=gatewayclasses.gateway.networking.k8s.io"]
    kubectl("create", "clusterrole", "reads-routes", *read)
    kubectl("create", "clusterrolebinding", "alice-reads", "--clusterrole=reads-routes", "--user=alice")
    doors = Doors(rig.ground.server, "alice")
    try:
        router = type(rig.router)(rig.binding, doors, doors.views)
        assert router.observe().table == HOME.table()
        with pytest.raises(RouterUnavailableError, match=r'resources: \["httproutes"\], verbs: \["patch"\]'):
            router.apply(Split(V11, V12, weight=10))
        kubectl("create", "clusterrole", "writes", "--verb=patch", "--resource=httproutes.gateway.networking.k8s.io")
        kubectl("create", "clusterrolebinding", "alice-writes", "--clusterrole=writes", "--user=alice")
        _poll(lambda: _applies(router, Split(V11, V12, weight=10)), "the permission to hold")
    finally:
        doors.views.close()


def _applies(router: Any, split: Split) -> bool:
    try:
        router.apply(split)
    except RouterUnavailableError:
        return False
    return True


def test_where_names_of_rules_are_not_kept_the_header_rule_is_known_by_what_it_says(netns: Netns) -> None:
    """The standard definitions of Gateway API 1.3."""
    with Netns() as own, a_ground(own, "standard") as ground:
        rules = [{"filters": [a_filter("x-team", "a")], "backendRefs": STABLE["backendRefs"]}]
        rig = ContourRig(ground, rules, None)
        before = _seen_by_people(rig)
        split = Split(V11, V12, weight=20, cohort=COHORT)
        settle(rig, split)
        assert not any("name" in rule for rule in rig.route["spec"]["rules"])
        assert cohort_rule(rig.key) not in json.dumps(rig.route["spec"])
        assert set(rig.send(30, dict(COHORT))) == {V12}
        rig.router = rig.new_router()
        assert rig.router.observe().table == split.table()
        settle(rig, HOME)
        assert _seen_by_people(rig) == before
        assert set(rig.send(30, dict(COHORT))) == {V11}


def _poll(true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 15
    while not true():
        assert time.monotonic() < deadline, f"waited 15 s for {what}"
        time.sleep(0.05)
