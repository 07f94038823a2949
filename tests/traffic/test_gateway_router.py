"""The Gateway API router and what clusters do: conflicts, refusals, old views, gateways that say no."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from controller.domain.cluster import (
    GATEWAY,
    HTTP_ROUTE,
    ClusterUnavailableError,
    ConflictError,
    Document,
    ForbiddenError,
    InvalidObjectError,
    ObjectRef,
    Operation,
)
from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef, GatewayApiRoute, Route
from controller.domain.traffic import RouterUnavailableError, Split
from controller.ports import RouteBinding
from controller.testing.gateway import NAME, NAMESPACE, PARENT, a_backend, a_route
from controller.traffic import ROUTERS, router_for
from controller.traffic.gateway_api import GatewayApiRouter
from controller.traffic.gateway_api_names import annotation, cohort_rule
from tests.traffic.gateway_rigs import CHAT, KEY, ROUTE, V11, V12, GatewayRig, a_filter

COHORT = (("x-cohort", "employees"),)
STABLE: dict[str, Any] = {**CHAT, "backendRefs": [a_backend("bot-v11", 7)]}
TEN = Split(V11, V12, weight=10)
HOME = Split(V11)


@pytest.fixture
def rig() -> GatewayRig:
    return GatewayRig(STABLE)


def refusal(rig: GatewayRig, split: Split) -> str:
    with pytest.raises(RouterUnavailableError) as caught:
        rig.router.apply(split)
    return str(caught.value)


def trouble(rig: GatewayRig) -> str:
    with pytest.raises(RouterUnavailableError) as caught:
        rig.router.observe()
    return str(caught.value)


# what is written


def test_every_patch_tests_the_object_the_rule_and_every_backend(
    rig: GatewayRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard: list[tuple[Operation, ...]] = []
    patch = rig.cluster.patch

    def hear(ref: ObjectRef, operations: Sequence[Operation], part: str = "") -> Document:
        heard.append(tuple(operations))
        return patch(ref, operations, part)

    monkeypatch.setattr(rig.cluster, "patch", hear)
    version = rig.route["metadata"]["resourceVersion"]
    rig.router.apply(Split(V11, V12, weight=10, cohort=COHORT))
    first, second = heard
    assert first[:4] == (
        Operation("test", "/metadata/resourceVersion", version),
        Operation("test", "/spec/rules/0/name", "chat"),
        Operation("test", "/spec/rules/0/backendRefs/0/name", "bot-v11"),
        Operation("add", "/spec/rules/0/backendRefs/1", a_backend("bot-v12", 0)),
    )
    assert [(step.op, step.path) for step in first[4:]] == [("add", "/metadata/annotations")]
    assert [(step.op, step.path) for step in second[:4]] == [
        ("test", "/metadata/resourceVersion"),
        ("test", "/spec/rules/0/name"),
        ("test", "/spec/rules/0/backendRefs/0/name"),
        ("test", "/spec/rules/0/backendRefs/1/name"),
    ]
    assert second[4:6] == (
        Operation("replace", "/spec/rules/0/backendRefs/0/weight", 90),
        Operation("replace", "/spec/rules/0/backendRefs/1/weight", 10),
    )
    mark = f"/metadata/annotations/{annotation(KEY).replace('/', '~1')}"
    assert [(step.op, step.path) for step in second[6:]] == [("add", "/spec/rules/0"), ("add", mark)]


def test_a_steady_state_asks_nothing(rig: GatewayRig) -> None:
    rig.router.apply(TEN)
    before = rig.cluster.calls.copy()
    for _ in range(100):
        assert rig.router.observe().accepted
        rig.router.apply(TEN)
    assert rig.cluster.calls == before


def test_the_header_rule_stands_before_ours_with_the_same_filters_and_without_the_mirror() -> None:
    rig = GatewayRig(
        {"name": "theirs"}, {**STABLE, "filters": [a_filter("x-team", "a")], "timeouts": {"request": "0s"}}
    )
    rig.router.apply(Split(V11, V12, mirror=20, cohort=COHORT))
    assert [rule["name"] for rule in rig.rules] == ["theirs", cohort_rule(KEY), "chat"]
    assert rig.rules[1] == {
        "name": cohort_rule(KEY),
        "matches": [{**CHAT["matches"][0], "headers": [{"type": "Exact", "name": "x-cohort", "value": "employees"}]}],
        "filters": [a_filter("x-team", "a")],
        "timeouts": {"request": "0s"},
        "backendRefs": [a_backend("bot-v12")],
    }
    assert [item["type"] for item in rig.rules[2]["filters"]] == ["RequestHeaderModifier", "RequestMirror"]


def test_a_mirror_of_all_is_said_without_a_percentage(rig: GatewayRig) -> None:
    rig.router.apply(Split(V11, V12, mirror=100))
    assert "percent" not in rig.rules[0]["filters"][0]["requestMirror"]
    rig.router.apply(Split(V11, V12, mirror=30))
    assert rig.rules[0]["filters"][0]["requestMirror"]["percent"] == 30
    rig.edit(
        Operation("remove", "/spec/rules/0/filters/0/requestMirror/percent"),
        Operation("add", "/spec/rules/0/filters/0/requestMirror/fraction", {"numerator": 1, "denominator": 8}),
    )
    table = rig.router.observe().table
    assert table is not None
    assert table.mirrors == ((V12, 13),), "12.5 % is not less than it is"


def test_an_inference_pool_is_a_backend_too() -> None:
    pool = {"group": "inference.networking.x-k8s.io", "kind": "InferencePool", "name": "bot-v11", "weight": 1}
    rig = GatewayRig({**CHAT, "backendRefs": [pool]})
    backends = {version: BackendRef("InferencePool", f"bot-{version}", 8000) for version in (V11, V12)}
    router = GatewayApiRouter(replace(rig.binding, backends=backends), rig.cluster, rig.cluster.view)
    router.apply(TEN)
    assert rig.rules[0]["backendRefs"] == [{**pool, "weight": 90}, {**pool, "name": "bot-v12", "weight": 10}]
    router.apply(HOME)
    assert rig.rules[0]["backendRefs"] == [pool]


def test_a_service_of_another_namespace_or_port_is_not_ours() -> None:
    far, other = {**a_backend("bot-v12", 0), "namespace": "elsewhere"}, a_backend("bot-v12", 0, port=9)
    rig = GatewayRig({**CHAT, "backendRefs": [far, a_backend("bot-v11"), other]})
    rig.router.apply(TEN)
    refs = [far, a_backend("bot-v11", 90), a_backend("bot-v12", 10), other]
    assert rig.rules[0]["backendRefs"] == refs


# where rules have no names (Gateway API before 1.4, standard channel)


def test_without_names_of_rules_everything_works_by_content() -> None:
    theirs = {"matches": [{"headers": [{"name": "x-preview", "value": "1"}]}], "backendRefs": [a_backend("theirs")]}
    ours = {name: value for name, value in STABLE.items() if name != "name"}
    rig = GatewayRig(theirs, ours, rule=None)
    before = rig.rules
    split = Split(V11, V12, weight=20, cohort=COHORT)
    rig.router.apply(split)
    assert rig.router.observe().table == split.table()
    assert all("name" not in rule for rule in rig.rules)
    assert len(rig.rules) == 3
    again = GatewayApiRouter(rig.binding, rig.cluster, rig.cluster.view)
    assert again.observe().table == split.table(), "a restarted controller does not know its header rule"
    again.apply(Split(V11, V12, weight=30))
    assert len(rig.rules) == 2
    again.apply(HOME)
    assert rig.rules == before


# what is not there


def test_a_route_that_is_missing_names_those_that_are_there(rig: GatewayRig) -> None:
    binding = replace(rig.binding, route=Route(GatewayApiRoute("assistants", "suport-bot")))
    router = GatewayApiRouter(binding, rig.cluster, rig.cluster.view)
    with pytest.raises(RouterUnavailableError, match=r"suport-bot: it does not exist; .* there are: support-bot"):
        router.observe()
    with pytest.raises(RouterUnavailableError, match="does not exist"):
        router.apply(HOME)


@pytest.mark.parametrize(
    ("rules", "rule", "told"),
    [
        ([STABLE], "chit", r"no rule named `chit`; there are: chat"),
        ([{"backendRefs": [a_backend("bot-v11")]}], "chat", r"none of its 1 rules has a name.*leave `rule` away"),
        (
            [{**STABLE, "backendRefs": [a_backend("x")]}],
            None,
            r"v11 \(Service bot-v11:8000\).*`chat` has Service x:8000",
        ),
        ([STABLE, {**STABLE, "name": "embed"}], None, r"several rules .*rule `chat`, rule `embed`.*gatewayAPI.rule"),
        ([{**STABLE, "backendRefs": [a_backend("x")]}], "chat", r"sends everything to Service x:8000, and nothing"),
    ],
)
def test_a_rule_that_is_not_there_names_what_is(rules: list[dict[str, Any]], rule: str | None, told: str) -> None:
    with pytest.raises(RouterUnavailableError, match=told):
        GatewayRig(*rules, rule=rule).router.observe()


def test_a_rule_without_backends_is_no_route_yet_and_stable_comes_in() -> None:
    rig = GatewayRig(CHAT)
    assert rig.router.observe().table is None
    rig.router.apply(HOME)
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11")]


def test_a_rule_of_somebody_else_is_not_taken_over() -> None:
    rig = GatewayRig({**CHAT, "backendRefs": [a_backend("their-service")]})
    assert "their-service" in refusal(rig, HOME)
    assert rig.patches() == 0


def test_beside_a_foreign_backend_nothing_is_raised_and_all_is_taken_back(rig: GatewayRig) -> None:
    rig.router.apply(TEN)
    rig.edit(Operation("add", "/spec/rules/0/backendRefs/-", a_backend("their-service", 5)))
    assert "their-service" in refusal(rig, Split(V11, V12, weight=50))
    rig.router.apply(HOME)
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11", 7), a_backend("their-service", 5)]


def test_backends_that_no_route_can_have_are_refused(rig: GatewayRig) -> None:
    host = replace(rig.binding, backends={V11: BackendRef("Host", "10.0.0.1", 80)})
    with pytest.raises(RouterUnavailableError, match="kind Host"):
        GatewayApiRouter(host, rig.cluster, rig.cluster.view)
    same = replace(rig.binding, backends=dict.fromkeys((V11, V12), BackendRef("Service", "bot", 80)))
    with pytest.raises(RouterUnavailableError, match="v11 and v12 have the same backend"):
        GatewayApiRouter(same, rig.cluster, rig.cluster.view)


def test_a_cohort_by_a_header_that_the_rule_matches_itself_is_refused() -> None:
    match = {"headers": [{"name": "X-Cohort", "value": "all"}]}
    rig = GatewayRig({**STABLE, "matches": [match]})
    assert "X-Cohort" in refusal(rig, Split(V11, V12, cohort=(("X-Cohort", "employees"),)))
    assert rig.patches() == 0


# two rollouts on one HTTPRoute


def test_two_rollouts_move_their_own_rules_of_one_route_and_each_goes_home() -> None:
    embed = {"name": "embed", "backendRefs": [a_backend("embed-1", 2)]}
    rig = GatewayRig(STABLE, embed)
    backends = {V11: BackendRef("Service", "embed-1", 8000), V12: BackendRef("Service", "embed-2", 8000)}
    route = Route(GatewayApiRoute(ROUTE.namespace, ROUTE.name, "embed"))
    other = RouteBinding(RolloutKey("assistants", "embed"), route, backends)
    second = GatewayApiRouter(other, rig.cluster, rig.cluster.view)
    mine, theirs = Split(V11, V12, weight=10, cohort=COHORT), Split(V11, V12, weight=60, mirror=20)
    rig.router.apply(mine)
    second.apply(theirs)
    assert (rig.router.observe().table, second.observe().table) == (mine.table(), theirs.table())
    rig.router.apply(HOME)
    assert second.observe().table == theirs.table()
    second.apply(HOME)
    assert rig.rules == [STABLE, embed]
    assert "annotations" not in rig.route["metadata"]


# faults of the cluster


def in_between(rig: GatewayRig, times: int) -> None:
    """Somebody else changes the route under each of the next writes."""
    left = [times]

    def change(verb: str, ref: ObjectRef) -> None:
        if left[0] > 0 and verb == "patch":
            left[0] -= 1
            rig.edit(Operation("add", "/metadata/labels", {"seen": str(left[0])}))

    rig.cluster.before_write = change


def test_a_conflict_is_read_again_and_written_again(rig: GatewayRig) -> None:
    in_between(rig, 2)
    rig.router.apply(TEN)
    assert rig.router.observe().table == TEN.table()
    assert rig.patches() == 4
    assert rig.route["metadata"]["labels"] == {"seen": "0"}


def test_raising_gives_up_sooner_than_a_rollback(rig: GatewayRig) -> None:
    rig.router.apply(TEN)
    in_between(rig, 7)
    assert "others keep changing it" in refusal(rig, Split(V11, V12, weight=50))
    assert rig.router.observe().table == TEN.table()
    in_between(rig, 7)
    rig.router.apply(HOME)
    assert rig.router.observe().table == HOME.table()


def test_what_changed_meanwhile_is_taken_into_account(rig: GatewayRig) -> None:
    """The index of our rule moves between reading and writing: nobody else's weights are touched."""
    theirs = {"name": "theirs", "backendRefs": [a_backend("their-1", 5), a_backend("their-2", 6)]}
    once = [True]

    def insert(verb: str, ref: ObjectRef) -> None:
        if once.pop() if once else False:
            rig.edit(Operation("add", "/spec/rules/0", theirs))

    rig.cluster.before_write = insert
    rig.router.apply(TEN)
    assert rig.rules[0] == theirs
    assert rig.router.observe().table == TEN.table()


