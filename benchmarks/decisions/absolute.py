"""Against the objective: false rollbacks, delay, bad answers served, and the breach that comes late."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.decisions import engine, peers
from benchmarks.decisions.peers import NEVER, Stops
from benchmarks.decisions.results import (
    Check,
    Curve,
    Figure,
    Part,
    Size,
    Table,
    around,
    delay,
    minutes,
    near,
    per_cent,
    served,
    share,
    within,
)
from benchmarks.decisions.traces import Floats, Trace, clean, rng_of

ALPHA = 0.05
ENOUGH = 0.1
ONCE = "E-LIN without restarts"
LIMIT = 1 / ALPHA
TICKS = 360
"""Minutes of a rollout: 6 h."""
Rule = Callable[[Trace], Stops]
BETS_LINE, CAPTION = "E-LIN-R", "runs of 6 h at one rate; Poisson arrivals, independent answers, ticks of 60 s"


@dataclass(frozen=True, slots=True)
class Cell:
    """A setting: objective, judged answers a minute, the oracle's window in minutes, and whether 15 s ticks too."""

    name: str
    p0: float
    per_minute: float
    window: int
    quarter: bool = False


CELLS = (
    Cell("hallucination 5 %, 10/min", 0.05, 10, 15),
    Cell("hallucination 5 %, 100/min", 0.05, 100, 5, quarter=True),
    Cell("harm 0.1 %, 100/min", 0.001, 100, 60),
    Cell("harm 0.1 %, 10/min", 0.001, 10, 60),
    Cell("harm 0.1 %, 1/min", 0.001, 1, 60),
)
NULLS, BREACHES = (0.6, 0.9, 1.0), (1.5, 2.0, 3.0, 5.0)
HEAD = ("rule", "FR at .6 / .9 / 1.0 x SLO", "minutes at 1.5x / 2x / 3x / 5x", "judged bad served at 2x / 3x / 5x")
FR_EXPECTED = {
    ("hallucination 5 %, 10/min", 1.0): 0.026,
    ("hallucination 5 %, 100/min", 1.0): 0.034,
    ("harm 0.1 %, 100/min", 1.0): 0.020,
}
DELAYS = {
    "hallucination 5 %, 10/min": ({1.5: 71, 2.0: 21, 3.0: 8, 5.0: 4}, 0.10),
    "hallucination 5 %, 100/min": ({1.5: 13, 2.0: 7, 3.0: 4, 5.0: 3}, 0.0),
    "harm 0.1 %, 100/min": ({2.0: 104, 3.0: 31, 5.0: 12}, 0.12),
}
QUARTERS = {1.5: 7.25, 2.0: 2.5, 3.0: 1.25, 5.0: 1.0}


def ours(p0: float, horizon: int = TICKS) -> Rule:
    """E-LIN-R at 5 %."""
    return lambda trace: peers.first(engine.evidence(trace, p0, horizon) >= LIMIT)


def rules(cell: Cell, threshold: float) -> Mapping[str, Rule]:
    """Every rule that needs only the candidate's counts."""
    p0 = cell.p0
    return {
        "Argo 5m, failureLimit 0": lambda t: peers.argo(t, p0, 0),
        "Argo 5m, failureLimit 3": lambda t: peers.argo(t, p0, 3),
        "Flagger 5m, threshold 5": lambda t: peers.flagger(t, p0),
        f"oracle-tuned {cell.window}m window": lambda t: peers.window_rule(t, cell.window, threshold),
        "**E-LIN-R, 60 s**": ours(p0),
    }


def headline(size: Size, tell: Callable[[str], None]) -> Part:
    """The main table, one per setting."""
    tables, checks, figures = [], [], []
    for cell in CELLS:
        tell(f"false rollback and delay: {cell.name}")
        rows, found = _cell(cell, size)
        says = f"FR = share of {size.null:,} {CAPTION}. (x %) = share found in 6 h; - = fewer than half were."
        tables.append(Table("headline", cell.name.capitalize(), says, HEAD, tuple(rows)))
        checks += found
    for cell in CELLS[1:3]:
        tell(f"curves: {cell.name}")
        figures += _figures(cell, size)
    return Part(tuple(tables), tuple(checks), tuple(figures))


