"""A judge that errs: the objective is moved to what such a judge would report; the counts are never corrected.

With sensitivity Se and specificity Sp a true rate p is seen as p Se + (1 - p)(1 - Sp). Both must be the same for stable
and candidate: check with labels from people, per version. Statistics, section 6.
"""

import math
from dataclasses import dataclass

from controller.analysis.relative import Margin

STEPS = 200


@dataclass(frozen=True, slots=True)
class Calibration:
    """What labels by people say of a judge: it found `found` of `bad` bad answers, and flagged `flagged` of `good`."""

    found: int
    bad: int
    flagged: int
    good: int


@dataclass(frozen=True, slots=True)
class JudgeError:
    """Bounds of a judge's sensitivity and specificity (0..1). A point when nothing is uncertain."""

    sensitivity: tuple[float, float] = (1.0, 1.0)
    specificity: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if self.sensitivity[0] + self.specificity[0] <= 1:
            told = f"sensitivity {self.sensitivity[0]:.3g} + specificity {self.specificity[0]:.3g} (lower bounds)"
            raise ValueError(
                f"the judge tells nothing: {told} must be above 1; label more answers or use a better judge"
            )


def known(sensitivity: float, specificity: float) -> JudgeError:
    """A judge whose two rates are taken as exact. ValueError when it is no better than a coin."""
    return JudgeError((sensitivity, sensitivity), (specificity, specificity))


def calibrated(labels: Calibration, alpha: float) -> JudgeError:
    """Exact bounds from labels; `alpha` (0..1) is the chance that any one-sided use of them is wrong: spend it.

    ValueError when the labels cannot tell the judge from a coin.
    """
    sensitivity = bounds(labels.found, labels.bad, alpha / 2)
    fall_out = bounds(labels.flagged, labels.good, alpha / 2)
    return JudgeError(sensitivity, (1 - fall_out[1], 1 - fall_out[0]))


def seen(rate: float, sensitivity: float, specificity: float) -> float:
    """The rate that the judge reports where the truth is `rate`."""
    return rate * sensitivity + (1 - rate) * (1 - specificity)


def for_rollback(p0: float, error: JudgeError) -> float:
    """The objective to hold the judge's counts against for a rollback: the upper bound."""
    return seen(p0, error.sensitivity[1], error.specificity[0])


def for_promotion(p0: float, error: JudgeError) -> float:
    """The objective to hold the judge's counts against for a proof: the lower bound."""
    return seen(p0, error.sensitivity[0], error.specificity[1])


def margin(wanted: Margin, error: JudgeError) -> Margin:
    """The margin against stable in the judge's counts, at the bounds that make a rollback hardest."""
    steep = wanted.points + wanted.ratio - 1
    sensitivity = error.sensitivity[1 if wanted.points >= 0 else 0]
    specificity = error.specificity[1 if steep >= 0 else 0]
    return Margin(wanted.ratio, sensitivity * wanted.points - (1 - specificity) * steep)


def bounds(hits: int, trials: int, alpha: float) -> tuple[float, float]:
    """Clopper-Pearson: each of the two bounds is wrong with a chance of at most `alpha`; (0, 1) without trials."""
    if trials <= 0:
        return 0.0, 1.0
    lower = 0.0 if hits <= 0 else 1 - _upper(trials - hits, trials, alpha)
    return lower, 1.0 if hits >= trials else _upper(hits, trials, alpha)


def _upper(hits: int, trials: int, alpha: float) -> float:
    """The rate at which `hits` or fewer are seen with the chance `alpha`, by bisection."""
    low, high = hits / trials, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _at_most(hits, trials, middle) > alpha else (low, middle)
    return high


def _at_most(hits: int, trials: int, rate: float) -> float:
    """P(Binomial(trials, rate) <= hits), summed from the largest term down, for hits below the mean."""
    odds = (1 - rate) / rate
    log_choose = math.lgamma(trials + 1) - math.lgamma(hits + 1) - math.lgamma(trials - hits + 1)
    last = math.exp(log_choose + hits * math.log(rate) + (trials - hits) * math.log1p(-rate))
    whole, term = last, last
    for k in range(hits, 0, -1):
        term *= k / (trials - k + 1) * odds
        whole += term
        if term <= whole * 1e-17:
            break
    return whole
