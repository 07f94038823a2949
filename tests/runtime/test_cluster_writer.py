"""The one thread that writes: newest only, patient with the API server, and never in anybody's way."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from controller.domain.cluster import (
    EVENT,
    MODEL_ROLLOUT,
    ClusterUnavailableError,
    Document,
    InvalidObjectError,
    ObjectRef,
    Operation,
)
from controller.runtime.cluster_events import MOST_EVENTS
from controller.runtime.cluster_writer import AFTER_A_MISTAKE, TOGETHER, ClusterWriter
from controller.telemetry.health import Health
from controller.testing.builders import a_rollout
from controller.testing.clock import ManualClock
from controller.testing.cluster import MemoryCluster
from tests.parts.net import wait_until
from tests.runtime.cluster_rig import REF, a_document

PATCHES = ("patch", "modelrollouts.tidegate.dev/status")


@dataclass(slots=True)
class Desk:
    cluster: MemoryCluster = field(default_factory=MemoryCluster)
    clock: ManualClock = field(default_factory=ManualClock)
    writer: ClusterWriter = field(init=False)
    health: Health = field(init=False)

    def __post_init__(self) -> None:
        self.health = Health(self.clock, a_rollout().interval)
        self.writer = ClusterWriter(self.cluster, self.cluster.view, self.clock, self.health)
        self.cluster.view.follow(MODEL_ROLLOUT, "", lambda _: None)
        self.cluster.put(MODEL_ROLLOUT, a_document())

    def want(self, phase: str) -> None:
        self.writer.want(REF, lambda _: {"phase": phase})

    @property
    def phase(self) -> object:
        document = self.cluster.look(REF)
        status = document.get("status") if document else None
        return status.get("phase") if isinstance(status, Mapping) else None

    @property
    def patches(self) -> int:
        return self.cluster.calls[PATCHES]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_only_the_newest_is_written(desk: Desk) -> None:
    for number in range(50):
        desk.want(f"P{number}")
    while desk.writer.step():
        pass
    assert (desk.phase, desk.patches) == ("P49", 1)


def test_what_changes_in_short_time_is_one_writing(desk: Desk) -> None:
    desk.writer = ClusterWriter(desk.cluster, desk.cluster.view, desk.clock, desk.health, together=TOGETHER)
    for phase in ("RollingBack", "RollingBack, accepted", "RolledBack"):
        desk.want(phase)
        assert not desk.writer.step()
        desk.clock.advance(0.3 * TOGETHER.total_seconds())
    desk.clock.advance(0.11 * TOGETHER.total_seconds())
    assert desk.writer.step(), "and it waits no longer for more that keeps coming"
    assert (desk.phase, desk.patches) == ("RolledBack", 1)


def test_at_the_end_nobody_waits_for_more_to_come(desk: Desk) -> None:
    desk.writer = ClusterWriter(desk.cluster, desk.cluster.view, desk.clock, desk.health, together=timedelta(hours=1))
    desk.writer.start()
    desk.want("Idle")
    desk.writer.stop(patience=5)
    assert desk.phase == "Idle"


def test_it_waits_longer_and_longer_for_an_api_server_that_is_away(desk: Desk) -> None:
    desk.cluster.fail(verb="patch")
    desk.want("Idle")
    for _ in range(600):
        desk.writer.step()
        desk.clock.advance(0.5)
    assert 6 <= desk.patches <= 12, "1, 2, 4, ... 60 s"
    desk.cluster.heal()
    desk.clock.advance(60)
    desk.writer.step()
    assert desk.phase == "Idle"
    assert "status" not in str(desk.health.ready().document.get("waiting_for"))


def test_it_waits_as_long_as_it_is_asked_to(desk: Desk) -> None:
    desk.cluster.fail(ClusterUnavailableError("too many requests", retry_after=30.0), verb="patch", times=1)
    desk.want("Idle")
    desk.writer.step()
    desk.clock.advance(29)
    assert not desk.writer.step()
    desk.clock.advance(2)
    desk.writer.step()
    assert desk.phase == "Idle"


def test_a_status_that_is_refused_is_told_and_not_tried_again(desk: Desk) -> None:
    desk.cluster.fail(InvalidObjectError("status.phase: Unsupported value"), verb="patch")
    desk.want("Sleeping")
    desk.writer.step()
    desk.clock.advance(600)
    assert not desk.writer.step()
    assert "Unsupported value" in str(desk.health.ready().document)


def test_one_that_is_changed_all_the_time_is_left_for_later(desk: Desk) -> None:
    version = iter(range(100))

    def somebody(_verb: str, _ref: ObjectRef) -> None:
        desk.cluster.edit(REF, Operation("add", "/metadata/labels", {"n": str(next(version))}))

    desk.cluster.before_write = somebody
    desk.want("Idle")
    desk.writer.step()
    assert desk.phase is None
    desk.cluster.before_write = None
    desk.clock.advance(5)
    desk.writer.step()
    assert desk.phase == "Idle"


def test_a_deleted_one_is_nobodys_trouble(desk: Desk) -> None:
    desk.want("Idle")
    desk.cluster.delete(REF)
    desk.writer.step()
    assert desk.patches == 0
    assert not desk.writer.step()


def test_a_computation_that_fails_takes_nobody_with_it(desk: Desk) -> None:
    def broken(_document: Document) -> Mapping[str, object]:
        raise ZeroDivisionError

    desk.writer.want(REF, broken)
    assert desk.writer.step()
    assert "not foreseen" in str(desk.health.ready().document)
    desk.want("Idle")
    desk.clock.advance(AFTER_A_MISTAKE.total_seconds())
    desk.writer.step()
    assert desk.phase == "Idle"
    assert "not foreseen" not in str(desk.health.ready().document)


def test_what_could_not_be_told_for_a_reason_that_nobody_foresaw_is_told_later(desk: Desk) -> None:
    answers = iter((False, True))

    def broken_once(document: Document) -> Mapping[str, object]:
        if not next(answers):
            raise ZeroDivisionError
        return {"phase": "Idle"}

    desk.writer.want(REF, broken_once)
    assert desk.writer.step()
    assert not desk.writer.step()
    desk.clock.advance(AFTER_A_MISTAKE.total_seconds())
    desk.writer.step()
    assert desk.phase == "Idle"


def test_too_many_events_push_the_oldest_out(desk: Desk) -> None:
    for number in range(MOST_EVENTS + 10):
        ref = ObjectRef(EVENT, "assistants", f"event-{number}")
        desk.writer.tell(ref, {"metadata": {"name": ref.name, "namespace": "assistants"}})
    while desk.writer.step():
        pass
    assert desk.cluster.look(ObjectRef(EVENT, "assistants", "event-9")) is None
    assert desk.cluster.look(ObjectRef(EVENT, "assistants", f"event-{MOST_EVENTS + 9}")) is not None


def test_without_the_right_to_tell_events_statuses_go_on(desk: Desk) -> None:
    desk.cluster.deny("create", EVENT)
    ref = ObjectRef(EVENT, "assistants", "one")
    desk.writer.tell(ref, {"metadata": {"name": "one", "namespace": "assistants"}})
    desk.want("Idle")
    while desk.writer.step():
        pass
    assert desk.phase == "Idle"
    assert "events.events.k8s.io" in str(desk.health.ready().document) or "events" in str(desk.health.ready().document)


def test_a_refused_event_is_no_trouble_of_tomorrow(desk: Desk) -> None:
    """An event lives for an hour: after that nobody misses it, and a quiet cluster may have no other for days."""
    desk.cluster.fail(InvalidObjectError("namespace assistants is being terminated"), verb="create", times=1)
    tell(desk, 1)
    desk.writer.step()
    assert "being terminated" in str(desk.health.ready().document)
    desk.clock.advance(3599)
    assert not desk.writer.step()
    assert "being terminated" in str(desk.health.ready().document)
    desk.clock.advance(1)
    assert not desk.writer.step()
    assert "being terminated" not in str(desk.health.ready().document)


def test_an_event_that_is_taken_ends_the_trouble_of_the_one_before(desk: Desk) -> None:
    desk.cluster.fail(InvalidObjectError("no such field"), verb="create", times=1)
    tell(desk, 1, 2)
    while desk.writer.step():
        desk.clock.advance(1)
    assert "no such field" not in str(desk.health.ready().document)
    assert desk.cluster.look(an_event(2)) is not None


def test_its_thread_writes_at_once_and_finishes_what_is_left(desk: Desk) -> None:
    desk.writer.start()
    desk.want("Pending")
    wait_until(lambda: desk.phase == "Pending", 5, "the first one")
    desk.want("Idle")
    desk.writer.stop()
    assert desk.phase == "Idle"


def an_event(number: int) -> ObjectRef:
    return ObjectRef(EVENT, "assistants", f"event-{number}")


def tell(desk: Desk, *numbers: int) -> None:
    for number in numbers:
        ref = an_event(number)
        desk.writer.tell(ref, {"metadata": {"name": ref.name, "namespace": ref.namespace}, "note": str(number)})


def told(desk: Desk) -> list[str]:
    """In the order in which they were created."""
    found = [one for ref, one in desk.cluster.server.objects.items() if ref.kind == EVENT]
    return [str(one["note"]) for one in sorted(found, key=_revision)]


def _revision(document: Document) -> int:
    metadata = document["metadata"]
    assert isinstance(metadata, Mapping)
    return int(metadata["resourceVersion"])


def settle(desk: Desk, seconds: float) -> None:
    for _ in range(round(seconds)):
        while desk.writer.step():
            pass
        desk.clock.advance(1)


CREATES = ("create", "events.events.k8s.io")


def test_events_wait_for_the_api_server_and_keep_their_order(desk: Desk) -> None:
    desk.cluster.fail(verb="create")
    tell(desk, 1, 2, 3)
    settle(desk, 100)
    assert told(desk) == []
    assert desk.cluster.calls[CREATES] <= 8, "1, 2, 4, ... s, and only the first of them is tried"
    assert "events in the cluster" in str(desk.health.ready().document)
    tell(desk, 4)
    desk.cluster.heal()
    settle(desk, 120)
    assert told(desk) == ["1", "2", "3", "4"]
    settle(desk, 600)
    assert told(desk) == ["1", "2", "3", "4"]
    assert "API server is away" not in str(desk.health.ready().document)


def test_an_event_whose_answer_was_lost_is_told_once(desk: Desk) -> None:
    def arrives_all_the_same(verb: str, ref: ObjectRef) -> None:
        desk.cluster.before_write = None
        desk.cluster.server.create(ref, {"metadata": {"name": ref.name, "namespace": ref.namespace}, "note": "1"}, "us")
        raise ClusterUnavailableError(f"{verb}: no answer within the time-out")

    desk.cluster.before_write = arrives_all_the_same
    tell(desk, 1, 2)
    settle(desk, 10)
    assert told(desk) == ["1", "2"]
    assert desk.cluster.calls[CREATES] == 3


def test_events_that_nobody_took_for_an_hour_are_let_go(desk: Desk) -> None:
    desk.cluster.fail(verb="create")
    tell(desk, 1)
    settle(desk, 1800)
    tell(desk, 2)
    settle(desk, 1801)
    desk.cluster.heal()
    settle(desk, 61)
    assert told(desk) == ["2"]


def test_one_that_cannot_be_sent_at_all_holds_up_nobody(desk: Desk) -> None:
    def broken(_verb: str, ref: ObjectRef) -> None:
        if ref == an_event(1):
            raise ZeroDivisionError

    desk.cluster.before_write = broken
    tell(desk, 1, 2)
    settle(desk, 2)
    assert told(desk) == ["2"]


def test_what_the_api_server_asks_for_holds_statuses_and_events_alike(desk: Desk) -> None:
    desk.cluster.fail(ClusterUnavailableError("too many requests", retry_after=30.0), verb="create", times=1)
    tell(desk, 1)
    desk.writer.step()
    desk.want("Idle")
    settle(desk, 29)
    assert (desk.phase, desk.patches) == (None, 0)
    settle(desk, 3)
    assert (desk.phase, told(desk)) == ("Idle", ["1"])
    desk.cluster.fail(ClusterUnavailableError("too many requests", retry_after=30.0), verb="patch", times=1)
    desk.want("Pending")
    desk.writer.step()
    tell(desk, 2)
    settle(desk, 29)
    assert told(desk) == ["1"]
    settle(desk, 3)
    assert (desk.phase, told(desk)) == ("Pending", ["1", "2"])


def test_events_alone_that_are_not_taken_hardly_hold_up_statuses(desk: Desk) -> None:
    desk.cluster.fail(verb="create")
    tell(desk, 1)
    for number in range(60):
        desk.want(f"P{number}")
        settle(desk, 10)
        desk.writer.step()
    assert desk.patches >= 58


def test_statuses_go_first(desk: Desk) -> None:
    others = [a_document(name=f"bot-{number}") for number in range(20)]
    for document in others:
        desk.cluster.put(MODEL_ROLLOUT, document)
        desk.writer.want(ObjectRef(MODEL_ROLLOUT, "assistants", document["metadata"]["name"]), lambda _: {"phase": "X"})
    tell(desk, *range(20))
    for _ in range(20):
        desk.writer.step()
    assert (desk.patches, desk.cluster.calls[CREATES]) == (20, 2), (
        "the first one, and the next when nothing else is due"
    )
    settle(desk, 1)
    assert len(told(desk)) == 20


def test_no_status_is_written_by_two_hands_at_once_and_the_newest_stays(desk: Desk) -> None:
    busy, most, lock = Counter[ObjectRef](), Counter[ObjectRef](), threading.Lock()

    def watched(phase: str) -> Callable[[Document], Mapping[str, object]]:
        def compute(_: Document) -> Mapping[str, object]:
            with lock:
                busy[REF] += 1
                most[REF] = max(most[REF], busy[REF])
            time.sleep(0.002)
            with lock:
                busy[REF] -= 1
            return {"phase": phase}

        return compute

    desk.writer.start()
    for number in range(100):
        desk.writer.want(REF, watched(f"P{number}"))
        time.sleep(0.001)
    wait_until(lambda: desk.phase == "P99", 10, "the newest")
    desk.writer.stop()
    assert (most[REF], desk.phase) == (1, "P99")