def _cell(cell: Cell, size: Size) -> tuple[list[tuple[str, ...]], list[Check]]:
    nulls = {x: _trace(cell, x, size.null) for x in NULLS}
    breaches = {x: _trace(cell, x, size.breach) for x in BREACHES}
    tuning = clean(rng_of("tuning", cell.name), cell.per_minute, cell.p0, TICKS, size.null)
    rows, checks = [], []
    for name, rule in rules(cell, peers.tuned(tuning, cell.window)).items():
        false = {x: rule(trace) for x, trace in nulls.items()}
        true = {x: rule(trace) for x, trace in breaches.items()}
        rows.append(_row(name, false, true, breaches))
        checks += _checks(cell, false, true) if BETS_LINE in name else []
    if cell.quarter:
        row, found = _quarter(cell, size)
        rows.append(row)
        checks += found
    sprt = {x: peers.sprt(trace, cell.p0, x * cell.p0) for x, trace in breaches.items()}
    rows.append(_row("SPRT that knows the true rate", {}, sprt, breaches))
    return rows, checks


def _trace(cell: Cell, times: float, runs: int, per_tick: float = 1.0) -> Trace:
    """`per_tick` in minutes."""
    rng = rng_of("headline", cell.name, times, per_tick)
    return clean(rng, cell.per_minute * per_tick, times * cell.p0, round(TICKS / per_tick), runs)


def _row(
    name: str, false: Mapping[float, Stops], true: Mapping[float, Stops], traces: Mapping[float, Trace], tick: float = 1
) -> tuple[str, ...]:
    wrong = " / ".join(per_cent(share(stops)) for stops in false.values()) or "-"
    late = " / ".join(minutes(stops, tick) for stops in true.values())
    bad = " / ".join(f"{served(true[x], traces[x]):.3g}" for x in BREACHES[1:])
    return name, wrong, late, bad


def _quarter(cell: Cell, size: Size) -> tuple[tuple[str, ...], list[Check]]:
    """The same engine at ticks of 15 s: n p0 is near 1."""
    rule = ours(cell.p0, 4 * TICKS)
    false = {x: rule(_trace(cell, x, size.null, 0.25)) for x in NULLS}
    traces = {x: _trace(cell, x, size.breach, 0.25) for x in BREACHES}
    true = {x: rule(trace) for x, trace in traces.items()}
    what = "E-LIN-R median delay, 5 %, 100/min, 15 s ticks, {:g}x"
    checks = [near(what.format(x), QUARTERS[x], 0.5, delay(true[x]) / 4) for x in BREACHES]
    return _row("**E-LIN-R, 15 s**", false, true, traces, 0.25), checks


def _checks(cell: Cell, false: Mapping[float, Stops], true: Mapping[float, Stops]) -> list[Check]:
    found = []
    for x, stops in false.items():
        if expected := FR_EXPECTED.get((cell.name, x)):
            found.append(
                within(f"E-LIN-R false rollback at the SLO, {cell.name}", expected, around(expected), share(stops))
            )
    if cell.p0 == 0.05:
        expected = 0.004 if cell.per_minute == 10 else 0.001
        found.append(
            within(f"E-LIN-R false rollback at .9 x SLO, {cell.name}", expected, (0.0, 0.012), share(false[0.9]))
        )
    delays, part = DELAYS.get(cell.name, ({}, 0.0))
    for x, wanted in delays.items():
        slack = max(1.0, part * wanted)
        found.append(near(f"E-LIN-R median delay, {cell.name}, {x:g}x", wanted, slack, delay(true[x])))
    return found


def _figures(cell: Cell, size: Size) -> list[Figure]:
    """What each rule does at every true rate: the whole picture in one line per rule."""
    times = (0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0)
    tuning = clean(rng_of("tuning", cell.name), cell.per_minute, cell.p0, TICKS, size.null)
    told = rules(cell, peers.tuned(tuning, cell.window))
    traces = {x: _trace(cell, x, size.breach) for x in times}
    stops = {name: {x: rule(trace) for x, trace in traces.items()} for name, rule in reversed(list(told.items()))}
    kind = "harm" if cell.p0 < 0.01 else "hallucination"
    rolled = [Curve(_plain(n), tuple((x, 100 * share(s)) for x, s in found.items())) for n, found in stops.items()]
    late = [Curve(_plain(n), tuple((x, _finite(s)) for x, s in found.items() if x > 1)) for n, found in stops.items()]
    return [
        Figure(
            f"rolled-back-{kind}", f"Rolled back within 6 h: {cell.name}", "true rate / SLO", "% of runs", tuple(rolled)
        ),
        Figure(
            f"delay-{kind}",
            f"Median minutes to the rollback: {cell.name}",
            "true rate / SLO",
            "minutes",
            tuple(late),
            True,
        ),
    ]