def test_an_old_view_does_not_write_over_what_it_has_not_seen(rig: GatewayRig) -> None:
    rig.cluster.view.hold_back()
    rig.edit(Operation("replace", "/spec/rules/0/backendRefs/0/weight", 3))
    rig.router.apply(TEN)
    rig.router.apply(HOME)
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11", 3)], "somebody's weight was lost"


def test_we_read_what_we_wrote_before_the_watch_tells(rig: GatewayRig) -> None:
    rig.router.apply(Split(V11, V12, weight=5))
    rig.cluster.view.hold_back()
    rig.router.apply(TEN)
    seen = rig.router.observe()
    assert seen.table == TEN.table()
    assert not seen.accepted, "its status is of the generation before"
    rig.cluster.view.let_go()
    assert rig.router.observe().accepted


@pytest.mark.parametrize("error", [ClusterUnavailableError("429", 0.3), ClusterUnavailableError("503 sorry")])
def test_a_busy_api_server_delays_a_rollback_and_refuses_a_raise(
    rig: GatewayRig, error: ClusterUnavailableError
) -> None:
    rig.router.apply(TEN)
    rig.cluster.fail(error, "patch", times=1)
    assert str(error) in refusal(rig, Split(V11, V12, weight=50))
    rig.cluster.fail(error, "patch", times=3)
    rig.router.apply(HOME)
    assert rig.router.observe().table == HOME.table()
    assert max(rig.pauses) <= 1.0


