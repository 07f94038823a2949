"""Counting, case by case: what is a delta, what is blind, and what the sentence says."""

import time
from collections.abc import Sequence

import pytest

from controller.analysis.asking import fill
from controller.analysis.counting import Indexed, asks, measure
from controller.domain.measure import (
    BlindCause,
    Blindness,
    FamilyAsk,
    FamilyReading,
    Measurement,
    QueryAsk,
    Series,
    SeriesMemory,
    Snapshot,
    ValueReading,
)
from controller.domain.names import SloName
from controller.domain.slo import Absent, LatencyIndicator, Matcher, PromqlIndicator, RatioIndicator, Selector, Slo
from controller.testing.builders import a_rollout
from tests.analysis.counters import (
    FAILED,
    HARM,
    JUDGED,
    METRIC,
    STEP,
    V12,
    a_version,
    an_slo,
    at,
    by_hazard,
    latency,
    series,
    snapshot,
)

Values = Sequence[tuple[float, float]]


class Book:
    """One SLO of v12, looked at again and again."""

    def __init__(self, slo: Slo | None = None, known: tuple[str, ...] = ()) -> None:
        self.slo = slo or an_slo()
        self.known = known
        self.memory: SeriesMemory = {}

    def look(self, shot: Snapshot, step: float | None = None, since: float | None = None) -> tuple[Measurement, ...]:
        now = shot.at if step is None else at(step)
        known, start = {self.slo.name: self.known}, None if since is None else at(since)
        slos, versions = [self.slo], [a_version("v12")]
        found, self.memory = measure(slos, versions, shot, self.memory, now, STEP, STEP, known, start)
        return found

    def pooled(self, shot: Snapshot, step: float | None = None, since: float | None = None) -> Measurement:
        return self.look(shot, step, since)[0]

    def blind(self, shot: Snapshot, step: float | None = None) -> Blindness:
        """The blindness, with everything that must hold of it."""
        before = self.memory
        found = self.look(shot, step)
        assert self.memory == before
        assert all((m.bad, m.total, m.errors, m.ticks) == (0, 0, 0, 0) and m.blind == found[0].blind for m in found)
        assert found[0].blind is not None
        return found[0].blind


def judged(ok: Values, bad: Values, pod: str = "a", hazard: str = "none") -> tuple[Series, Series]:
    """The two counters of one pod of v12."""
    return (
        series(ok, version="v12", verdict="ok", pod=pod, hazard=hazard),
        series(bad, version="v12", verdict="bad", pod=pod, hazard=hazard),
    )


def test_the_first_look_sets_the_baseline() -> None:
    found = Book().pooled(snapshot(0, *judged([(0, 900)], [(0, 50)])))
    assert found == Measurement(an_slo().name, V12, ticks=0)


def test_growth_is_exact() -> None:
    book = Book()
    book.look(snapshot(0, *judged([(0, 900)], [(0, 50)])))
    found = book.pooled(snapshot(1, *judged([(0, 900), (1, 997)], [(0, 50), (1, 53)])))
    assert (found.bad, found.total, found.ticks, found.blind) == (3, 100, 1, None)


def test_a_fresh_series_without_new_answers_is_not_blind() -> None:
    book = Book()
    book.look(snapshot(0, *judged([(0, 9)], [(0, 5)])))
    found = book.pooled(snapshot(1, *judged([(1, 9)], [(1, 5)])))
    assert (found.bad, found.total, found.ticks, found.blind) == (0, 0, 1, None)


def test_resets_inside_the_window_are_seen() -> None:
    book = Book()
    book.look(snapshot(0, *judged([(0, 100)], [(0, 10)])))
    ok = [(0.0, 100.0), (0.3, 104.0), (0.6, 2.0), (1.0, 5.0)]
    found = book.pooled(snapshot(1, *judged(ok, [(0, 10), (0.3, 10), (0.6, 0), (1, 1)])))
    assert (found.bad, found.total) == (1, 4 + 2 + 3 + 1)


def test_a_birth_counts_from_zero_after_tracking_began() -> None:
    book = Book()
    book.look(snapshot(0, *judged([(0, 100)], [(0, 10)])))
    born = judged([(0.5, 2), (1, 5)], [(0.5, 1), (1, 1)], pod="b")
    assert book.pooled(snapshot(1, *judged([(1, 100)], [(1, 10)]), *born)).total == 6


