"""What an edit loosened: SLOs that now allow more than before, or are gone."""

from controller.domain.names import SloName
from controller.domain.rollout import ModelRollout
from controller.domain.slo import Absent, Margin, OnBreach, RatioIndicator, Scenarios, Slo, Threshold

STRICTNESS = {OnBreach.ROLLBACK: 2, OnBreach.HOLD: 1, OnBreach.ALERT: 0}


def loosened(old: ModelRollout, new: ModelRollout) -> tuple[SloName, ...]:
    """The SLOs of `old` that allow more in `new`, or are missing there.

    A limit of another kind cannot be compared, and counts as looser: an objective instead of a threshold, a ratio to
    stable instead of points.
    """
    now = {slo.name: slo for slo in new.slos}
    return tuple(slo.name for slo in old.slos if slo.name not in now or _is_looser(slo, now[slo.name]))


def _is_looser(old: Slo, new: Slo) -> bool:
    return (
        STRICTNESS[new.on_breach] < STRICTNESS[old.on_breach]
        or _allows_more(old.max_bad, new.max_bad)
        or (old.threshold is not None and (new.threshold is None or _is_wider(old.threshold, new.threshold)))
        or (old.versus_stable is not None and _is_farther(old.versus_stable, new.versus_stable))
        or bool(_grave(old.scenarios) - _grave(new.scenarios))
        or (not _may_be_unborn(old) and _may_be_unborn(new))
    )


def _may_be_unborn(slo: Slo) -> bool:
    return isinstance(slo.indicator, RatioIndicator) and slo.indicator.absent is Absent.ZERO


def _allows_more(old: float | None, new: float | None) -> bool:
    if old is None or new is None:
        return (old is None) != (new is None)
    return new > old


def _is_wider(old: Threshold, new: Threshold) -> bool:
    above = old.max is not None and (new.max is None or new.max > old.max)
    below = old.min is not None and (new.min is None or new.min < old.min)
    return above or below or new.consecutive > old.consecutive


def _is_farther(old: Margin, new: Margin | None) -> bool:
    return new is None or new.ratio > old.ratio or new.points > old.points


def _grave(scenarios: Scenarios | None) -> frozenset[tuple[str, str]]:
    """Scenarios without tolerance, with their label: the same word under another label is another scenario."""
    return frozenset((scenarios.label, name) for name in scenarios.zero_tolerance) if scenarios else frozenset()
