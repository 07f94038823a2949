"""What the engine will be able to see: answers until a breach shows or a proof is there, and what users get until then.

Measured once and kept as data: answers x objective hardly depend on the objective. Statistics, section 5.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from controller.analysis import elin, proof
from controller.domain.evidence import NO_MONEY


class Quantile(Enum):
    """Which of the planning numbers: half of the runs need less, or nine of ten do."""

    MEDIAN = 0
    NINE_OF_TEN = 1


Line = Mapping[float, tuple[tuple[float, float], ...]]
"""True rate over the objective -> (median, 90 % quantile) of answers x objective, at each of `OBJECTIVES`."""

OBJECTIVES = (0.05, 0.005, 0.0005)
ROLLBACK: Mapping[float, Line] = {
    0.05: {
        1.3: ((96.2, 206.8), (99.7, 223.9), (99.1, 216.5)),
        1.5: ((37.6, 82.9), (37.4, 86.5), (38.2, 84.8)),
        2.0: ((10.2, 23.5), (10.8, 24.2), (10.7, 25.4)),
        3.0: ((3.4, 7.4), (3.8, 8.1), (3.7, 8.0)),
        5.0: ((1.6, 2.8), (1.6, 3.0), (1.5, 2.8)),
        10.0: ((0.9, 1.2), (0.8, 1.2), (0.8, 1.3)),
    },
    0.01: {
        2.0: ((15.1, 29.2), (15.1, 31.4), (15.4, 31.8)),
        3.0: ((5.0, 9.5), (5.2, 10.3), (5.1, 9.8)),
        5.0: ((2.1, 3.4), (2.1, 3.7), (2.2, 3.8)),
    },
    0.005: {
        3.0: ((5.6, 10.3), (5.6, 10.6), (5.7, 11.4)),
        5.0: ((2.3, 3.8), (2.3, 4.1), (2.3, 4.0)),
    },
}
PROOF: Mapping[float, Line] = {
    0.05: {
        0.0: ((4.4, 4.5), (4.4, 4.6), (4.5, 4.6)),
        0.1: ((4.5, 8.6), (4.5, 8.7), (4.5, 8.7)),
        0.3: ((8.6, 18.6), (8.7, 18.8), (8.8, 18.9)),
        0.5: ((18.6, 43.4), (18.9, 42.5), (20.3, 46.4)),
        0.6: ((30.2, 76.5), (30.6, 75.9), (30.6, 80.9)),
        0.7: ((62.6, 139.2), (60.7, 150.2), (58.1, 144.8)),
    },
    0.01: {
        0.0: ((6.2, 6.4), (6.4, 6.5), (6.5, 6.5)),
        0.1: ((6.5, 10.9), (6.5, 11.1), (6.5, 11.0)),
        0.3: ((14.6, 24.8), (13.1, 26.4), (13.1, 25.0)),
        0.5: ((30.6, 60.2), (32.5, 60.8), (31.1, 59.6)),
        0.6: ((48.5, 102.9), (50.2, 108.6), (50.3, 107.3)),
    },
}


@dataclass(frozen=True, slots=True)
class Outlook:
    """Judged answers until the decision, the ticks that takes, and the bad answers users got by then."""

    answers: float
    ticks: float
    bad_served: float


def answers_to_breach(
    p0: float, ratio: float, alpha: float = 0.05, quantile: Quantile = Quantile.MEDIAN
) -> float | None:
    """Judged answers until a rollback when the true rate is `ratio` x `p0`; None below 1.3: too near to tell."""
    return _look_up(ROLLBACK, p0, min(ratio, 10.0), alpha, quantile)


def answers_to_proof(
    p0: float, ratio: float, alpha: float = 0.05, quantile: Quantile = Quantile.MEDIAN, dispersion: float = 1.0
) -> float | None:
    """Judged answers until E-PROM is there when the true rate is `ratio` x `p0`; None when it is too near to `p0`."""
    found = _look_up(PROOF, p0, ratio, alpha, quantile)
    return None if found is None else max(proof.MIN_SAMPLES, found * dispersion)


def outlook(
    p0: float,
    ratio: float,
    per_tick: float,
    alpha: float = 0.05,
    quantile: Quantile = Quantile.MEDIAN,
    sampled: float = 1.0,
) -> Outlook | None:
    """A breach at `ratio` x `p0` with `per_tick` judged answers a tick; `sampled` of all answers (0..1) are judged.

    None when it cannot be told from a good candidate. Coarse ticks cost time: see `coarse_ticks`.
    """
    answers = answers_to_breach(p0, ratio, alpha, quantile)
    if answers is None or per_tick <= 0:
        return None
    ticks = max(answers / per_tick, coarse_ticks(p0, ratio, per_tick, alpha))
    answers = ticks * per_tick
    return Outlook(answers, ticks, bad_served(answers, ratio * p0, sampled))


def bad_served(answers: float, rate: float, sampled: float = 1.0) -> float:
    """Bad answers users got while `answers` were judged at the true `rate`, `sampled` (0..1) of all being judged."""
    return answers * min(rate, 1.0) / sampled


def coarse_ticks(p0: float, ratio: float, per_tick: float, alpha: float = 0.05) -> float:
    """Ticks that even a breach without chance in it takes, for its bets can grow by log(ratio) per tick at most.

    This binds when more than about one bad answer a tick is expected at the objective: then use shorter ticks.
    """
    growth = [elin.log_factor(bet, min(ratio * p0, 1.0) * per_tick, per_tick, p0) for bet in elin.BETS]
    goal = math.log(len(elin.BETS) / (elin.START * alpha))
    for tick in range(1, 1 + math.ceil(goal / max(growth))):
        if elin.log_sum([tick * min(one, elin.CAP) for one in growth]) >= goal:
            return float(tick)
    return math.ceil(goal / min(max(growth), elin.CAP))


def breach_needed(bad: float, total: float, p0: float, alpha: float, assumed: float) -> float:
    """What-if: judged answers still needed for a rollback (median) if the true rate is `assumed` x `p0` from now on.

    Infinite when that rate gives no evidence. For proofs: `proof.answers_needed`.
    """
    goal, rate, best = math.log(len(elin.BETS) / alpha), assumed * p0, math.inf
    for r in (1 + bet for bet in elin.BETS if (1 + bet) * p0 < 1):
        clean = math.log1p(-r * p0) - math.log1p(-p0)
        have = bad * math.log(r) + max(0.0, total - bad) * clean
        gain = rate * math.log(r) + (1 - rate) * clean
        if gain > 0:
            best = min(best, max(0.0, goal - have) / gain)
    return proof.SHORTCUT * best


def always_valid_p(log_peak: float) -> float:
    """The p-value that holds at every look, from the greatest log E so far."""
    return min(1.0, math.exp(-max(log_peak, NO_MONEY))) if log_peak > 0 else 1.0


def e_bh(values: Sequence[float], alpha: float) -> frozenset[int]:
    """Which of many e-values are discoveries, with at most `alpha` of them false on average: for triage only."""
    ranked = sorted(range(len(values)), key=lambda i: values[i], reverse=True)
    found = [k for k, i in enumerate(ranked, start=1) if values[i] >= len(values) / (alpha * k)]
    return frozenset(ranked[: max(found, default=0)])


def _look_up(table: Mapping[float, Line], p0: float, ratio: float, alpha: float, quantile: Quantile) -> float | None:
    """Answers at the nearest tabulated budget that reaches so far; the evidence needed grows with log(1/alpha)."""
    reaching = [(abs(math.log(a / alpha)), a) for a, line in table.items() if min(line) <= ratio <= max(line)]
    if not reaching:
        return None
    _, nearest = min(reaching)
    column = min(range(len(OBJECTIVES)), key=lambda i: abs(math.log(OBJECTIVES[i] / p0)))
    points = {rate: cells[column][quantile.value] for rate, cells in table[nearest].items()}
    scale = 1.0 if nearest == alpha else math.log(1 / alpha) / math.log(1 / nearest)
    return scale * _between(points, ratio) / p0


def _between(points: Mapping[float, float], at: float) -> float:
    """The value at `at`, on a line of logarithms between its two neighbours."""
    if at in points:
        return points[at]
    left, right = max(x for x in points if x < at), min(x for x in points if x > at)
    part = (at - left) / (right - left)
    return math.exp((1 - part) * math.log(points[left]) + part * math.log(points[right]))