def test_what_a_newborn_counted_up_to_since_is_history() -> None:
    book = Book()
    book.look(snapshot(0, *judged([(0, 100)], [(0, 10)])))
    late = judged([(0.5, 200), (1, 205)], [(0.5, 20), (1, 21)], pod="b")
    found = book.pooled(snapshot(1, *judged([(1, 100)], [(1, 10)]), *late), since=0.5)
    assert (found.bad, found.total) == (1, 6)


def test_a_gap_is_one_larger_block() -> None:
    book = Book()
    book.look(snapshot(0, *judged([(0, 100)], [(0, 10)])))
    assert book.blind(snapshot(1, problem="connection refused")).cause is BlindCause.QUERY_FAILED
    assert book.blind(snapshot(2, problem="connection refused")).cause is BlindCause.QUERY_FAILED
    found = book.pooled(snapshot(3, *judged([(3, 130)], [(3, 12)])))
    assert (found.bad, found.total, found.ticks) == (2, 32, 3)


def test_a_pod_that_was_away_is_counted_when_it_is_back() -> None:
    book = Book()
    book.look(snapshot(0, *judged([(0, 100)], [(0, 10)]), *judged([(0, 7)], [(0, 0)], pod="b")))
    assert book.pooled(snapshot(1, *judged([(1, 101)], [(1, 10)]))).total == 1
    found = book.pooled(snapshot(2, *judged([(2, 102)], [(2, 10)]), *judged([(2, 17)], [(2, 1)], pod="b")))
    assert (found.bad, found.total, found.ticks) == (1, 12, 1)


def test_a_replica_that_is_behind_is_no_restart() -> None:
    """Two servers behind one address disagree by a scrape: nothing began again, and nothing is counted twice."""
    book = Book()
    book.look(snapshot(0, *judged([(0, 10_000)], [(0, 500)])))
    assert book.pooled(snapshot(1, *judged([(0, 10_000), (1, 10_020)], [(0, 500), (1, 503)]))).bad == 3
    older = book.pooled(snapshot(1.5, *judged([(0.5, 10_010)], [(0.5, 501)])))
    assert (older.bad, older.total, older.ticks) == (0, 0, 0)
    skewed = book.pooled(snapshot(1.5, *judged([(0.5, 10_010), (1.1, 10_018)], [(0.5, 501), (1.1, 502)])))
    assert (skewed.bad, skewed.total) == (0, 0)
    ok, bad = [(1, 10_020), (2, 10_040)], [(1, 503), (2, 504)]
    found = book.pooled(snapshot(2, *judged(ok, bad)))
    assert (found.bad, found.total) == (1, 21)


def test_pods_that_are_scraped_at_other_instants_are_all_counted() -> None:
    """The newest sample may move by a fraction of a tick, or not at all: what is new still counts."""
    book = Book()
    book.look(snapshot(1, *judged([(0.9, 5)], [(0.9, 0)]), *judged([(0.2, 5)], [(0.2, 0)], pod="b")))
    later = book.pooled(snapshot(1.2, *judged([(1.1, 7)], [(1.1, 0)]), *judged([(0.2, 5)], [(0.2, 0)], pod="b")))
    assert (later.total, later.ticks) == (2, 1)
    late = book.pooled(snapshot(1.2, *judged([(1.1, 7)], [(1.1, 0)]), *judged([(1.0, 9)], [(1.0, 1)], pod="b")))
    assert (late.bad, late.total, late.ticks) == (1, 5, 1)


def test_more_bad_than_total_is_passed_on() -> None:
    slo = an_slo(RatioIndicator(Selector("bad_total"), Selector("all_total")))
    book = Book(slo)

    def shot(step: float, bad: float, total: float) -> Snapshot:
        found = {"bad_total": bad, "all_total": total}
        families = {name: FamilyReading((series([(step, v)], version="v12"),)) for name, v in found.items()}
        return Snapshot(at(step), families)

    book.look(shot(0, 1, 10))
    found = book.pooled(shot(1, 3, 10))
    assert (found.bad, found.total) == (2, 0)


def test_judge_errors_are_counted_beside() -> None:
    book = Book(an_slo(RatioIndicator(HARM, JUDGED, FAILED)))

    def shot(step: float, ok: float, failed: float) -> Snapshot:
        error = series([(step, failed)], version="v12", verdict="error")
        return snapshot(step, *judged([(step, ok)], [(step, 0)]), error)

    book.look(shot(0, 5, 1))
    found = book.pooled(shot(1, 9, 3))
    assert (found.bad, found.total, found.errors) == (0, 4, 2)


