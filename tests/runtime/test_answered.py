"""Answered requests are deleted after a week, by those whose rollouts they are; nothing else ever is."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from controller.domain.cluster import ROLLOUT_REQUEST, ObjectRef, Operation
from controller.domain.state import Phase
from controller.runtime.answered import MOST
from tests.runtime.cluster_rig import KEY, ClusterRig, a_cluster_rig

DAY = timedelta(days=1).total_seconds()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ClusterRig]:
    made = a_cluster_rig(tmp_path)
    made.apply(version="v11")
    made.passes()
    yield made
    made.rig.house.persister.close()


def ref(name: str) -> ObjectRef:
    return ObjectRef(ROLLOUT_REQUEST, KEY.namespace, name)


def there(rig: ClusterRig) -> set[str]:
    return {one.name for one in rig.cluster.server.objects if one.kind == ROLLOUT_REQUEST}


def asked(rig: ClusterRig, *names: str) -> None:
    """Refused at once, since no run is under way."""
    for name in names:
        rig.ask(name, "abort", run="support-bot-77")
    rig.write()


def test_a_week_after_its_answer_a_request_goes_and_the_journal_keeps_it(rig: ClusterRig) -> None:
    rig.apply(version="v12")
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    rig.ask("one", "pause")
    rig.passes(2)
    assert rig.answer("one")["state"] == "Done"
    uid = str(rig.cluster.server.objects[ref("one")]["metadata"]["uid"])  # type: ignore[index]
    rig.desk._tidy()
    rig.clock.advance(6.9 * DAY)
    rig.desk._tidy()
    assert there(rig) == {"one"}
    rig.clock.advance(0.2 * DAY)
    rig.desk._tidy()
    assert there(rig) == set()
    (kept,) = [entry for entry in rig.rig.store.journal(KEY, 1000) if entry.facts.get("request") == uid]
    assert kept.actor == "ada"
    rig.look()
    rig.passes(2)
    assert rig.held.position.phase is Phase.PAUSED


def test_what_is_not_answered_or_says_no_time_stays(rig: ClusterRig) -> None:
    rig.cluster.fail(verb="patch")
    asked(rig, "waiting")
    rig.cluster.heal()
    rig.cluster.put(ROLLOUT_REQUEST, {"metadata": {"name": "odd", "namespace": KEY.namespace}, "spec": {}})
    for when in ("yesterday", "2020-01-01T00:00:00", None):
        rig.cluster.edit(ref("odd"), Operation("add", "/status", {"state": "Done", "observedAt": when}), part="status")
        rig.clock.advance(30 * DAY)
        rig.desk._tidy()
        assert there(rig) == {"waiting", "odd"}


def test_those_of_others_are_left_to_them(rig: ClusterRig) -> None:
    asked(rig, "one")
    rig.clock.advance(8 * DAY)
    rig.keeper.lose()
    rig.desk._tidy()
    assert there(rig) == {"one"}


def test_another_of_the_same_name_stays(rig: ClusterRig) -> None:
    """Somebody deletes it and asks again just before: what is deleted is told by its uid."""
    asked(rig, "one")
    rig.clock.advance(8 * DAY)

    def under_it(verb: str, one: ObjectRef) -> None:
        if verb == "delete":
            rig.cluster.before_write = None
            old = rig.cluster.look(one)
            assert old is not None
            rig.cluster.delete(one)
            rig.cluster.put(ROLLOUT_REQUEST, {"metadata": {"name": "one", "namespace": KEY.namespace}, "spec": {}})

    rig.cluster.before_write = under_it
    rig.desk._tidy()
    assert there(rig) == {"one"}


def test_many_go_in_several_looks(rig: ClusterRig) -> None:
    asked(rig, *(f"r{n}" for n in range(MOST + 5)))
    rig.clock.advance(8 * DAY)
    rig.desk._tidy()
    assert len(there(rig)) == 5
    rig.desk._tidy()
    assert there(rig) == set()
    rig.desk._tidy()
    assert rig.cluster.calls["delete", ROLLOUT_REQUEST.resource] == MOST + 5


def test_without_the_right_the_rule_is_told_and_nothing_else_happens(rig: ClusterRig) -> None:
    asked(rig, "one", "two")
    rig.clock.advance(8 * DAY)
    rig.cluster.deny("delete", ROLLOUT_REQUEST)
    rig.desk._tidy()
    assert 'resources: ["rolloutrequests"], verbs: ["delete"]' in str(rig.rig.house.health.alive().document)
    assert rig.cluster.calls["delete", ROLLOUT_REQUEST.resource] == 1
    rig.cluster.heal()
    rig.desk._tidy()
    assert there(rig) == set()
    assert "verbs" not in str(rig.rig.house.health.alive().document)


def test_while_the_view_is_not_current_nothing_is_deleted(rig: ClusterRig) -> None:
    asked(rig, "one")
    rig.clock.advance(8 * DAY)
    rig.cluster.view.cut()
    rig.desk._tidy()
    assert there(rig) == {"one"}
