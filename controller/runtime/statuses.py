"""Statuses of ModelRollouts: what was told of each, so that only news is written, and counts every five minutes.

Where a rollout stands is told at once. Verdicts that change are told every few seconds, however short its ticks are: to
work them out takes a fifth of a pass, and every change is a write.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from controller.domain.cluster import MODEL_ROLLOUT, Document, ObjectRef
from controller.domain.names import RolloutKey
from controller.domain.observation import Unknown
from controller.domain.state import Phase, Position
from controller.ports import Clock, Specs
from controller.runtime.book import Held
from controller.runtime.cluster_writer import ClusterWriter
from controller.runtime.status import Fields, counted_at, outline, outline_of, status_of, still, timed

COUNTS_EVERY = timedelta(minutes=5)
VERDICTS_EVERY = timedelta(seconds=12)
"""Less than the default interval, so that there every tick is told."""
MEMORY = ("stable", "candidate", "former", "run", "breach")


@dataclass(frozen=True, slots=True)
class _Told:
    """The last status that was handed over."""

    outline: Fields
    counts: object
    at: datetime


@dataclass(frozen=True, slots=True)
class _Standing:
    """All that a status says but for verdicts and counts, and when these were last looked at."""

    position: Position
    others: tuple[object, ...]
    at: datetime

    def stands(self, later: "_Standing") -> bool:
        """Has nothing but verdicts and counts changed since, a moment ago?"""
        soon = timedelta(0) <= later.at - self.at < VERDICTS_EVERY
        return soon and self.others == later.others and _alike(self.position, later.position)


class Statuses:
    """`passed` after every pass, from any thread."""

    def __init__(self, writer: ClusterWriter, clock: Clock, holds: Callable[[RolloutKey], bool]) -> None:
        self._writer, self._clock, self._holds = writer, clock, holds
        self._lock = threading.Lock()
        self._told: dict[RolloutKey, _Told] = {}
        self._standing: dict[RolloutKey, _Standing] = {}

    def passed(self, held: Held) -> None:
        """Hand the status over when it is news. For whoever holds the rollout's lock."""
        if not held.spec.generation or held.spec.deleted:
            return
        now, generation = self._clock.now(), held.spec.generation
        standing, looked = _standing(held, now), self._standing.get(held.key)
        if looked is not None and looked.stands(standing):
            return
        self._standing[held.key] = standing
        short, before = outline_of(held, now, generation), self._told.get(held.key)
        same = before is not None and before.outline == short
        if same and before is not None and now - before.at < COUNTS_EVERY:
            return
        status = status_of(held, now, generation)
        if same and before is not None and before.counts == status["slos"]:
            return
        with self._lock:
            self._told[held.key] = _Told(short, status["slos"], now)
        self._writer.want(ref_of(held.key), self._compute(held.key, status))

    def read(self, specs: Specs) -> None:
        """What was never good has no pass: its mistakes are told here."""
        for key, seen in specs.rollouts.items():
            if seen.spec is None and seen.generation and self._holds(key):
                position = Position(Phase.STALLED, self._clock.now(), message=str(seen.problems[0]))
                self.passed(Held(key, position, spec=seen))

    def forget(self, key: RolloutKey) -> None:
        """Another process writes it now."""
        with self._lock:
            self._told.pop(key, None)
            self._standing.pop(key, None)
        self._writer.forget(ref_of(key))

    def _compute(self, key: RolloutKey, status: Mapping[str, object]) -> Callable[[Document], Fields | None]:
        def compute(document: Document) -> Fields | None:
            found = document.get("status")
            before = found if isinstance(found, Mapping) else {}
            told = _with_what_was_known(status, before)
            if not self._holds(key) or not self._is_news(told, before):
                return None
            return timed(told, before, self._clock.now())

        return compute

    def _is_news(self, status: Mapping[str, object], before: Mapping[str, object]) -> bool:
        """Against what is written there: after a restart nothing is told again."""
        if outline(status) != outline(before):
            return True
        last = counted_at(before)
        old = last is None or self._clock.now() - last >= COUNTS_EVERY
        return old and status.get("slos") != before.get("slos")


def _standing(held: Held, now: datetime) -> _Standing:
    stored = not (held.unsaved or held.behind) and held.seq > 0
    route = held.route.why if isinstance(held.route, Unknown) else None
    return _Standing(held.position, (held.spec, still(held.trouble), held.conflict, route, stored), now)


def _alike(one: Position, other: Position) -> bool:
    """The same, but for the numbers of a countdown."""
    if one is other:
        return True
    said = one.message == other.message or still(one.message) == still(other.message)
    return said and replace(one, message=other.message) == other


def _with_what_was_known(status: Mapping[str, object], before: Mapping[str, object]) -> Mapping[str, object]:
    """Who does not know what is stable keeps what was told of it: it may be all that is left of a lost database."""
    if "stable" in status:
        return status
    return {**{name: before[name] for name in MEMORY if name in before}, **status}


def ref_of(key: RolloutKey) -> ObjectRef:
    """The object of a rollout."""
    return ObjectRef(MODEL_ROLLOUT, key.namespace, key.name)