def test_slos_on_the_same_series_do_not_lose_each_others_counts() -> None:
    """One is blind for a tick, the other is not: both have counted everything in the end."""
    with_errors = an_slo(RatioIndicator(HARM, JUDGED, Selector("failed_total")), name="strict")
    slos, versions, memory = [an_slo(), with_errors], [a_version("v12")], dict[str, tuple[float, float]]()
    totals = {slo.name: 0.0 for slo in slos}
    for step, problem in enumerate((None, "HTTP 500", None)):
        failed = FamilyReading((series([(step, 0)], version="v12"),), problem)
        families = {METRIC: FamilyReading(judged([(step, 10 * step)], [(step, step)])), "failed_total": failed}
        found, update = measure(slos, versions, Snapshot(at(step), families), memory, at(step), STEP, STEP, {})
        memory = dict(update)
        for one in found:
            totals[one.slo] += one.total
    assert set(totals.values()) == {22.0}


class TestScenarios:
    def test_total_is_the_slice_and_the_baseline(self) -> None:
        book = Book(by_hazard("ssh"))

        def shot(step: float, ok: float, ssh: float) -> Snapshot:
            return snapshot(step, *judged([(step, ok)], [(step, 0)]), *judged([(step, 0)], [(step, ssh)], hazard="ssh"))

        book.look(shot(0, 10, 0))
        pooled, ssh = book.look(shot(1, 30, 2))
        assert (pooled.bad, pooled.total) == (2, 22)
        assert (ssh.scenario, ssh.bad, ssh.total, ssh.ticks) == ("ssh", 2, 22, 1)

    def test_a_new_label_value_is_a_new_scenario(self) -> None:
        book = Book(by_hazard())
        assert [m.scenario for m in book.look(snapshot(0, *judged([(0, 1)], [(0, 0)])))] == [None]
        found = book.look(snapshot(1, *judged([(1, 5)], [(1, 0)]), *judged([(1, 0)], [(1, 3)], hazard="vcr")))
        assert [(m.scenario, m.bad, m.total) for m in found] == [(None, 3, 7), ("vcr", 3, 7)]

    def test_a_required_one_without_series_is_missing(self) -> None:
        found = Book(by_hazard("ssh", "cse")).look(
            snapshot(0, *judged([(0, 1)], [(0, 0)]), *judged([(0, 1)], [(0, 0)], hazard="ssh"))
        )
        assert [m.scenario for m in found if m.blind] == ["cse"]
        blind = found[-1].blind
        assert blind is not None
        assert blind.cause is BlindCause.SCENARIO_MISSING
        assert blind.detail == 'no fresh series of v12 has hazard="cse"; the label `hazard` has the values none, ssh'

    def test_one_that_is_gone_gives_no_evidence(self) -> None:
        book = Book(by_hazard(), known=("ssh",))
        book.look(snapshot(0, *judged([(0, 1)], [(0, 0)]), *judged([(0, 0)], [(0, 4)], hazard="ssh")))
        _, gone = book.look(snapshot(1, *judged([(1, 50)], [(1, 0)])))
        assert (gone.scenario, gone.bad, gone.total, gone.ticks, gone.blind) == ("ssh", 0, 0, 0, None)
        _, back = book.look(snapshot(2, *judged([(2, 60)], [(2, 0)]), *judged([(2, 0)], [(2, 6)], hazard="ssh")))
        assert (back.bad, back.total) == (2, 12)

    def test_without_a_baseline_no_slice_is_judged(self) -> None:
        """A slice by its label alone would be bad by construction."""
        _, ssh = Book(by_hazard("ssh")).look(snapshot(0, *judged([(0, 9)], [(0, 3)], hazard="ssh")))
        assert ssh.blind is not None
        assert 'hazard="none" (the baseline of every scenario)' in ssh.blind.detail

    def test_all_are_blind_with_the_whole(self) -> None:
        book = Book(by_hazard("ssh"), known=("vcr",))
        assert book.blind(snapshot(0, problem="HTTP 500")).cause is BlindCause.QUERY_FAILED
        assert [m.scenario for m in book.look(snapshot(0))] == [None, "ssh", "vcr"]


