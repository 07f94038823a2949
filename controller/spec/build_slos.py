"""SLO models -> nouns: objectives as rates of bad, weights as shares of their ledger."""

from collections.abc import Mapping

from controller.domain.names import SloName
from controller.domain.rollout import (
    Indicator,
    JudgePolicy,
    LatencyIndicator,
    Matcher,
    OnBreach,
    PromqlIndicator,
    RatioIndicator,
    Scenarios,
    Selector,
    Slo,
    Threshold,
)
from controller.spec.checks.budgets import shares
from controller.spec.digests import slo_definition
from controller.spec.fields import duration, percent
from controller.spec.schema_slos import IndicatorBlock, JudgeBlock, ObjectiveBlock, SelectorBlock, SloBlock


def build_slos(blocks: Mapping[int, SloBlock]) -> tuple[Slo, ...]:
    """All SLOs. Weights sum to 1 in the ledger of each action; thresholds and alerts are in no ledger and weigh 0."""
    weights = {at: share for action in ("rollback", "hold") for at, share in shares(blocks, action).items()}
    return tuple(_slo(block, weights.get(at, 0.0)) for at, block in blocks.items())


def _slo(block: SloBlock, weight: float) -> Slo:
    indicator, judge, bounds = _indicator(block.indicator), _judge(block.judge or JudgeBlock()), block.threshold
    max_bad = _max_bad(block.objective) if block.objective else None
    threshold = Threshold(bounds.max, bounds.min, bounds.consecutive) if bounds else None
    slices = block.scenarios
    scenarios = Scenarios(slices.label, slices.baseline, tuple(slices.required)) if slices else None
    return Slo(
        name=SloName(block.name),
        indicator=indicator,
        definition=slo_definition(indicator, max_bad, threshold, scenarios, judge),
        weight=weight,
        max_bad=max_bad,
        threshold=threshold,
        scenarios=scenarios,
        judge=judge,
        on_breach=OnBreach(block.on_breach),
        max_false_promotion=percent(block.max_false_promotion),
    )


def _max_bad(block: ObjectiveBlock) -> float:
    if block.max is not None:
        return percent(block.max)
    assert block.min is not None, "checked: an objective has max or min"
    # Subtracting in percent keeps `min: 95%` equal to `max: 5%`, which the binary 1 - 0.95 is not.
    return percent(f"{100 - round(percent(block.min) * 100, 9):.9f}%")


def _judge(block: JudgeBlock) -> JudgePolicy:
    return JudgePolicy(percent(block.max_errors), duration(block.max_age))


def _indicator(block: IndicatorBlock) -> Indicator:
    if block.ratio is not None:
        errors = _selector(block.ratio.errors) if block.ratio.errors else None
        return RatioIndicator(_selector(block.ratio.bad), _selector(block.ratio.total), errors)
    if block.latency is not None:
        under = duration(block.latency.under).total_seconds()
        return LatencyIndicator(block.latency.histogram, under, _matchers(block.latency.match))
    assert block.promql is not None, "checked: an indicator is one of three"
    return PromqlIndicator(block.promql)


def _selector(block: SelectorBlock) -> Selector:
    return Selector(block.metric, _matchers(block.match))


def _matchers(match: Mapping[str, list[str]]) -> tuple[Matcher, ...]:
    return tuple(Matcher(label, tuple(sorted(set(values)))) for label, values in sorted(match.items()))
