"""Writes to the API server, from one thread of its own: no pass ever waits for it, and only the newest counts.

Statuses are wanted by reference and computed from the object as it is when its turn comes; events are told once.
"""

import threading
from collections import OrderedDict, deque
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
from controller.telemetry.health import Health

log = structlog.get_logger("cluster")
Compute = Callable[[Document], Mapping[str, object] | None]
"""The object as it is -> the status it should have, or None when there is nothing to write."""
MOST_EVENTS = 1000
TRIES = 5
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0
AFTER_A_REFUSAL = timedelta(seconds=60)
STATUS, EVENTS = "status in the cluster", "events in the cluster"


class ClusterWriter:
    """`want` and `tell` are for any thread and return at once; `step` is for one thread at a time."""

    def __init__(
        self, api: ObjectApi, view: ObjectView, clock: Clock, health: Health, jitter: Callable[[], float] = lambda: 0.0
    ) -> None:
        self._api, self._view, self._clock, self._health, self._jitter = api, view, clock, health, jitter
        self._change = threading.Condition()
        self._wanted: OrderedDict[ObjectRef, Compute] = OrderedDict()
        self._not_before: dict[ObjectRef, float] = {}
        self._events: deque[tuple[ObjectRef, Document]] = deque(maxlen=MOST_EVENTS)
        self._paused_until, self._wait = 0.0, FIRST_WAIT
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._troubles: dict[str, str] = {}

    def want(self, ref: ObjectRef, compute: Compute) -> None:
        """The status of `ref` shall be what `compute` says; what was wanted of it before is forgotten."""
        with self._change:
            self._wanted[ref] = compute
            self._change.notify()

    def forget(self, ref: ObjectRef) -> None:
        """Nothing is wanted of it any more."""
        with self._change:
            self._wanted.pop(ref, None)
            self._not_before.pop(ref, None)

    def tell(self, ref: ObjectRef, event: Document) -> None:
        """Create an event, once; when that fails nobody tries again. The oldest ones give way to too many."""
        with self._change:
            self._events.append((ref, event))
            self._change.notify()

    def start(self) -> None:
        """Begin to write."""
        self._thread = threading.Thread(target=self._work, name="cluster writer", daemon=True)
        self._thread.start()

    def stop(self, patience: float = 1.0) -> None:
        """Write what is left, for so many seconds at most."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        if self._thread is not None:
            self._thread.join(patience)

    def step(self) -> bool:
        """Write one status and one event that are due; False when there were none."""
        with self._change:
            status, event = self._next_status(), self._next_event()
        if status is not None:
            self._write(*status)
        if event is not None:
            self._create(*event)
        return status is not None or event is not None

    def _work(self) -> None:
        while True:
            if self.step():
                continue
            with self._change:
                if self._stopping:
                    return
                self._change.wait(self._seconds_left())

    def _seconds_left(self) -> float | None:
        """Until something may be due; None: until somebody wants something."""
        if not self._wanted and not self._events:
            return None
        now = self._clock.monotonic()
        due = min((self._not_before.get(ref, 0.0) for ref in self._wanted), default=0.0)
        return max(max(due, self._paused_until) - now, 0.01)

    def _next_status(self) -> tuple[ObjectRef, Compute] | None:
        now = self._clock.monotonic()
        if now < self._paused_until:
            return None
        ref = next((ref for ref in self._wanted if self._not_before.get(ref, 0.0) <= now), None)
        return None if ref is None else (ref, self._wanted.pop(ref))

    def _next_event(self) -> tuple[ObjectRef, Document] | None:
        paused = self._clock.monotonic() < self._paused_until
        return self._events.popleft() if self._events and not paused else None

    def _write(self, ref: ObjectRef, compute: Compute) -> None:
        try:
            self._attempt(ref, compute)
        except ClusterUnavailableError as error:
            self._pause(error)
            self._later(ref, compute, 0.0)
        except NotServedError:
            pass  # it was deleted meanwhile
        except ClusterError as error:
            refused = f"{error}; the rollout is guarded all the same"
            self._trouble(STATUS, refused)
            if isinstance(error, ForbiddenError):
                self._later(ref, compute, AFTER_A_REFUSAL.total_seconds())
        except Exception:
            log.exception("status_failed", object=str(ref))
        else:
            self._wait = FIRST_WAIT
            self._not_before.pop(ref, None)
            self._fine(STATUS)

    def _attempt(self, ref: ObjectRef, compute: Compute) -> None:
        document = self._view.get(ref)
        for _ in range(TRIES):
            status = compute(document) if document is not None else None
            if document is None or status is None:
                return
            try:
                self._view.learn(ref, self._api.patch(ref, _operations(document, status), "status"))
                return
            except ConflictError:
                document = self._api.get(ref)
                if document is not None:
                    self._view.learn(ref, document)
        raise ClusterUnavailableError(f"the status of {ref} was not written: somebody else changes it all the time")

    def _later(self, ref: ObjectRef, compute: Compute, seconds: float) -> None:
        with self._change:
            self._wanted.setdefault(ref, compute)
            self._not_before[ref] = self._clock.monotonic() + seconds

    def _pause(self, error: ClusterUnavailableError) -> None:
        wait = max(error.retry_after or 0.0, self._wait * (1 + self._jitter() / 2))
        self._wait = min(self._wait * 2, LONGEST_WAIT)
        self._paused_until = self._clock.monotonic() + wait
        self._trouble(STATUS, str(error))

    def _create(self, ref: ObjectRef, event: Document) -> None:
        try:
            self._api.create(ref, event)
        except ConflictError:
            pass  # told already, perhaps by a process before this one
        except ClusterUnavailableError as error:
            self._pause(error)
        except ClusterError as error:
            self._trouble(EVENTS, str(error))
            return
        except Exception:
            log.exception("event_failed", object=str(ref))
        self._fine(EVENTS)

    def _trouble(self, name: str, trouble: str) -> None:
        self._health.trouble(name, trouble)
        if self._troubles.get(name) != trouble:
            self._troubles[name] = trouble
            log.warning("trouble", what=name, trouble=trouble)

    def _fine(self, name: str) -> None:
        if self._troubles.pop(name, None) is not None:
            log.info("trouble_over", what=name)
            self._health.ok(name)


def _operations(document: Document, status: Mapping[str, object]) -> tuple[Operation, ...]:
    """The whole status, and only onto what it was computed from."""
    metadata = document.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, Mapping) else None
    return (
        Operation("test", "/metadata/resourceVersion", version),
        Operation("add", "/status", dict(status)),
    )
