"""A small world in pure Python: one rollout, its data plane, its truth, its clock, and the pass as the daemon runs it.

`drive` goes observe -> tick -> persist -> apply again and again. Between any two steps the process may die; what it
wrote down is all that the next one knows.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from random import Random

from controller.decision.tick import tick
from controller.decision.traffic import describe
from controller.domain.decision import Decision, Notice
from controller.domain.evidence import Evidence
from controller.domain.names import Digest, VersionName
from controller.domain.observation import Observation, Preflight, Readiness, SpecSeen, Unknown
from controller.domain.request import Ask, OperatorRequest
from controller.domain.rollout import ModelRollout
from controller.domain.state import Phase, Position
from controller.domain.traffic import RouterUnavailableError, RouteSeen, RouteTable
from controller.testing.builders import STABLE, a_rollout, spec_seen
from controller.testing.clock import START
from controller.testing.plane import Plane
from controller.testing.truth import Truth

QUICK = timedelta(seconds=1.1)
"""Passes between metric ticks come this often at most: enough to see a quiet second."""


class Step(Enum):
    """The steps of a pass after which the process may be killed."""

    OBSERVED = 1
    DECIDED = 2
    PERSISTED = 3
    APPLIED = 4


@dataclass(frozen=True, slots=True)
class Passed:
    """One pass as it was: what went in, what came out, and what the data plane held before and after."""

    before: Position
    evidence: Evidence | None
    seen: Observation
    decision: Decision
    held: RouteTable | None
    after: RouteTable | None
    wrote: bool


@dataclass(slots=True)
class Memory:
    """What the process knows; lost when it dies."""

    position: Position
    evidence: Evidence | None = None
    measured_at: datetime | None = None
    inbox: list[OperatorRequest] = field(default_factory=list)
    revisit: timedelta = timedelta(0)


@dataclass(slots=True)
class World:
    """Everything outside of the decision. Change its fields between two drives to tell a story.

    `rate` is requests per second. `loading`: what a version's backend says (default ready). `store_down`: nothing can
    be committed, decisions go to the spool; `spool_down`: not even that. `crash_after` kills the next pass there.
    """

    rng: Random
    spec: SpecSeen = field(default_factory=spec_seen)
    plane: Plane = field(default_factory=Plane)
    rate: float = 10.0
    true_now: datetime = START
    wrong_by: timedelta = timedelta(0)
    loading: dict[str, Readiness] = field(default_factory=dict)
    preflight_problem: str | None = None
    route_conflict: str | None = None
    observe_only: bool = False
    break_glass: str | None = None
    store_down: bool = False
    spool_down: bool = False
    crash_after: Step | None = None
    timeline: list[str] = field(default_factory=list)
    passes: list[Passed] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    crashes: int = 0
    truth: Truth = field(init=False)
    memory: Memory = field(init=False)
    disk: tuple[Position, Evidence | None] = field(init=False)
    archive: dict[Digest, Evidence] = field(default_factory=dict)
    _asked: int = 0

    def __post_init__(self) -> None:
        self.truth = Truth(self.rng)
        self.memory = Memory(Position(Phase.IDLE, self.now))
        self.disk = (self.memory.position, None)

    @property
    def now(self) -> datetime:
        """What the wall clock says; `true_now` never jumps."""
        return self.true_now + self.wrong_by

    @property
    def position(self) -> Position:
        return self.memory.position

    @property
    def rollout(self) -> ModelRollout:
        """What serves as the truth's list of SLOs: the run's spec, else the newest one."""
        position = self.position
        if position.under_way and position.run is not None:
            return position.run.spec
        return self.spec.spec or a_rollout()

    def commit(self, rollout: ModelRollout) -> None:
        """A new good spec is seen."""
        self.spec = spec_seen(rollout)

    def ask(self, ask: Ask, actor: str = "ada", reason: str = "because") -> None:
        """A person asks for something."""
        self._asked += 1
        self.memory.inbox.append(OperatorRequest(f"r{self._asked}", ask, actor, reason, self.now))

    def share(self, version: VersionName) -> int:
        """Percent of live requests the data plane gives to a version now."""
        return self.plane.table.share(version) if self.plane.table else 0

    def exposed(self, version: VersionName) -> bool:
        """Does a version get anything at all now?"""
        return self.plane.table is not None and self.plane.table.exposes_more(RouteTable(), version)

    def pass_time(self, by: timedelta) -> None:
        """Requests are answered and judged; what was written arrives."""
        answered = self.plane.carry(self.rate * by.total_seconds(), self.true_now)
        self.truth.answer(self.rollout, answered)
        self.true_now += by
        self.plane.settle(self.true_now)

    def jump(self, by: timedelta) -> None:
        """The wall clock is set wrong; the world does not notice."""
        self.wrong_by += by

    def kill(self) -> None:
        """The process dies and starts again with what was written down."""
        self.crashes += 1
        position, evidence = self.disk
        self.memory = Memory(position, evidence)


def drive(world: World, ticks: int = 1) -> None:
    """So many metric ticks, and every pass between them."""
    for _ in range(ticks):
        left = world.rollout.interval
        while left > timedelta(0):
            by = min(left, max(world.memory.revisit, QUICK))
            world.pass_time(by)
            left -= by
            one_pass(world)


def drive_until(world: World, done: Callable[[World], bool], limit: int = 4000) -> None:
    """Drive until `done`; fails with the story so far when it never is."""
    for _ in range(limit):
        if done(world):
            return
        drive(world)
    raise AssertionError(
        f"not reached within {limit} ticks; {world.position.phase}: {world.position.message}:\n"
        + "\n".join(world.timeline[-25:])
    )


def one_pass(world: World) -> None:
    """Observe, tick, persist, apply: once. A death in between loses what is not written down."""
    seen = observe(world)
    if _dies(world, Step.OBSERVED):
        return
    before, known, held = world.position, world.memory.evidence, world.plane.table
    decision = tick(before, known, seen)
    if _dies(world, Step.DECIDED):
        return
    kept = _persist(world, decision, seen)
    wrote = kept and _apply(world, decision)
    world.passes.append(Passed(before, known, seen, decision, held, world.plane.table, wrote))
    if kept:
        _tell(world, before, decision, held)
    _dies(world, Step.APPLIED)


def _dies(world: World, here: Step) -> bool:
    if world.crash_after is not here:
        return False
    world.crash_after = None
    world.kill()
    return True


def observe(world: World) -> Observation:
    """One instant, `now` included. What cannot be read is Unknown."""
    try:
        route: RouteSeen | Unknown = world.plane.observe()
    except RouterUnavailableError as error:
        route = Unknown(str(error))
    _remember(world)
    memory, run = world.memory, world.position.run
    seen = Observation(
        world.now,
        world.spec,
        route,
        preflight=_preflight(world),
        requests=tuple(memory.inbox),
        route_conflict=world.route_conflict,
        readiness={version.name: _readiness(world, version.name) for version in world.rollout.versions},
        observe_only=world.observe_only,
        break_glass=world.break_glass,
    )
    if run is None or memory.evidence is None or not world.position.under_way or not _is_tick(world, run.spec):
        return seen
    memory.measured_at = world.now
    found, series = world.truth.measure(run.spec, (run.stable, run.candidate), memory.evidence, world.now)
    return _with(seen, measurements=found, series=series, measured=True)


def _with(seen: Observation, **changes: object) -> Observation:
    fields = {name: getattr(seen, name) for name in Observation.__slots__}
    return Observation(**{**fields, **changes})


def _is_tick(world: World, spec: ModelRollout) -> bool:
    last = world.memory.measured_at
    return last is None or abs(world.now - last) >= spec.interval * 0.75


def _remember(world: World) -> None:
    """At rest, what was learned before about the version that may be tried next is read from the archive."""
    spec = world.spec.spec
    target = spec.find(spec.version) if spec else None
    known = world.memory.evidence
    if target is None or world.position.under_way or (known is not None and known.digest == target.digest):
        return
    world.memory.evidence = world.archive.get(target.digest, known)


def _readiness(world: World, version: VersionName) -> Readiness:
    return world.loading.get(version, Readiness.READY)


def _preflight(world: World) -> Preflight:
    run = world.position.run
    if run is None or world.position.phase is not Phase.PENDING:
        return Preflight()
    readiness = _readiness(world, run.candidate)
    done = readiness is Readiness.READY and world.preflight_problem is None
    return Preflight(readiness, world.preflight_problem, done)


def _persist(world: World, decision: Decision, seen: Observation) -> bool:
    """Intent first. Without a database a lowering goes on, a raise waits. Answers: go on and apply?"""
    memory = world.memory
    if world.store_down:
        decisive = bool(decision.notices) or decision.position != memory.position
        if decisive and not world.spool_down:
            world.disk = (decision.position, decision.evidence)
        if _raises(decision, seen):
            memory.evidence, memory.revisit = decision.evidence, timedelta(seconds=1)
            return False
    else:
        world.disk = (decision.position, decision.evidence)
    if decision.evidence is not None:
        world.archive[decision.evidence.digest] = decision.evidence
    if _dies(world, Step.PERSISTED):
        return False
    memory.position, memory.evidence, memory.revisit = decision.position, decision.evidence, decision.revisit_after
    memory.inbox = [request for request in memory.inbox if request.id not in decision.settled]
    return True


def _raises(decision: Decision, seen: Observation) -> bool:
    split = decision.apply
    if split is None or split.candidate is None:
        return False
    table = seen.route.table if isinstance(seen.route, RouteSeen) else None
    return table is None or split.table().exposes_more(table, split.candidate)


def _apply(world: World, decision: Decision) -> bool:
    if decision.apply is None:
        return False
    try:
        world.plane.apply(decision.apply, world.true_now)
    except RouterUnavailableError:
        return False
    return True


def _tell(world: World, before: Position, decision: Decision, held: RouteTable | None) -> None:
    world.notices.extend(decision.notices)
    lines = [_line(notice) for notice in decision.notices]
    after = decision.position
    if after.phase is not before.phase or after.held is not before.held:
        lines.append(f"-> {after.phase.value}" + (f" ({after.held.value})" if after.held else ""))
    if world.plane.table is not None and world.plane.table != held:
        lines.append(f"route: {describe(world.plane.table)}")
    minute = (world.true_now - START).total_seconds() / 60
    world.timeline.extend(f"{minute:6.1f} min  {line}" for line in lines)


SHOWN = ("stage", "candidate", "stable", "slo", "cause")


def _line(notice: Notice) -> str:
    told = " ".join(str(notice.facts[name]) for name in SHOWN if notice.facts.get(name) is not None)
    who = f" by {notice.actor}" if notice.actor and notice.actor != "ada@example.org" else ""
    loud = {"page": " !", "warn": " *"}.get(notice.severity.value, "")
    return f"{notice.reason.value} {told}".rstrip() + who + loud


def story(world: World) -> list[str]:
    """The timeline without its minutes."""
    return [line.split("min  ", 1)[1] for line in world.timeline]


def a_world(rollout: ModelRollout | None = None, seed: int = 7, **rates: float) -> World:
    """A world in which v11 serves everything and `rollout` was just committed; `v12=0.2` is a rate of every SLO."""
    world = World(Random(seed), spec_seen(rollout or a_rollout()))  # noqa: S311 - a seeded world, nothing secret
    world.plane.table = RouteTable(((STABLE, 100),))
    for slo in world.rollout.slos:
        for version, rate in rates.items():
            world.truth.rates[slo.name, version] = rate
    return world