def test_without_a_view_a_rollback_asks_the_api_server(rig: GatewayRig) -> None:
    rig.router.apply(TEN)
    rig.cluster.view.cut()
    assert "not current" in trouble(rig)
    rig.router.apply(HOME)
    assert rig.rules == [STABLE]


def test_a_missing_permission_names_the_rule_to_add(rig: GatewayRig) -> None:
    rig.cluster.deny("patch", HTTP_ROUTE)
    told = refusal(rig, TEN)
    assert 'apiGroups: ["gateway.networking.k8s.io"], resources: ["httproutes"], verbs: ["patch"]' in told
    assert "assistants/support-bot" in told


@pytest.mark.parametrize("error", [InvalidObjectError("denied by policy X"), ConflictError("changed")])
def test_what_the_api_server_refuses_is_told(rig: GatewayRig, error: Exception) -> None:
    rig.cluster.fail(error, "patch")  # type: ignore[arg-type]
    assert str(error) in refusal(rig, TEN)


def test_a_kind_that_is_not_served_is_told(rig: GatewayRig) -> None:
    rig.cluster.server.served.discard(HTTP_ROUTE)
    assert "Gateway API" in trouble(rig)
    assert "Gateway API" in refusal(rig, HOME)


# is it in force?


def test_a_gateway_that_takes_no_notice_has_not_accepted(rig: GatewayRig) -> None:
    rig.router.apply(Split(V11, V12, weight=5))
    rig.gateway.asleep = True
    rig.router.apply(TEN)
    seen = rig.router.observe()
    assert seen.table == TEN.table()
    assert not seen.accepted
    assert "has not looked at generation 4" in seen.trouble
    rig.gateway.wake()
    assert rig.router.observe().accepted


