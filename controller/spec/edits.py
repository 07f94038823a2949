"""What an edit loosened: SLOs that now allow more than before, or are gone."""

from controller.domain.names import SloName
from controller.domain.rollout import ModelRollout, OnBreach, Slo, Threshold

STRICTNESS = {OnBreach.ROLLBACK: 2, OnBreach.HOLD: 1, OnBreach.ALERT: 0}


def loosened(old: ModelRollout, new: ModelRollout) -> tuple[SloName, ...]:
    """The SLOs of `old` whose objective, threshold or onBreach is looser in `new`, or that are missing there."""
    now = {slo.name: slo for slo in new.slos}
    return tuple(slo.name for slo in old.slos if slo.name not in now or _is_looser(slo, now[slo.name]))


def _is_looser(old: Slo, new: Slo) -> bool:
    if STRICTNESS[new.on_breach] < STRICTNESS[old.on_breach]:
        return True
    if (old.max_bad is None) != (new.max_bad is None):
        return True
    if old.max_bad is not None and new.max_bad is not None and new.max_bad > old.max_bad:
        return True
    return old.threshold is not None and (new.threshold is None or _is_wider(old.threshold, new.threshold))


def _is_wider(old: Threshold, new: Threshold) -> bool:
    above = old.max is not None and (new.max is None or new.max > old.max)
    below = old.min is not None and (new.min is None or new.min < old.min)
    return above or below or new.consecutive > old.consecutive
