"""What the stories share: the rollout they tell of, and the chapters that many of them begin with."""

from controller.domain.rollout import ModelRollout
from controller.domain.traffic import RouteTable
from controller.testing.builders import (
    CANDIDATE,
    STABLE,
    a_rollout,
    stages,
)
from controller.testing.drive import drive_until
from controller.testing.truth import minutes
from controller.testing.world import World, a_world

STAGES = stages(10, min_duration=minutes(3))
HOME, SHADOWED = RouteTable(((STABLE, 100),)), "route: v11 100 %, mirror v12 20 %"

BEGIN = ["adopted v11", "run_started v12 v11", "-> Pending"]
SHADOW = [
    *(*BEGIN, "loaded v12", "stage_entered shadow", "-> Progressing", SHADOWED, "stage_verified shadow"),
]
CANARY = [
    *(*SHADOW, "stage_completed shadow", "stage_entered canary-10"),
    *("route: v11 90 %, v12 10 %", "stage_verified canary-10"),
]
FULL = [*CANARY, "stage_completed canary-10", "stage_entered full", "route: v12 100 %", "stage_verified full"]


def back(cause: str, who: str = "", loud: str = "") -> list[str]:
    """A rollback to verified zero."""
    return [
        f"rollback_started {cause}{who}",
        "-> RollingBack",
        "route: v11 100 %",
        f"rollback_verified {cause}{who}{loud}",
    ]


BREACHED = ["breached harm", *back("breach", loud=" *"), "-> RolledBack"]


def a_good_world(rollout: ModelRollout | None = None) -> World:
    """v11 and v12 are bad in one of 200 answers; the limit is one in twenty."""
    return a_world(rollout or a_rollout(stages=STAGES), v11=0.005, v12=0.005)


def until_stage(world: World, index: int) -> World:
    """Drive until the stage counts."""
    drive_until(world, lambda w: w.position.run is not None and w.position.run.stage == index and _counts(w), 200)
    return world


def _counts(world: World) -> bool:
    run = world.position.run
    return run is not None and run.stage_since is not None


def turn_harmful(world: World) -> None:
    world.truth.rates["harm", CANDIDATE] = 0.6


def budgets(world: World) -> set[float]:
    """What is left of the budget, over all streams."""
    assert world.memory.evidence is not None
    return {stream.budget for slo in world.memory.evidence.slos for stream in slo.streams}
