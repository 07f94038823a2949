"""Is the daemon alive, and has it seen everything once? What `/healthz` and `/readyz` answer."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.ports import Clock

TOLERATED_TICKS = 5
LEAST_PATIENCE = timedelta(seconds=10)


@dataclass(frozen=True, slots=True)
class Check:
    """`good` decides the status code; `document` says why, for people."""

    good: bool
    document: dict[str, object]


@dataclass(frozen=True, slots=True)
class Report:
    """What a component said last, and since when it says so."""

    ok: bool
    message: str
    since: datetime


class Health:
    """Safe to use from every thread. `tick` is the shortest interval at which passes are expected."""

    def __init__(self, clock: Clock, tick: timedelta, sources: Iterable[str] = ()) -> None:
        self._clock, self._patience = clock, max(tick * TOLERATED_TICKS, LEAST_PATIENCE)
        self._lock = threading.Lock()
        self._last_pass, self._missing = clock.monotonic(), set(sources)
        self._components: dict[str, Report] = {}

    def passed(self) -> None:
        """The scheduler did a pass (or had nothing to do and says so)."""
        with self._lock:
            self._last_pass = self._clock.monotonic()

    def first_pass(self, source: str) -> None:
        """Everything that this source knows was looked at once."""
        with self._lock:
            self._missing.discard(source)

    def ok(self, component: str, message: str = "") -> None:
        """The component works."""
        self._report(component, True, message)

    def over(self, component: str) -> None:
        """The component works again, if ever it did not: what was never in trouble is not listed."""
        with self._lock:
            known = self._components.get(component)
        if known is not None and not known.ok:
            self.ok(component)

    def trouble(self, component: str, message: str) -> None:
        """It does not work. That is shown and does not make the daemon unhealthy: it must go on guarding."""
        self._report(component, False, message)

    def _report(self, component: str, ok: bool, message: str) -> None:
        now = self._clock.now()
        with self._lock:
            before = self._components.get(component)
            since = before.since if before is not None and before.ok is ok else now
            self._components[component] = Report(ok, message, since)

    def alive(self) -> Check:
        """Does the scheduler still make its passes?"""
        with self._lock:
            silent = self._clock.monotonic() - self._last_pass
            good = silent <= self._patience.total_seconds()
            return Check(good, {"status": _word(good), "seconds_since_pass": round(silent, 1), **self._told()})

    def ready(self) -> Check:
        """Was everything of every source looked at once?"""
        with self._lock:
            good = not self._missing
            return Check(good, {"status": _word(good), "waiting_for": sorted(self._missing), **self._told()})

    def _told(self) -> dict[str, object]:
        return {
            "components": {
                name: {"ok": one.ok, "message": one.message, "since": one.since.isoformat()}
                for name, one in sorted(self._components.items())
            }
        }


def _word(good: bool) -> str:
    return "ok" if good else "not ok"