# a first request


@pytest.mark.parametrize("split", [TEN, Split(V11, V12, cohort=COHORT), Split(V11, V12, weight=100)], ids=str)
def test_a_gateway_hears_of_a_version_before_it_sends_anybody_there(rig: GatewayRig, split: Split) -> None:
    rig.gateway.asleep = True
    for _ in range(3):
        rig.router.apply(split)
        seen = rig.router.observe()
        assert (seen.table, seen.prepared) == (HOME.table(), True)
        assert "has not looked at generation 2" in seen.trouble
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11", 7), a_backend("bot-v12", 0)]
    assert rig.patches() == 1, "it waits without writing"
    rig.gateway.wake()
    rig.router.apply(split)
    seen = rig.router.observe()
    assert (seen.table, seen.accepted) == (split.table(), True)


def test_what_was_prepared_and_never_used_is_seen_and_goes_without_a_trace(rig: GatewayRig) -> None:
    before = rig.rules
    rig.gateway.asleep = True
    rig.router.apply(TEN)
    rig.gateway.wake()
    seen = rig.router.observe()
    assert seen.accepted
    assert not seen.holds(HOME)
    rig.router.apply(HOME)
    assert rig.router.observe().holds(HOME)
    assert rig.rules == before
    assert "annotations" not in rig.route["metadata"]


