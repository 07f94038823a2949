"""Before a run: does every SLI have series for stable and candidate, and do they tell the two apart? Pure."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from controller.analysis.asking import Ask, fill, merge, selectors
from controller.analysis.index import Indexed, Row
from controller.analysis.looking import below, find, histogram_of, listed, no_bucket, said, unborn
from controller.domain.measure import BlindCause, Blindness, FamilyAsk, QueryAsk, Snapshot
from controller.domain.rollout import ModelRollout, Version
from controller.domain.slo import LatencyIndicator, PromqlIndicator, RatioIndicator, Selector, Slo

FIX = {
    BlindCause.ABSENT: "create every label combination at zero when the exporter starts, or set metrics.identity",
    BlindCause.IDENTITY_LOST: "set metrics.identity.label to the label that names the version",
}


def identity_asks(rollout: ModelRollout, versions: Sequence[Version]) -> tuple[Ask, ...]:
    """What to ask before a run: the families whatever version they are of, so that a wrong label can be named."""
    wanted: list[Ask] = []
    for indicator in (slo.indicator for slo in rollout.slos):
        wanted += [FamilyAsk(one.metric, one.match) for one in selectors(indicator)]
        if isinstance(indicator, PromqlIndicator):
            wanted += [QueryAsk(fill(indicator.query, version.name)) for version in versions]
    return merge(wanted)


def check_identity(
    rollout: ModelRollout, stable: Version, candidate: Version, snapshot: Snapshot | Indexed
) -> tuple[str, ...]:
    """One sentence per problem, each with what to fix; empty when every SLI can be measured for both versions.

    The best messages come from a snapshot of `identity_asks`; one of `asks` will do.
    """
    index = snapshot if isinstance(snapshot, Indexed) else Indexed(snapshot)
    found = chain.from_iterable(_problems(slo, stable, candidate, index) for slo in rollout.slos)
    return tuple(dict.fromkeys(found))


def _problems(slo: Slo, stable: Version, candidate: Version, index: Indexed) -> Iterator[str]:
    indicator = slo.indicator
    if isinstance(indicator, PromqlIndicator):
        yield from _value_problems(slo, indicator, (stable, candidate), index)
        return
    for selector in selectors(indicator):
        rows = {version.name: find(index, selector, version.identity) for version in (stable, candidate)}
        absent = [why for why in rows.values() if isinstance(why, Blindness)]
        yield from (_sentence(slo, why) for why in absent if not _unborn(slo, selector, why))
        if not absent:
            yield from _same_series(slo, selector, stable, candidate, index)
    for version in (stable, candidate):
        yield from _bound_problems(slo, version, index)
        yield from _scenario_problems(slo, version, index)
        yield from _weight_problems(slo, version, index)


def _unborn(slo: Slo, selector: Selector, why: Blindness) -> bool:
    return isinstance(slo.indicator, RatioIndicator) and unborn(slo.indicator, selector, why)


def _sentence(slo: Slo, why: Blindness) -> str:
    fix = FIX.get(why.cause)
    return f"slo {slo.name}: {why.detail}" + (f". To fix it, {fix}" if fix else "")


def _visible(index: Indexed, selector: Selector, version: Version) -> Sequence[Row]:
    rows = find(index, selector, version.identity)
    return () if isinstance(rows, Blindness) else rows


def _same_series(slo: Slo, selector: Selector, stable: Version, candidate: Version, index: Indexed) -> Iterator[str]:
    ours, theirs = ({row.key for row in _visible(index, selector, one)} for one in (stable, candidate))
    shared = sorted(ours & theirs)
    if shared:
        what = f"{shared[0]} belongs to {stable.name} and to {candidate.name}"
        yield f"slo {slo.name}: {what}: give them labels that tell them apart, and set metrics.identity to it"


def _bound_problems(slo: Slo, version: Version, index: Indexed) -> Iterator[str]:
    indicator = slo.indicator
    if not isinstance(indicator, LatencyIndicator):
        return
    buckets = _visible(index, selectors(indicator)[0], version)
    within = below(buckets, indicator.under)
    if any(histogram_of(row) not in within for row in buckets):
        why = no_bucket(indicator.histogram, indicator.under, buckets)
        yield f"slo {slo.name}: {why.detail}; set `under` to one of them, or add the bucket where it is measured"


def _scenario_problems(slo: Slo, version: Version, index: Indexed) -> Iterator[str]:
    """A required scenario must be in the bad series; the baseline, without which no slice has a total, in the total."""
    if slo.scenarios is None:
        return
    bad, total, *_ = selectors(slo.indicator)
    label, baseline = slo.scenarios.label, slo.scenarios.baseline
    for selector, needed in ((bad, slo.scenarios.required), (total, (baseline,))):
        rows = _visible(index, selector, version)
        there = {row.labels.get(label, "") for row in rows}
        for value in (value for value in needed if rows and value not in there):
            yield _no_scenario(slo, selector, version, value, there)


def _no_scenario(slo: Slo, selector: Selector, version: Version, value: str, there: Iterable[str]) -> str:
    label = slo.scenarios.label if slo.scenarios else ""
    values = ", ".join(sorted(one for one in there if one)) or "none"
    what = f'no series of {said(selector, version.identity)} has {label}="{value}"; its values are {values}'
    return f"slo {slo.name}: {what}. To fix it, create every {label} at zero when the exporter starts"


def _weight_problems(slo: Slo, version: Version, index: Indexed) -> Iterator[str]:
    """Weights that no series has are a label misspelt: every answer would stand for one."""
    if not isinstance(slo.indicator, RatioIndicator) or slo.indicator.weights is None:
        return
    label, wanted = slo.indicator.weights.label, [name for name, _ in slo.indicator.weights.values]
    rows = _visible(index, slo.indicator.total, version)
    there = {row.labels.get(label, "") for row in rows}
    if rows and not there & set(wanted):
        values = listed(sorted(value for value in there if value)) or "none"
        what = f"no series of {said(slo.indicator.total, version.identity)} has a {label} of {listed(wanted)}"
        yield f"slo {slo.name}: {what}; its values are {values}. To fix it, set indicator.ratio.weights to them"


def _value_problems(slo: Slo, indicator: PromqlIndicator, versions: Sequence[Version], index: Indexed) -> Iterator[str]:
    for query in dict.fromkeys(fill(indicator.query, version.name) for version in versions):
        reading = index.value(query)
        if reading is None:
            yield f"slo {slo.name}: {query} was not asked for"
        elif reading.problem is not None:
            yield f"slo {slo.name}: {query}: {reading.problem}"
