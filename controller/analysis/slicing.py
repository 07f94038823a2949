"""The pooled measurement of an SLI and version, and one per scenario. Pure."""

from collections.abc import Iterable, Sequence
from math import fsum

from controller.analysis.growing import Part
from controller.analysis.once import Once
from controller.domain.measure import BlindCause, Blindness, Measurement
from controller.domain.names import VersionName
from controller.domain.slo import Scenarios, Slo

Sums = dict[str, tuple[float, float, float]]
NOTHING = (0.0, 0.0, 0.0)


def slices(
    slo: Slo,
    version: VersionName,
    parts: Sequence[Part],
    ticks: int,
    known: Sequence[str],
    oldest: float,
    once: Once | None = None,
) -> tuple[Measurement, ...]:
    """One measurement for all parts, then one per scenario: required, known, and label values not seen before.

    Parts whose last sample lies before `oldest` (unix seconds) are no sign of life of a scenario.
    """
    pooled = _summed(parts, once)
    whole = Measurement(slo.name, version, None, *pooled, ticks=ticks)
    if slo.scenarios is None:
        return (whole,)
    groups = _by_value(slo.scenarios.label, parts)
    names = _names(slo.scenarios, groups, known)
    sums = {value: _summed(group, once, value) for value, group in groups.items()}
    alive = {value for value, group in groups.items() if max([part.newest for part in group]) >= oldest}
    bad = {value: [part.newest for part in group if part.is_bad] for value, group in groups.items()}
    alive_bad = {value for value, seen in bad.items() if seen and max(seen) >= oldest}
    return (
        whole,
        *(
            _slice(slo, slo.scenarios, version, name, sums, ticks, alive_bad if _required(slo, name) else alive)
            for name in names
        ),
    )


def _slice(
    slo: Slo, scenarios: Scenarios, version: VersionName, name: str, sums: Sums, ticks: int, alive: set[str]
) -> Measurement:
    """Total counts the scenario and the baseline; bad only the scenario.

    A scenario that nobody requires and whose series are gone gives no evidence: not the baseline's answers either.
    """
    baseline_known = scenarios.baseline in sums
    if name in alive and baseline_known:
        bad, own, own_errors = sums.get(name, NOTHING)
        _, others, other_errors = sums[scenarios.baseline]
        return Measurement(slo.name, version, name, bad, own + others, own_errors + other_errors, ticks)
    if not _required(slo, name) and baseline_known:
        return Measurement(slo.name, version, name, ticks=0)
    missing = name if baseline_known else scenarios.baseline
    detail = f'no fresh series of {version} has {scenarios.label}="{missing}"'
    detail += "" if baseline_known else " (the baseline of every scenario)"
    there = ", ".join(sorted(value for value in alive if value)) or "none"
    blind = Blindness(BlindCause.SCENARIO_MISSING, f"{detail}; the label `{scenarios.label}` has the values {there}")
    return Measurement(slo.name, version, name, ticks=0, blind=blind)


def _required(slo: Slo, name: str) -> bool:
    return slo.scenarios is not None and name in slo.scenarios.required


def _names(scenarios: Scenarios, values: Iterable[str], known: Sequence[str]) -> list[str]:
    seen = sorted({*values} - {"", scenarios.baseline})
    return list(dict.fromkeys((*scenarios.required, *known, *seen)))


def _by_value(label: str, parts: Iterable[Part]) -> dict[str, list[Part]]:
    groups: dict[str, list[Part]] = {}
    for part in parts:
        groups.setdefault(part.labels.get(label, ""), []).append(part)
    return groups


def _summed(parts: Sequence[Part], once: Once | None, where: str | None = None) -> tuple[float, float, float]:
    """Bad, total, errors; exactly rounded, so that the order of series makes no difference even to weighed counts."""
    bad = fsum([part.bad for part in parts]) if once is None else once.bad(parts, where)
    return bad, fsum([part.total for part in parts]), fsum([part.errors for part in parts])