def test_what_people_listed_with_nothing_stays_listed() -> None:
    refs = [a_backend("bot-v12", 0), a_backend("bot-v11", 7)]
    rig = GatewayRig({**CHAT, "backendRefs": refs})
    rig.router.apply(TEN)
    assert not rig.router.observe().prepared
    rig.router.apply(HOME)
    assert rig.router.observe().holds(HOME)
    assert rig.rules[0]["backendRefs"] == refs


def test_a_version_that_gets_copies_is_known_already(rig: GatewayRig) -> None:
    rig.router.apply(Split(V11, V12, mirror=100))
    before = rig.patches()
    rig.router.apply(TEN)
    assert rig.patches() == before + 1


def test_at_100_stable_stays_known_and_the_way_back_is_one_patch(rig: GatewayRig) -> None:
    rig.router.apply(Split(V11, V12, weight=100))
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v12", 7), a_backend("bot-v11", 0)]
    before = rig.patches()
    rig.router.apply(HOME)
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11", 7)]
    assert rig.patches() == before + 1


def test_nobody_is_sent_to_a_backend_that_is_missing_and_it_says_which(rig: GatewayRig) -> None:
    rig.gateway.missing.add("bot-v12")
    for _ in range(3):
        rig.router.apply(TEN)
    seen = rig.router.observe()
    assert (seen.table, seen.accepted) == (HOME.table(), False)
    assert "ResolvedRefs is False (BackendNotFound: Service bot-v12 not found)" in seen.trouble
    rig.router.apply(HOME)
    assert rig.router.observe().accepted


TOOL = "argocd-controller"


def committed(rig: GatewayRig, *backends: dict[str, Any]) -> None:
    """The GitOps tool writes the rule."""
    rule = {**STABLE, "backendRefs": list(backends)}
    rig.cluster.put(HTTP_ROUTE, a_route(ROUTE.name, ROUTE.namespace, rule), manager=TOOL)


def test_who_wrote_before_it_was_prepared_is_still_the_last_word() -> None:
    rig = GatewayRig(STABLE, tools=(TOOL,))
    committed(rig, a_backend("bot-v11", 3))
    rig.gateway.asleep = True
    rig.router.apply(TEN)
    seen = rig.router.observe()
    assert (seen.prepared, seen.overwritten_by) == (True, TOOL)
    rig.edit(Operation("replace", "/spec/rules/0/backendRefs/0/weight", 9), manager="kubectl-edit")
    assert rig.router.observe().overwritten_by is None, "a person wrote after that"
    rig.gateway.wake()
    rig.router.apply(TEN)
    assert rig.router.observe().overwritten_by is None
    assert TOOL not in rig.route["metadata"]["annotations"][annotation(KEY)]
    rig.router.apply(HOME)
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11", 9)]


def test_a_tool_that_writes_between_reading_and_preparing_is_the_last_word() -> None:
    rig = GatewayRig(STABLE, tools=(TOOL,))
    committed(rig, a_backend("bot-v11", 3))
    rig.gateway.asleep = True
    weights = [4]

    def again(verb: str, ref: ObjectRef) -> None:
        if weights:
            committed(rig, a_backend("bot-v11", weights.pop()))

    rig.cluster.before_write = again
    rig.router.apply(TEN)
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11", 4), a_backend("bot-v12", 0)]
    assert rig.router.observe().overwritten_by == TOOL


