"""The decision benchmark: its arrays are the production engine, its peers are the peers, and the key bands hold."""

import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from benchmarks.decisions import (
    absolute,
    afterwards,
    chart,
    engine,
    kayenta,
    page,
    peers,
    production,
    promoting,
    results,
    stress,
    together,
    versus,
)
from benchmarks.decisions import traces as tr
from benchmarks.decisions.results import Curve, Figure, Part, Size, Table
from benchmarks.decisions.traces import Trace
from controller.analysis import interval
from controller.analysis.relative import Margin

SMALL = Size(null=2000, breach=2000, slow=10, month=100)
RUNS, TICKS = 6, 60


def silent(_: str) -> None:
    """No progress."""


def bands(part: Part) -> dict[str, str]:
    """What was measured outside of its band."""
    return {check.what: check.measured for check in part.checks if not check.inside}


@pytest.mark.parametrize("process", tr.PROCESSES)
@pytest.mark.parametrize(("p0", "rate", "per_tick"), [(0.05, 0.05, 10), (0.001, 0.003, 100), (0.05, 0.15, 0.7)])
def test_the_arrays_are_the_production_engine_run_by_run(process: str, p0: float, rate: float, per_tick: float) -> None:
    trace = tr.PROCESSES[process](tr.rng_of("equal", process, p0), per_tick, rate, TICKS, RUNS)
    assert production.gap(trace, p0, TICKS - 10) <= 1e-9


@pytest.mark.parametrize("margin", [Margin(points=0.01), Margin(ratio=1.25), Margin(ratio=1.25, points=-0.004)])
def test_the_arrays_are_the_production_comparison_with_open_blocks_and_a_ramp(margin: Margin) -> None:
    rng = tr.rng_of("equal", "relative", margin)
    candidate, stable = tr.clean(rng, 0.8, 0.09, TICKS, RUNS), tr.clean(rng, 3.0, 0.04, TICKS, RUNS)
    shares = [0.05] * 17 + [0.25] * 20 + [0.5] * (TICKS - 37)
    assert production.gap_versus(candidate, stable, 0.04, margin, shares) <= 1e-9


def test_a_different_engine_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "TEN", 9.0)
    assert bands(production.same(SMALL, silent)) != {}


def test_the_intervals_miss_where_the_production_interval_does() -> None:
    trace, p = tr.clean(tr.rng_of("equal", "interval"), 10, 0.05, TICKS, 40), 0.04
    low, high = engine.misses(trace, p, 0.2)
    for run in range(40):
        counts = zip(trace.bad[:, run].cumsum(), trace.total[:, run].cumsum(), strict=True)
        ends = [interval.interval(float(k), float(n), 0.2) for k, n in counts]
        assert bool(low[run]) == any(lower > p for lower, _ in ends)
        assert bool(high[run]) == any(upper < p for _, upper in ends)


def one_run(bad: list[float], total: list[float]) -> Trace:
    """A trace of a single run."""
    return Trace(np.array(bad)[:, None], np.array(total)[:, None])


def test_argo_tolerates_as_many_failures_as_its_limit_in_the_whole_run() -> None:
    bad = [0.0] * 30
    bad[6] = 5.0
    trace = one_run(bad, [10.0] * 30)
    assert [peers.argo(trace, 0.05, limit)[0] for limit in (0, 3, 4)] == [7, 10, 11]
    assert peers.argo(trace, 0.05, 5)[0] == peers.NEVER


def test_silence_fails_passes_or_adds_up() -> None:
    trace = one_run([0.0] * 20, [0.0] * 20)
    assert peers.argo(trace, 0.05, 0)[0] == 5
    assert peers.argo(trace, 0.05, 0, fail_open=True)[0] == peers.NEVER
    assert peers.flagger(trace, 0.05)[0] == 10
    assert engine.evidence(trace, 0.05, 20)[-1, 0] == pytest.approx(1.0)


def test_flagger_rolls_back_one_interval_after_its_last_failure() -> None:
    bad = [9.0] * 9 + [0.0] * 20
    assert peers.flagger(one_run(bad, [10.0] * 29), 0.05)[0] == 10


def test_a_window_is_a_window() -> None:
    rates = peers.windowed(one_run([1, 0, 0, 0, 0, 0, 4], [10.0] * 7), 5)
    assert rates[4:, 0] == pytest.approx([0.02, 0.0, 0.08])
    assert (rates[:4] < 0).all()


@pytest.mark.parametrize(("canary", "per_minute", "against", "expected"), [(0.06, 20, 180, 0.845), (0.06, 5, 5, 0.56)])
def test_kayentas_judge_detects_what_its_study_says(
    canary: float, per_minute: int, against: int, expected: float
) -> None:
    rng = tr.rng_of("kayenta", per_minute, against)
    arms = [tr.clean(rng, n, p, 60, 300) for n, p in ((per_minute, canary), (against, 0.02))]
    assert results.share(kayenta.stops(arms[0], arms[1])) == pytest.approx(expected, abs=0.08)


