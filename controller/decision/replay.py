"""History through the very function that decides live, on a data plane that always obeys at once. Pure.

Same frames, same steps, bit for bit: `backtest` and `simulate` are this and nothing else.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from operator import attrgetter

from controller.analysis import judge as judging
from controller.decision.tick import scope, tick
from controller.domain.decision import UNSAID, Decision, Notice
from controller.domain.evidence import Evidence, SloEvidence
from controller.domain.measure import Measurement
from controller.domain.names import SloName, VersionName
from controller.domain.observation import Observation, Preflight, Readiness, SpecSeen
from controller.domain.rollout import Mode, ModelRollout, Provenance
from controller.domain.slo import OnBreach, RatioIndicator, Slo
from controller.domain.state import HeldCause, Phase, Position
from controller.domain.traffic import RequestCounts, RouteSeen, RouteTable, Split
from controller.domain.verdict import Judgement, LedgerVerdict

BLINK = timedelta(milliseconds=250)
MOST_BLINKS = 16
ON_THE_WAY = frozenset({Phase.IDLE, Phase.PENDING, Phase.ROLLING_BACK})
READY = Preflight(Readiness.READY, done=True)

Stream = tuple[SloName, VersionName, str | None]
STREAM_OF = attrgetter("slo", "version", "scenario")


@dataclass(frozen=True, slots=True)
class Frame:
    """One metric tick of history that covers `ticks` nominal ticks. What is not listed was measured: nothing new."""

    at: datetime
    measured: tuple[Measurement, ...] = ()
    ticks: int = 1


@dataclass(frozen=True, slots=True)
class Step:
    """What was decided at one frame: the position after everything that followed from it, and all notices.

    `judgement` is what the decision was made on. `place` is the position, but for the words of what is waited for:
    those are found when `position` is read.
    """

    at: datetime
    place: Position
    evidence: Evidence | None
    judgement: Judgement
    notices: tuple[Notice, ...]
    waits_for: Callable[[], str] | None = field(default=None, compare=False, repr=False)

    @property
    def position(self) -> Position:
        """With everything that is worth saying."""
        unsaid = self.waits_for if self.place.message == UNSAID else None
        return self.place if unsaid is None else replace(self.place, message=unsaid())

    @property
    def phase(self) -> Phase:
        """Where the run stands."""
        return self.place.phase

    @property
    def weight(self) -> int:
        """Percent of live requests that the candidate gets from now on."""
        run, split = self.place.run, self.place.split()
        if run is None or split is None:
            return 0
        return 100 if split.stable == run.candidate else split.weight

    @property
    def stage(self) -> str | None:
        """The stage the run stands on, or ended in."""
        return self.place.run.current.name if self.place.run else None

    @property
    def ledger(self) -> LedgerVerdict | None:
        """The rollback ledger; None when no stream leads to a rollback."""
        mine = (one for one in self.judgement.ledgers if one.action is OnBreach.ROLLBACK and one.kind == "evidence")
        return next(mine, None)


class Replay:
    """One rollout on an obedient data plane. Feed it frames in order of time.

    Nobody is there: approvals are taken as given, a suspended or merely observed rollout goes on.
    """

    def __init__(self, rollout: ModelRollout, stable: VersionName, begin: datetime) -> None:
        self._rollout = unattended(rollout)
        self._spec = SpecSeen(self._rollout, Provenance("replay"))
        self._position = Position(Phase.IDLE, begin)
        self._evidence: Evidence | None = None
        self._waits_for: Callable[[], str] | None = None
        self._table: RouteTable = Split(stable).table()
        self._judgement = Judgement()
        self._versions = (stable, rollout.version)
        self._quiet: dict[Stream, Measurement] = {}
        self._listed: list[tuple[SloName, int]] = []
        self._known: Sequence[Stream] = ()
        self._told: list[Stream] = []
        self._missing: list[Stream] = []
        self._route: RouteSeen | None = None
        self._untold = self._settle(begin)

    def feed(self, frame: Frame) -> Step:
        """Judge and decide this frame, and let the data plane follow.

        After a rollback the position stays and the counts are judged on: what the evidence would have become.
        """
        told = self._untold
        self._untold = ()
        if self._ended():
            self._judge_on(frame)
        else:
            decision = self._pass(frame.at, self._complete(frame))
            self._judgement = decision.judgement
            told = (*told, *decision.notices, *self._settle(frame.at))
        return Step(frame.at, self._position, self._evidence, self._judgement, told, self._waits_for)

    @property
    def over(self) -> bool:
        """Has the run ended?"""
        return self._position.phase in (Phase.ROLLED_BACK, Phase.COMPLETED)

    def _ended(self) -> bool:
        """Is the run rolled back, or the guard after its promotion over?"""
        return self._position.run is not None and not self._position.guarded

    def _judge_on(self, frame: Frame) -> None:
        run = self._position.run
        if run is None or self._evidence is None:
            return
        measured = self._complete(frame)
        where = scope(self._position, run, self._seen(frame.at, measured))
        self._evidence, self._judgement = judging.judge(self._evidence, measured, {}, where)

    @property
    def stuck(self) -> bool:
        """Does the run wait for a person?"""
        held = self._position.held
        return self._position.phase is Phase.HELD and held is not None and held is not HeldCause.BLIND

    def _settle(self, now: datetime) -> tuple[Notice, ...]:
        """Passes between two frames, until nothing is on its way any more."""
        told: tuple[Notice, ...] = ()
        for _ in range(MOST_BLINKS):
            if not self._on_the_way():
                break
            before = self._position
            now += BLINK
            told = (*told, *self._pass(now, None).notices)
            if self._position == before and before.traffic is not None and before.traffic.verified_at is not None:
                break
        return told

    def _on_the_way(self) -> bool:
        position = self._position
        if position.traffic is None or position.traffic.verified_at is None or position.phase in ON_THE_WAY:
            return True
        return position.phase is Phase.PROGRESSING and position.run is not None and position.run.stage_since is None

    def _pass(self, now: datetime, measured: tuple[Measurement, ...] | None) -> Decision:
        decision = tick(self._position, self._evidence, self._seen(now, measured))
        self._position, self._evidence = decision.position, decision.evidence
        # A pass that leaves the message alone leaves its words, too.
        self._waits_for = decision.waits_for or self._waits_for
        if decision.apply is not None:
            self._table = decision.apply.table()
        return decision

    def _seen(self, now: datetime, measured: tuple[Measurement, ...] | None) -> Observation:
        if self._route is None or self._route.table is not self._table:
            self._route = RouteSeen(self._table, True, "replay", "replay", {v: RequestCounts() for v in self._versions})
        return Observation(
            now=now,
            spec=self._spec,
            route=self._route,
            measurements=measured or (),
            measured=measured is not None,
            sampled_at=now,
            preflight=READY,
            readiness=dict.fromkeys(self._versions, Readiness.READY),
            wordless=True,
        )

    def _complete(self, frame: Frame) -> tuple[Measurement, ...]:
        """The frame with every stream that it does not list: measured, and nothing new."""
        told, known = list(map(STREAM_OF, frame.measured)), self._known
        if self._streams() is not known or told != self._told:
            have = set(told)
            self._told, self._missing = told, [key for key in self._known if key not in have]
        nothing = (self._nothing(key, frame.ticks) for key in self._missing)
        return (*frame.measured, *nothing) if self._missing else frame.measured

    def _streams(self) -> Sequence[Stream]:
        """All that is measured. Listed again when evidence has other streams: scenarios only ever come to it."""
        slos = self._evidence.slos if self._evidence else ()
        counts = [(slo.name, len(slo.streams)) for slo in slos]
        if counts != self._listed:
            self._listed, self._known = counts, list(self._list(slos))
        return self._known

    def _list(self, slos: Iterable[SloEvidence]) -> Iterator[Stream]:
        for slo in slos:
            for scenario in {None: None, **{stream.scenario: None for stream in slo.streams}}:
                for version in self._versions:
                    yield slo.name, version, scenario

    def _nothing(self, key: Stream, ticks: int) -> Measurement:
        known = self._quiet.get(key)
        if known is None or known.ticks != ticks:
            known = self._quiet[key] = Measurement(*key, ticks=ticks)
        return known


def unattended(rollout: ModelRollout) -> ModelRollout:
    """The rollout as it goes when nobody has to be asked: approvals given, not suspended, decisions carried out."""
    stages = tuple(replace(stage, approvals=0) for stage in rollout.stages)
    return replace(rollout, stages=stages, suspend=False, mode=Mode.ENFORCE)


def judged_at_once(rollout: ModelRollout) -> ModelRollout:
    """The rollout for counts that do not say which answers still waited for their verdict."""
    return replace(rollout, slos=tuple(_at_once(slo) for slo in rollout.slos))


def _at_once(slo: Slo) -> Slo:
    if not isinstance(slo.indicator, RatioIndicator) or slo.indicator.eligible is None:
        return slo
    return replace(slo, indicator=replace(slo.indicator, eligible=None))


def replay(rollout: ModelRollout, stable: VersionName, frames: Iterable[Frame]) -> Iterator[Step]:
    """Every frame's step. The run begins one interval before the first frame."""
    world: Replay | None = None
    for frame in frames:
        world = world or Replay(rollout, stable, frame.at - rollout.interval)
        yield world.feed(frame)
