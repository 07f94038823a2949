"""Proofs and promotions, right and wrong, and how often the interval ever misses the truth."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.decisions import engine, peers
from benchmarks.decisions.absolute import TICKS
from benchmarks.decisions.results import Part, Size, Table, delay, minutes, near, per_cent, share, within
from benchmarks.decisions.traces import PROCESSES, Floats, Trace, clean, rng_of
from controller.analysis import proof
from controller.analysis.dispersion import Dispersion, advance, dispersion

SOAK = 15
CALM = 3.0


def proven(trace: Trace, p0: float, alpha: float, design: float | Floats = 1.0) -> peers.Stops:
    """E-PROM with its gates: 100 answers, 15 minutes, and no evidence of a breach."""
    hit = engine.log_proof(trace, p0, design) >= math.log(1 / alpha)
    hit &= (trace.total.cumsum(0) >= proof.MIN_SAMPLES) & (engine.evidence(trace, p0, TICKS) < CALM)
    hit[: SOAK - 1] = False
    return peers.first(hit)


def promotion(size: Size, tell: Callable[[str], None]) -> Part:
    """Time to a proof, wrong promotions, and what the peers promote after an hour."""
    rows, checks = [], []
    for name, p0, per_minute, alpha in (
        ("hallucination 5 %, 10/min", 0.05, 10, 0.05),
        ("hallucination 5 %, 100/min", 0.05, 100, 0.05),
        ("harm 0.1 %, 100/min", 0.001, 100, 0.01),
        ("harm 0.1 %, 10/min", 0.001, 10, 0.01),
        ("harm 0.1 %, 1/min", 0.001, 1, 0.01),
    ):
        tell(f"promotion: {name}")
        times = (0.3, 0.5, 0.6, 1.0, 2.0, 3.0)
        traces = {x: clean(rng_of("promotion", name, x), per_minute, x * p0, TICKS, size.breach) for x in times}
        stops = {x: proven(trace, p0, alpha) for x, trace in traces.items()}
        for x in (0.3, 0.5, 0.6) if (p0, per_minute) == (0.05, 10) else ():
            wanted = {0.3: 19, 0.5: 39, 0.6: 63}[x]
            checks.append(
                near(f"E-PROM minutes to a proof, 5 %, 10/min, {x:g}x", wanted, 0.12 * wanted, delay(stops[x]))
            )
        if (p0, per_minute) == (0.05, 10):
            checks.append(
                within("E-PROM false promotion at the SLO, 5 %, 10/min", 0.03, (0.0, 0.05), share(stops[1.0]))
            )
        rows.append((name, "**E-PROM**, within 6 h", *(minutes(stops[x]) for x in times[:3]), *_wrong(stops)))
        hour = {x: Trace(trace.bad[:60], trace.total[:60]) for x, trace in traces.items()}
        for rule, told in _peers(hour, p0).items():
            rows.append((name, rule, *(f"60 ({100 * share(told[x]):.0f} %)" for x in times[:3]), *_wrong(told)))
    says = (
        "Minutes to the promotion of a good candidate (share promoted), and the share of bad ones promoted. E-PROM at "
        "5 % (harm: 1 %), at least 15 min. The peers promote when an hour passes without a rollback. Nothing decided "
        "is a hold."
    )
    head = ("setting", "rule", ".3x", ".5x", ".6x", "promoted at 1.0x", "at 2x", "at 3x")
    return Part((Table("promotion", "Promotions, right and wrong", says, head, tuple(rows)),), tuple(checks))


def _wrong(stops: Mapping[float, peers.Stops]) -> list[str]:
    return [per_cent(share(stops[x])) for x in (1.0, 2.0, 3.0)]


def _peers(hour: Mapping[float, Trace], p0: float) -> Mapping[str, Mapping[float, peers.Stops]]:
    """Whom they promote: those they did not roll back."""

    def kept(rule: Callable[[Trace], peers.Stops]) -> Mapping[float, peers.Stops]:
        return {x: np.where(rule(trace) == peers.NEVER, 60, peers.NEVER) for x, trace in hour.items()}

    return {
        "Argo 5m, failureLimit 0": kept(lambda t: peers.argo(t, p0, 0)),
        "Argo 5m, failureLimit 3": kept(lambda t: peers.argo(t, p0, 3)),
        "Flagger 5m, threshold 5": kept(lambda t: peers.flagger(t, p0)),
    }


def promotion_stress(size: Size, tell: Callable[[str], None]) -> Part:
    """Wrong promotions where answers are not independent, without and with the design effect."""
    rows = []
    for per_minute in (10, 100):
        for name in ("clean", "ICC 0.02", "ICC 0.1", "burst", "conversations"):
            tell(f"promotion under stress: {name}, {per_minute}/min")
            process = PROCESSES[name]
            design = _design(process(rng_of("design", name, per_minute), per_minute, 0.05, 1440, 1))
            trace = process(rng_of("promotion stress", name, per_minute), per_minute, 0.05, TICKS, size.breach)
            good = process(rng_of("promotion good", name, per_minute), per_minute, 0.03, TICKS, size.breach // 2)
            wrong = [per_cent(share(proven(trace, 0.05, 0.05, d))) for d in (1.0, design)]
            time = [minutes(proven(good, 0.05, 0.05, d)) for d in (1.0, design)]
            rows.append((f"{per_minute}/min", name, f"{design:.2f}", *wrong, *time))
    says = (
        "Objective 5 %. D is Pearson's dispersion over 24 h of stable at the same volume. Exact for whole clusters "
        "only."
    )
    head = (
        "judged",
        "answers",
        "D",
        "wrong at 1.0x, D = 1",
        "wrong, measured D",
        "minutes at .6x, D = 1",
        "measured D",
    )
    return Part((Table("promotion-stress", "Promotions where answers depend on each other", says, head, tuple(rows)),))


def _design(trace: Trace) -> float:
    state = Dispersion()
    for bad, total in zip(trace.bad[:, 0], trace.total[:, 0], strict=True):
        state = advance(state, float(bad), float(total), trace.bad.shape[0] * 2)
    return dispersion(state)


def intervals(size: Size, tell: Callable[[str], None]) -> Part:
    """How often the interval ever misses the truth, looked at every tick."""
    checks = []
    for p, per_minute in ((0.05, 10), (0.05, 100), (0.001, 100)):
        tell(f"intervals: {p:g}, {per_minute}/min")
        trace = clean(rng_of("interval", p, per_minute), per_minute, p, TICKS, size.null)
        for name, missed in zip(("lower > p", "upper < p"), engine.misses(trace, p, 0.05), strict=True):
            what = f"interval ever {name}, {p:.1%}, {per_minute}/min"
            checks.append(within(what, 0.03, (0.0, 0.05), float(missed.mean())))
    return Part(checks=tuple(checks))
