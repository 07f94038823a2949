"""Proofs and promotions, ten streams at once, intervals, and 30 days after promotion."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.decisions import engine, peers
from benchmarks.decisions.absolute import LIMIT, TICKS, ours
from benchmarks.decisions.results import (
    Check,
    Curve,
    Figure,
    Part,
    Size,
    Table,
    delay,
    minutes,
    near,
    per_cent,
    share,
    within,
)
from benchmarks.decisions.traces import PROCESSES, Floats, Trace, clean, rng_of
from controller.analysis import proof
from controller.analysis.dispersion import Dispersion, advance, dispersion

SOAK = 15
CALM = 3.0
SCENARIOS = 4


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
        "Minutes to the promotion of a good candidate (share promoted), and the share of bad ones promoted. E-PROM at 5 % "
        "(harm: 1 %), at least 15 min. The peers promote when an hour passes without a rollback. Nothing decided is a hold."
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
    says = "Objective 5 %. D is Pearson's dispersion over 24 h of stable at the same volume. Exact for whole clusters only."
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


def ten_streams(size: Size, tell: Callable[[str], None]) -> Part:
    """Two SLOs, each pooled and in four scenarios, one budget."""
    rows, checks = [], []
    for per_minute in (10, 100):
        found: dict[str, list[str]] = {}
        for x, worse in ((0.6, 1.0), (0.9, 1.0), (1.0, 1.0), (0.6, 3.0), (0.6, 6.0)):
            tell(f"ten streams: {per_minute}/min, {x:g}x, one scenario {worse:g}x")
            told = _ten(per_minute, x, worse, max(200, size.breach // 2))
            for name, stops in told.items():
                found.setdefault(name, []).append(per_cent(share(stops)) if worse == 1 else minutes(stops))
            if (x, worse) == (0.9, 1.0):
                what = f"weighted mean of ten streams at .9 x SLO, {per_minute}/min"
                checks.append(
                    within(
                        what, 0.002 if per_minute == 10 else 0.005, (0.0, 0.05), share(told["**weighted mean of E**"])
                    )
                )
        rows += [(f"{per_minute}/min", name, *cells) for name, cells in found.items()]
    says = (
        "Harm 0.1 % (weight 0.6) and hallucination 5 % (0.4), each half pooled, half over four scenarios. FR when all run at "
        "the same multiple of their SLO; median minutes when one hallucination scenario alone runs at 1.8 or 3.6 x its SLO."
    )
    head = ("judged", "rule", "FR .6x", "FR .9x", "FR 1.0x", "one scenario 1.8x", "one scenario 3.6x")
    return Part((Table("ten", "Ten streams", says, head, tuple(rows)),), tuple(checks))


def _ten(per_minute: int, x: float, worse: float, runs: int) -> Mapping[str, peers.Stops]:
    rng = rng_of("ten", per_minute, x, worse)
    merged = np.zeros((TICKS, runs))
    argo = [np.full(runs, peers.NEVER)] * 2
    for p0, weight in ((0.001, 0.6), (0.05, 0.4)):
        rates = [x * p0 * (worse if (s == 0 and p0 == 0.05) else 1.0) for s in range(SCENARIOS)]
        slices = [clean(rng, per_minute / SCENARIOS, rate, TICKS, runs) for rate in rates]
        pooled = Trace(sum((s.bad for s in slices), np.zeros(1)), sum((s.total for s in slices), np.zeros(1)))
        for trace, part in [(pooled, weight / 2), *((s, weight / 2 / SCENARIOS) for s in slices)]:
            merged += part * engine.evidence(trace, p0, TICKS)
            argo = [np.minimum(known, peers.argo(trace, p0, limit)) for known, limit in zip(argo, (0, 3), strict=True)]
    return {
        "Argo 5m per stream, failureLimit 0": argo[0].astype(np.int64),
        "Argo 5m per stream, failureLimit 3": argo[1].astype(np.int64),
        "**weighted mean of E**": peers.first(merged >= LIMIT),
    }


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


DAY, MONTH = 1440, 43_200
GOOD_DAYS = 3


def month(size: Size, tell: Callable[[str], None]) -> Part:
    """False alarms of the change detector in 30 days."""
    rows, checks = [], []
    for x in (0.6, 0.9, 1.0):
        rung = {at: np.zeros(size.month, dtype=bool) for at in (43_200.0, 864_000.0)}
        detector, rng = engine.Change(size.month, 0.05), rng_of("month", x)
        for day in range(30):
            if day % 6 == 0:
                tell(f"30 days after promotion: {x:g}x, day {day}")
            trace = clean(rng, 10, x * 0.05, DAY, size.month)
            for bad, total in zip(trace.bad, trace.total, strict=True):
                value = detector.step(bad, total)
                for at, known in rung.items():
                    known |= value >= at
        rows.append((f"{x:g} x SLO", *(per_cent(float(known.mean())) for known in rung.values())))
        if x == 1.0:
            found = float(rung[864_000.0].mean())
            checks.append(
                within(
                    "e-SR-LIN, A = 864 000: P(alarm in 30 days at the SLO)", 0.05, (0.0, 0.05 + _three_se(size)), found
                )
            )
    says = f"{size.month:,} runs of 30 days, hallucination 5 %, 10/min, ticks of 60 s. A = 864,000 rolls back, 43,200 pages."
    head = ("rate", "alarm, A = 43,200", "alarm, A = 864,000")
    return Part((Table("month", "30 days after promotion: false alarms", says, head, tuple(rows)),), tuple(checks))


def _three_se(size: Size) -> float:
    return 3 * math.sqrt(0.05 * 0.95 / size.month)


def turned(size: Size, tell: Callable[[str], None]) -> Part:
    """Three good days, then a breach: who finds it, and when."""
    runs, good = max(60, size.slow * 2), GOOD_DAYS * DAY
    found: dict[str, list[str]] = {}
    curves: dict[str, list[tuple[float, float | None]]] = {}
    checks: list[Check] = []
    for x in (1.5, 2.0, 3.0, 5.0):
        tell(f"a breach after three good days: {x:g}x")
        for name, stops in _turned(x, runs, good).items():
            late = np.where((stops > good) & (stops != peers.NEVER), stops - good, peers.NEVER)
            found.setdefault(name, []).append(minutes(late))
            hours = delay(late)
            curves.setdefault(name, []).append((x, None if math.isinf(hours) else hours))
        checks += _quick_checks(size) if x == 2.0 else []
    says = (
        f"Hallucination 5 %, 200/min: three days at 0.6 x SLO, then a breach for two days; {runs} runs, median minutes after "
        "the change. Argo Rollouts and Flagger watch nothing after promotion. Burn rates are the SRE workbook's four pairs."
    )
    table = Table(
        "turned",
        "A breach after three good days",
        says,
        ("rule", "1.5x", "2x", "3x", "5x"),
        tuple((n, *c) for n, c in found.items()),
    )
    lines = tuple(Curve(name.replace("*", ""), tuple(points)) for name, points in reversed(curves.items()))
    figure = Figure(
        "turned", "Minutes to the alarm after three good days", "rate after the change / SLO", "minutes", lines, True
    )
    return Part((table,), tuple(checks), (figure,))


def _turned(x: float, runs: int, good: int) -> Mapping[str, peers.Stops]:
    rng, p0 = rng_of("turned", x), 0.05
    parts = [clean(rng, 200, p0 * times, ticks, runs) for times, ticks in ((0.6, good), (x, 2 * DAY))]
    trace = Trace(np.concatenate([p.bad for p in parts]), np.concatenate([p.total for p in parts]))
    fast = engine.change(trace, p0)
    tail = slice(good, None)
    burnt = {
        name: peers.burn(trace, p0, rules)
        for name, rules in (("pages", peers.BURN_RULES[:2]), ("all four", peers.BURN_RULES))
    }
    return {
        "Argo Rollouts, Flagger": np.full(runs, peers.NEVER, dtype=np.int64),
        "burn rate, pages (14.4x, 6x)": _from(burnt["pages"][tail], good),
        "burn rate, all four": _from(burnt["all four"][tail], good),
        "E-LIN-R, carried on from the run": _from((engine.evidence(trace, p0, TICKS) >= LIMIT)[tail], good),
        "**e-SR-LIN, A = 864,000**": _from((fast >= 864_000)[tail], good),
        "**e-SR-LIN, A = 43,200**": _from((fast >= 43_200)[tail], good),
    }


def _from(hit: "peers.Bools", good: int) -> peers.Stops:
    stops = peers.first(hit)
    return np.where(stops == peers.NEVER, peers.NEVER, stops + good)


def _quick_checks(size: Size) -> list[Check]:
    """Ticks of 60 s and of 15 s, after four good hours: the detector forgets, so that more would change nothing."""
    checks = []
    for parts, at, wanted in ((1, 43_200, 16.0), (4, 172_800, 5.2)):
        good, runs = 240 * parts, max(200, size.breach // 2)
        rng = rng_of("quick", parts)
        before, after = (
            clean(rng, 200 / parts, 0.05 * x, ticks, runs) for x, ticks in ((0.6, good), (2.0, 90 * parts))
        )
        trace = Trace(np.concatenate([before.bad, after.bad]), np.concatenate([before.total, after.total]))
        late = delay(peers.first((engine.change(trace, 0.05) >= at)[good:])) / parts
        checks.append(near(f"e-SR-LIN delay at 2x, 200/min, {60 // parts} s ticks", wanted, 1.5, late))
    return checks


__all__ = ["intervals", "month", "ours", "promotion", "promotion_stress", "proven", "ten_streams", "turned"]
