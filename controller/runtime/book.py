"""The book of rollouts: what this process holds of each one between two passes. Spec, position, evidence, inbox."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from controller.analysis.judge import verdicts
from controller.domain.decision import Notice
from controller.domain.evidence import Evidence
from controller.domain.names import Digest, RolloutKey
from controller.domain.observation import Preflight, Rebuilt, SpecSeen, Unknown
from controller.domain.problem import SpecProblem
from controller.domain.record import Stored
from controller.domain.request import OperatorRequest
from controller.domain.rollout import ModelRollout
from controller.domain.state import Phase, Position
from controller.domain.traffic import RouteSeen, Split
from controller.domain.verdict import Judgement
from controller.ports import Specs
from controller.runtime.background import Background
from controller.runtime.lost import Lost, begun_anew, known_in_part, notice
from controller.runtime.places import Places
from controller.runtime.withdrawal import Withdrawal


@dataclass(slots=True)
class Held:
    """One rollout, owned by whoever holds `lock`. `seq` is the last committed number.

    `unsaved`: decisions wait in the spool, or only here, until the store is mended; `behind`: the next pass writes,
    whatever it decides; `owed`: notices that could be written nowhere. `trouble` is what keeps it from going on.
    `looked_at`: wall and steady time of the last pass; `heard_at`: steady time of the newest metric snapshot.
    `searched`: the digest whose evidence was last looked for in the store, and `seq` at that time. `rebuilt`: what came
    of counting evidence anew, so that it is done once, by the name of what was counted; `rebuilding`: the same while it
    is counted. `recorded`: what the route's own record says, where nothing that is stored says what is stable.
    `lost`: what is stored does not read back, and nothing says yet how to go on: no pass is made over it, only its
    `withdrawal`.
    """

    key: RolloutKey
    position: Position
    seq: int = 0
    evidence: Evidence | None = None
    spec: SpecSeen = field(default_factory=lambda: SpecSeen(None))
    conflict: str | None = None
    judgement: Judgement = field(default_factory=Judgement)
    route: RouteSeen | Unknown = field(default_factory=lambda: Unknown("not looked at yet"))
    preflight: Preflight = field(default_factory=Preflight)
    measured_at: datetime | None = None
    unsaved: bool = False
    behind: bool = False
    owed: tuple[Notice, ...] = ()
    trouble: str = ""
    looked_at: tuple[datetime, float] | None = None
    heard: Callable[[], object] | None = None
    heard_at: float | None = None
    searched: tuple[Digest, int] | None = None
    rebuilt: tuple[str, Rebuilt | None] | None = None
    rebuilding: tuple[str, Background[Rebuilt]] | None = None
    recorded: Split | None = None
    lost: Lost | None = None
    withdrawal: Withdrawal | None = None
    inbox: list[OperatorRequest] = field(default_factory=list)
    answers: dict[str, tuple[Notice, ...]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)
    changed: threading.Condition = field(default_factory=threading.Condition)
    version: int = 0

    @property
    def active(self) -> ModelRollout | None:
        """The spec in force: the run's pinned one, else the newest good one."""
        if self.position.under_way and self.position.run is not None:
            return self.position.run.spec
        return self.spec.spec

    def tell_watchers(self) -> None:
        """Wake everybody who waits for news of this rollout."""
        with self.changed:
            self.version += 1
            self.changed.notify_all()


class Book:
    """All rollouts of this process. Specs come in by `take`, everything else through the passes."""

    def __init__(self, stored: Iterable[Stored] = (), lost: Mapping[RolloutKey, Lost] | None = None) -> None:
        self._lock = threading.Lock()
        told = lost or {}
        self._all = {one.key: _half_known(one, told.get(one.key)) or _remembered(one) for one in stored}

    def get(self, key: RolloutKey) -> Held | None:
        """What is held of `key`, or None."""
        with self._lock:
            return self._all.get(key)

    def all(self) -> Sequence[Held]:
        """Every rollout, by name."""
        with self._lock:
            return [self._all[key] for key in sorted(self._all)]

    def take(self, specs: Specs, now: datetime) -> tuple[RolloutKey, ...]:
        """The newest specs; returns the rollouts whose spec changed (all known ones that are gone included)."""
        with self._lock:
            changed = [key for key, seen in specs.rollouts.items() if self._put(key, seen, now)]
            changed += [key for key in self._all if key not in specs.rollouts and self._missing(key, specs.trouble)]
            changed += self._conflicts()
        return tuple(dict.fromkeys(changed))

    def _put(self, key: RolloutKey, seen: SpecSeen, now: datetime) -> bool:
        held = self._all.get(key)
        if held is None:
            if seen.spec is None:
                return False
            held = self._all[key] = Held(key, Position(Phase.IDLE, now))
        before, held.spec = held.spec, seen
        _begin_anew(held, now)
        return before != seen

    def _missing(self, key: RolloutKey, trouble: str | None) -> bool:
        """No source knows it: deleted, or a source that cannot be read may still have it."""
        held = self._all[key]
        before, run = held.spec, held.position.run
        known = before.spec or (run.spec if run else None)
        provenance = before.provenance or (run.provenance if run else None)
        problems = () if trouble is None else (SpecProblem(provenance.file if provenance else "", 0, "", trouble),)
        held.spec = SpecSeen(known, provenance, problems, deleted=trouble is None)
        return before != held.spec

    def _conflicts(self) -> list[RolloutKey]:
        """Two rollouts on one route are refused: first who is under way, then who serves, then by name."""
        places = Places()
        changed = []
        for held in sorted(self._all.values(), key=_seniority):
            told = _conflict(held, places)
            if told != held.conflict:
                held.conflict = told
                changed.append(held.key)
        return changed


def _remembered(stored: Stored) -> Held:
    """With the verdicts of its last tick, so that people see them before the next one."""
    position, evidence = stored.position, stored.evidence
    told = position.run is not None and evidence is not None and evidence.digest == position.run.digest
    judgement = verdicts(evidence, position.run.spec) if told and evidence and position.run else Judgement()
    return Held(stored.key, position, stored.seq, evidence, judgement=judgement)


def _half_known(stored: Stored, lost: Lost | None) -> Held | None:
    """A row that does not read back, or not whole; None for every other."""
    if stored.unread is None:
        return None
    lost = lost or Lost(stored.unread.why, None, stored.seq, stored.position.since)
    position = known_in_part(stored, lost.at)
    if position is None:
        return Held(stored.key, stored.position, stored.seq, stored.evidence, trouble=lost.waits_for, lost=lost)
    return Held(stored.key, position, stored.seq, behind=True, owed=(notice(lost),))


def _begin_anew(held: Held, now: datetime) -> None:
    """Now that there is a spec. What is held from here on is written over what did not read back."""
    position = begun_anew(held.lost, held.spec, now) if held.lost else None
    if held.lost is None or position is None:
        return
    held.owed, held.behind = (*held.owed, notice(held.lost)), True
    held.position, held.lost, held.trouble = position, None, ""


def _seniority(held: Held) -> tuple[bool, bool, RolloutKey]:
    """What another process guards is known by what its status reports."""
    position, reported = held.position, held.spec.reported
    tried = reported is not None and reported.candidate is not None
    return not (position.under_way or tried), position.traffic is None and reported is None, held.key


def _conflict(held: Held, places: Places) -> str | None:
    spec = held.active
    if spec is None or (held.spec.deleted and not held.position.under_way):
        return None
    return places.claim(held.key, spec.route.target)