def test_what_a_tool_listed_with_nothing_in_the_middle_of_a_run_stays_listed() -> None:
    rig = GatewayRig(STABLE, tools=(TOOL,))
    rig.router.apply(TEN)
    listed = [a_backend("bot-v11", 8), a_backend("bot-v12", 0)]
    committed(rig, *listed)
    assert not rig.router.observe().prepared
    rig.router.apply(TEN)
    rig.router.apply(HOME)
    assert rig.rules[0]["backendRefs"] == listed


def test_what_somebody_wrote_at_100_is_what_is_promoted(rig: GatewayRig) -> None:
    rig.router.apply(Split(V11, V12, weight=100))
    rig.edit(Operation("replace", "/spec/rules/0/backendRefs/0/weight", 9))
    rig.router.apply(Split(V12))
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v12", 9), a_backend("bot-v11", 0)]


@pytest.mark.parametrize("named", [True, False])
def test_a_header_rule_that_somebody_emptied_is_not_home_and_goes(named: bool) -> None:
    ours = STABLE if named else {name: value for name, value in STABLE.items() if name != "name"}
    rig = GatewayRig(ours, rule="chat" if named else None)
    before = rig.rules
    cohort = Split(V11, V12, cohort=COHORT)
    rig.router.apply(cohort)
    rig.edit(Operation("replace", "/spec/rules/0/backendRefs/0/weight", 0))
    seen = rig.router.observe()
    assert seen.table == HOME.table()
    assert not seen.holds(HOME), "requests with the header are answered by nobody"
    rig.router.apply(cohort)
    assert rig.router.observe().table == cohort.table()
    rig.edit(Operation("replace", "/spec/rules/0/backendRefs/0/weight", 0))
    rig.router.apply(HOME)
    assert rig.router.observe().holds(HOME)
    assert rig.rules == before


@pytest.mark.parametrize(
    "prepared", ['["x"]', '"x"', '{"a": 1}', '{"version": 1, "tool": 2, "generation": 1e999}', "7"]
)
def test_a_note_of_preparing_that_says_anything_loses_nothing_else(rig: GatewayRig, prepared: str) -> None:
    rig.router.apply(Split(V11, V12, weight=50))
    text = rig.route["metadata"]["annotations"][annotation(KEY)]
    rig.route["metadata"]["annotations"][annotation(KEY)] = f'{text[:-1]},"prepared":{prepared}}}'
    assert rig.router.observe().table == Split(V11, V12, weight=50).table()
    rig.router.apply(HOME)
    assert rig.rules[0]["backendRefs"] == [a_backend("bot-v11", 7)]


def test_a_header_rule_that_somebody_changed_does_not_keep_a_smaller_split_from_being_written(rig: GatewayRig) -> None:
    rig.router.apply(Split(V11, V12, weight=50, cohort=COHORT))
    rig.edit(Operation("replace", "/spec/rules/0/backendRefs", [a_backend("bot-v12", 2), a_backend("bot-v11", 1)]))
    rig.router.apply(TEN)
    assert rig.router.observe().table == TEN.table()


def test_every_parent_must_accept(rig: GatewayRig) -> None:
    second = {**PARENT, "name": "other-gate"}
    rig.gateway.asleep = True
    rig.edit(Operation("add", "/spec/parentRefs/-", second))
    status = rig.route["status"]
    for condition in status["parents"][0]["conditions"]:
        condition["observedGeneration"] = rig.route["metadata"]["generation"]
    rig.cluster.edit(ROUTE, Operation("add", "/status", status), part="status")
    assert "no controller has taken the HTTPRoute up for Gateway other-gate" in rig.router.observe().trouble


def test_a_gateway_that_is_not_programmed_or_gone_is_not_accepted(rig: GatewayRig) -> None:
    rig.gateway.tell_programmed("False")
    assert "Programmed is False" in rig.router.observe().trouble
    rig.cluster.delete(ObjectRef(GATEWAY, NAMESPACE, NAME))
    assert "does not exist" in rig.router.observe().trouble


def test_gateways_that_may_not_be_read_are_not_asked(rig: GatewayRig, monkeypatch: pytest.MonkeyPatch) -> None:
    get = rig.cluster.view.get

    def only_routes(ref: ObjectRef) -> Any:
        if ref.kind != HTTP_ROUTE:
            raise ForbiddenError(f"not allowed to list {ref.kind.resource}")
        return get(ref)

    monkeypatch.setattr(rig.cluster.view, "get", only_routes)
    assert rig.router.observe().accepted
    assert rig.router.capabilities.mirror
    assert not rig.router.capabilities.mirror_percent


