"""After promotion: false alarms in 30 days, and a breach after three good days."""

import math
from collections.abc import Callable, Mapping

import numpy as np

from benchmarks.decisions import engine, peers
from benchmarks.decisions.absolute import LIMIT, TICKS
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
    within,
)
from benchmarks.decisions.traces import Trace, clean, rng_of

DAY = 1440
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
    says = (
        f"{size.month:,} runs of 30 days, hallucination 5 %, 10/min, ticks of 60 s. A = 864,000 rolls back, 43,200 "
        "pages."
    )
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
        f"Hallucination 5 %, 200/min: three days at 0.6 x SLO, then a breach for two days; {runs} runs, median minutes "
        "after the change. Argo Rollouts and Flagger watch nothing after promotion. Burn rates are the SRE workbook's "
        "four pairs."
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


def _from(hit: peers.Bools, good: int) -> peers.Stops:
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
