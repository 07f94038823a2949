"""What a ModelRollout's status says, through its life, and how often it is written."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain.cluster import MODEL_ROLLOUT, ObjectRef, Operation
from controller.domain.names import VersionName
from controller.domain.state import Phase
from controller.domain.traffic import RouteTable
from controller.domain.verdict import Verdict
from controller.runtime.status import outline, timed
from controller.runtime.statuses import VERDICTS_EVERY
from controller.testing.clock import START
from controller.testing.routers import Fault as RouterFault
from controller.testing.stores import Fault
from tests.runtime.cluster_rig import KEY, REF, ClusterRig, a_cluster_rig, a_document

PATCHES = ("patch", "modelrollouts.tidegate.dev/status")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ClusterRig]:
    """v11 is adopted, verified, and told."""
    made = a_cluster_rig(tmp_path)
    made.apply(version="v11")
    made.passes()
    yield made
    made.rig.house.persister.close()


@pytest.fixture
def canary(rig: ClusterRig) -> ClusterRig:
    rig.apply(version="v12")
    rig.tick_until(lambda: rig.held.position.run is not None and rig.held.position.run.stage_since is not None)
    return rig


def test_at_rest_it_is_ready_and_promoted(rig: ClusterRig) -> None:
    status = rig.status
    assert (status["phase"], status["stable"], status["observedGeneration"]) == ("Idle", "v11", 1)
    assert [rig.is_true(kind) for kind in ("Ready", "Promoted", "Reconciling", "Stalled", "RolledBack")] == [
        True, True, False, False, False,
    ]  # fmt: skip
    assert status["traffic"]["verified"] == {"weight": 0, "mirror": 0, "cohort": False}
    assert "candidate" not in status
    assert status["sequence"] <= rig.held.seq


def test_a_new_generation_is_not_promoted_before_it_is(rig: ClusterRig) -> None:
    rig.apply(version="v12")
    rig.passes(1)
    assert rig.status["observedGeneration"] == 2
    assert not rig.is_true("Promoted")
    assert not rig.is_true("Ready")
    assert rig.is_true("Reconciling")


def test_a_run_is_told_with_its_stage_weight_and_verdicts(canary: ClusterRig) -> None:
    status = canary.status
    assert (status["stage"], status["candidate"], status["run"]["stageIndex"]) == ("canary-10", "v12", 0)
    assert status["traffic"]["desired"]["weight"] == status["traffic"]["verified"]["weight"] == 10
    assert {one["name"] for one in status["slos"]} == {"harm"}
    assert canary.condition("Reconciling")["reason"] == "Progressing"


def test_a_promotion_ends_ready_and_promoted(canary: ClusterRig) -> None:
    canary.tick_until(lambda: canary.held.position.phase is Phase.COMPLETED, answers=400)
    canary.tick()
    assert canary.status["stable"] == "v12"
    assert canary.is_true("Ready")
    assert canary.is_true("Promoted")


def test_a_rollback_keeps_its_numbers(canary: ClusterRig) -> None:
    canary.tick_until(lambda: canary.held.position.phase is Phase.ROLLED_BACK, bad=100)
    status = canary.status
    assert canary.is_true("RolledBack")
    assert not canary.is_true("Promoted")
    assert canary.is_true("Ready"), "users are on stable, verified"
    assert "judged answers of v12 were harmful" in canary.condition("RolledBack")["message"]
    assert status["breach"]["cause"] == "breach"
    assert status["breach"]["bad"] > 0
    assert status["slos"][0]["verdict"] == "breach"
    assert status["traffic"]["verified"]["weight"] == 0


def test_counts_are_written_every_five_minutes_at_most(canary: ClusterRig) -> None:
    canary.apply(version="v12", stages=_patient())
    canary.tick_until(lambda: bool(canary.held.position.run and canary.held.position.run.stage_since))
    for _ in range(4):
        canary.tick()
    before = canary.cluster.calls[PATCHES]
    for _ in range(40):
        canary.tick(count=2)
    told = canary.cluster.calls[PATCHES] - before
    assert 1 <= told <= 4, "ten minutes"
    total = canary.status["slos"][0]["total"]
    canary.clock.advance(301)
    canary.tick()
    assert canary.status["slos"][0]["total"] > total


def test_verdicts_are_told_every_few_seconds_at_most_and_all_else_at_once(canary: ClusterRig) -> None:
    """With ticks of a second every change of a verdict would be a write."""
    canary.apply(version="v12", stages=_patient())
    canary.tick_until(lambda: bool(canary.held.position.run and canary.held.position.run.stage_since))
    canary.tick()

    def told(verdict: Verdict, trouble: str = "") -> tuple[object, object]:
        streams = tuple(replace(one, verdict=verdict) for one in canary.held.judgement.streams)
        canary.held.judgement, canary.held.trouble = replace(canary.held.judgement, streams=streams), trouble
        canary.desk.passed(canary.held)
        canary.write()
        return canary.status["slos"][0]["verdict"], canary.condition("Reconciling")["reason"]

    canary.clock.advance(VERDICTS_EVERY)
    assert told(Verdict.PASS) == ("pass", "Progressing")
    canary.clock.advance(1)
    assert told(Verdict.BLIND) == ("pass", "Progressing"), "they were looked at a moment ago"
    assert told(Verdict.BLIND, "nothing advances") == ("blind", "Troubled"), "not only verdicts have changed"
    assert told(Verdict.PASS, "nothing advances") == ("blind", "Troubled")
    canary.clock.advance(VERDICTS_EVERY)
    assert told(Verdict.PASS, "nothing advances") == ("pass", "Troubled")
    canary.clock.jump(timedelta(seconds=-5))
    assert told(Verdict.BLIND, "nothing advances") == ("blind", "Troubled"), "a clock that is set back delays nothing"


def _patient() -> list[dict[str, object]]:
    return [{"name": "canary-10", "canary": {"weight": 10}, "minDuration": "5h"}, {"name": "full", "full": {}}]


def test_a_transition_time_moves_only_with_the_status(rig: ClusterRig) -> None:
    before = rig.condition("Ready")["lastTransitionTime"]
    stalled = rig.condition("Stalled")["lastTransitionTime"]
    rig.clock.advance(60)
    rig.apply(version="v12")
    rig.tick()
    assert rig.condition("Ready")["lastTransitionTime"] != before
    assert rig.condition("Stalled")["lastTransitionTime"] == stalled


def test_nothing_new_is_no_request(rig: ClusterRig) -> None:
    before = rig.cluster.calls.total()
    for _ in range(100):
        rig.clock.advance(60)
        rig.read()
        rig.look()
        rig.passes(1)
    assert rig.cluster.calls.total() == before


def test_after_a_restart_nothing_is_told_again(rig: ClusterRig, tmp_path: Path) -> None:
    again = a_cluster_rig(tmp_path, rig.cluster.server, rig.rig.store.shelf, rig.clock, rig.rig.routers)
    again.read()
    again.passes()
    assert again.held.seq == rig.held.seq
    assert again.cluster.calls[PATCHES] == 0


def test_an_invalid_edit_is_stalled_with_the_reason(rig: ClusterRig) -> None:
    rig.apply(version="v99")
    rig.passes()
    assert rig.status["observedGeneration"] == 2
    assert rig.is_true("Stalled")
    assert rig.condition("Stalled")["reason"] == "InvalidSpec"
    assert "modelrollout assistants/support-bot: spec.version" in rig.condition("Stalled")["message"]
    assert not rig.is_true("Reconciling")
    assert rig.status["stable"] == "v11"


def test_one_that_was_never_good_is_told_too(tmp_path: Path) -> None:
    rig = a_cluster_rig(tmp_path)
    rig.apply(version="v99")
    rig.write()
    assert rig.condition("Stalled")["reason"] == "InvalidSpec"
    assert rig.status["phase"] == "Stalled"
    before = rig.cluster.calls.total()
    rig.clock.advance(900)
    rig.read()
    rig.write()
    assert rig.cluster.calls.total() == before


def test_a_conflict_is_read_again(rig: ClusterRig) -> None:
    calls: list[str] = []

    def somebody(verb: str, ref: ObjectRef) -> None:
        if not calls:
            calls.append(verb)
            rig.cluster.edit(REF, Operation("add", "/metadata/labels", {"team": "a"}))

    rig.cluster.before_write = somebody
    rig.apply(version="v12")
    rig.passes(2)
    assert rig.status["observedGeneration"] == 2
    assert rig.document["metadata"]["labels"] == {"team": "a"}


def test_a_rollback_does_not_wait_for_the_api_server(canary: ClusterRig) -> None:
    canary.cluster.fail()
    canary.tick_until(lambda: canary.held.position.phase is Phase.ROLLED_BACK, bad=100)
    assert canary.status["phase"] == "Progressing"
    assert "away" in str(canary.rig.house.health.ready().document)
    canary.cluster.heal()
    canary.clock.advance(120)
    canary.write()
    assert canary.status["phase"] == "RolledBack"


def test_a_missing_right_names_its_rule(canary: ClusterRig) -> None:
    canary.cluster.deny("patch", MODEL_ROLLOUT, part="status")
    canary.tick_until(lambda: canary.held.position.phase is Phase.ROLLED_BACK, bad=100)
    told = str(canary.rig.house.health.ready().document)
    assert "modelrollouts/status" in told
    assert "patch" in told


def test_without_the_store_no_sequence_is_cited(canary: ClusterRig) -> None:
    canary.rig.store.fault = Fault.UNAVAILABLE
    canary.tick_until(lambda: canary.held.position.phase is Phase.ROLLED_BACK, bad=100)
    assert canary.status["phase"] == "RolledBack"
    assert "sequence" not in canary.status
    assert "database" in canary.status["message"]


def test_a_hanging_watch_keeps_the_last_good_specs(canary: ClusterRig) -> None:
    canary.cluster.view.cut()
    canary.read()
    assert not canary.held.spec.deleted
    canary.tick_until(lambda: canary.held.position.phase is Phase.ROLLED_BACK, bad=100)
    canary.cluster.view.mend()
    canary.clock.advance(120)
    canary.read()
    canary.passes()
    assert canary.status["phase"] == "RolledBack"


def test_a_deleted_rollout_leaves_its_route_on_stable(canary: ClusterRig) -> None:
    canary.cluster.delete(REF)
    canary.read()
    canary.passes(20)
    assert canary.rig.routers[KEY].applied[-1].candidate is None
    assert canary.held.position.split() is not None
    assert not canary.held.position.under_way
    writes = canary.rig.routers[KEY].writes
    canary.rig.routers[KEY].set_by_hand(RouteTable(((VersionName("v13"), 100),)))
    canary.passes(20)
    assert canary.rig.routers[KEY].writes == writes, "the route is people's again"


def test_a_deleted_rollout_can_come_back(canary: ClusterRig) -> None:
    canary.cluster.delete(REF)
    canary.read()
    canary.passes(20)
    canary.apply(version="v12")
    canary.passes()
    assert canary.held.position.under_way
    assert canary.status["observedGeneration"] == 1


def test_a_kind_that_is_not_served_says_what_to_apply(canary: ClusterRig) -> None:
    canary.cluster.server.served.discard(MODEL_ROLLOUT)
    specs = canary.source.read()
    assert "manifests/crd.yaml" in str(specs.trouble)
    assert not specs.rollouts[KEY].deleted


def test_outlines_leave_out_what_only_counts() -> None:
    one = {"message": "waiting for 14 min", "slos": [{"name": "a", "verdict": "pass", "bad": 1}], "sequence": 3}
    other = {"message": "waiting for 13 min", "slos": [{"name": "a", "verdict": "pass", "bad": 2}], "sequence": 4}
    assert outline(one) == outline(other)
    assert outline(one) != outline({**other, "slos": [{"name": "a", "verdict": "breach"}]})


def test_times_are_kept_while_a_condition_stays() -> None:
    new = {"conditions": [{"type": "Ready", "status": "True"}, {"type": "Stalled", "status": "False"}]}
    old = {"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "then"}]}
    told = timed(new, old, START)["conditions"]
    assert isinstance(told, list)
    assert told[0]["lastTransitionTime"] == "then"
    assert told[1]["lastTransitionTime"] == START.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_who_wrote_the_spec_is_the_author(rig: ClusterRig) -> None:
    rig.cluster.put(MODEL_ROLLOUT, a_document("v12"), manager="argocd-controller")
    rig.read()
    provenance = rig.held.spec.provenance
    assert provenance is not None
    assert (provenance.file, provenance.generation) == ("modelrollout assistants/support-bot", 2)
    assert provenance.author in ("argocd-controller", None)


def test_a_database_that_is_gone_leaves_the_status_to_ask(canary: ClusterRig, tmp_path: Path) -> None:
    again = a_cluster_rig(tmp_path, canary.cluster.server, None, canary.clock, canary.rig.routers)
    assert canary.status["candidate"] == "v12"
    again.read()
    again.passes(3)
    assert again.held.position.stable == "v11"
    assert again.rig.routers[KEY].applied[-1].candidate is None, "withdrawn, and then anew"
    again.passes(20)
    assert again.held.position.run is not None
    assert again.held.position.run.candidate == "v12"
    assert again.held.position.run.id == "support-bot-2", "no name comes twice"


def test_a_status_is_no_memory_that_one_forgets_while_the_route_cannot_be_read(
    canary: ClusterRig, tmp_path: Path
) -> None:
    canary.tick_until(lambda: canary.held.position.phase is Phase.ROLLED_BACK, bad=100)
    again = a_cluster_rig(tmp_path, canary.cluster.server, None, canary.clock, canary.rig.routers)
    canary.rig.routers[KEY].fault = RouterFault.UNREACHABLE
    again.read()
    again.passes(3)
    assert again.status["phase"] == "Stalled"
    assert again.status["stable"] == "v11", "the only place where it is still known"
    canary.rig.routers[KEY].fault = None
    again.read()
    again.passes(20)
    assert again.held.position.stable == "v11"
    assert again.held.position.run is None, "and that v12 was rolled back"


def test_what_was_rolled_back_is_not_tried_again_without_its_database(canary: ClusterRig, tmp_path: Path) -> None:
    canary.tick_until(lambda: canary.held.position.phase is Phase.ROLLED_BACK, bad=100)
    again = a_cluster_rig(tmp_path, canary.cluster.server, None, canary.clock, canary.rig.routers)
    again.read()
    again.passes(20)
    assert again.held.position.run is None
    assert "v12 was rolled back before" in again.held.position.message
    assert again.is_true("RolledBack")


def test_no_request_is_made_for_a_status_of_another_process(rig: ClusterRig) -> None:
    rig.keeper.lose()
    before = rig.cluster.calls.total()
    rig.apply(version="v12")
    rig.passes()
    assert rig.cluster.calls.total() == before
    assert rig.status["observedGeneration"] == 1
