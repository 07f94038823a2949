"""ModelRollouts of a cluster as specs: the last good ones outlive whatever happens to the watch."""

import time

import pytest

from controller.domain.cluster import MODEL_ROLLOUT, ForbiddenError, ObjectRef, Operation
from controller.domain.names import RolloutKey
from controller.sources import CombinedSource, CustomResources, custom_resources
from controller.testing.cluster import MemoryCluster
from tests.parts.net import wait_until
from tests.runtime.cluster_rig import KEY, REF, a_document


@pytest.fixture
def cluster() -> MemoryCluster:
    made = MemoryCluster()
    made.put(MODEL_ROLLOUT, a_document())
    return made


def test_an_object_is_a_spec(cluster: MemoryCluster) -> None:
    seen = CustomResources(cluster.view).read().rollouts[KEY]
    assert seen.spec is not None
    assert seen.spec.key == KEY
    assert (seen.generation, seen.problems, seen.deleted) == (1, (), False)
    assert cluster.calls.total() == 0, "reading costs no request"


def test_a_mistake_is_told_without_a_line_and_the_last_good_one_stays(cluster: MemoryCluster) -> None:
    source = CustomResources(cluster.view)
    good = source.read().rollouts[KEY]
    cluster.put(MODEL_ROLLOUT, a_document("v99"))
    seen = source.read().rollouts[KEY]
    assert seen.spec == good.spec
    assert seen.generation == 2
    assert str(seen.problems[0]).startswith("modelrollout assistants/support-bot: spec.version: ")
    assert seen.provenance == good.provenance


def test_a_deleted_one_is_removed_for_certain_and_comes_back_as_a_new_one(cluster: MemoryCluster) -> None:
    source = CustomResources(cluster.view)
    source.read()
    cluster.delete(REF)
    gone = source.read().rollouts[KEY]
    assert gone.deleted
    assert gone.removed
    cluster.put(MODEL_ROLLOUT, a_document("v12"))
    back = source.read().rollouts[KEY]
    assert (back.deleted, back.generation) == (False, 1)
    assert back.spec is not None
    assert back.spec.version == "v12"


def test_one_that_waits_for_a_finalizer_is_gone_already(cluster: MemoryCluster) -> None:
    source = CustomResources(cluster.view)
    source.read()
    cluster.edit(REF, Operation("add", "/metadata/deletionTimestamp", "2026-01-05T12:00:00Z"))
    assert source.read().rollouts[KEY].removed


@pytest.mark.parametrize("what", ["cut", "denied", "not served"])
def test_a_view_that_cannot_be_read_deletes_nothing(cluster: MemoryCluster, what: str) -> None:
    source = CustomResources(cluster.view)
    source.read()
    if what == "not served":
        cluster.server.served.discard(MODEL_ROLLOUT)
    else:
        cluster.view.cut(ForbiddenError("list modelrollouts is not allowed") if what == "denied" else None)
    specs = source.read()
    assert specs.trouble
    assert not specs.rollouts[KEY].deleted
    if what == "not served":
        assert "apply manifests/crd.yaml" in specs.trouble


def test_the_first_reading_waits_for_the_watch(cluster: MemoryCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_resources, "FIRST_LOOK", 0.2)
    cluster.view.cut()
    began = time.monotonic()
    specs = CustomResources(cluster.view).read()
    assert time.monotonic() - began >= 0.2
    assert (specs.rollouts, bool(specs.trouble)) == ({}, True), "so that nothing that is stored looks deleted"


def test_only_a_spec_that_changed_is_news(cluster: MemoryCluster) -> None:
    source, told = CustomResources(cluster.view), []
    source.read()
    source.watch(lambda: told.append(1))
    try:
        wait_until(lambda: bool(told), 5, "what was there")
        source.read()
        time.sleep(0.1)
        told.clear()
        cluster.edit(REF, Operation("add", "/status", {"phase": "Idle"}), part="status")
        time.sleep(0.2)
        assert told == [], "what we write ourselves is no news"
        cluster.put(MODEL_ROLLOUT, a_document("v12"))
        wait_until(lambda: bool(told), 5, "the edit")
    finally:
        source.close()


def test_only_the_namespaces_that_were_asked_for(cluster: MemoryCluster) -> None:
    other = a_document()
    other["metadata"]["namespace"] = "others"
    cluster.put(MODEL_ROLLOUT, other)
    assert list(CustomResources(cluster.view, ("others",)).read().rollouts) == [RolloutKey("others", "support-bot")]


def test_the_same_rollout_twice_is_refused_in_both_homes(cluster: MemoryCluster) -> None:
    twin = MemoryCluster()
    twin.put(MODEL_ROLLOUT, a_document())
    seen = CombinedSource([CustomResources(cluster.view), CustomResources(twin.view)]).read().rollouts[KEY]
    told = str(seen.problems[0])
    assert told.endswith(
        "the rollout assistants/support-bot is also given in modelrollout assistants/support-bot (keep it in one place)"
    )


def test_a_status_is_what_is_reported(cluster: MemoryCluster) -> None:
    source = CustomResources(cluster.view)
    before = source.read().rollouts[KEY]
    status = {"stable": "v11", "candidate": "v12", "phase": "Progressing", "run": {"number": 4, "digest": "sha256:1"}}
    cluster.edit(REF, Operation("add", "/status", status), part="status")
    seen = source.read().rollouts[KEY]
    assert seen.reported is not None
    assert (seen.reported.stable, seen.reported.candidate) == ("v11", "v12")
    assert (seen.reported.refused, seen.reported.runs) == (None, 4)
    assert seen == before, "no change of the spec"
    cluster.edit(REF, Operation("add", "/status", {**status, "phase": "RolledBack"}), part="status")
    rolled_back = source.read().rollouts[KEY].reported
    assert rolled_back is not None
    assert rolled_back.refused == "sha256:1"


@pytest.mark.parametrize("status", [{}, {"stable": ""}, {"stable": 3}, {"candidate": "v12"}])
def test_a_status_that_says_nothing_reports_nothing(cluster: MemoryCluster, status: dict[str, object]) -> None:
    cluster.edit(REF, Operation("add", "/status", status), part="status")
    assert CustomResources(cluster.view).read().rollouts[KEY].reported is None


def test_many_that_did_not_change_cost_next_to_nothing(cluster: MemoryCluster) -> None:
    for number in range(300):
        cluster.put(MODEL_ROLLOUT, a_document(name=f"bot-{number}"))
    source = CustomResources(cluster.view)
    began = time.process_time()
    source.read()
    first, began = time.process_time() - began, time.process_time()
    source.read()
    assert time.process_time() - began < first / 10
    ref = ObjectRef(MODEL_ROLLOUT, KEY.namespace, "bot-7")
    assert cluster.view.get(ref) is not None
