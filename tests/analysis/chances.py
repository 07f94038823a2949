"""Exact laws of counts, for means over every outcome."""

import math


def binomial(n: int, p: float) -> dict[int, float]:
    """P(k bad of n) when every answer is independent."""
    return {k: math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)}


def paired(n: int, p: float) -> dict[int, float]:
    """P(k bad of n), n even, when answers come in pairs that are bad together."""
    return {2 * k: chance for k, chance in binomial(n // 2, p).items()}


def together(n: int, p: float) -> dict[int, float]:
    """All bad or none."""
    return {0: 1 - p, n: p}
