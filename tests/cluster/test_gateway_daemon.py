"""A running controller on an HTTPRoute that Contour and Envoy serve: drift, refusals, deletion, one route for two."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.contour import Contour
from controller.testing.cluster_parts.kubectl import KubectlError
from controller.testing.cluster_parts.netns import Netns
from tests.cluster.faults_rig import prepared
from tests.cluster.gateway_rig import IMPROBABLE, chance_of_as_far
from tests.cluster.hands import NAME, a_rollout, eventually
from tests.cluster.served_rig import CANDIDATE, COHORT, STABLE, Ground, Served, a_ground, a_served

pytestmark = [pytest.mark.xdist_group("gateway-daemon"), pytest.mark.timeout(240)]
CANARY = {STABLE: 90, CANDIDATE: 10}
TOOL = "argocd-controller"
FULL = {"name": "full", "full": {}, "minDuration": "1h"}
FIRST: dict[str, dict[str, Any]] = {
    "shadow": {"shadow": {"percent": 100, "sideEffects": "none"}},
    "cohort": {"cohort": {"headers": COHORT}},
    "canary": {"canary": {"weight": 50}},
}


@pytest.fixture(scope="module")
def ground(api_server: ApiServer, contour: Contour, netns: Netns) -> Iterator[Ground]:
    prepared(api_server)
    with a_ground(api_server, contour, netns) as made:
        yield made


@pytest.fixture
def served(ground: Ground, namespace: str, tmp_path: Path) -> Iterator[Served]:
    with a_served(ground, namespace, tmp_path) as made:
        yield made


def on_canary(served: Served) -> None:
    served.adopted()
    served.apply("v12")
    served.verified("canary-10")
    assert served.weights == CANARY


def test_more_for_the_candidate_is_taken_back_and_told(served: Served) -> None:
    on_canary(served)
    served.write({STABLE: 40, CANDIDATE: 60})
    eventually(lambda: served.weights == CANARY, "corrected")
    eventually(lambda: any("somebody else changed its traffic" in one for one in served.told()), "an alert")
    served.verified("canary-10")
    eventually(lambda: served.send(40)[CANDIDATE] < 20, "in force")
    answers = served.send(300)
    assert chance_of_as_far(answers[CANDIDATE], 300, 0.1) > IMPROBABLE, answers
    assert served.status()["phase"] == "Progressing"


def test_less_for_the_candidate_is_adopted_held_and_told(served: Served) -> None:
    on_canary(served)
    served.write({STABLE: 1})
    eventually(lambda: served.status().get("held") == "external", "held")
    eventually(lambda: any("lowered" in one for one in served.told()), "an alert")
    assert served.condition("Stalled")["reason"] == "HeldExternal"
    served.until_only(STABLE)
    assert CANDIDATE not in served.weights


def listed_tool(served: Served) -> None:
    """In its stage, and `argocd-controller` is known as a tool that only repeats what is committed."""
    served.adopted()
    target = {"httpRoute": NAME, "rule": "chat", "gitopsManagers": [TOOL]}
    served.apply("v12", routes=[{"gatewayAPI": target}])
    served.verified("canary-10")


def test_what_a_listed_tool_writes_is_put_back_at_once_and_told(served: Served) -> None:
    """The very next writing is ours; two where the tool took the target away, which the gateway has to hear of first.

    How long it takes is measured by `make bench-kubernetes`.
    """
    listed_tool(served)
    for committed, ours in (({STABLE: 1}, 2), ({STABLE: 50, CANDIDATE: 50}, 1)):
        before = served.route["metadata"]["generation"]
        served.write(committed, TOOL)
        eventually(lambda: served.weights == CANARY, "put back")
        assert served.route["metadata"]["generation"] == before + 1 + ours, "the tool's writing, and ours"
        assert served.phases() == {"Progressing"}
        eventually(served.is_proven, "verified again")
    eventually(lambda: any(f"`{TOOL}` overwrites its traffic" in one for one in served.told()), "an alert")
    eventually(lambda: any(TOOL in one for one in served.events("DriftCorrected")), "an Event")


def test_while_the_guard_is_blind_what_a_listed_tool_lowered_stays_low(served: Served) -> None:
    listed_tool(served)
    served.judged.fail()
    eventually(lambda: served.verdicts() == {"blind"}, "blind")
    served.write({STABLE: 1}, TOOL)
    eventually(lambda: served.status().get("held") == "external", "adopted and held")
    served.until_only(STABLE)
    served.judged.heal()
    eventually(lambda: "blind" not in served.verdicts(), "in sight again")
    assert CANDIDATE not in served.weights, "held, less is never made more"


def test_what_the_gateway_cannot_do_is_refused_before_any_traffic_moves(served: Served) -> None:
    """What no HTTPRoute can do is refused by the API server; what this class cannot do, by the controller."""
    sticky = a_rollout(served.namespace, served.judged.url)
    sticky["spec"]["routes"][0]["stickyBy"] = {"header": "x-user"}
    with pytest.raises(KubectlError, match="stickyBy"):
        served.ground.server.kubectl.apply(sticky)
    served.adopted()
    before = served.as_people_see_it()
    reached = served.ground.backends[CANDIDATE].count
    shadow = {"name": "shadow", "shadow": {"percent": 20, "sideEffects": "none"}}
    served.apply("v12", stages=[shadow, FULL])
    eventually(lambda: served.condition("Stalled").get("status") == "True", "refused")
    told = served.condition("Stalled")["message"]
    assert "cannot mirror 20 % of the requests, only all of them" in told
    assert served.send(30).keys() == {STABLE}
    assert (served.as_people_see_it(), served.ground.backends[CANDIDATE].count) == (before, reached)
    served.apply("v12", stages=[{**shadow, "shadow": {"percent": 100, "sideEffects": "none"}}, FULL])
    served.verified("shadow")
    eventually(lambda: served.copies_of(5) > 0, "copies arrive")


@pytest.mark.parametrize("kind", FIRST)
def test_deleted_in_the_middle_of_a_run_the_route_is_as_it_was(served: Served, kind: str) -> None:
    before = served.as_people_see_it()
    served.adopted()
    served.apply("v12", stages=[{"name": kind, **FIRST[kind], "minDuration": "1h"}, FULL])
    served.verified(kind)
    assert served.as_people_see_it() != before
    served.ground.server.kubectl("delete", "mro", NAME, "-n", served.namespace)
    eventually(lambda: served.as_people_see_it() == before, "the route as it was")
    served.until_only(STABLE, {}, COHORT)
    eventually(lambda: served.copies_of(10) == 0, "no copies")
    assert served.send(40) + served.send(10, COHORT) == {STABLE: 50}
    assert served.ground.backends[CANDIDATE].count == 0


def test_a_second_rollout_on_the_same_rule_is_refused_until_it_is_free(served: Served) -> None:
    on_canary(served)
    before = served.route["spec"]
    served.apply("v12", name="second")
    eventually(lambda: served.condition("Stalled", "second").get("status") == "True", "refused")
    told = served.condition("Stalled", "second")["message"]
    assert f"already belongs to rollout {served.namespace}/{NAME}" in told
    assert "gatewayAPI.rule" in told
    assert served.route["spec"] == before
    assert served.is_verified("canary-10")
    served.ground.server.kubectl("delete", "mro", NAME, "-n", served.namespace)
    served.verified("canary-10", "second")
    assert served.weights == CANARY
    assert served.status("second")["stable"] == "v11", "the first one's candidate was taken away before"
