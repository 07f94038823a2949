"""SLOs: an indicator with what it is held to, and counts that mean what they seem to mean."""

from collections.abc import Iterator

from controller.spec.checks.choices import check_one_of
from controller.spec.finding import Finding, Path
from controller.spec.parts import Parts
from controller.spec.promql_text import template_problem
from controller.spec.schema_slos import IndicatorBlock, RatioBlock, SloBlock, ThresholdBlock
from controller.spec.sentences import (
    ABSENT_SCENARIOS,
    ALERT_SHARE,
    CROSSED_THRESHOLD,
    EMPTY_THRESHOLD,
    HELD_TO,
    NEEDS_COUNTS,
    NEEDS_OBJECTIVE,
    NEEDS_THRESHOLD,
    NO_ERRORS,
    NO_SHARE,
    SAME_COUNTS,
    SCENARIO_LABEL,
    SCRAPE_PROMQL,
)


def check_slos(parts: Parts) -> Iterator[Finding]:
    """Every SLO by itself, and with the metric server it is asked from."""
    for at, slo in parts.slos.items():
        path: Path = ("spec", "slos", at)
        yield from check_one_of(slo.indicator, (*path, "indicator"), "ratio", "latency", "promql")
        yield from _check_limits(slo, path)
        yield from _check_extras(slo, path)
        yield from _check_labels(parts, slo, path)
        if slo.indicator.ratio is not None:
            yield from _check_ratio(slo.indicator.ratio, (*path, "indicator", "ratio"))
            if slo.indicator.ratio.absent == "zero" and slo.scenarios is not None:
                yield Finding((*path, "indicator", "ratio", "absent"), *ABSENT_SCENARIOS)
        if slo.indicator.promql is not None:
            yield from _check_promql(parts, slo.indicator.promql, (*path, "indicator", "promql"))


def _check_limits(slo: SloBlock, path: Path) -> Iterator[Finding]:
    needed, other = ("threshold", "objective") if slo.indicator.promql is not None else ("objective", "threshold")
    if getattr(slo, needed) is None:
        yield Finding(path, *(NEEDS_THRESHOLD if needed == "threshold" else NEEDS_OBJECTIVE))
    if getattr(slo, other) is not None:
        yield Finding((*path, other), f"does not go with indicator.{_kind(slo.indicator)}", HELD_TO)
    if slo.objective is not None:
        yield from check_one_of(slo.objective, (*path, "objective"), "max", "min")
    if slo.versus_stable is not None:
        yield from check_one_of(slo.versus_stable, (*path, "versusStable"), "points", "ratio")
    if slo.threshold is not None:
        yield from _check_threshold(slo.threshold, (*path, "threshold"))


def _kind(indicator: IndicatorBlock) -> str:
    return next((kind for kind in ("ratio", "latency", "promql") if getattr(indicator, kind) is not None), "ratio")


def _check_threshold(threshold: ThresholdBlock, path: Path) -> Iterator[Finding]:
    if threshold.max is None and threshold.min is None:
        yield Finding(path, *EMPTY_THRESHOLD)
    elif threshold.max is not None and threshold.min is not None and threshold.max < threshold.min:
        yield Finding((*path, "max"), *CROSSED_THRESHOLD)


def _check_extras(slo: SloBlock, path: Path) -> Iterator[Finding]:
    """What is given must have an effect."""
    if slo.indicator.promql is not None:
        given = {"scenarios": slo.scenarios, "judge": slo.judge, "versusStable": slo.versus_stable}
        for field, block in given.items():
            if block is not None:
                yield Finding((*path, field), *NEEDS_COUNTS)
        if slo.weight is not None:
            yield Finding((*path, "weight"), *NO_SHARE)
    elif slo.on_breach == "alert" and slo.weight is not None:
        yield Finding((*path, "weight"), *ALERT_SHARE)
    counts_errors = slo.indicator.ratio is not None and slo.indicator.ratio.errors is not None
    if slo.judge is not None and "max_errors" in slo.judge.model_fields_set and not counts_errors:
        yield Finding((*path, "judge", "maxErrors"), *NO_ERRORS)
    eligible = slo.indicator.ratio is not None and slo.indicator.ratio.eligible is not None
    if slo.judge is not None and slo.judge.judge_latency is not None and not eligible:
        yield Finding((*path, "judge", "latency"), "nobody counts what waits", "add indicator.ratio.eligible")
    if slo.scenarios is not None:
        for field, names in (("required", slo.scenarios.required), ("zeroTolerance", slo.scenarios.zero_tolerance)):
            yield from _check_scenarios(slo.scenarios.baseline, names, (*path, "scenarios", field))


def _check_scenarios(baseline: str, names: list[str], path: Path) -> Iterator[Finding]:
    for at, name in enumerate(names):
        if name == baseline:
            yield Finding((*path, at), f"`{name}` is the baseline, not a scenario", "remove it")
        elif name in names[:at]:
            yield Finding((*path, at), f"`{name}` is given twice", "keep one of them")


def _check_labels(parts: Parts, slo: SloBlock, path: Path) -> Iterator[Finding]:
    """A matched label cannot also tell versions or scenarios apart."""
    identity = {parts.metrics.identity.label} if parts.metrics else set()
    own = {one.identity.label for one in parts.versions.values() if one.identity}
    for where, labels in _matches(slo.indicator, (*path, "indicator")):
        for label in labels:
            if label in identity | own:
                yield Finding((*where, label), f"`{label}` tells the versions apart", "do not match on it")
            elif slo.scenarios is not None and label == slo.scenarios.label:
                yield Finding((*where, label), f"`{label}` {SCENARIO_LABEL}", "do not match on it")


def _matches(indicator: IndicatorBlock, path: Path) -> Iterator[tuple[Path, list[str]]]:
    if indicator.latency is not None:
        yield (*path, "latency", "match"), list(indicator.latency.match)
    if indicator.ratio is not None:
        for name in ("bad", "total", "errors", "eligible"):
            selector = getattr(indicator.ratio, name)
            if selector is not None:
                yield (*path, "ratio", name, "match"), list(selector.match)


def _check_ratio(ratio: RatioBlock, path: Path) -> Iterator[Finding]:
    """`total` must count what `bad` counts, and more."""
    if ratio.bad.metric != ratio.total.metric:
        return
    bad, total = ratio.bad.match, ratio.total.match
    if {label: set(values) for label, values in bad.items()} == {label: set(values) for label, values in total.items()}:
        yield Finding((*path, "total"), *SAME_COUNTS)
        return
    for label, values in total.items():
        left_out = sorted(set(bad.get(label, [])) - set(values))
        if label not in bad or left_out:
            what = f'{label}="{left_out[0]}"' if left_out else f"answers with other values of {label}"
            yield Finding(
                (*path, "total", "match", label), f"leaves out {what}, which bad counts", "total must hold all bad"
            )


def _check_promql(parts: Parts, query: str, path: Path) -> Iterator[Finding]:
    if parts.metrics is not None and parts.metrics.scrape is not None and parts.metrics.prometheus is None:
        yield Finding(path, *SCRAPE_PROMQL)
    problem = template_problem(query)
    if problem is not None:
        yield Finding(path, *problem)
