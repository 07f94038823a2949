"""e-SR-LIN: did the rate of bad turn, at a time nobody knows? A detector that stays sharp however long all was well.

Each tick starts a new bet and all bets go on (Shiryaev-Roberts), so that good days do not dull it. The mean number of
ticks to a false alarm is at least the threshold, and P(false alarm within T ticks) <= T / threshold. Theorem:
statistics, section 3. The same detector on stable, with a small threshold, is the freeze gate.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

from controller.analysis.elin import BETS, factors, grown, log_mean
from controller.analysis.swift import maker
from controller.domain.evidence import NO_MONEY

FREEZE = 1_000.0
LOG_FREEZE = math.log(FREEZE)
"""Threshold of the freeze gate: the judge or the corpus broke for stable too, the candidate is not to blame."""
ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Detector:
    """The state: log of what the bets started so far are worth, per bet size. A fresh one after each alarm."""

    log_m: tuple[float, ...] = (NO_MONEY,) * len(BETS)


a_detector = maker(Detector)


def advance(detector: Detector, bad: float, total: float, p0: float, ticks: int) -> Detector:
    """The detector after `bad` of `total` new answers in `ticks` nominal ticks, at objective `p0` (a rate, 0..1)."""
    return a_detector(moved(detector.log_m, bad, total, p0, ticks))


def moved(log_m: tuple[float, ...], bad: float, total: float, p0: float, ticks: int) -> tuple[float, ...]:
    """The same for the bare numbers of a detector."""
    return grown(log_m, started(ticks), factors(bad, total, p0))


def started(ticks: int) -> float:
    """log of the bets that begin with so many ticks, nearly always one."""
    return 0.0 if ticks == 1 else math.log(ticks) if ticks > 0 else NO_MONEY


def log_m(detector: Detector) -> float:
    """log M: the mean of the bets, in units of ticks. Detectors of several streams merge by a weighted mean of M."""
    return log_worth(detector.log_m)


@lru_cache(maxsize=8192)
def log_worth(log_bets: tuple[float, ...]) -> float:
    """log M of the state `log_bets`. Remembered: every tick asks twice per stream."""
    return max(log_mean(log_bets), NO_MONEY)


def threshold(ticks_per_30_days: float, allowed_false_alarms: float) -> float:
    """The M to alarm at, for at most `allowed_false_alarms` (expected; below 1 a probability) in 30 days at the limit.

    At 60 s ticks, 43,200 in 30 days: 1 gives 43,200 (a page), 0.05 gives 864,000 (a rollback).
    """
    return ticks_per_30_days / allowed_false_alarms


def rings(detector: Detector, at: float) -> bool:
    """Has M reached the threshold `at`? After an alarm and a person's answer go on with a fresh `Detector`."""
    return log_m(detector) >= math.log(at)


def is_frozen(on_stable: Detector) -> bool:
    """The freeze gate: while it holds, the candidate's absolute bets get the factor 1 and the SLO is blind."""
    return freezes(on_stable.log_m)


def freezes(log_bets: tuple[float, ...]) -> bool:
    """The same for the bare numbers. A mean is at most the largest: mostly that is enough, and nothing is summed up."""
    return max(log_bets) >= LOG_FREEZE - ROUNDING and log_worth(log_bets) >= LOG_FREEZE
