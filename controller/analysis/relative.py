"""E-REL-LIN: is the candidate worse than stable, side by side? One stream of evidence, valid at every look.

A block of answers gives each bet a factor that is fair whatever stable's true rate is: the guess of that rate costs
power when it is wrong, never validity, and drift between blocks cancels because nothing is pooled across them.
Theorem and proof: statistics, section 2.
"""

import math
from dataclasses import dataclass, field

from controller.analysis import elin
from controller.analysis.swift import maker
from controller.domain.evidence import NO_MONEY, Tally
from controller.domain.slo import Margin as Margin  # its users speak of it as part of this engine

MEMORY = 0.97
"""What stable's moving counts keep per block; the rest is the prior, worth `PRIOR_ANSWERS`."""
PRIOR_ANSWERS = 100.0
STEEPEST = 0.95
"""A block whose slope is steeper gives no evidence: stable has too few answers beside the candidate's."""
PAIRS_ABOVE = 0.2


@dataclass(frozen=True, slots=True)
class Block:
    """Counts of both arms at one traffic weight that wait for an answer of the arm that has none."""

    candidate: Tally = field(default_factory=Tally)
    stable: Tally = field(default_factory=Tally)
    ticks: int = 0
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Relative:
    """The engine's state: the purse, stable's moving counts, the prior guess of its rate (0..1), the open block."""

    prior: float
    stable: Tally
    purse: elin.Purse = field(default_factory=elin.Purse)
    block: Block = field(default_factory=Block)

    @property
    def guess(self) -> float:
        """Stable's rate as known from closed blocks."""
        return self.stable.bad / self.stable.total


a_tally, a_block, a_relative = maker(Tally), maker(Block), maker(Relative)


def fresh(expected: float) -> Relative:
    """No evidence yet; `expected` is the rate of stable (0..1) to begin with, for example the objective."""
    return Relative(expected, prior(expected))


def prior(expected: float) -> Tally:
    """What is known of stable before any answer: worth a hundred answers at the expected rate."""
    return Tally(PRIOR_ANSWERS * expected, PRIOR_ANSWERS)


def cluster(share: float) -> int:
    """How many of stable's answers may belong together (`m`), for the candidate's share of the traffic (0..1)."""
    return 2 if share > PAIRS_ABOVE else 1


def log_factor(bet: float, candidate: Tally, stable: Tally, margin: Margin, guess: float, m: int = 1) -> float:
    """log of one bet's factor for a block, before the cap; 0 when an arm is empty or the slope is too steep."""
    if candidate.total <= 0 or stable.total <= 0:
        return 0.0
    norm = 1 + bet * candidate.total * margin.limit(guess)
    slope = bet * candidate.total / stable.total * margin.ratio / norm
    if m * slope >= STEEPEST:
        return 0.0
    log_stable = stable.bad / m * math.log1p(-m * slope) + stable.total * slope * guess
    return math.log1p(bet * candidate.bad) - math.log(norm) + log_stable


def advance(
    state: Relative,
    candidate: Tally,
    stable: Tally,
    margin: Margin,
    horizon: int,
    ticks: int,
    weight: float | None = None,
    m: int = 1,
) -> Relative:
    """The state after the new counts of `ticks` nominal ticks at one traffic `weight`, of a planned `horizon` in ticks.

    A block closes when both arms have answers, and without evidence when the weight changes: nothing is ever pooled
    across weights. More bad than answers is carried to the next block. `m` as `cluster` says.
    """
    if state.block.ticks > 0 and state.block.weight != weight:
        state = _close(state, horizon, None, margin, m)
    block = state.block
    block = a_block(_plus(block.candidate, candidate), _plus(block.stable, stable), block.ticks + ticks, weight)
    state = a_relative(state.prior, state.stable, state.purse, block)
    if block.candidate.total <= 0 or block.stable.total <= 0:
        return state
    return _close(state, horizon, block, margin, m)


def log_e(state: Relative) -> float:
    """log E of the stream."""
    return elin.log_e(state.purse)


def _close(state: Relative, horizon: int, told: Block | None, margin: Margin, m: int) -> Relative:
    """The open block booked, as evidence when it is `told`; stable's counts are learned in both cases, afterwards."""
    block = state.block
    staked = elin.advance(state.purse, 0.0, 0.0, 0.0, horizon, block.ticks)
    purse = staked if told is None else _bet(staked, told, margin, state.guess, m)
    rest = a_block(_surplus(block.candidate), _surplus(block.stable))
    return a_relative(state.prior, _learn(state, block.stable), purse, rest)


def _bet(purse: elin.Purse, block: Block, margin: Margin, guess: float, m: int) -> elin.Purse:
    candidate, stable = _counted(block.candidate), _counted(block.stable)
    factors = (log_factor(bet, candidate, stable, margin, guess, m) for bet in elin.BETS)
    pairs = zip(purse.log_s, factors, strict=True)
    return elin.a_purse(tuple(max(s + min(f, elin.CAP), NO_MONEY) for s, f in pairs), purse.reserve, purse.ticks)


def _learn(state: Relative, seen: Tally) -> Tally:
    if seen.total <= 0:
        return state.stable
    counted, fade = _counted(seen), (1 - MEMORY) * PRIOR_ANSWERS
    bad = MEMORY * state.stable.bad + counted.bad + fade * state.prior
    return a_tally(bad, MEMORY * state.stable.total + counted.total + fade)


def _plus(one: Tally, other: Tally) -> Tally:
    return a_tally(one.bad + other.bad, one.total + other.total)


def _counted(tally: Tally) -> Tally:
    return a_tally(min(tally.bad, tally.total), tally.total)


def _surplus(tally: Tally) -> Tally:
    return a_tally(max(0.0, tally.bad - tally.total))
