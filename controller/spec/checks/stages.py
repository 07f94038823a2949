"""Stages: each does one thing, traffic never goes down, and the last one is full."""

from collections.abc import Iterator

from controller.spec.checks.choices import check_one_of
from controller.spec.fields import duration
from controller.spec.finding import Finding, Path
from controller.spec.parts import Parts
from controller.spec.schema_stages import StageBlock
from controller.spec.sentences import (
    LAST_FULL,
    LONGER,
    MIDDLE_FULL,
    SIDE_EFFECTS,
    STAGE_HINT,
    STAGE_KINDS,
    WEIGHT_DOWN,
)


def check_stages(parts: Parts) -> Iterator[Finding]:
    """Every stage by itself, then the way they go."""
    for at, stage in parts.stages.items():
        yield from _check_stage(stage, ("spec", "stages", at))
    yield from _check_way(parts)


def _check_stage(stage: StageBlock, path: Path) -> Iterator[Finding]:
    yield from check_one_of(stage, path, *STAGE_KINDS, hint=STAGE_HINT)
    if stage.shadow is not None and stage.shadow.side_effects is None:
        yield Finding((*path, "shadow"), *SIDE_EFFECTS)
    if duration(stage.min_duration) > duration(stage.max_duration):
        given = "max_duration" in stage.model_fields_set
        hint = "raise maxDuration" if given else "maxDuration is 24h unless given: raise it too"
        message = f"{stage.min_duration} {LONGER} {stage.max_duration}"
        yield Finding((*path, "minDuration"), message, hint)


def _check_way(parts: Parts) -> Iterator[Finding]:
    highest, last = 0, parts.stage_count - 1
    for at, stage in parts.stages.items():
        weight = _weight(stage)
        path: Path = ("spec", "stages", at)
        if stage.full is not None and at != last:
            yield Finding((*path, "full"), *MIDDLE_FULL)
        elif weight < highest:
            where = (*path, "canary", "weight") if stage.canary else path
            message = f"the candidate's weight goes down from {highest} to {weight}"
            yield Finding(where, message, WEIGHT_DOWN)
        highest = max(highest, weight if stage.full is None else 0)
    if last in parts.stages and not parts.stages[last].full:
        yield Finding(("spec", "stages", last), *LAST_FULL)


def _weight(stage: StageBlock) -> int:
    if stage.full is not None:
        return 100
    return stage.canary.weight if stage.canary is not None else 0
