"""Our engine over many runs at once: the production formulas on arrays. A test holds it to them, run by run."""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from benchmarks.decisions.traces import Floats, Trace
from controller.analysis import elin, proof, relative
from controller.analysis.interval import DOWN, UP

Bools = npt.NDArray[np.bool_]
BETS = np.array(elin.BETS)[:, None]
MOST = 1e280
"""Money above it has long decided; it is kept finite."""
TEN = math.exp(elin.CAP)


class Lin:
    """E-LIN-R; `start=1` is without restarts; `bernoulli` takes the likelihood ratio of independent answers instead."""

    def __init__(self, runs: int, p0: float, horizon: int, start: float = elin.START, bernoulli: bool = False) -> None:
        self.money, self.reserve, self.ticks = np.zeros((len(elin.BETS), runs)), 1.0, 0
        self.p0, self.horizon, self.start, self.bernoulli = p0, horizon, start, bernoulli

    def step(self, bad: Floats, total: Floats, frozen: Floats | None = None) -> Floats:
        """E after one tick; where `frozen` is 1 the bets get the factor 1."""
        stake = (1 - self.start) / self.horizon if self.ticks < self.horizon else 0.0
        stake = min(stake + (self.start if self.ticks == 0 else 0.0), self.reserve)
        self.reserve, self.ticks = self.reserve - stake, self.ticks + 1
        factor = self._factor(bad, total)
        if frozen is not None:
            factor = np.where(frozen > 0, 1.0, factor)
        self.money = np.minimum((self.money + stake) * factor, MOST)
        return np.asarray(self.money.mean(0) + self.reserve)

    def _factor(self, bad: Floats, total: Floats) -> Floats:
        if not self.bernoulli:
            return np.minimum((1 + BETS * bad) / (1 + BETS * (total * self.p0)), TEN)
        r = 1 + BETS
        clean = np.log1p(-r * self.p0) - math.log1p(-self.p0)
        return np.asarray(np.exp(np.minimum(bad * np.log(r) + (total - bad) * clean, 600.0)))


class Change:
    """e-SR-LIN."""

    def __init__(self, runs: int, p0: float) -> None:
        self.money, self.p0 = np.zeros((len(elin.BETS), runs)), p0

    def step(self, bad: Floats, total: Floats) -> Floats:
        """M after one tick."""
        factor = np.minimum((1 + BETS * bad) / (1 + BETS * (total * self.p0)), TEN)
        self.money = np.minimum((self.money + 1.0) * factor, MOST)
        return np.asarray(self.money.mean(0))


