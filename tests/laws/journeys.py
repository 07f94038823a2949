"""Constructed rollouts and worlds: the case is built, not filtered for."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from controller.domain.names import VersionName
from controller.domain.rollout import BlindAction, BlindPolicy, ModelRollout, Stage
from controller.domain.slo import OnBreach
from controller.domain.state import Phase
from controller.domain.traffic import RouteTable
from controller.testing.builders import CANDIDATE, STABLE, a_rollout, a_slo, a_stage, a_threshold
from controller.testing.drive import drive, drive_until
from controller.testing.world import World, a_world

SEEDS = st.integers(0, 2**32 - 1)
GOOD, HARMFUL = 0.005, 0.6
ROUTABLE = (Phase.PROGRESSING, Phase.HELD, Phase.PAUSED, Phase.AWAITING_APPROVAL)


@st.composite
def stage_lists(draw: st.DrawFn) -> tuple[Stage, ...]:
    """Any sensible order: shadow and cohort or not, 0 to 2 canaries, full."""
    soak = timedelta(seconds=draw(st.sampled_from((105, 150, 210))))
    samples = draw(st.sampled_from((0, 0, 40)))
    weights = draw(st.sampled_from(((), (5,), (50,), (1, 25), (10, 60))))
    found = [a_stage("shadow", mirror=draw(st.sampled_from((10, 100))))] if draw(st.booleans()) else []
    found += [a_stage("cohort")] if draw(st.booleans()) else []
    found += [a_stage("canary", f"canary-{w}", weight=w) for w in weights]
    found.append(a_stage("full"))
    return tuple(replace(stage, min_duration=soak, min_samples=samples) for stage in found)


@st.composite
def rollouts(draw: st.DrawFn) -> ModelRollout:
    """One or two ratio SLOs, with and without scenarios, sometimes a value or an alert beside them."""
    slos = [a_slo("harm", 0.05, draw(st.sampled_from((None, (), ("ssh",), ("cse", "ssh")))))]
    slos += [a_slo("hallucination", 0.08)] if draw(st.booleans()) else []
    slos += [a_threshold("cost", 0.02, on_breach=OnBreach.HOLD)] if draw(st.booleans()) else []
    policy = BlindPolicy(timedelta(minutes=draw(st.sampled_from((1, 3)))), BlindAction.WITHDRAW)
    return a_rollout(slos=tuple(slos), stages=draw(stage_lists()), on_blind=policy)


@dataclass(frozen=True, slots=True, repr=False)
class Journey:
    """A rollout, a seed, and at which stage (and how many ticks into it) something happens."""

    rollout: ModelRollout
    seed: int
    stage: int
    ticks: int

    def __repr__(self) -> str:
        stages = [f"{stage.name}/{stage.min_duration.seconds}s" for stage in self.rollout.stages]
        slos = [f"{slo.name}{list(slo.scenarios.required) if slo.scenarios else ''}" for slo in self.rollout.slos]
        return f"<{' '.join(stages)}; {' '.join(slos)}; seed {self.seed}; stage {self.stage} + {self.ticks} ticks>"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))

    def world(self, bad: float = GOOD) -> World:
        """A world in which the candidate is as bad as `bad`, and v11 is good."""
        world = a_world(self.rollout, self.seed, v11=GOOD)
        turn(world, bad)
        return world

    def at_stage(self, bad: float = GOOD) -> World:
        """The same, driven to the chosen stage and some ticks into it."""
        world = self.world(bad)
        drive_until(world, lambda w: at(w, self.stage), 400)
        for _ in range(self.ticks):
            if at(world, self.stage) and not nearly_done(world):
                drive(world)
        return world


@st.composite
def journeys(draw: st.DrawFn) -> Journey:
    """Any rollout, and any of its stages."""
    rollout = draw(rollouts())
    return Journey(rollout, draw(SEEDS), draw(st.integers(0, len(rollout.stages) - 1)), draw(st.integers(0, 3)))


def turn(world: World, bad: float, version: str = CANDIDATE) -> None:
    """From now on a version is bad in this share of its answers, in each SLO (each slice of it)."""
    for slo in world.rollout.slos:
        names = slo.scenarios.required if slo.scenarios else ()
        for name in names:
            world.truth.rates[slo.name, version, name] = bad / len(names)
        world.truth.rates[slo.name, version] = bad


def at(world: World, stage: int) -> bool:
    """Does the run stand on this stage, with its traffic routed?"""
    run = world.position.run
    return run is not None and run.stage == stage and world.position.phase in ROUTABLE and world.exposed(CANDIDATE)


def nearly_done(world: World) -> bool:
    """Would the stage be left before a breach that begins now can be seen? (New money comes in slowly.)"""
    run = world.position.run
    if run is None or run.stage_since is None:
        return False
    return world.now - run.stage_since + 7 * run.spec.interval >= run.current.min_duration


def home(world: World) -> bool:
    """Is the run over, and everything on stable again?"""
    return world.position.phase in (Phase.ROLLED_BACK, Phase.IDLE) and world.plane.table == RouteTable(((STABLE, 100),))


@st.composite
def tables(draw: st.DrawFn) -> RouteTable | None:
    """What a person's hand may leave behind: any weight, mirror, cohort, a foreign version, or nothing at all."""
    weight = draw(st.sampled_from((0, 1, 5, 30, 100)))
    third = draw(st.sampled_from((0, 0, 0, 3)))
    shares = [(STABLE, 100 - weight - third), (CANDIDATE, weight), (VersionName("v13"), third)]
    mirrors = draw(st.sampled_from(((), ((CANDIDATE, 15),), ((CANDIDATE, 100),))))
    cohorts = draw(st.sampled_from(((), ((CANDIDATE, (("x-cohort", "employees"),)),), ((CANDIDATE, (("x", "y"),)),))))
    table = RouteTable(tuple(sorted((n, s) for n, s in shares if s > 0)), mirrors, cohorts)
    return draw(st.sampled_from((table, table, table, None)))
