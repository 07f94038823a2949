"""The one thread that writes: newest only, patient with the API server, and never in anybody's way."""

from collections.abc import Mapping
from dataclasses import dataclass, field

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
from controller.runtime.cluster_writer import MOST_EVENTS, ClusterWriter
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
    desk.want("Idle")
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


def test_its_thread_writes_at_once_and_finishes_what_is_left(desk: Desk) -> None:
    desk.writer.start()
    desk.want("Pending")
    wait_until(lambda: desk.phase == "Pending", 5, "the first one")
    desk.want("Idle")
    desk.writer.stop()
    assert desk.phase == "Idle"
