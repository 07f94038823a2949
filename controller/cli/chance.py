"""Seeded chance, and what is said about a share of many runs. Pure."""

import math
from collections.abc import Sequence
from random import Random

LARGE = 30.0
"""Above it the product of uniforms would take long, and in the end be rounded to zero."""


def poisson(chance: Random, mean: float) -> int:
    """A Poisson number. Large means are halved through the time of their middle arrival (Ahrens and Dieter)."""
    number = 0
    while mean > LARGE:
        middle = int(mean * 7 / 8)
        arrival = chance.gammavariate(middle, 1.0)
        if arrival > mean:
            return number + _binomial(chance, middle - 1, mean / arrival)
        number, mean = number + middle, mean - arrival
    limit, product = math.exp(-mean), chance.random()
    while product > limit:
        number, product = number + 1, product * chance.random()
    return number


def _binomial(chance: Random, number: int, share: float) -> int:
    """How many of `number` uniforms lie below `share`, through the middle one of them."""
    found = 0
    while number > LARGE:
        middle = 1 + number // 2
        value = chance.betavariate(middle, number + 1 - middle)
        if value >= share:
            number, share = middle - 1, share / value
        else:
            found += middle
            number, share = number - middle, (share - value) / (1 - value)
    return found + sum(chance.random() < share for _ in range(number))


def wilson(hits: int, runs: int, z: float = 1.959964) -> tuple[float, float]:
    """The share's 95 % interval; (0, 1) without runs."""
    if runs == 0:
        return 0.0, 1.0
    share, square = hits / runs, z * z
    middle = share + square / (2 * runs)
    half = z * math.sqrt(share * (1 - share) / runs + square / (4 * runs * runs))
    low, high = (middle - half) / (1 + square / runs), (middle + half) / (1 + square / runs)
    return 0.0 if hits == 0 else max(0.0, low), 1.0 if hits == runs else min(1.0, high)


def quantile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least this share of all does not exceed; None of nothing."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None