def _plain(name: str) -> str:
    return name.replace("*", "")


def _finite(stops: Stops) -> float | None:
    found = delay(stops)
    return None if math.isinf(found) else found


def guarantee(size: Size, tell: Callable[[str], None]) -> Part:
    """The two settings of the guarantee that the main table does not have."""
    checks = []
    for p0, per_minute, expected in ((0.05, 1, 0.017), (0.001, 1000, 0.031)):
        tell(f"guarantee: {p0:g}, {per_minute}/min")
        trace = clean(rng_of("guarantee", p0, per_minute), per_minute, p0, TICKS, size.null)
        found = share(ours(p0)(trace))
        checks.append(
            within(f"E-LIN-R false rollback at the SLO, {p0:.1%}, {per_minute}/min", expected, around(expected), found)
        )
    return Part(checks=tuple(checks))


def late_breach(size: Size, tell: Callable[[str], None]) -> Part:
    """Two good hours at half of the objective, then twice the objective."""
    tell("late breach")
    cell, good, rng = CELLS[0], 120, rng_of("late breach")
    before, after = (clean(rng, 10, cell.p0 * x, t, size.breach) for x, t in ((0.5, good), (2.0, TICKS)))
    trace = Trace(_joined(before.bad, after.bad), _joined(before.total, after.total))
    tuning = clean(rng_of("late breach", "tuning"), 10, cell.p0, TICKS, size.null)
    told = dict(rules(cell, peers.tuned(tuning, cell.window)))
    told[ONCE] = lambda t: peers.first(engine.evidence(t, cell.p0, TICKS, start=1.0) >= LIMIT)
    told["SPRT that knows the rate, from the start"] = lambda t: peers.sprt(t, cell.p0, 2 * cell.p0)
    rows, checks = [], []
    for name, rule in told.items():
        stops = rule(trace)
        late = np.where(stops == NEVER, NEVER, stops - good)[stops > good]
        cells = ["-", "-"]
        if len(late) >= ENOUGH * size.breach:
            wasted = served(late, _picked(after, stops > good))
            cells = [minutes(late), f"{wasted:.3g}"]
            checks += _late_checks(name, delay(late), wasted)
        rows.append((name, per_cent(float((stops <= good).mean())), *cells))
    says = (
        "Hallucination 5 %, 10/min: 120 min at 0.5 x SLO, then 2 x SLO. Delay and bad answers count from the change, "
        "over the runs that were not rolled back before it; - = fewer than a tenth of them."
    )
    head = ("rule", "rolled back before the change (false)", "minutes after the change", "judged bad after it")
    return Part((Table("late", "A breach that comes late", says, head, tuple(rows)),), tuple(checks))


def _late_checks(name: str, late: float, wasted: float) -> list[Check]:
    if name == ONCE:
        return [near("late breach, without restarts: minutes after the change", 138, 16.6, late)]
    if name != "**E-LIN-R, 60 s**":
        return []
    return [
        near("late breach, E-LIN-R: minutes after the change", 40, 4.8, late),
        near("late breach, E-LIN-R: judged bad after the change", 43, 5.2, wasted, "bad"),
    ]


def _joined(one: Floats, other: Floats) -> Floats:
    return np.concatenate([one, other])


def _picked(trace: Trace, runs: peers.Bools) -> Trace:
    return Trace(trace.bad[:, runs], trace.total[:, runs])


def low_volume(size: Size, tell: Callable[[str], None]) -> Part:
    """One judged answer a minute, none bad, and pauses: what silence means to each rule."""
    tell("low volume")
    rows = []
    for per_minute in (0.2, 1.0, 3.0):
        trace = clean(rng_of("low volume", per_minute), per_minute, 1e-9, TICKS, size.breach)
        told = {
            "Argo, successCondition, failureLimit 3": peers.argo(trace, 0.05, 3),
            "Argo, failureCondition, failureLimit 3": peers.argo(trace, 0.05, 3, fail_open=True),
            "Flagger, threshold 5": peers.flagger(trace, 0.05),
            "**E-LIN-R**": ours(0.05)(trace),
        }
        rows += [(f"{per_minute:g}/min", name, per_cent(share(stops))) for name, stops in told.items()]
    says = "A candidate without a single bad answer. A window without answers is NaN: failed, passed, or no evidence."
    return Part((Table("silence", "Silence", says, ("judged", "rule", "rolled back in 6 h"), tuple(rows)),))
