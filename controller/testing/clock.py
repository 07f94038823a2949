"""A clock that moves only when told to: long periods in no time, and wall-clock jumps on demand."""

import threading
from datetime import UTC, datetime, timedelta

START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


class ManualClock:
    """Implements ports.Clock; safe to use from several threads."""

    def __init__(self, now: datetime = START) -> None:
        if now.tzinfo is None:
            raise ValueError(f"{now} has no time zone: give an aware datetime, in UTC")
        self._now, self._monotonic = now, 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Seconds moved on since the clock was made; `jump` does not change it."""
        with self._lock:
            return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Return at once and move on by `seconds`."""
        self.advance(seconds)

    def advance(self, by: timedelta | float) -> None:
        """Let time pass: both clocks move on. `by` in seconds or as a timedelta, not negative."""
        seconds = by.total_seconds() if isinstance(by, timedelta) else float(by)
        if seconds < 0:
            raise ValueError(f"time does not run backwards ({seconds} s); use jump() for a wrong wall clock")
        with self._lock:
            self._now += timedelta(seconds=seconds)
            self._monotonic += seconds

    def jump(self, by: timedelta) -> None:
        """Set the wall clock wrong by `by`, forwards or backwards; monotonic time does not notice."""
        with self._lock:
            self._now += by
