"""What is right, and could be better: said by `lint` and `plan`, and never a mistake. Pure."""

from controller.domain.rollout import ModelRollout, Require
from controller.domain.slo import Absent, OnBreach, RatioIndicator


def notes(rollout: ModelRollout) -> list[str]:
    """In sentences; empty when there is nothing to say."""
    return [*_hasty(rollout), *_unseen(rollout)]


def _hasty(rollout: ModelRollout) -> list[str]:
    """Proofs that cannot know whether the judge has kept up. A judge that answers at once needs nothing."""
    if all(stage.require is not Require.PROVEN for stage in rollout.stages):
        return []
    ratios = [(slo, slo.indicator) for slo in rollout.slos if isinstance(slo.indicator, RatioIndicator)]
    named = [slo.name for slo, one in ratios if one.eligible is None and slo.on_breach is not OnBreach.ALERT]
    if not named:
        return []
    told = (
        f"{', '.join(named)}: a proof cannot tell a good version from a slow judge that has not come to its bad "
        "answers yet; count the answers that are sampled for judging in indicator.ratio.eligible"
    )
    return [told]


def _unseen(rollout: ModelRollout) -> list[str]:
    """Counters of failures that nothing proves to be called so, until the first one."""
    ratios = [(slo, slo.indicator) for slo in rollout.slos if isinstance(slo.indicator, RatioIndicator)]
    return [
        f"{slo.name}: no series of {one.bad.metric} is taken for no failure, and so would a misspelt name be: see once "
        "that a failure shows there"
        for slo, one in ratios
        if one.absent is Absent.ZERO and one.bad.metric != one.total.metric
    ]
