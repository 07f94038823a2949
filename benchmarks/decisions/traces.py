"""Seeded traces: judged answers and bad ones per tick, for many runs at once. Arrays are (ticks, runs)."""

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Rng = np.random.Generator
SEED = 20_261_122


@dataclass(frozen=True, slots=True)
class Trace:
    """Bad of total per tick and run."""

    bad: Floats
    total: Floats

    def blocks(self, length: int) -> "Trace":
        """The same answers in ticks that are `length` times as long."""
        ticks = self.bad.shape[0] // length
        shape = (ticks, length, self.bad.shape[1])
        return Trace(*(part[: ticks * length].reshape(shape).sum(1) for part in (self.bad, self.total)))


def rng_of(*name: object) -> Rng:
    """A generator of its own for every named cell: cells do not depend on which others are run."""
    return np.random.default_rng([SEED, zlib.crc32("/".join(map(str, name)).encode())])


def arrivals(rng: Rng, per_tick: float | Floats, rate: float | Floats, ticks: int, runs: int) -> Trace:
    """Poisson arrivals, each bad on its own with the chance `rate` of its tick."""
    shape = (ticks, runs)
    bad = rng.poisson(np.broadcast_to(np.asarray(per_tick * rate), shape) if np.ndim(rate) else per_tick * rate, shape)
    good_rate = per_tick * (1 - rate)
    good = rng.poisson(np.broadcast_to(np.asarray(good_rate), shape) if np.ndim(rate) else good_rate, shape)
    return Trace(bad.astype(np.float64), (bad + good).astype(np.float64))


def clean(rng: Rng, per_tick: float, rate: float, ticks: int, runs: int) -> Trace:
    """Independent answers at a constant rate."""
    return arrivals(rng, per_tick, rate, ticks, runs)


def overdispersed(icc: float) -> "Process":
    """Beta-binomial: the rate jumps every tick; `icc` is the correlation of answers within a tick."""

    def process(rng: Rng, per_tick: float, rate: float, ticks: int, runs: int) -> Trace:
        spread = (1 - icc) / icc
        return arrivals(rng, per_tick, rng.beta(rate * spread, (1 - rate) * spread, (ticks, runs)), ticks, runs)

    return process


def bursts(length: int) -> "Process":
    """2 % of the ticks at 6 x the rest, mean kept; in episodes of `length` ticks on average."""

    def process(rng: Rng, per_tick: float, rate: float, ticks: int, runs: int) -> Trace:
        share, times = 0.02, 6.0
        leave = 1 / length
        enter = share * leave / (1 - share)
        inside = np.zeros((ticks, runs), dtype=bool)
        state = rng.random(runs) < share
        for tick in range(ticks):
            draw = rng.random(runs)
            inside[tick] = state
            state = np.where(state, draw >= leave, draw < enter) if length > 1 else draw < share
        base = rate / (1 + share * (times - 1))
        return arrivals(rng, per_tick, np.minimum(1.0, np.where(inside, times * base, base)), ticks, runs)

    return process


def conversations(rng: Rng, per_tick: float, rate: float, ticks: int, runs: int) -> Trace:
    """Conversations of 1 to 8 answers within one tick; answers of one correlate at 0.3. Split Poisson: exact."""
    sizes, spread = range(1, 9), (1 - 0.3) / 0.3
    a, b = rate * spread, (1 - rate) * spread
    per_size = per_tick / sum(sizes)
    bad, total = np.zeros((ticks, runs)), np.zeros((ticks, runs))
    for size in sizes:
        for k, chance in enumerate(_beta_binomial(size, a, b)):
            count = rng.poisson(per_size * chance, (ticks, runs))
            bad += k * count
            total += size * count
    return Trace(bad, total)


def _beta_binomial(n: int, a: float, b: float) -> list[float]:
    chances = []
    for k in range(n + 1):
        chance = float(np.prod([(n - i) / (i + 1) for i in range(k)]))
        chance *= float(np.prod([a + i for i in range(k)])) * float(np.prod([b + i for i in range(n - k)]))
        chances.append(chance / float(np.prod([a + b + i for i in range(n)])))
    return chances


def wander(rng: Rng, per_tick: float, rate: float, ticks: int, runs: int) -> Trace:
    """A slow rate, truly above its mean for stretches."""
    return arrivals(rng, per_tick, np.minimum(1.0, wandered(rng, rate, ticks, runs)), ticks, runs)


def wandered(rng: Rng, rate: float, ticks: int, runs: int) -> Floats:
    """Rates that drift: log-normal, sd 0.4, 30 ticks of memory, mean kept."""
    keep, sd = float(np.exp(-1 / 30)), 0.4
    z = rng.standard_normal((ticks, runs))
    for tick in range(1, ticks):
        z[tick] = keep * z[tick - 1] + np.sqrt(1 - keep**2) * z[tick]
    return np.asarray(rate * np.exp(sd * z - sd**2 / 2), dtype=np.float64)


def glitch(rng: Rng, per_tick: float, rate: float, ticks: int, runs: int) -> Trace:
    """The judge of the candidate's answers reports 3 x as many bad ones for 10 ticks, once."""
    return arrivals(rng, per_tick, np.minimum(1.0, glitched(rng, rate, ticks, runs)), ticks, runs)


def glitched(rng: Rng, rate: float, ticks: int, runs: int) -> Floats:
    """Rates with one such glitch at a random time."""
    start = rng.integers(30, ticks - 10, runs)
    at = np.arange(ticks)[:, None]
    return np.where((at >= start) & (at < start + 10), 3 * rate, rate)


def swing(size: float, period: int) -> "Process":
    """A sine of +-`size` around the rate, downwards first: its average since the start is never above the rate."""

    def process(rng: Rng, per_tick: float, rate: float, ticks: int, runs: int) -> Trace:
        wave = np.sin(2 * np.pi * np.arange(ticks)[:, None] / period)
        return arrivals(rng, per_tick, np.asarray(rate * (1 - size * wave), dtype=np.float64), ticks, runs)

    return process


Process = Callable[[Rng, float, float, int, int], Trace]
PROCESSES: Mapping[str, Process] = {
    "clean": clean,
    "ICC 0.02": overdispersed(0.02),
    "ICC 0.1": overdispersed(0.1),
    "burst": bursts(1),
    "burst, 5 ticks": bursts(5),
    "conversations": conversations,
    "wandering": wander,
    "glitch": glitch,
}