def test_gateways_that_cannot_be_read_now_can_do_nobody_knows_what(rig: GatewayRig) -> None:
    view = rig.cluster.view
    view._follows = [one for one in view._follows if one[0] == HTTP_ROUTE]
    assert rig.router.observe().accepted
    with pytest.raises(RouterUnavailableError, match="not followed"):
        _ = rig.router.capabilities
    assert "not followed" in refusal(rig, Split(V11, V12, mirror=20))
    rig.router.apply(TEN)


# what the gateway can do


def test_a_class_without_percentages_mirrors_all_or_nothing(rig: GatewayRig) -> None:
    rig.gateway.tell_features(["HTTPRouteRequestMirror"])
    assert (rig.router.capabilities.mirror, rig.router.capabilities.mirror_percent) == (True, False)
    assert "HTTPRouteRequestPercentageMirror" in refusal(rig, Split(V11, V12, mirror=20))
    rig.router.apply(Split(V11, V12, mirror=100))
    rig.send(20)
    assert rig.reached(V12) == 20
    rig.gateway.tell_features(["HTTPRouteQueryParamMatching"])
    assert "HTTPRouteRequestMirror" in refusal(rig, Split(V11, V12, mirror=100))
    rig.router.apply(HOME)


def test_a_class_that_says_nothing_is_trusted_with_a_whole_mirror_only(rig: GatewayRig) -> None:
    rig.gateway.tell_features([])
    assert (rig.router.capabilities.mirror, rig.router.capabilities.mirror_percent) == (True, False)


def test_it_keeps_no_conversations_and_counts_nothing(rig: GatewayRig) -> None:
    able = rig.router.capabilities
    assert (able.header_match, able.sticky_header, able.sticky_cookie, able.counts) == (True, False, False, False)


# who wrote it


def test_a_listed_tool_that_wrote_last_is_named() -> None:
    rig = GatewayRig(STABLE, tools=("argocd-controller",))
    rig.router.apply(TEN)
    assert rig.router.observe().overwritten_by is None
    rig.cluster.put(HTTP_ROUTE, a_route(ROUTE.name, ROUTE.namespace, STABLE), manager="argocd-controller")
    seen = rig.router.observe()
    assert (seen.table, seen.overwritten_by) == (HOME.table(), "argocd-controller")
    rig.router.apply(TEN)
    assert rig.router.observe().overwritten_by is None
    rig.edit(Operation("replace", "/spec/rules/0/backendRefs/1/weight", 1), manager="kubectl-edit")
    assert rig.router.observe().overwritten_by is None


def test_after_a_tool_wrote_it_home_is_what_the_tool_wrote() -> None:
    rig = GatewayRig(STABLE, tools=("argocd-controller",))
    rig.router.apply(TEN)
    committed = {**STABLE, "backendRefs": [a_backend("bot-v11", 3)]}
    rig.cluster.put(HTTP_ROUTE, a_route(ROUTE.name, ROUTE.namespace, committed), manager="argocd-controller")
    rig.router.apply(TEN)
    rig.router.apply(HOME)
    assert rig.rules == [committed]
    assert annotation(KEY) not in rig.route["metadata"].get("annotations", {})


# the one list of routers


def test_an_unknown_router_names_the_known_ones(rig: GatewayRig) -> None:
    odd = GatewayApiRoute("a", "b", router="istio")  # type: ignore[arg-type]
    with pytest.raises(LookupError, match="unknown router `istio`; known: envoy, gateway_api"):
        router_for(replace(rig.binding, route=Route(odd)))
    assert set(ROUTERS) == {"envoy", "gateway_api"}


def test_without_a_cluster_it_says_how_to_get_one(rig: GatewayRig) -> None:
    with pytest.raises(RouterUnavailableError, match="--cluster"):
        router_for(rig.binding)


def test_a_version_may_be_called_anything(rig: GatewayRig) -> None:
    odd = VersionName("v12~/é")
    binding = RouteBinding(KEY, rig.binding.route, {V11: rig.binding.backends[V11], odd: rig.binding.backends[V12]})
    router = GatewayApiRouter(binding, rig.cluster, rig.cluster.view)
    router.apply(Split(V11, odd, weight=10))
    assert router.observe().table == Split(V11, odd, weight=10).table()