class TestLatency:
    @staticmethod
    def shot(step: float, count: Values, within: Values, le: str = "5", other: str = "10") -> Snapshot:
        buckets = [series(within, version="v12", le=le)]
        buckets += [series(count, version="v12", le=bound) for bound in (other, "+Inf")]
        families = {"seconds_bucket": FamilyReading(tuple(buckets))}
        families["seconds_count"] = FamilyReading((series(count, version="v12"),))
        return Snapshot(at(step), families)

    @pytest.mark.parametrize("le", ["5", "5.0", "5e0", "0.5e+01"])
    def test_bad_is_the_count_without_the_bucket(self, le: str) -> None:
        book = Book(latency())
        book.look(self.shot(0, [(0, 100)], [(0, 90)], le))
        found = book.pooled(self.shot(1, [(1, 120)], [(1, 107)], le))
        assert (found.bad, found.total, found.ticks) == (3, 20, 1)

    def test_another_spelling_of_the_bound_goes_on(self) -> None:
        book = Book(latency())
        book.look(self.shot(0, [(0, 100)], [(0, 90)], "5"))
        assert book.pooled(self.shot(1, [(1, 120)], [(1, 107)], "5.0")).bad == 3

    def test_a_bound_that_was_computed_is_named_to_the_microsecond(self) -> None:
        le = "5.681512866159528"
        book = Book(latency(5.681513))
        book.look(self.shot(0, [(0, 100)], [(0, 90)], le))
        assert book.pooled(self.shot(1, [(1, 120)], [(1, 107)], le)).bad == 3
        assert (
            "the buckets are 5.681513, 10, inf" in Book(latency(5.0)).blind(self.shot(0, [(0, 1)], [(0, 1)], le)).detail
        )

    def test_a_bound_that_is_no_bucket_lists_the_buckets(self) -> None:
        blind = Book(latency(4.0)).blind(self.shot(0, [(0, 100)], [(0, 90)], "5.0"))
        expected = "4 is no bucket bound of seconds; the buckets are 5, 10, inf"
        assert (blind.cause, blind.detail) == (BlindCause.ABSENT, expected)

    def test_a_scrape_between_the_two_queries_is_counted_once(self) -> None:
        book = Book(latency())
        book.look(self.shot(0, [(0, 100)], [(0, 90)]))
        torn = book.pooled(self.shot(1, [(0, 100), (0.9, 120)], [(0, 90)]))
        assert (torn.bad, torn.total, torn.ticks, torn.blind) == (0, 0, 0, None)
        found = book.pooled(self.shot(2, [(0.9, 120), (1.9, 130)], [(0.9, 110), (1.9, 119)]))
        assert (found.bad, found.total) == (1, 30)

    def test_a_restart_counts_both_anew(self) -> None:
        book = Book(latency())
        book.look(self.shot(0, [(0, 100)], [(0, 2)]))
        found = book.pooled(self.shot(1, [(1, 10)], [(1, 3)]))
        assert (found.bad, found.total) == (7, 10)


