"""A small world in pure Python: one rollout, its data plane, its truth, its clock, and what the daemon knows of it.

`controller.testing.drive` runs the passes. Change the fields of a World between two drives to tell a story.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from random import Random

from controller.decision.traffic import describe
from controller.domain.decision import Decision, Notice
from controller.domain.evidence import Evidence
from controller.domain.names import Digest, VersionName
from controller.domain.observation import Observation, Readiness, SpecSeen
from controller.domain.request import Ask, OperatorRequest
from controller.domain.rollout import ModelRollout
from controller.domain.state import Phase, Position
from controller.domain.traffic import RouteTable
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
    """One pass as it was: what went in, what came out, and what the data plane held before and after.

    `stored`: could the database be written?
    """

    before: Position
    evidence: Evidence | None
    seen: Observation
    decision: Decision
    held: RouteTable | None
    after: RouteTable | None
    wrote: bool
    stored: bool = True


@dataclass(slots=True)
class Memory:
    """What the process knows; lost when it dies. `awake`: it has made a pass."""

    position: Position
    evidence: Evidence | None = None
    measured_at: datetime | None = None
    inbox: list[OperatorRequest] = field(default_factory=list)
    revisit: timedelta = timedelta(0)
    awake: bool = False


@dataclass(slots=True)
class World:
    """Everything outside of the decision. Change its fields between two drives to tell a story.

    `rate` is requests per second. `loading`: what a version's backend says (default ready). `store_down`: nothing can
    be committed, decisions go to the spool; `spool_down`: not even that. `crash_after` kills the next pass there.
    `guarding`: why the rollout is guarded and not held; empty: it is held.
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
    guarding: str = ""
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
        if position.guarded and position.run is not None:
            return position.run.spec
        return self.spec.spec or a_rollout()

    def commit(self, rollout: ModelRollout) -> None:
        """A new good spec is seen."""
        self.spec = spec_seen(rollout)

    def ask(self, ask: Ask, actor: str = "ada", reason: str = "because", argument: str = "") -> None:
        """A person asks for something."""
        self._asked += 1
        self.memory.inbox.append(OperatorRequest(f"r{self._asked}", ask, actor, reason, self.now, argument))

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


def tell(world: World, before: Position, decision: Decision, held: RouteTable | None) -> None:
    """Write what a pass changed into the timeline."""
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
