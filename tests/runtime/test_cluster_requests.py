"""RolloutRequests: each counts once, is answered in its status, and survives a restart of whoever answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.cluster import EVENT, ObjectRef
from controller.domain.state import Phase
from controller.testing.stores import Fault
from tests.runtime.cluster_rig import KEY, ClusterRig, a_cluster_rig


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[ClusterRig]:
    made = a_cluster_rig(tmp_path)
    made.apply(version="v11")
    made.passes()
    made.apply(version="v12")
    made.tick_until(lambda: bool(made.held.position.run and made.held.position.run.stage_since))
    yield made
    made.rig.house.persister.close()


def test_a_pause_is_done_and_says_so(canary: ClusterRig) -> None:
    run = canary.held.position.run
    assert run is not None
    canary.ask("one", "pause", run=run.id)
    assert canary.woken[-1] == KEY
    canary.passes(2)
    assert canary.held.position.phase is Phase.PAUSED
    assert canary.held.position.message == "paused by ada: because"
    assert canary.answer("one")["state"] == "Done"
    assert "paused by ada" in canary.answer("one")["message"]
    assert canary.answer("one")["observedAt"]
    assert canary.condition("Reconciling")["reason"] == "Paused"


def test_it_counts_once(canary: ClusterRig) -> None:
    canary.ask("one", "pause")
    for _ in range(5):
        canary.look()
    canary.passes(2)
    for _ in range(5):
        canary.look()
    assert canary.held.inbox == []
    canary.ask("two", "resume")
    canary.passes(3)
    assert canary.held.position.phase is Phase.PROGRESSING


def test_what_the_rollout_refuses_is_refused_with_its_reason(canary: ClusterRig) -> None:
    canary.ask("one", "approve")
    canary.passes(2)
    assert canary.answer("one") == {
        **canary.answer("one"),
        "state": "Refused",
        "message": "this stage asks for no approval now",
    }


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"run": "support-bot-77"}, "is for run support-bot-77, but support-bot-1 is the present one"),
        ({"action": "explode"}, "unknown action `explode`; known: abort"),
        ({"by": ""}, "requestedBy must say who"),
        ({"reason": ""}, "reason must say why"),
    ],
)
def test_what_cannot_be_asked_is_refused(changes: dict[str, str], told: str, canary: ClusterRig) -> None:
    canary.ask("one", **{"action": "abort", **changes})
    canary.write()
    assert canary.answer("one")["state"] == "Refused"
    assert told in canary.answer("one")["message"]
    canary.passes(2)
    assert canary.held.position.phase is Phase.PROGRESSING


def test_a_rollout_that_does_not_come_is_named(canary: ClusterRig) -> None:
    canary.ask("one", "abort", rollout="nobody")
    canary.write()
    assert canary.answer("one") == {}
    canary.clock.advance(11)
    canary.look()
    canary.write()
    assert "there is no ModelRollout assistants/nobody" in canary.answer("one")["message"]


def test_one_that_died_before_it_answered_answers_now(canary: ClusterRig, tmp_path: Path) -> None:
    canary.cluster.fail(verb="patch")
    canary.ask("one", "pause")
    canary.passes(2)
    assert canary.answer("one") == {}
    again = a_cluster_rig(tmp_path, canary.cluster.server, canary.rig.store.shelf, canary.clock, canary.rig.routers)
    again.read()
    again.look()
    again.write()
    assert again.held.inbox == [], "not counted again"
    assert again.answer("one")["state"] == "Done"
    again.ask("two", "resume")
    again.passes(2)
    again.look()
    assert again.held.position.phase is not Phase.PAUSED


def test_one_that_was_refused_before_the_end_stays_refused(canary: ClusterRig, tmp_path: Path) -> None:
    canary.cluster.fail(verb="patch")
    canary.ask("one", "approve")
    canary.passes(2)
    again = a_cluster_rig(tmp_path, canary.cluster.server, canary.rig.store.shelf, canary.clock, canary.rig.routers)
    again.read()
    again.look()
    again.write()
    assert (again.answer("one")["state"], again.answer("one")["message"]) == (
        "Refused", "this stage asks for no approval now",
    )  # fmt: skip


def test_an_abort_does_not_wait_for_the_database(canary: ClusterRig) -> None:
    canary.rig.store.fault = Fault.UNAVAILABLE
    canary.ask("one", "abort")
    canary.passes(20)
    assert canary.held.position.phase is Phase.ROLLED_BACK
    assert canary.answer("one")["state"] == "Done"


def test_a_resume_waits_for_the_database(canary: ClusterRig) -> None:
    canary.ask("one", "pause")
    canary.passes(2)
    canary.rig.store.fault = Fault.UNAVAILABLE
    canary.ask("two", "resume")
    canary.passes(2)
    assert [request.id for request in canary.held.inbox] == [], "not taken down yet"
    canary.rig.store.fault = None
    canary.look()
    canary.passes(2)
    assert canary.held.position.phase is Phase.PROGRESSING


def test_events_tell_what_the_alerts_tell(canary: ClusterRig) -> None:
    canary.tick_until(lambda: canary.held.position.phase is Phase.ROLLED_BACK, bad=100)
    found = {event["reason"]: event for event in canary.events()}
    told = found["RollbackVerified"]
    assert told["note"].startswith("No action needed. assistants/support-bot v12 → v11, 100 % on v11, verified.")
    assert "judged answers of v12 were harmful" in told["note"]
    assert told["type"] == "Warning"
    assert told["regarding"]["uid"] == canary.document["metadata"]["uid"]
    assert {"Adopted", "RunStarted", "StageEntered", "StageVerified", "Breached"} <= set(found)
    assert all(len(event["note"].encode()) <= 1024 for event in canary.events())
    assert found["StageEntered"]["note"] == "Stage entered: stage canary-10, weight 10, mirror 0."


def test_the_same_event_is_told_once(canary: ClusterRig, tmp_path: Path) -> None:
    before = len(canary.events())
    for _ in range(3):
        ref, event = canary.events()[0]["metadata"]["name"], canary.events()[0]
        canary.desk._writer.tell(ObjectRef(EVENT, KEY.namespace, ref), event)
        canary.write()
    assert len(canary.events()) == before
