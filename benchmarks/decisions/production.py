"""The functions that decide live, run by run: what the arrays are held to, in the tests and in every benchmark."""

from collections.abc import Callable, Sequence

import numpy as np

from benchmarks.decisions import engine
from benchmarks.decisions.results import Check, Part, Size
from benchmarks.decisions.traces import PROCESSES, Trace, clean, rng_of
from controller.analysis import change, elin, proof, relative
from controller.analysis.relative import Margin
from controller.domain.evidence import Tally

TICKS, RUNS, NEAR = 120, 4, 1e-9


def paths(trace: Trace, run: int, p0: float, horizon: int) -> tuple[list[float], list[float], list[float]]:
    """log E, log M and log E-PROM at every tick of one run."""
    purse, detector, bad, total = elin.Purse(), change.Detector(), 0.0, 0.0
    told: tuple[list[float], list[float], list[float]] = ([], [], [])
    for k, n in zip(trace.bad[:, run].tolist(), trace.total[:, run].tolist(), strict=True):
        purse = elin.advance(purse, k, n, p0, horizon, 1)
        detector = change.advance(detector, k, n, p0, 1)
        bad, total = bad + k, total + n
        told[0].append(elin.log_e(purse))
        told[1].append(change.log_m(detector))
        told[2].append(proof.log_proof(bad, total, p0))
    return told


def versus(
    candidate: Trace, stable: Trace, run: int, prior: float, margin: Margin, shares: Sequence[float]
) -> list[float]:
    """log E of the comparison at every tick of one run."""
    state, told = relative.fresh(prior), []
    for tick, share in enumerate(shares):
        ours, theirs = (Tally(float(arm.bad[tick, run]), float(arm.total[tick, run])) for arm in (candidate, stable))
        state = relative.advance(state, ours, theirs, margin, len(shares), 1, share, relative.cluster(share))
        told.append(relative.log_e(state))
    return told


def gap(trace: Trace, p0: float, horizon: int) -> float:
    """The greatest difference between the arrays and the production functions, in any run, at any tick."""
    found = (np.log(engine.evidence(trace, p0, horizon)), np.log(engine.change(trace, p0)), engine.log_proof(trace, p0))
    runs = range(trace.bad.shape[1])
    return max(
        float(np.abs(ours[:, run] - theirs).max())
        for run in runs
        for ours, theirs in zip(found, paths(trace, run, p0, horizon), strict=True)
    )


def gap_versus(candidate: Trace, stable: Trace, prior: float, margin: Margin, shares: list[float]) -> float:
    """The same for the comparison with stable."""
    found = np.log(engine.versus(candidate, stable, prior, margin, shares))
    runs = range(found.shape[1])
    return max(float(np.abs(found[:, r] - versus(candidate, stable, r, prior, margin, shares)).max()) for r in runs)


def same(_: Size, tell: Callable[[str], None]) -> Part:
    """Are these tables about the engine that ships?"""
    tell("the arrays against the production functions")
    alone = max(
        gap(process(rng_of("same", name, p0), n, times * p0, TICKS, RUNS), p0, TICKS - 20)
        for name, process in PROCESSES.items()
        for p0, n, times in ((0.05, 10, 1.0), (0.001, 100, 3.0), (0.05, 0.7, 2.0))
    )
    rng, shares = rng_of("same", "versus"), [0.05] * 40 + [0.25] * 40 + [0.5] * 40
    arms = clean(rng, 0.8, 0.09, TICKS, RUNS), clean(rng, 3.0, 0.04, TICKS, RUNS)
    beside = max(gap_versus(*arms, 0.04, margin, shares) for margin in (Margin(points=0.01), Margin(ratio=1.25)))
    what = "arrays against the production functions, {}: greatest difference of a logarithm"
    names = ("E-LIN-R, e-SR-LIN, E-PROM", "E-REL-LIN")
    pairs = zip(names, (alone, beside), strict=True)
    return Part(checks=tuple(Check(what.format(n), "0", f"<= {NEAR:g}", f"{g:.1e}", g <= NEAR) for n, g in pairs))
