"""SLO models -> nouns: objectives as rates of bad, weights as shares of their ledger."""

from collections.abc import Mapping
from dataclasses import replace

from controller.domain.names import SloName
from controller.domain.slo import (
    Absent,
    Indicator,
    JudgePolicy,
    LatencyIndicator,
    Margin,
    Matcher,
    OnBreach,
    PromqlIndicator,
    RatioIndicator,
    SamplingWeights,
    Scenarios,
    Selector,
    Slo,
    Threshold,
)
from controller.spec.checks.budgets import shares
from controller.spec.digests import Gathering, slo_definition
from controller.spec.fields import duration, factor, percent
from controller.spec.judges import rates, spent
from controller.spec.schema_slos import (
    IndicatorBlock,
    JudgeBlock,
    ObjectiveBlock,
    RatioBlock,
    ScenariosBlock,
    SelectorBlock,
    SloBlock,
    VersusStableBlock,
    WeightsBlock,
)


def build_slos(blocks: Mapping[int, SloBlock], gathering: Gathering) -> tuple[Slo, ...]:
    """All SLOs. Weights sum to 1 in the ledger of each action; thresholds and alerts are in no ledger and weigh 0."""
    weights = {at: share for action in ("rollback", "hold") for at, share in shares(blocks, action).items()}
    return tuple(_slo(block, weights.get(at, 0.0), gathering) for at, block in blocks.items())


def _slo(block: SloBlock, weight: float, gathering: Gathering) -> Slo:
    indicator, judge, bounds = _indicator(block.indicator), _judge(block.judge or JudgeBlock()), block.threshold
    max_bad = _max_bad(block.objective) if block.objective else None
    threshold = Threshold(bounds.max, bounds.min, bounds.consecutive) if bounds else None
    scenarios = _scenarios(block.scenarios) if block.scenarios else None
    margin = _margin(block.versus_stable) if block.versus_stable else None
    gathered = gathering if max_bad is not None else None
    return Slo(
        name=SloName(block.name),
        indicator=indicator,
        definition=slo_definition(indicator, max_bad, threshold, scenarios, judge, margin, gathered),
        weight=weight,
        max_bad=max_bad,
        threshold=threshold,
        scenarios=scenarios,
        judge=judge,
        on_breach=OnBreach(block.on_breach),
        max_false_promotion=round(percent(block.max_false_promotion) - spent(block.judge), 12),
        versus_stable=margin,
    )


def _scenarios(block: ScenariosBlock) -> Scenarios:
    return Scenarios(block.label, block.baseline, tuple(block.required), tuple(block.zero_tolerance))


def _margin(block: VersusStableBlock) -> Margin:
    if block.ratio is not None:
        return Margin(ratio=factor(block.ratio))
    return Margin(points=percent(block.points or "0%"))


def _max_bad(block: ObjectiveBlock) -> float:
    if block.max is not None:
        return percent(block.max)
    assert block.min is not None, "checked: an objective has max or min"
    # Subtracting in percent keeps `min: 95%` equal to `max: 5%`, which the binary 1 - 0.95 is not.
    return percent(f"{100 - round(percent(block.min) * 100, 9):.9f}%")


def _judge(block: JudgeBlock) -> JudgePolicy:
    error = rates(block)
    known = JudgePolicy(percent(block.max_errors), duration(block.max_age), error.sensitivity, error.specificity)
    return replace(known, latency=duration(block.judge_latency)) if block.judge_latency else known


def _indicator(block: IndicatorBlock) -> Indicator:
    if block.ratio is not None:
        return _ratio(block.ratio)
    if block.latency is not None:
        under = duration(block.latency.under).total_seconds()
        return LatencyIndicator(block.latency.histogram, under, _matchers(block.latency.match))
    assert block.promql is not None, "checked: an indicator is one of three"
    return PromqlIndicator(block.promql)


def _ratio(block: RatioBlock) -> RatioIndicator:
    return RatioIndicator(
        bad=_selector(block.bad),
        total=_selector(block.total),
        errors=_selector(block.errors) if block.errors else None,
        weights=_weights(block.weights) if block.weights else None,
        once_per=block.once_per,
        eligible=_selector(block.eligible) if block.eligible else None,
        absent=Absent(block.absent or Absent.BLIND),
    )


def _weights(block: WeightsBlock) -> SamplingWeights:
    return SamplingWeights(block.label, tuple((name, factor(text)) for name, text in sorted(block.values.items())))


def _selector(block: SelectorBlock) -> Selector:
    return Selector(block.metric, _matchers(block.match))


def _matchers(match: Mapping[str, list[str]]) -> tuple[Matcher, ...]:
    return tuple(Matcher(label, tuple(sorted(set(values)))) for label, values in sorted(match.items()))
