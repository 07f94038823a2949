"""History through the very function that decides live, on a data plane that always obeys at once. Pure.

Same frames, same steps, bit for bit: `backtest` and `simulate` are this and nothing else.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from controller.decision.tick import tick
from controller.domain.decision import Decision, Notice
from controller.domain.evidence import Evidence
from controller.domain.measure import Measurement
from controller.domain.names import SloName, VersionName
from controller.domain.observation import Observation, Preflight, Readiness, SpecSeen
from controller.domain.rollout import ModelRollout, Provenance
from controller.domain.state import Phase, Position
from controller.domain.traffic import RequestCounts, RouteSeen, RouteTable, Split
from controller.domain.verdict import Judgement

BLINK = timedelta(milliseconds=250)
MOST_BLINKS = 16


@dataclass(frozen=True, slots=True)
class Counted:
    """New counts of one SLI, version and scenario (None: pooled) since the frame before; `value` for a threshold."""

    slo: SloName
    version: VersionName
    scenario: str | None = None
    bad: float = 0.0
    total: float = 0.0
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Frame:
    """One metric tick of history. What is not listed had no new answers."""

    at: datetime
    counts: tuple[Counted, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """What was decided at one frame: the position after everything that followed from it, and all notices."""

    at: datetime
    position: Position
    evidence: Evidence | None
    judgement: Judgement
    notices: tuple[Notice, ...]


class Replay:
    """One rollout on an obedient data plane. Feed it frames in order of time."""

    def __init__(self, rollout: ModelRollout, stable: VersionName, begin: datetime) -> None:
        self._spec = SpecSeen(rollout, Provenance("replay"))
        self._position = Position(Phase.IDLE, begin)
        self._evidence: Evidence | None = None
        self._table: RouteTable = Split(stable).table()
        self._judgement = Judgement()
        self._settle(begin)

    def feed(self, frame: Frame) -> Step:
        """Judge and decide this frame, and let the data plane follow."""
        decision = self._pass(frame.at, self._measurements(frame.counts))
        notices = (*decision.notices, *self._settle(frame.at))
        return Step(frame.at, self._position, self._evidence, self._judgement, notices)

    @property
    def over(self) -> bool:
        """Has the run ended?"""
        return self._position.phase in (Phase.ROLLED_BACK, Phase.COMPLETED)

    def _settle(self, now: datetime) -> tuple[Notice, ...]:
        """Passes between two frames, until nothing is on its way any more."""
        told: tuple[Notice, ...] = ()
        for _ in range(MOST_BLINKS):
            before = self._position
            now += BLINK
            told = (*told, *self._pass(now, None).notices)
            mark = self._position.traffic
            if self._position == before and (mark is None or mark.verified_at is not None):
                break
        return told

    def _pass(self, now: datetime, measured: Sequence[Measurement] | None) -> Decision:
        decision = tick(self._position, self._evidence, self._seen(now, measured))
        self._position, self._evidence = decision.position, decision.evidence
        if measured is not None or decision.judgement.streams:
            self._judgement = decision.judgement
        if decision.apply is not None:
            self._table = decision.apply.table()
        return decision

    def _seen(self, now: datetime, measured: Sequence[Measurement] | None) -> Observation:
        run = self._position.run
        counts = {run.candidate: RequestCounts(), run.stable: RequestCounts()} if run else {}
        return Observation(
            now=now,
            spec=self._spec,
            route=RouteSeen(self._table, True, "replay", "replay", counts),
            measurements=tuple(measured or ()),
            measured=measured is not None,
            sampled_at=now,
            preflight=Preflight(Readiness.READY, done=True),
        )

    def _measurements(self, counts: Sequence[Counted]) -> tuple[Measurement, ...]:
        """Counts as measurements; an SLI nobody mentions was measured and had nothing new."""
        told = {(c.slo, c.version, c.scenario) for c in counts}
        found = [Measurement(c.slo, c.version, c.scenario, c.bad, c.total, value=c.value) for c in counts]
        run = self._position.run
        versions = (run.stable, run.candidate) if run else ()
        assert self._spec.spec is not None
        for slo in self._spec.spec.slos:
            found += [Measurement(slo.name, v) for v in versions if (slo.name, v, None) not in told]
        return tuple(found)


def replay(rollout: ModelRollout, stable: VersionName, frames: Iterable[Frame]) -> Iterator[Step]:
    """Every frame's step, until the frames or the run end. The run begins one interval before the first frame."""
    world: Replay | None = None
    for frame in frames:
        world = world or Replay(rollout, stable, frame.at - rollout.interval)
        yield world.feed(frame)