def test_kayentas_judge_never_sees_rare_harm() -> None:
    rng = tr.rng_of("kayenta", "rare")
    arms = [tr.clean(rng, n, p, 360, 30) for n, p in ((100, 0.005), (1900, 0.001))]
    assert results.share(kayenta.stops(arms[0], arms[1])) == 0.0
    stops = versus.versus((arms[0], arms[1]), 0.001, Margin(ratio=1.25), [0.05] * 360)
    assert results.share(stops) > 0.95


@pytest.mark.parametrize("process", tr.PROCESSES)
def test_processes_keep_their_mean(process: str) -> None:
    trace = tr.PROCESSES[process](tr.rng_of("mean", process), 20, 0.05, 360, 400)
    wanted = 0.05 * (1 + 2 * 10 / 360) if process == "glitch" else 0.05
    assert trace.bad.sum() / trace.total.sum() == pytest.approx(wanted, rel=0.03)
    assert trace.total.mean() == pytest.approx(20, rel=0.01)
    assert (trace.bad <= trace.total).all()


@pytest.mark.parametrize("cell", absolute.CELLS[:3], ids=lambda cell: str(cell.name))
def test_the_bands_of_the_absolute_test_hold(cell: absolute.Cell) -> None:
    _, checks = absolute._cell(cell, SMALL)
    assert len(checks) >= 4
    assert bands(Part(checks=tuple(checks))) == {}


def test_the_bands_of_finer_and_of_coarser_traffic_hold() -> None:
    assert bands(absolute.guarantee(SMALL, silent)) == {}
    assert bands(absolute.late_breach(SMALL, silent)) == {}


def test_the_bands_of_ten_streams_hold() -> None:
    assert bands(together.ten_streams(Size(400, 400, 1, 1), silent)) == {}


def test_the_bands_of_thirty_days_hold() -> None:
    assert bands(afterwards.month(SMALL, silent)) == {}


def test_the_bands_of_the_comparison_hold() -> None:
    assert bands(versus.drifting(SMALL, silent)) == {}
    assert bands(versus.ramp(SMALL, silent)) == {}


def test_the_bands_of_the_freeze_gate_hold() -> None:
    assert bands(stress.freeze(Size(400, 400, 1, 1), silent)) == {}


def test_the_bands_of_proofs_and_of_the_time_after_hold() -> None:
    assert bands(promoting.promotion(SMALL, silent)) == {}
    assert bands(promoting.intervals(Size(1000, 1, 1, 1), silent)) == {}
    assert [check.inside for check in afterwards._quick_checks(SMALL)] == [True, True]


def test_overdispersed_answers_break_the_textbook_engine_and_not_ours() -> None:
    trace = tr.PROCESSES["ICC 0.1"](tr.rng_of("overdispersed"), 100, 0.045, 360, 600)
    told = {name: results.share(rule(trace)) for name, rule in stress.rules().items()}
    assert told["**E-LIN-R, 60 s**"] <= 0.03
    assert told["Bernoulli likelihood ratio, same restarts"] > 0.95


def test_the_same_cell_is_the_same_trace_whatever_else_was_run() -> None:
    one, other = (tr.clean(tr.rng_of("seed", 1), 10, 0.05, 5, 3) for _ in range(2))
    assert (one.bad == other.bad).all()
    assert tr.rng_of("seed", 2).random() != tr.rng_of("seed", 1).random()


def test_a_figure_is_well_formed_and_a_hole_breaks_its_line() -> None:
    curve = Curve("a & b", ((0.0, 1.0), (1.0, 10.0), (2.0, None), (3.0, 5.0), (4.0, 100.0)))
    for log_up in (False, True):
        text = chart.svg(Figure("x", "a < b", "across", "up", (curve,), log_up))
        root = ET.fromstring(text)
        assert len(root.findall("{http://www.w3.org/2000/svg}polyline")) == 2


def test_the_page_has_every_table_every_check_and_the_weak_spots() -> None:
    table = Table("headline", "A cell", "Says.", ("rule", "x"), (("ours", "1"),))
    checks = (results.near("delay", 10, 1, math.inf), results.within("share", 0.02, (0.0, 0.05), 0.01))
    known = {"CPU": "a", "cores": "2 (busy)", "Python": "3", "numpy": "2", "seconds": 60}
    text = page.page(Part((table,), checks), {**known, "runs at a null": 100, "runs at a breach": 50})
    assert "| ours | 1 |" in text
    assert "| delay | 10 min | ± 1 min | inf min | **NO** |" in text
    assert "## Where Tidegate is weak" in text
