"""What the comparison with stable and the detectors of a change say, in plain words, when they say something. Pure."""

import math
from collections.abc import Iterator

from controller.analysis.booking import margin_of
from controller.domain.rollout import ModelRollout
from controller.domain.slo import OnBreach
from controller.domain.verdict import Judgement, LedgerVerdict, StreamVerdict
from controller.runtime.arithmetic import CALM, percent, times

NEAR = math.log(100.0)
"""A detector speaks when it is within a factor of a hundred of its threshold: it moves by as much in a few ticks."""


def beside(judgement: Judgement, rollout: ModelRollout, trusted: bool) -> list[str]:
    """The sentences; none while the candidate is no worse than stable and nothing has turned."""
    compared = [s for s in judgement.streams if s.against == "stable" and (s.guilty or s.log_e >= math.log(CALM))]
    told = [_compared(s, rollout, trusted) for s in compared]
    rings = [one for one in judgement.ledgers if one.kind == "change" and one.log_e >= one.log_limit - NEAR]
    return [*told, *(line for one in rings for line in _turned(one, judgement))]


def _compared(s: StreamVerdict, rollout: ModelRollout, trusted: bool) -> str:
    name = f"{s.slo}/{s.scenario}" if s.scenario else s.slo
    counts = f"{s.bad:,.0f} of {s.total:,.0f} judged answers were bad, stable had {s.stable_bad:,.0f} of"
    told = f"{name}: worse than stable: {counts} {s.stable_total:,.0f} at the same time{_allowed(s, rollout)}"
    bets = f"the bets on 'worse than stable' grew from 1 to {times(s.log_e)}"
    acts = ""
    if s.on_breach is OnBreach.ROLLBACK and not trusted:
        acts = (
            " A breach of it holds and does not roll back: no run of a version against itself has shown the "
            "comparison calm on this traffic yet."
        )
    return f"{told}; {bets}, and above {CALM:g} the run does not go up.{acts}"


def _allowed(s: StreamVerdict, rollout: ModelRollout) -> str:
    slo = next((one for one in rollout.slos if one.name == s.slo), None)
    if slo is None or slo.versus_stable is None or not s.stable_total:
        return ""
    return f", beside which {percent(margin_of(slo).limit(s.stable_bad / s.stable_total))} is allowed"


def _turned(ledger: LedgerVerdict, judgement: Judgement) -> Iterator[str]:
    """The detectors look at the recent past, so that good days do not hide a turn for the worse."""
    mine = [s for s in judgement.streams if s.against == "change" and s.on_breach is ledger.action]
    worst = max(mine, key=lambda s: s.log_e, default=None)
    if worst is None:
        return
    name = f"{worst.slo}/{worst.scenario}" if worst.scenario else worst.slo
    deed = {OnBreach.ROLLBACK: "rolls back", OnBreach.HOLD: "holds"}.get(ledger.action, "acts")
    state = "has turned for the worse" if ledger.breached else "may be turning for the worse"
    far = math.exp(min(ledger.log_e - ledger.log_limit, 0.0))
    yield (
        f"{name} {state}: the detector of a change, which forgets good days, has come to {percent(far)} of where it "
        f"{deed}."
    )
