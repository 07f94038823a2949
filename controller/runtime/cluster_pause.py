"""One pause for everybody who writes to the API server, and troubles that are told once and over once."""

import threading
from collections.abc import Callable

import structlog

from controller.domain.cluster import ClusterUnavailableError
from controller.ports import Clock
from controller.telemetry.health import Health

log = structlog.get_logger("cluster")
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


class Pause:
    """Safe for several threads. Longer after every failure, and never shorter than the API server asked for."""

    def __init__(self, clock: Clock, jitter: Callable[[], float] = lambda: 0.0) -> None:
        self._clock, self._jitter = clock, jitter
        self._lock = threading.Lock()
        self._until, self._wait = 0.0, FIRST_WAIT

    def left(self) -> float:
        """Seconds until writes may go out again; 0 when they may."""
        with self._lock:
            return max(0.0, self._until - self._clock.monotonic())

    def failed(self, error: ClusterUnavailableError) -> None:
        """A write was not taken: nobody writes for a while."""
        with self._lock:
            now, asked = self._clock.monotonic(), error.retry_after or 0.0
            if now < self._until:  # it had left before the pause began: the same trouble, and not one more
                self._until = max(self._until, now + asked)
                return
            self._until = now + max(asked, self._wait * (1 + self._jitter() / 2))
            self._wait = min(self._wait * 2, LONGEST_WAIT)

    def worked(self) -> None:
        """A write was taken. One that had left before the pause began says nothing about it."""
        with self._lock:
            if self._clock.monotonic() >= self._until:
                self._wait = FIRST_WAIT


class Troubles:
    """Safe for several threads. One log line per cause, not per write."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._lock = threading.Lock()
        self._told: dict[str, str] = {}

    def begun(self, name: str, trouble: str) -> None:
        """It does not work, and why."""
        self._health.trouble(name, trouble)
        with self._lock:
            known, self._told[name] = self._told.get(name), trouble
        if known != trouble:
            log.warning("trouble", what=name, trouble=trouble)

    def over(self, name: str) -> None:
        """It works."""
        with self._lock:
            known = self._told.pop(name, None)
        if known is not None:
            log.info("trouble_over", what=name)
            self._health.ok(name)
