"""Events on their way to the API server: in order, each told once, kept while nobody takes them."""

import threading
from collections import deque
from contextlib import suppress
from dataclasses import dataclass

import structlog

from controller.domain.cluster import ClusterError, ClusterUnavailableError, ConflictError, Document, ObjectRef
from controller.ports import Clock, ObjectApi
from controller.runtime.cluster_pause import FIRST_WAIT, LONGEST_WAIT, Pause, Troubles

log = structlog.get_logger("cluster")
MOST_EVENTS = 1000
KEPT = 3600.0
"""Seconds that an event waits at most, and that a refused one is told of: the API server keeps them as long."""
EVENTS = "events in the cluster"


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    """One event, and since when it waits."""

    ref: ObjectRef
    document: Document
    since: float


class EventQueue:
    """`put` for any thread, `step` for one at a time. The oldest ones give way to too many."""

    def __init__(self, api: ObjectApi, clock: Clock, pause: Pause, troubles: Troubles) -> None:
        self._api, self._clock, self._pause, self._troubles = api, clock, pause, troubles
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque(maxlen=MOST_EVENTS)
        self._not_before, self._wait = 0.0, FIRST_WAIT
        self._refused_at: float | None = None

    def put(self, ref: ObjectRef, event: Document) -> None:
        """To be created, once: its name is the key."""
        with self._lock:
            self._waiting.append(_Waiting(ref, event, self._clock.monotonic()))

    def seconds_left(self) -> float | None:
        """Until one may be due, or a refused one needs no telling any more; None when there is nothing to wait for."""
        now, refused = self._clock.monotonic(), self._refused_at
        with self._lock:
            if self._waiting:
                return max(0.0, self._not_before - now)
        return max(0.0, refused + KEPT - now) if refused is not None else None

    def step(self) -> bool:
        """Try the oldest one that is due; False when there was none. It stays the first until it is told or refused."""
        self._forget_refused()
        oldest = self._oldest()
        if oldest is None:
            return False
        if self._is_settled(oldest):
            self._drop(oldest)
        return True

    def _forget_refused(self) -> None:
        """Nobody would see it any more, had it been told: no trouble of today."""
        if self._refused_at is not None and self._clock.monotonic() - self._refused_at >= KEPT:
            self._refused_at = None
            self._troubles.over(EVENTS)

    def _oldest(self) -> _Waiting | None:
        now, paused = self._clock.monotonic(), self._pause.left() > 0
        with self._lock:
            while self._waiting and now - self._waiting[0].since > KEPT:
                log.warning("event_too_old", object=str(self._waiting.popleft().ref))
            return self._waiting[0] if self._waiting and not paused and now >= self._not_before else None

    def _is_settled(self, one: _Waiting) -> bool:
        """Told, or refused for good."""
        try:
            with suppress(ConflictError):  # told already: by a process before this one, or its answer was lost
                self._api.create(one.ref, one.document)
        except ClusterUnavailableError as error:
            self._again_later(error)
            return False
        except ClusterError as error:
            self._refused_at = self._clock.monotonic()
            self._troubles.begun(EVENTS, str(error))
        except Exception:  # one that cannot be sent at all must not hold up those behind it
            log.exception("event_failed", object=str(one.ref))
        else:
            self._wait, self._refused_at = FIRST_WAIT, None
            self._pause.worked()
            self._troubles.over(EVENTS)
        return True

    def _again_later(self, error: ClusterUnavailableError) -> None:
        """Statuses that are taken end the common pause, and not this one: events alone may be what is not taken."""
        self._pause.failed(error)
        self._refused_at = None
        self._troubles.begun(EVENTS, str(error))
        with self._lock:
            self._not_before = self._clock.monotonic() + self._wait
        self._wait = min(self._wait * 2, LONGEST_WAIT)

    def _drop(self, one: _Waiting) -> None:
        """Unless too many newer ones have pushed it out meanwhile."""
        with self._lock:
            if self._waiting and self._waiting[0] is one:
                self._waiting.popleft()
