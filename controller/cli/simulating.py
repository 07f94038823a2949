"""Simulated runs through the very function that decides live: only the answers are made up, by chance. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from controller.cli.chance import poisson, quantile, wilson
from controller.decision.replay import Frame, Replay, Step, judged_at_once
from controller.domain.measure import Measurement
from controller.domain.names import SloName, VersionName
from controller.domain.rollout import ModelRollout, Stage, StageKind
from controller.domain.slo import RatioIndicator, Slo
from controller.domain.state import Phase

BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
OUTCOMES = ("rollback", "promotion", "hold")
Rates = Mapping[SloName, float]


@dataclass(frozen=True, slots=True)
class World:
    """What is simulated: requests a minute, judged share (0..1), true rates of bad, share of requests of a cohort."""

    rollout: ModelRollout
    stable: VersionName
    per_minute: float
    sampling: float
    rates: Rates
    stable_rates: Rates
    cohort: float = 0.01
    longest: timedelta = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one run ended. `seconds` from the candidate's first request; `bad`: bad answers that users got, by SLO."""

    what: str
    seconds: float
    stage: str
    slo: SloName | None = None
    bad: Mapping[SloName, int] = field(default_factory=dict)


def run_once(world: World, seed: str) -> Outcome:
    """One simulated run; the same for the same seed."""
    chance = Random(seed)  # noqa: S311 - simulated answers, not secrets
    interval = world.rollout.interval
    replay = Replay(judged_at_once(world.rollout), world.stable, BEGIN)
    bad = {slo.name: 0 for slo in _counted(world)}
    stage, at, step = world.rollout.stages[0], BEGIN, None
    while at < BEGIN + world.longest and not replay.over and not replay.stuck:
        at += interval
        shares = _shares(stage, world)
        step = replay.feed(Frame(at, tuple(_answers(world, shares, stage, chance, bad))))
        run = step.place.run
        stage = run.current if run else stage
    assert step is not None
    return _outcome(step, bad)


def _counted(world: World) -> Iterator[Slo]:
    return (slo for slo in world.rollout.slos if slo.max_bad is not None)


def _shares(stage: Stage, world: World) -> tuple[float, float]:
    """Shares of all requests that stable and the candidate answer; a mirrored request is answered by both."""
    if stage.kind is StageKind.SHADOW:
        return 1.0, stage.mirror / 100
    live = {StageKind.COHORT: world.cohort, StageKind.FULL: 1.0}.get(stage.kind, stage.weight / 100)
    return 1.0 - live, live


def _answers(
    world: World, shares: tuple[float, float], stage: Stage, chance: Random, bad: dict[SloName, int]
) -> Iterator[Measurement]:
    """One tick's counts. Bad and good answers come independently: that is what Poisson arrivals mean."""
    requests = world.per_minute * world.rollout.interval.total_seconds() / 60
    versions = ((world.stable, shares[0], world.stable_rates), (world.rollout.version, shares[1], world.rates))
    for slo in world.rollout.slos:
        for version, share, rates in versions:
            if slo.max_bad is None:
                yield Measurement(slo.name, version, value=_fine(slo))
                continue
            mean, rate = requests * share, rates[slo.name]
            judged = world.sampling if isinstance(slo.indicator, RatioIndicator) else 1.0
            wrong = poisson(chance, mean * judged * rate)
            right = poisson(chance, mean * judged * (1 - rate))
            yield Measurement(slo.name, version, None, wrong, wrong + right)
            if version != world.stable and stage.kind is not StageKind.SHADOW:
                bad[slo.name] += wrong + poisson(chance, mean * (1 - judged) * rate)


def _fine(slo: Slo) -> float | None:
    """A value inside of a threshold: thresholds are not what is simulated."""
    if slo.threshold is None:
        return None
    return slo.threshold.max if slo.threshold.max is not None else slo.threshold.min


def _outcome(step: Step, bad: Mapping[SloName, int]) -> Outcome:
    position = step.position
    assert position.run is not None
    seconds = (step.at - BEGIN).total_seconds()
    stage = position.run.current.name
    if position.phase is Phase.COMPLETED:
        return Outcome("promotion", seconds, stage, None, bad)
    if position.phase is Phase.ROLLED_BACK:
        slo = position.breach.slo if position.breach else None
        return Outcome("rollback", seconds, stage, SloName(slo) if slo else None, bad)
    return Outcome("hold", seconds, stage, None, bad)


def report(world: World, outcomes: Sequence[Outcome], seed: int) -> dict[str, Any]:
    """Everything that is told, JSON-ready."""
    return {
        "name": str(world.rollout.key),
        "stable": world.stable,
        "version": world.rollout.version,
        "runs": len(outcomes),
        "seed": seed,
        "traffic_per_minute": world.per_minute,
        "sampling": world.sampling,
        "rates": dict(world.rates),
        "stable_rates": dict(world.stable_rates),
        "outcomes": {what: _summary([one for one in outcomes if one.what == what], outcomes) for what in OUTCOMES},
        "rollbacks_by_slo": _by_slo(outcomes),
    }


def _summary(mine: Sequence[Outcome], outcomes: Sequence[Outcome]) -> dict[str, Any]:
    low, high = wilson(len(mine), len(outcomes))
    return {
        "runs": len(mine),
        "probability": len(mine) / len(outcomes),
        "lower": low,
        "upper": high,
        "seconds": _spread([one.seconds for one in mine]),
        "bad_answers": {
            name: {"mean": _mean([one.bad[name] for one in mine]), **_spread([one.bad[name] for one in mine])}
            for name in (outcomes[0].bad if outcomes else {})
        },
        "stages": {name: sum(one.stage == name for one in mine) for name in dict.fromkeys(one.stage for one in mine)},
    }


def _by_slo(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """The rollbacks by the SLO that was named, most often first."""
    rolled = [one for one in outcomes if one.what == "rollback"]
    found = []
    for name in dict.fromkeys(one.slo for one in rolled):
        mine = [one for one in rolled if one.slo == name]
        counts = [one.bad.get(name, 0) for one in mine] if name is not None else []
        found.append(
            {
                "slo": name,
                "runs": len(mine),
                "seconds": _spread([one.seconds for one in mine]),
                "bad_answers": {"mean": _mean(counts), **_spread(counts)},
            }
        )
    return sorted(found, key=lambda one: (-one["runs"], str(one["slo"])))


def _spread(values: Sequence[float]) -> dict[str, float | None]:
    return {"median": quantile(values, 0.5), "q90": quantile(values, 0.9)}


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