class TestBlind:
    def test_stale_when_every_sample_is_older_than_three_scrapes(self) -> None:
        shot = snapshot(0, *judged([(0, 1)], [(0, 0)]))
        assert Book().pooled(shot, step=3).blind is None
        blind = Book().blind(shot, step=3.1)
        assert blind.cause is BlindCause.STALE
        assert "is 46 s old; allowed: 45 s" in blind.detail

    def test_one_stale_pod_of_two_blinds_nothing(self) -> None:
        shot = snapshot(9, *judged([(0, 1)], [(0, 0)]), *judged([(9, 1)], [(9, 0)], pod="b"))
        assert Book().pooled(shot).blind is None

    def test_bad_series_that_went_stale_are_not_hidden_by_good_ones(self) -> None:
        ok, bad = judged([(9, 5)], [(0, 0)])
        assert Book().blind(snapshot(9, ok, bad)).cause is BlindCause.STALE

    def test_absent_names_the_versions_that_are_there(self) -> None:
        others = [series([(0, 1)], version=v, verdict="bad") for v in ("v10", "v11")]
        blind = Book().blind(snapshot(0, *others))
        assert blind.cause is BlindCause.ABSENT
        assert blind.detail == (
            f'no series of {METRIC}{{verdict="bad"}} has version="v12"; the label `version` has the values v10, v11'
        )

    def test_absent_names_the_label_that_differs(self) -> None:
        blind = Book().blind(snapshot(0, series([(0, 1)], version="v12", verdict="harmful")))
        assert blind.detail.endswith("the label `verdict` has the values harmful")

    def test_absent_altogether(self) -> None:
        blind = Book().blind(snapshot(0))
        assert blind.cause is BlindCause.ABSENT
        assert "check the metric's name, and that its target is scraped" in blind.detail

    def test_none_yet_is_zero_where_the_first_creates_its_series(self) -> None:
        book = Book(an_slo(RatioIndicator(HARM, JUDGED, FAILED, absent=Absent.ZERO)))
        ok = {"version": "v12", "verdict": "ok", "pod": "a"}
        bad, failed = {**ok, "verdict": "bad"}, {**ok, "verdict": "error"}
        assert book.pooled(snapshot(0, series([(0, 5)], **ok))).blind is None
        found = book.pooled(snapshot(1, series([(1, 9)], **ok)))
        assert (found.bad, found.total, found.errors, found.blind) == (0, 4, 0, None)
        born = snapshot(2, series([(2, 9)], **ok), series([(2, 1)], **bad), series([(2, 3)], **failed))
        found = book.pooled(born, since=0)
        assert (found.bad, found.total, found.errors) == (1, 1, 3)

    @pytest.mark.parametrize(
        ("found", "cause"),
        [
            ((series([(9, 5)], version="v12", verdict="bad"),), BlindCause.ABSENT),
            (judged([(9, 5)], [(0, 0)]), BlindCause.STALE),
            ((judged([(9, 5)], [])[0], series([(9, 0)], pod="b", verdict="bad")), BlindCause.IDENTITY_LOST),
            ((series([(9, 5)], version="v11", verdict="ok"),), BlindCause.ABSENT),
        ],
        ids=["no total", "stale", "without the version", "another version"],
    )
    def test_zero_is_no_more_than_a_series_that_is_not_there_yet(
        self, found: Sequence[Series], cause: BlindCause
    ) -> None:
        split = RatioIndicator(Selector("bad_total"), Selector("ok_total"), absent=Absent.ZERO)
        families: dict[str, FamilyReading] = {}
        for name, verdict in (("bad_total", "bad"), ("ok_total", "ok")):
            families[name] = FamilyReading(tuple(one for one in found if dict(one.labels)["verdict"] == verdict))
        assert Book(an_slo(split)).blind(Snapshot(at(9), families)).cause is cause

    def test_a_problem_of_the_server_is_never_zero(self) -> None:
        split = RatioIndicator(Selector("bad_total"), Selector("ok_total"), absent=Absent.ZERO)
        families = {"bad_total": FamilyReading((), "HTTP 500"), "ok_total": FamilyReading(judged([(9, 5)], []))}
        assert Book(an_slo(split)).blind(Snapshot(at(9), families)).cause is BlindCause.QUERY_FAILED

    def test_identity_lost(self) -> None:
        blind = Book().blind(snapshot(0, series([(0, 1)], pod="a", verdict="bad")))
        assert blind.cause is BlindCause.IDENTITY_LOST
        assert "has the label `version`; its labels are pod, verdict" in blind.detail

    def test_a_family_that_was_not_asked(self) -> None:
        assert Book().blind(Snapshot(at(0))).cause is BlindCause.QUERY_FAILED

    def test_the_problem_of_the_server_is_told(self) -> None:
        blind = Book().blind(snapshot(0, *judged([(0, 1)], [(0, 0)]), problem="partial: a shard is away"))
        assert (blind.cause, blind.detail) == (BlindCause.QUERY_FAILED, f"{METRIC}: partial: a shard is away")

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0])
    def test_a_value_that_no_counter_has(self, value: float) -> None:
        book = Book()
        book.look(snapshot(0, *judged([(0, 9)], [(0, 1)])))
        blind = book.blind(snapshot(1, *judged([(1, 12)], [(1, value)])))
        assert blind.cause is BlindCause.QUERY_FAILED
        assert 'verdict="bad"' in blind.detail
        found = book.pooled(snapshot(2, *judged([(2, 15)], [(2, 2)])))
        assert (found.bad, found.total, found.ticks) == (1, 7, 2)

    def test_a_clock_that_went_back_is_not_quiet(self) -> None:
        book = Book()
        book.look(snapshot(240, *judged([(240, 9)], [(240, 1)])))
        blind = book.blind(snapshot(1, *judged([(1, 30)], [(1, 9)])))
        assert blind.cause is BlindCause.STALE
        assert "the clock went back" in blind.detail
        assert book.pooled(snapshot(241, *judged([(241, 30)], [(241, 9)]))).bad == 8


