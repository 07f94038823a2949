"""One tick on its way through the rules: every rule takes a Turn and returns one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from controller.decision.transitions import allowed
from controller.domain.decision import UNSAID, Fact, Notice, Reason, Severity
from controller.domain.evidence import Evidence
from controller.domain.observation import Observation
from controller.domain.rollout import ModelRollout, Stage, StageKind
from controller.domain.state import HeldCause, Phase, Position, Run, TrafficMark
from controller.domain.traffic import RouteSeen, Split
from controller.domain.verdict import Judgement


@dataclass(frozen=True, slots=True)
class Turn:
    """Position and evidence so far, what was judged and seen, and what has been worth telling."""

    position: Position
    evidence: Evidence | None
    judgement: Judgement
    seen: Observation
    notices: tuple[Notice, ...] = ()
    settled: tuple[str, ...] = ()
    unsaid: Callable[[], str] | None = field(default=None, compare=False, repr=False)

    @property
    def now(self) -> datetime:
        return self.seen.now

    @property
    def run(self) -> Run:
        """The present run; a rule that asks is only used in phases that have one."""
        assert self.position.run is not None
        return self.position.run

    @property
    def route(self) -> RouteSeen | None:
        return self.seen.route if isinstance(self.seen.route, RouteSeen) else None

    @property
    def observing(self) -> bool:
        """True when no route may be written: the daemon's, or this rollout's own mode."""
        return self.seen.observe_only or observes(self.position, self.seen)

    def tell(
        self,
        reason: Reason,
        severity: Severity = Severity.QUIET,
        actor: str | None = None,
        about: Mapping[str, Fact] | None = None,
        **facts: Fact,
    ) -> "Turn":
        """The same turn with one more notice."""
        notice = Notice(reason, self.now, severity, {**(about or {}), **facts}, actor)
        return replace(self, notices=(*self.notices, notice))

    def say(self, message: str) -> "Turn":
        """What the rollout waits for, or what is wrong, in one sentence."""
        return self if self.position.message == message else self.at(message=message)

    def waits(self, words: Callable[[], str]) -> "Turn":
        """`say`, for words that take long to find: they are only looked for where somebody reads them."""
        if not self.seen.wordless:
            return self.say(words())
        return replace(self.say(UNSAID), unsaid=words)

    def at(self, **changes: object) -> "Turn":
        """The same turn at a changed position. A new phase must be listed in TRANSITIONS."""
        position = replace(self.position, **changes)  # type: ignore[arg-type]  # field names are checked at run time
        before, after = self.position.phase, position.phase
        if not allowed(before, after):
            raise AssertionError(f"{before} -> {after} is not in TRANSITIONS")
        if before is not after:
            kept = position.held if after in (Phase.HELD, Phase.STALLED) else None
            position = replace(position, since=self.now, held=kept)
        return replace(self, position=position)

    def with_run(self, **changes: object) -> "Turn":
        """The same turn with the run changed."""
        return self.at(run=replace(self.run, **changes))  # type: ignore[arg-type]  # as above

    def route_to(self, split: Split) -> "Turn":
        """Want this split from now on: an end state, to be applied and verified."""
        before = self.position.split()
        return self.at(traffic=TrafficMark(split=split, before=before, applied_at=self.now))


Rule = Callable[[Turn], Turn]


def loading(position: Position) -> bool:
    """Has the run's candidate never been given traffic? A stall or a pause of such a run goes back to Pending."""
    run, split = position.run, position.split()
    if run is None or position.held not in (None, HeldCause.DEADLINE):
        return False
    entered = run.stage > 0 or run.stage_since is not None or run.withdrawn
    return not entered and (split is None or split.candidate is None)


def observes(position: Position, seen: Observation) -> bool:
    """Does the spec in force say `mode: observe`?"""
    spec: ModelRollout | None = position.run.spec if position.run and position.under_way else seen.spec.spec
    return spec is not None and spec.mode.value == "observe"


def split_for(run: Run, stage: Stage) -> Split:
    """The split a stage asks for. A shadow that used up `maxRequests` mirrors no more."""
    if stage.kind is StageKind.SHADOW:
        spent = stage.max_mirrored is not None and run.mirrored_requests >= stage.max_mirrored
        return Split(run.stable, run.candidate, mirror=0 if spent else stage.mirror)
    if stage.kind is StageKind.COHORT:
        return Split(run.stable, run.candidate, cohort=stage.headers)
    return Split(run.stable, run.candidate, weight=100 if stage.kind is StageKind.FULL else stage.weight)
