"""Everything of one rollout to stable, without a database: written, verified, written again as long as it must be."""

import json
import os
from enum import StrEnum
from pathlib import Path

import structlog

from controller.alerts.unread import Withdrawn
from controller.decision.traffic import describe
from controller.domain.names import VersionName
from controller.domain.route import EnvoyRoute
from controller.domain.traffic import RouterUnavailableError, RouteSeen, RouteTable, Split
from controller.ports import Clock, RouterFactory, TrafficRouter
from controller.runtime.known_routes import KnownRoute
from controller.traffic.breakglass import JOURNAL

log = structlog.get_logger("vigil")
QUIET = 1.0
"""Seconds in which no other version may be counted before zero is verified."""
ACTOR = "tidegate (the database could not be read at its start)"


class Ending(StrEnum):
    """How it stands. `safe`: all on stable, verified. `unknown`: what is stable? `left`: not ours to move."""

    WAITING = "waiting"
    SAFE = "safe"
    UNKNOWN = "unknown"
    LEFT = "left"


class Withdrawal:
    """`step` again and again, from one thread at a time. `moved`: there was something to take away."""

    def __init__(self, known: KnownRoute, make: RouterFactory, clock: Clock, why: str) -> None:
        self.known, self._make, self._clock, self._why = known, make, clock, why
        self.ending, self.trouble, self.moved, self.in_flight = Ending.WAITING, "", False, 0
        self.stable = known.stable
        self.began = clock.monotonic()
        self._router: TrafficRouter | None = None
        self._quiet: tuple[int, float] | None = None
        self._was_safe = self._noted = False

    @property
    def seconds(self) -> float:
        """Since it was begun."""
        return self._clock.monotonic() - self.began

    def report(self) -> Withdrawn:
        """How it stands, for people."""
        known = self.known
        return Withdrawn(
            known.key, self.ending.value, self.moved, self.stable, known.candidate, self.trouble, self.in_flight,
            known.binding.route.target,
        )  # fmt: skip

    def step(self) -> None:
        """Look, and write when that is needed. Never raises."""
        try:
            self._follow(self._seen())
        except (RouterUnavailableError, LookupError, OSError) as error:
            self._fail(str(error))
        except Exception as error:  # an adapter's mistake must not end the withdrawals
            log.exception("withdrawal_failed", rollout=str(self.known.key))
            self._fail(f"this was not foreseen ({type(error).__name__}); see the daemon's log")

    def _seen(self) -> RouteSeen | None:
        """The data plane as it is; None when it does not answer: then it is written to all the same."""
        try:
            if self._router is None:
                self._router = self._make(self.known.binding)
            return self._router.observe()
        except (RouterUnavailableError, LookupError) as error:
            self.trouble = str(error)
            return None

    def _follow(self, seen: RouteSeen | None) -> None:
        table = seen.table if seen else None
        self.stable = self.stable or (self.known.stable_in(table) if table else None)
        if self.stable is None:
            return self._rest(
                Ending.UNKNOWN, self.trouble if seen is None else f"found {describe(table) if table else 'no route'}"
            )
        reason = self._hands_off(seen)
        if reason:
            return self._rest(Ending.LEFT, reason)
        if seen is None or not seen.holds(Split(self.stable)):
            return self._write(self.stable, table)
        return self._verify(seen, self.stable)

    def _hands_off(self, seen: RouteSeen | None) -> str:
        """Why nothing may be written here; empty when it may."""
        if self.known.observed:
            return "only observed: nothing is written"
        if seen is None:
            told = f"by its record nothing is rolled out; it could not be looked at: {self.trouble}"
            return "" if self.known.candidate is not None or self._was_safe else told
        sole = seen.table.sole() if seen.table else None
        by_hand = sole not in (None, self.stable) and (sole != self.known.candidate or self._was_safe)
        return f"somebody sent everything to {sole}; {self.stable} is stable" if by_hand else ""

    def _write(self, stable: VersionName, table: RouteTable | None) -> None:
        self._quiet = None
        self.moved = self.moved or self.known.candidate is not None or table is not None
        self._note(stable)
        if self._router is None:
            raise RouterUnavailableError(self.trouble)
        self._router.apply(Split(stable))
        self._rest(Ending.WAITING, self.trouble or "written; the data plane does not show it yet")

    def _verify(self, seen: RouteSeen, stable: VersionName) -> None:
        others = [counts for version, counts in seen.counts.items() if version != stable]
        total, now = sum(counts.total for counts in others), self._clock.monotonic()
        self.in_flight = sum(counts.active for counts in others)
        if not seen.accepted:
            return self._rest(Ending.WAITING, "the data plane does not report the configuration last written")
        if self._quiet is None or self._quiet[0] != total:
            self._quiet = (total, now)
            return self._rest(Ending.WAITING, "requests of other versions are still being counted")
        if now - self._quiet[1] >= QUIET:
            self._was_safe = True
            self._rest(Ending.SAFE, "")
        return None

    def _fail(self, trouble: str) -> None:
        log.error("not_withdrawn", rollout=str(self.known.key), stable=self.stable, trouble=trouble)
        self._rest(Ending.WAITING, trouble)

    def _rest(self, ending: Ending, trouble: str) -> None:
        if ending is not self.ending:
            log.warning(f"withdrawal_{ending}", rollout=str(self.known.key), stable=self.stable, detail=trouble)
        self.ending, self.trouble = ending, trouble

    def _note(self, stable: VersionName) -> None:
        """Beside Envoy's files: with this, the run is found lowered on purpose, and nothing raises it by itself."""
        target = self.known.binding.route.target
        if self._noted or not isinstance(target, EnvoyRoute):
            return
        entry = {
            "at": self._clock.now().isoformat(),
            "rollout": str(self.known.key),
            "actor": ACTOR,
            "reason": self._why,
            "stable": stable,
            "verified": None,
            "trouble": None,
        }
        try:
            file = Path(target.config_dir) / JOURNAL
            handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o644)
            with os.fdopen(handle, "a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self._noted = True
        except OSError as error:
            log.error("not_noted", rollout=str(self.known.key), trouble=str(error))