class TestValues:
    slo = an_slo(PromqlIndicator('cost{version="{{version}}"}'), name="cost")
    query = 'cost{version="v12"}'

    def look(self, reading: ValueReading | None) -> Measurement:
        values = {} if reading is None else {self.query: reading}
        return Book(self.slo).pooled(Snapshot(at(0), values=values))

    def test_a_value(self) -> None:
        found = self.look(ValueReading(0.02))
        assert (found.value, found.ticks, found.blind) == (0.02, 1, None)

    @pytest.mark.parametrize(
        ("reading", "cause"),
        [
            (None, BlindCause.QUERY_FAILED),
            (ValueReading(), BlindCause.ABSENT),
            (ValueReading(problem="no series came back"), BlindCause.ABSENT),
            (ValueReading(problem="HTTP 500"), BlindCause.QUERY_FAILED),
            (ValueReading(float("nan")), BlindCause.QUERY_FAILED),
            (ValueReading(float("-inf")), BlindCause.QUERY_FAILED),
        ],
    )
    def test_no_value(self, reading: ValueReading | None, cause: BlindCause) -> None:
        found = self.look(reading)
        assert found.value is None
        assert found.blind is not None
        assert found.blind.cause is cause
        assert self.query in found.blind.detail


class TestAsks:
    def test_one_ask_per_family_restricted_to_what_is_needed(self) -> None:
        slos = (
            an_slo(RatioIndicator(HARM, JUDGED, FAILED)),
            an_slo(LatencyIndicator("seconds", 5.0, (Matcher("route", ("chat",)),)), name="latency"),
            an_slo(PromqlIndicator('cost{version="{{version}}"}'), name="cost"),
        )
        both = Matcher("version", ("v11", "v12"))
        route = Matcher("route", ("chat",))
        assert asks(a_rollout(slos=slos), [a_version("v11"), a_version("v12")]) == (
            FamilyAsk(METRIC, (Matcher("verdict", ("bad", "error", "ok")), both)),
            FamilyAsk("seconds_bucket", (route, both)),
            FamilyAsk("seconds_count", (route, both)),
            QueryAsk('cost{version="v11"}'),
            QueryAsk('cost{version="v12"}'),
        )

    def test_a_label_that_only_some_restrict_is_free(self) -> None:
        free = an_slo(RatioIndicator(HARM, Selector(METRIC)))
        found = asks(a_rollout(slos=(free,)), [a_version("v11", "model"), a_version("v12")])
        assert found == (FamilyAsk(METRIC),)

    @pytest.mark.parametrize(
        ("query", "filled"),
        [
            ('a{v="{{version}}"}', 'a{v="x.\\"y"}'),
            ("a{v='{{version}}'}", "a{v='x.\"y'}"),
            ('a{v=~"{{version}}-.*"}', 'a{v=~"x\\\\.\\"y-.*"}'),
            ("a{v=`{{version}}`}", 'a{v=`x."y`}'),
            ('{{version}}{v="\\"{{version}}"}', '{{version}}{v="\\"x.\\"y"}'),
            ('a # "{{version}}"\n', 'a # "{{version}}"\n'),
        ],
    )
    def test_fill_escapes_for_the_place(self, query: str, filled: str) -> None:
        assert fill(query, a_version('x."y').name) == filled


def test_ten_thousand_series_are_counted_quickly() -> None:
    """0.3 s on a quiet core; the limit leaves room for a busy one."""

    def shot(step: int) -> Snapshot:
        samples = [(step - 3.0 + i, float(step * 4 + i)) for i in range(4)]
        found = [
            series(samples, version="v12", pod=f"pod-{pod}", verdict=verdict, hazard=hazard)
            for pod in range(1000)
            for hazard in ("none", "ssh", "vcr", "cse", "iwp")
            for verdict in ("ok", "bad")
        ]
        return snapshot(step, *found)

    book = Book(by_hazard("ssh"))
    book.look(shot(3))
    second = shot(4)
    began = time.process_time()
    found = book.pooled(second)
    assert time.process_time() - began < 1.0
    assert found.total == 10_000 * 4


def test_many_rollouts_share_one_index() -> None:
    """What a rollout costs depends on its own series, not on everybody's."""
    found = [
        series([(0, 1)], version="v12", app=f"app-{app}", verdict=verdict)
        for app in range(500)
        for verdict in ("ok", "bad")
    ]
    index = Indexed(snapshot(0, *found))
    for app in range(500):
        own = Matcher("app", (f"app-{app}",))
        indicator = RatioIndicator(Selector(METRIC, (own, *HARM.match)), Selector(METRIC, (own, *JUDGED.match)))
        slo = an_slo(indicator, name=f"slo-{app}")
        _, memory = measure([slo], [a_version("v12")], index, {}, at(0), STEP, STEP, {SloName("other"): ()})
        assert len(memory) == 3
