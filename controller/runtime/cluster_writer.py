"""Writes to the API server, from threads of its own: no pass ever waits for it, and only the newest counts.

Statuses are wanted by reference and computed from the object as it is when its turn comes; events are told once.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog

from controller.domain.cluster import (
    ClusterError,
    ClusterUnavailableError,
    ConflictError,
    Document,
    ForbiddenError,
    NotServedError,
    ObjectRef,
    Operation,
)
from controller.ports import Clock, ObjectApi, ObjectView
from controller.runtime.cluster_events import EventQueue
from controller.runtime.cluster_pause import FIRST_WAIT, Pause, Troubles
from controller.telemetry.health import Health

log = structlog.get_logger("cluster")
Compute = Callable[[Document], Mapping[str, object] | None]
"""The object as it is -> the status it should have, or None when there is nothing to write."""
TRIES = 5
AFTER_A_REFUSAL, AFTER_A_MISTAKE = timedelta(seconds=60), timedelta(seconds=10)
STATUS = "status in the cluster"
HANDS = 2
"""Threads that write statuses, each of another object."""
TOGETHER = timedelta(seconds=1)
"""What changes in so short a time - decided, accepted, verified - is one writing, and routes are written first."""
BESIDE_STATUSES = 0.1
"""Seconds between two events while statuses wait: those go first, and nobody waits for ever."""


class ClusterWriter:
    """`want` and `tell` are for any thread and return at once; `step` is for one thread at a time, without `start`."""

    def __init__(
        self,
        api: ObjectApi,
        view: ObjectView,
        clock: Clock,
        health: Health,
        jitter: Callable[[], float] = lambda: 0.0,
        together: timedelta = timedelta(0),
    ) -> None:
        self._api, self._view, self._clock = api, view, clock
        self._pause, self._troubles = Pause(clock, jitter), Troubles(health)
        self._events = EventQueue(api, clock, self._pause, self._troubles)
        self._change = threading.Condition()
        self._wanted: OrderedDict[ObjectRef, Compute] = OrderedDict()
        self._together = together.total_seconds()
        self._gathering: dict[ObjectRef, float] = {}
        self._not_before: dict[ObjectRef, float] = {}
        self._in_hand: set[ObjectRef] = set()
        self._next_event_at = 0.0
        self._stopping = False
        self._threads: list[threading.Thread] = []

    def want(self, ref: ObjectRef, compute: Compute, at_once: bool = False) -> None:
        """The status of `ref` shall be what `compute` says; what was wanted of it before is forgotten."""
        with self._change:
            self._wanted[ref] = compute
            self._gathering.setdefault(ref, self._clock.monotonic() + (0.0 if at_once else self._together))
            self._change.notify_all()

    def forget(self, ref: ObjectRef) -> None:
        """Nothing is wanted of it any more."""
        with self._change:
            self._wanted.pop(ref, None)
            self._gathering.pop(ref, None)
            self._not_before.pop(ref, None)

    def tell(self, ref: ObjectRef, event: Document) -> None:
        """Create an event, once; it is kept for a while when nobody takes it."""
        self._events.put(ref, event)
        with self._change:
            self._change.notify_all()

    def start(self) -> None:
        """Begin to write."""
        work = [(self._step_status, self._status_left)] * HANDS + [(self._step_event, self._event_left)]
        for number, args in enumerate(work):
            thread = threading.Thread(target=self._work, args=args, name=f"cluster writer {number}", daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self, patience: float = 1.0) -> None:
        """Write what is left, for so many seconds at most."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        deadline = self._clock.monotonic() + patience
        for thread in self._threads:
            thread.join(max(0.0, deadline - self._clock.monotonic()))

    def step(self) -> bool:
        """Write one status and one event that are due; False when there were none."""
        wrote = self._step_status()
        return self._step_event() or wrote

    def _work(self, step: Callable[[], bool], left: Callable[[], float | None]) -> None:
        while True:
            if step():
                continue
            with self._change:
                if self._stopping:
                    return
                self._change.wait(left())

    def _status_left(self) -> float | None:
        """Seconds until a status may be due; None: until somebody wants one, or puts one down. With the lock."""
        free = [self._due_at(ref) for ref in self._wanted if ref not in self._in_hand]
        if not free:
            return None
        return max(min(free) - self._clock.monotonic(), self._pause.left(), 0.01)

    def _event_left(self) -> float | None:
        """The same for events."""
        left = self._events.seconds_left()
        return max(left, self._pause.left(), BESIDE_STATUSES) if left is not None else None

    def _step_event(self) -> bool:
        now = self._clock.monotonic()
        if now < self._next_event_at:
            with self._change:
                if self._due() is not None:
                    return False
        wrote = self._events.step()
        self._next_event_at = now + BESIDE_STATUSES if wrote else self._next_event_at
        return wrote

    def _step_status(self) -> bool:
        paused = self._pause.left() > 0
        with self._change:
            ref = None if paused else self._due()
            if ref is None:
                return False
            compute = self._wanted.pop(ref)
            self._gathering.pop(ref, None)
            self._not_before.pop(ref, None)
            self._in_hand.add(ref)
        try:
            self._write(ref, compute)
        finally:
            self._put_down(ref)
        return True

    def _due(self) -> ObjectRef | None:
        """With the lock: the first one whose time has come, and that nobody has in hand."""
        now = self._clock.monotonic()
        due = (ref for ref in self._wanted if self._due_at(ref) <= now and ref not in self._in_hand)
        return next(due, None)

    def _due_at(self, ref: ObjectRef) -> float:
        """With the lock. At the end nobody waits for more to come."""
        gathered = 0.0 if self._stopping else self._gathering.get(ref, 0.0)
        return max(gathered, self._not_before.get(ref, 0.0))

    def _put_down(self, ref: ObjectRef) -> None:
        with self._change:
            self._in_hand.discard(ref)
            if ref in self._wanted:
                self._change.notify_all()

    def _write(self, ref: ObjectRef, compute: Compute) -> None:
        try:
            if not self._attempt(ref, compute):
                self._troubles.begun(STATUS, f"{ref} is changed by somebody else all the time: it is written later")
                self._later(ref, compute, FIRST_WAIT)
                return
        except ClusterUnavailableError as error:
            self._pause.failed(error)
            self._troubles.begun(STATUS, str(error))
            self._later(ref, compute, 0.0)
        except NotServedError:
            pass  # it was deleted meanwhile
        except ClusterError as error:
            self._troubles.begun(STATUS, f"{error}; the rollout is guarded all the same")
            if isinstance(error, ForbiddenError):
                self._later(ref, compute, AFTER_A_REFUSAL.total_seconds())
        except Exception:  # a status that cannot be computed must not end the writing of the others
            log.exception("status_failed", object=str(ref))
            self._troubles.begun(STATUS, f"{ref}: this was not foreseen; see the controller's log")
            self._later(ref, compute, AFTER_A_MISTAKE.total_seconds())
        else:
            self._pause.worked()
            self._troubles.over(STATUS)

    def _attempt(self, ref: ObjectRef, compute: Compute) -> bool:
        """False when somebody else was faster every time."""
        document = self._view.get(ref)
        for _ in range(TRIES):
            status = compute(document) if document is not None else None
            if document is None or status is None:
                return True
            try:
                self._view.learn(ref, self._api.patch(ref, _operations(document, status), "status"))
                return True
            except ConflictError:
                document = self._api.get(ref)
                if document is not None:
                    self._view.learn(ref, document)
        return False

    def _later(self, ref: ObjectRef, compute: Compute, seconds: float) -> None:
        with self._change:
            self._wanted.setdefault(ref, compute)
            self._not_before[ref] = self._clock.monotonic() + seconds


def _operations(document: Document, status: Mapping[str, object]) -> tuple[Operation, ...]:
    """The whole status, and only onto what it was computed from."""
    metadata = document.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    return (
        Operation("test", "/metadata/resourceVersion", version),
        Operation("add", "/status", dict(status)),
    )
