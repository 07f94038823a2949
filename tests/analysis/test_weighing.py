"""Answers that stand for several, and users of whom one bad answer counts: case by case, and as laws."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.analysis.counting import measure
from controller.analysis.identity import check_identity
from controller.domain.measure import FamilyReading, Measurement, Series, SeriesMemory, Snapshot
from controller.domain.slo import RatioIndicator, SamplingWeights, Scenarios, Slo
from controller.testing.builders import a_rollout
from tests.analysis.counters import FAILED, HARM, JUDGED, METRIC, START, STEP, a_version, an_slo, at, series, snapshot

V12 = a_version("v12")
WEIGHTS = SamplingWeights("stratum", (("flagged", 1.0), ("rest", 40.0), ("some", 2.5)))
Key = tuple[str, str, str, str, str]
"""Pod, user, stratum, hazard, verdict."""


def weighed(once_per: str | None = None, weights: SamplingWeights | None = WEIGHTS) -> Slo:
    return an_slo(
        RatioIndicator(HARM, JUDGED, FAILED, weights, once_per), Scenarios("hazard", "none", zero_tolerance=("ssh",))
    )


class Counters:
    """Counters of v12 that only grow, looked at once per step."""

    span: timedelta | None = None

    def __init__(self, slo: Slo, known: Sequence[Key] = ()) -> None:
        self.slo, self.step = slo, 0
        self.values: dict[Key, int] = dict.fromkeys(known, 0)
        self.memory: SeriesMemory = {}
        self.look({("a", "", "flagged", "none", verdict): 0 for verdict in ("ok", "bad", "error")})

    def look(self, more: dict[Key, int], backwards: bool = False) -> tuple[Measurement, ...]:
        for key, count in more.items():
            self.values[key] = self.values.get(key, 0) + count
        found = [self._series(key, value) for key, value in self.values.items()]
        shot = snapshot(self.step, *(reversed(found) if backwards else found))
        now, self.step = at(self.step), self.step + 1
        measured, self.memory = measure([self.slo], [V12], shot, self.memory, now, STEP, STEP, {}, START, self.span)
        return measured

    def _series(self, key: Key, value: int) -> Series:
        pod, user, stratum, hazard, verdict = key
        named = {"user": user} if user else {}
        return series(
            [(self.step, value)], version="v12", pod=pod, stratum=stratum, hazard=hazard, verdict=verdict, **named
        )


def test_an_answer_counts_for_as_many_as_it_stands_for() -> None:
    book = Counters(weighed())
    whole, *_ = book.look(
        {
            ("a", "", "flagged", "none", "ok"): 3,
            ("a", "", "rest", "none", "ok"): 2,
            ("a", "", "some", "none", "bad"): 2,
            ("a", "", "unheard", "none", "ok"): 7,
            ("a", "", "rest", "none", "error"): 1,
        }
    )
    assert (whole.bad, whole.total, whole.errors) == (5.0, 3 + 80 + 5 + 7, 40.0)


def test_one_user_is_one_bad_answer_and_all_answers() -> None:
    book = Counters(weighed("user", None))
    whole, *_ = book.look(
        {
            ("a", "eve", "x", "none", "bad"): 49,
            ("b", "eve", "x", "none", "bad"): 1,
            ("a", "ada", "x", "none", "bad"): 1,
            ("a", "ben", "x", "none", "ok"): 5,
        }
    )
    assert (whole.bad, whole.total) == (2, 56)
    whole, *_ = book.look({("b", "eve", "x", "none", "bad"): 9})
    assert (whole.bad, whole.total) == (1, 9)


def test_who_has_no_name_is_counted_in_full() -> None:
    """A label that got lost must not make one bad answer out of many."""
    whole, *_ = Counters(weighed("user", None)).look({("a", "", "x", "none", "bad"): 5})
    assert (whole.bad, whole.total) == (5, 5)


def test_a_user_with_two_hazards_counts_once_in_each_and_once_in_all() -> None:
    book = Counters(weighed("user", None))
    found = book.look({("a", "eve", "x", "ssh", "bad"): 3, ("a", "eve", "x", "vcr", "bad"): 2})
    assert {one.scenario: (one.bad, one.total) for one in found} == {None: (1, 5), "ssh": (1, 3), "vcr": (1, 2)}


def test_of_a_user_the_answer_that_stands_for_most_counts() -> None:
    book = Counters(weighed("user"))
    whole, *_ = book.look({("a", "eve", "flagged", "none", "bad"): 3, ("a", "eve", "some", "none", "bad"): 2})
    assert (whole.bad, whole.total) == (2.5, 8.0)


def test_other_weights_begin_anew() -> None:
    """What was counted with one weight cannot go on with another."""
    book = Counters(weighed())
    book.slo = weighed(weights=replace(WEIGHTS, values=(("rest", 10.0),)))
    whole, *_ = book.look({("a", "", "rest", "none", "ok"): 2})
    assert (whole.total, whole.ticks) == (0, 0)
    assert book.look({("a", "", "rest", "none", "ok"): 2})[0].total == 20


@pytest.mark.parametrize(("stratum", "told"), [("rest", ()), ("unheard", ("rest",))])
def test_weights_that_no_series_has_are_told_before_the_run(stratum: str, told: tuple[str, ...]) -> None:
    stable = a_version("v11")
    found = [
        series([(0, 1)], version=version, verdict=verdict, stratum=stratum, hazard="none")
        for version in ("v11", "v12")
        for verdict in ("ok", "bad", "error")
    ]
    rollout = replace(a_rollout(), slos=(replace(weighed(), scenarios=None),))
    problems = check_identity(rollout, stable, V12, snapshot(0, *found))
    assert len(problems) == (2 if told else 0)
    assert all("stratum of flagged, rest, some; its values are unheard" in one for one in problems)


keys = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from(["", "ada", "eve"]),
    st.sampled_from(["flagged", "some", "rest", "unheard"]),
    st.sampled_from(["none", "ssh", "vcr"]),
    st.sampled_from(["ok", "bad", "error"]),
)
steps = st.dictionaries(keys, st.integers(0, 6), max_size=12)
stories = st.lists(steps, max_size=8)
once = st.sampled_from([None, "user"])


def weight_of(key: Key, weights: SamplingWeights | None) -> float:
    return dict(weights.values).get(key[2], 1.0) if weights else 1.0


def bad_in(step: dict[Key, int], once_per: str | None, weights: SamplingWeights | None, hazard: str | None) -> float:
    """The definition, spelled out: per user the greatest weight, if there is any bad answer; without users all."""
    bad = {k: n for k, n in step.items() if k[4] == "bad" and n > 0 and hazard in (None, k[3])}
    if once_per is None:
        return sum(n * weight_of(k, weights) for k, n in bad.items())
    named = {k[1] for k in bad} - {""}
    unnamed = sum(n * weight_of(k, weights) for k, n in bad.items() if not k[1])
    return unnamed + sum(max(weight_of(k, weights) for k in bad if k[1] == user) for user in named)


@given(stories, once, st.sampled_from([None, WEIGHTS]))
def test_every_tick_counts_exactly_what_the_definition_says(
    story: list[dict[Key, int]], once_per: str | None, weights: SamplingWeights | None
) -> None:
    book = Counters(weighed(once_per, weights))
    for step in story:
        whole, *slices = book.look(step)
        judged = {k: n for k, n in step.items() if k[4] != "error"}
        assert whole.bad == bad_in(step, once_per, weights, None)
        assert whole.total == sum(n * weight_of(k, weights) for k, n in judged.items())
        assert whole.errors == sum(n * weight_of(k, weights) for k, n in step.items() if k[4] == "error")
        for one in slices:
            assert one.scenario is not None
            assert one.bad == bad_in(step, once_per, weights, one.scenario)
            own = {k: n for k, n in judged.items() if k[3] in (one.scenario, "none")}
            assert one.total == sum(n * weight_of(k, weights) for k, n in own.items())


@given(stories, once, st.lists(st.floats(0.001, 1000), min_size=3, max_size=3))
def test_the_order_of_series_does_not_matter(
    story: list[dict[Key, int]], once_per: str | None, weights: list[float]
) -> None:
    """Not even to the last bit, with weights that no float can hold exactly."""
    strata = SamplingWeights("stratum", tuple(zip(("flagged", "rest", "some"), weights, strict=True)))
    one, other = Counters(weighed(once_per, strata)), Counters(weighed(once_per, strata))
    for step in story:
        assert one.look(step) == other.look(step, backwards=True)


@given(stories, steps)
def test_one_per_user_is_never_more_than_all_and_more_bad_is_never_less(
    story: list[dict[Key, int]], more: dict[Key, int]
) -> None:
    capped, full, worse = Counters(weighed("user")), Counters(weighed()), Counters(weighed("user"))
    extra = {key: count for key, count in more.items() if key[4] == "bad"}
    for step in story:
        harder = {key: step.get(key, 0) + extra.get(key, 0) for key in {**step, **extra}}
        mine, everything, theirs = capped.look(step)[0], full.look(step)[0], worse.look(harder)[0]
        assert mine.bad <= everything.bad
        assert mine.total == everything.total
        assert mine.bad <= theirs.bad


NOW = datetime(2026, 1, 5, tzinfo=UTC)


class TestForgetting:
    """A memory of many series, most of them of pods that are gone."""

    def look(
        self, memory: SeriesMemory, now: datetime, slos: Sequence[Slo], pods: int = 1, problem: str | None = None
    ) -> SeriesMemory:
        found = [
            Series((("pod", f"{pod}"), ("verdict", verdict), ("version", "v12")), ((now.timestamp(), 5.0),))
            for pod in range(pods)
            for verdict in ("ok", "bad")
        ]
        shot = Snapshot(now, {METRIC: FamilyReading(tuple(found), problem)})
        return measure(slos, [V12], shot, memory, now, STEP, STEP, {})[1]

    def test_what_vanished_is_forgotten_after_a_day_when_there_is_too_much(self) -> None:
        memory = self.look({}, NOW, [an_slo()], pods=2_600)
        assert len(memory) == 5_201
        within = self.look(memory, NOW + timedelta(hours=24), [an_slo()])
        assert len(within) == 5_201
        after = self.look(within, NOW + timedelta(hours=24, seconds=15), [an_slo()])
        assert len(after) == 3
        assert self.look(after, NOW + timedelta(hours=24, seconds=30), [an_slo()]).keys() == after.keys()

    def test_a_series_that_is_still_there_is_kept_however_old_its_sample(self) -> None:
        """A pod that no scrape reaches any more, in an answer that still holds it."""
        memory = self.look({}, NOW, [an_slo()], pods=2_600)
        now = NOW + timedelta(days=2)
        fresh = [Series((("verdict", one), ("version", "v12")), ((now.timestamp(), 5.0),)) for one in ("ok", "bad")]
        old = Series((("pod", "7"), ("verdict", "ok"), ("version", "v12")), ((NOW.timestamp(), 5.0),))
        shot = Snapshot(now, {METRIC: FamilyReading((*fresh, old))})
        after = measure([an_slo()], [V12], shot, memory, now, STEP, STEP, {})[1]
        assert len(after) == 4

    def test_a_small_memory_is_kept_for_ever(self) -> None:
        memory = self.look({}, NOW, [an_slo()], pods=2_499)
        assert self.look(memory, NOW + timedelta(days=90), [an_slo()]).keys() == memory.keys()

    def test_nothing_is_forgotten_while_blind(self) -> None:
        memory = self.look({}, NOW, [an_slo()], pods=2_600)
        assert self.look(memory, NOW + timedelta(days=2), [an_slo()], problem="HTTP 500") == memory

    def test_one_that_is_blind_forgets_nothing_while_another_is_measured(self) -> None:
        """Otherwise its series would count their whole history when it sees again."""
        blind = an_slo(RatioIndicator(HARM, JUDGED, FAILED), name="strict")
        memory = self.look({}, NOW, [an_slo()], pods=2_600)
        kept = {key.replace("harm/", "strict/"): seen for key, seen in memory.items()}
        after = self.look({**memory, **kept}, NOW + timedelta(days=2), [an_slo(), blind])
        assert {key for key in after if key.startswith("strict/")} == set(kept)
        assert len(after) == len(kept) + 3

    def test_who_is_not_asked_for_any_more_is_forgotten_as_a_whole(self) -> None:
        """Its mark with its series: when it comes back, it begins anew."""
        memory = self.look({}, NOW, [an_slo(name="former")], pods=2_600)
        later = NOW + timedelta(days=2)
        assert {key.partition("/")[0] for key in self.look(memory, later, [an_slo()])} == {"harm"}
        newer = {key: (later.timestamp(), value) for key, (_, value) in list(memory.items())[:1]}
        assert memory.keys() <= self.look({**memory, **newer}, later, [an_slo()]).keys()


BLOCK = 4
"""Ticks in a block."""


class Blocks(Counters):
    """The same, judged in blocks."""

    span = BLOCK * STEP


def bad_of(user: str, hazard: str = "none", stratum: str = "", count: int = 1) -> dict[Key, int]:
    return {("a", user, stratum, hazard, "bad"): count}


def test_one_bad_answer_per_user_and_block() -> None:
    book = Blocks(weighed("user", None))
    told = [book.look(bad_of("ada", count=3))[0].bad for _ in range(2 * BLOCK)]
    assert told == [1, 0, 0, 0, 1, 0, 0, 0]


def test_users_do_not_stand_in_for_each_other_and_nobody_is_hidden() -> None:
    book = Blocks(weighed("user", None))
    assert book.look({**bad_of("ada"), **bad_of("bob"), **bad_of("", count=2)})[0].bad == 4
    assert book.look({**bad_of("ada"), **bad_of("eve"), **bad_of("")})[0].bad == 2


def test_every_scenario_counts_by_itself() -> None:
    book = Blocks(weighed("user", None))
    whole, *_ = book.look(bad_of("ada", "vcr"))
    later, *slices = book.look(bad_of("ada", "ssh"))
    assert (whole.bad, later.bad) == (1, 0)
    assert {one.scenario: one.bad for one in slices} == {"vcr": 0, "ssh": 1}


def test_a_graver_answer_adds_what_it_stands_for_more() -> None:
    book = Blocks(weighed("user"))
    told = [book.look(bad_of("ada", stratum=stratum))[0].bad for stratum in ("flagged", "some", "rest", "flagged")]
    assert told == [1, 1.5, 37.5, 0]


def test_who_counted_is_forgotten_after_the_block() -> None:
    book = Blocks(weighed("user", None))
    for number in range(3 * BLOCK):
        book.look(bad_of(f"user-{number}"))
        assert sum("once per" in key for key in book.memory) <= 2 * BLOCK
    for _ in range(BLOCK):
        book.look({})
    assert not any("once per" in key for key in book.memory)


@given(st.lists(st.integers(0, 3), max_size=20), st.integers(0, 3))
def test_no_block_holds_two_bad_answers_of_one_user(story: list[int], begin: int) -> None:
    """Wherever blocks begin; and never is more than every other block of a busy user lost."""
    book = Blocks(weighed("user", None))
    counted = [book.look(bad_of("ada", count=count))[0].bad for count in story]
    for first in range(begin, len(counted), BLOCK):
        assert sum(counted[first : first + BLOCK]) <= 1
    seen = sum(1 for first in range(0, len(story), BLOCK) if any(story[first : first + BLOCK]))
    assert sum(counted) >= (seen + 1) // 2