class Rel:
    """E-REL-LIN with open blocks; every run of the batch has the same traffic weight at the same tick."""

    def __init__(self, runs: int, prior: float, margin: relative.Margin, horizon: int) -> None:
        fade = relative.PRIOR_ANSWERS
        self.money, self.reserve, self.ticks = np.zeros((len(elin.BETS), runs)), np.ones(runs), np.zeros(runs)
        self.known, self.prior = np.array([[fade * prior], [fade]]) * np.ones(runs), prior
        self.open = np.zeros((5, runs))
        self.margin, self.horizon, self.weight = margin, horizon, math.nan

    def step(self, candidate: Trace, stable: Trace, tick: int, weight: float, m: int) -> Floats:
        """E after one tick."""
        if weight != self.weight and self.open[4].any():
            self._close(self.open[4] > 0, m, told=False)
        self.weight = weight
        one = np.ones_like(self.reserve)
        self.open += np.array([candidate.bad[tick], candidate.total[tick], stable.bad[tick], stable.total[tick], one])
        self._close((self.open[1] > 0) & (self.open[3] > 0), m, told=True)
        return np.asarray(self.money.mean(0) + self.reserve)

    def _close(self, now: Bools, m: int, told: bool) -> None:
        kc, nc, kb, nb, ticks = self.open
        left = np.clip(ticks, 0, self.horizon - self.ticks)
        stake = (1 - elin.START) / self.horizon * left + np.where(self.ticks == 0, elin.START, 0.0)
        stake = np.where(now, np.minimum(stake, self.reserve), 0.0)
        self.reserve, self.ticks = self.reserve - stake, self.ticks + np.where(now, ticks, 0)
        self.money += stake
        if told:
            self.money = np.minimum(self.money * np.where(now, self._factor(kc, nc, kb, nb, m), 1.0), MOST)
        learn = now & (nb > 0)
        fade = (1 - relative.MEMORY) * relative.PRIOR_ANSWERS * np.array([[self.prior], [1.0]])
        self.known = np.where(learn, relative.MEMORY * self.known + np.array([kb, nb]) + fade, self.known)
        self.open = np.where(now, 0.0, self.open)

    def _factor(self, kc: Floats, nc: Floats, kb: Floats, nb: Floats, m: int) -> Floats:
        guess, nb = self.known[0] / self.known[1], np.maximum(nb, 1e-12)
        limit = np.maximum(0.0, self.margin.ratio * guess + self.margin.points)
        norm = 1 + BETS * nc * limit
        slope = BETS * (nc / nb) * self.margin.ratio / norm
        steep = m * slope >= relative.STEEPEST
        log_stable = kb / m * np.log1p(-m * np.where(steep, 0.0, slope)) + nb * slope * guess
        factor = (1 + BETS * kc) / norm * np.exp(np.minimum(log_stable, 600.0))
        return np.where(steep, 1.0, np.minimum(factor, TEN))


def evidence(trace: Trace, p0: float, horizon: int, start: float = elin.START, bernoulli: bool = False) -> Floats:
    """E-LIN-R at every tick."""
    engine = Lin(trace.bad.shape[1], p0, horizon, start, bernoulli)
    return np.stack([engine.step(bad, total) for bad, total in _ticks(trace)])


def change(trace: Trace, p0: float) -> Floats:
    """e-SR-LIN's M at every tick."""
    engine = Change(trace.bad.shape[1], p0)
    return np.stack([engine.step(bad, total) for bad, total in _ticks(trace)])


def versus(
    candidate: Trace, stable: Trace, prior: float, margin: relative.Margin, shares: list[float], pairs: int = 0
) -> Floats:
    """E-REL-LIN at every tick; `shares` is the candidate's share per tick, `pairs` a fixed m instead of the rule's."""
    ticks, runs = candidate.bad.shape
    engine = Rel(runs, prior, margin, ticks)
    cells = enumerate(shares)
    return np.stack([engine.step(candidate, stable, t, w, pairs or relative.cluster(w)) for t, w in cells])


def log_proof(trace: Trace, p0: float, dispersion: float | Floats = 1.0) -> Floats:
    """log E-PROM on the totals at every tick."""
    k, n = trace.bad.cumsum(0) / dispersion, trace.total.cumsum(0) / dispersion
    return _mixture(proof.RATIOS, k, n, p0)


def misses(trace: Trace, p: float, alpha: float) -> tuple[Floats, Floats]:
    """For each run 1 where the interval's lower (upper) end ever went beyond the true rate `p`."""
    k, n = trace.bad.cumsum(0), trace.total.cumsum(0)
    limit = math.log(1 / alpha)
    low, high = ((_mixture(ratios, k, n, p) >= limit).any(0) for ratios in (UP, DOWN))
    return low * np.ones(1), high * np.ones(1)


def _mixture(ratios: tuple[float, ...], k: Floats, n: Floats, p: float) -> Floats:
    clean = [math.log1p(-r * p) - math.log1p(-p) for r in ratios]
    terms = np.stack([k * math.log(r) + (n - k) * c for r, c in zip(ratios, clean, strict=True)])
    high = terms.max(0)
    return np.asarray(high + np.log(np.exp(terms - high).sum(0)) - math.log(len(ratios)))


def _ticks(trace: Trace) -> Iterator[tuple[Floats, Floats]]:
    return zip(trace.bad, trace.total, strict=True)
