"""How much more the counts scatter than independent answers would: the design effect that a proof divides by.

Pearson's dispersion of the counts per tick, kept online in four numbers per half of the window. Statistics, section 4.
"""

from dataclasses import dataclass, field

from controller.analysis.swift import maker


@dataclass(frozen=True, slots=True)
class Scatter:
    """Sums over ticks that had answers: how many ticks, bad, total, and bad squared over total."""

    ticks: int = 0
    bad: float = 0.0
    total: float = 0.0
    squares: float = 0.0


@dataclass(frozen=True, slots=True)
class Dispersion:
    """The newest half of the window, and the half before it, so that old traffic is forgotten."""

    now: Scatter = field(default_factory=Scatter)
    before: Scatter = field(default_factory=Scatter)


a_scatter, a_dispersion = maker(Scatter), maker(Dispersion)


def advance(state: Dispersion, bad: float, total: float, window: int) -> Dispersion:
    """The state after one tick's `bad` of `total` answers; `window` is what to remember, in ticks with answers."""
    if total <= 0:
        return state
    if state.now.ticks >= max(1, window // 2):
        state = a_dispersion(a_scatter(), state.now)
    now = state.now
    grown = a_scatter(now.ticks + 1, now.bad + bad, now.total + total, now.squares + bad * bad / total)
    return a_dispersion(grown, state.before)


def dispersion(state: Dispersion) -> float:
    """D >= 1: the mean over ticks of (k - n p)^2 / (n p (1 - p)), p the rate over the window; 1 while unknown."""
    both = _sum(state.now, state.before)
    if both.ticks == 0 or not 0 < both.bad < both.total:
        return 1.0
    rate = both.bad / both.total
    excess = both.squares - both.bad * rate
    return max(1.0, excess / (both.ticks * rate * (1 - rate)))


def _sum(one: Scatter, other: Scatter) -> Scatter:
    ticks, bad, total = one.ticks + other.ticks, one.bad + other.bad, one.total + other.total
    return a_scatter(ticks, bad, total, one.squares + other.squares)
