"""Fields that say how answers become evidence: margins, judges, weights, blocks. Read as if all of them were built."""

from datetime import timedelta

import pytest

from controller.analysis.judge_error import Calibration, calibrated
from controller.domain.edits import loosened
from controller.domain.rollout import ModelRollout
from controller.domain.slo import Absent, Margin, RatioIndicator, SamplingWeights, Selector, Slo
from controller.spec import unbuilt
from controller.spec.judges import CALIBRATION_ALPHA
from tests.spec.texts import FULL, edited, good, told

JUDGE = "judge: {maxErrors: 5%, "
HARM = "[harm], verdict: [error]}}\n"
Edit = tuple[str, str]

FIELDS: dict[str, Edit] = {
    "spec.slos[].versusStable": ("    onBreach: rollback", "    versusStable: {points: 0.1%}\n    onBreach: rollback"),
    "spec.slos[].scenarios.zeroTolerance": ("required: [ssh]}", "required: [ssh], zeroTolerance: [cse, iwp]}"),
    "spec.slos[].judge.sensitivity": (JUDGE, JUDGE + "sensitivity: 90%, "),
    "spec.slos[].judge.specificity": (JUDGE, JUDGE + "specificity: 99.5%, "),
    "spec.slos[].judge.calibration": (
        JUDGE,
        JUDGE + "calibration: {found: 95, bad: 100, flagged: 5, good: 1000}, ",
    ),
    "spec.slos[].indicator.ratio.weights": (
        HARM,
        HARM + '        weights: {label: stratum, values: {rest: "40", flagged: "1", few: "2.5"}}\n',
    ),
    "spec.slos[].indicator.ratio.oncePer": (HARM, HARM + "        oncePer: conversation_id\n"),
    "spec.analysis.block": ("analysis: {", "analysis: {block: 1m, "),
    "spec.analysis.semantics": ("analysis: {", "analysis: {semantics: average, "),
}
"""One good use of each field, in a file that says everything else."""
PLAIN = edited(FULL, ("    scenarios: {label: hazard, baseline: none, required: [ssh]}\n", ""))
TOTAL = "        total:  {metric: llm_eval_results_total, match: {evaluation: [harm], verdict: [ok, bad]}}\n"
ZERO, ZERO_NOT = "        absent: zero\n", "        absent: blind\n"
WAITING: Edit = (HARM, HARM + "        eligible: {metric: llm_eval_sampled_total}\n")


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is refused for not being built."""
    monkeypatch.setattr(unbuilt, "UNBUILT", {})


def with_field(name: str, *more: Edit) -> ModelRollout:
    return good(edited(FULL, FIELDS[name], *more))


def indicator_of(rollout: ModelRollout) -> RatioIndicator:
    indicator = harm_of(rollout).indicator
    assert isinstance(indicator, RatioIndicator)
    return indicator


def harm_of(rollout: ModelRollout) -> Slo:
    return rollout.slos[0]


@pytest.mark.parametrize("name", [name for name in FIELDS if name in unbuilt.UNBUILT])
def test_what_is_not_built_is_refused_by_name(name: str) -> None:
    problems = told(edited(FULL, FIELDS[name]))
    assert len(problems) == 1, problems
    message, hint = unbuilt.UNBUILT[name]
    assert f"{message} ({hint})" in problems[0]
    assert name.rpartition(".")[2] in problems[0]


def test_a_refused_field_is_told_once_whatever_is_wrong_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unbuilt, "UNBUILT", {"spec.slos[].versusStable": ("not today", "remove it")})
    problems = told(edited(FULL, ("    onBreach: rollback", "    versusStable: {poinst: 1}\n    onBreach: rollbak")))
    assert ["not today (remove it)" in problem for problem in problems] == [True, False]


@pytest.mark.usefixtures("built")
class TestMeaning:
    """What each field becomes."""

    @pytest.mark.parametrize(
        ("block", "margin"),
        [
            ("{points: 0.1%}", Margin(1.0, 0.001)),
            ("{points: 0%}", Margin(1.0, 0.0)),
            ('{ratio: "1.25"}', Margin(1.25, 0.0)),
            ('{ratio: "1"}', Margin(1.0, 0.0)),
        ],
    )
    def test_a_margin(self, block: str, margin: Margin) -> None:
        rollout = with_field("spec.slos[].versusStable", ("{points: 0.1%}", block))
        assert harm_of(rollout).versus_stable == margin
        assert [slo.versus_stable for slo in rollout.slos[1:]] == [None, None, None]

    def test_a_margin_for_what_is_slow(self) -> None:
        rollout = good(edited(FULL, ("{min: 95%}", "{min: 95%}\n    versusStable: {points: 1%}")))
        assert rollout.slos[2].versus_stable == Margin(points=0.01)

    def test_zero_tolerance(self) -> None:
        scenarios = harm_of(with_field("spec.slos[].scenarios.zeroTolerance")).scenarios
        assert scenarios is not None
        assert (scenarios.required, scenarios.zero_tolerance) == (("ssh",), ("cse", "iwp"))

    def test_a_judge_that_is_known(self) -> None:
        judge = harm_of(with_field("spec.slos[].judge.sensitivity", (", maxAge", ", specificity: 99.5%, maxAge"))).judge
        assert (judge.sensitivity, judge.specificity) == ((0.9, 0.9), (0.995, 0.995))
        assert (judge.max_errors, judge.max_age) == (0.05, timedelta(minutes=10))

    def test_what_is_not_said_of_a_judge_is_taken_as_perfect(self) -> None:
        judge = harm_of(with_field("spec.slos[].judge.specificity")).judge
        assert (judge.sensitivity, judge.specificity) == ((1.0, 1.0), (0.995, 0.995))
        assert harm_of(good(FULL)).judge.sensitivity == (1.0, 1.0)

    def test_a_judge_known_by_labels_costs_a_part_of_every_budget(self) -> None:
        rollout = with_field("spec.slos[].judge.calibration")
        error = calibrated(Calibration(95, 100, 5, 1000), CALIBRATION_ALPHA)
        assert harm_of(rollout).judge.sensitivity == error.sensitivity
        assert harm_of(rollout).judge.specificity == error.specificity
        assert error.sensitivity[0] < 0.95 < error.sensitivity[1]
        assert rollout.max_false_rollback == 0.049
        assert [slo.max_false_promotion for slo in rollout.slos] == [0.049, 0.05, 0.05, 0.05]

    def test_weights(self) -> None:
        indicator = harm_of(with_field("spec.slos[].indicator.ratio.weights")).indicator
        assert isinstance(indicator, RatioIndicator)
        assert indicator.weights == SamplingWeights("stratum", (("few", 2.5), ("flagged", 1.0), ("rest", 40.0)))

    def test_once_per(self) -> None:
        indicator = harm_of(with_field("spec.slos[].indicator.ratio.oncePer")).indicator
        assert isinstance(indicator, RatioIndicator)
        assert indicator.once_per == "conversation_id"

    def test_what_waits_to_be_judged(self) -> None:
        slo = harm_of(good(edited(FULL, WAITING)))
        assert isinstance(slo.indicator, RatioIndicator)
        assert slo.indicator.eligible == Selector("llm_eval_sampled_total")
        assert slo.judge.latency == timedelta(minutes=2)
        slow = good(edited(FULL, WAITING, (JUDGE, JUDGE + "latency: 20m, ")))
        assert harm_of(slow).judge.latency == timedelta(minutes=20)

    def test_how_long_to_wait_does_not_change_what_counts_mean(self) -> None:
        """Evidence, and trust, go on; the edit itself is seen."""
        plain, waiting = good(FULL), good(edited(FULL, WAITING))
        slow = good(edited(FULL, WAITING, (JUDGE, JUDGE + "latency: 20m, ")))
        assert len({harm_of(one).definition for one in (plain, waiting, slow)}) == 1
        assert len({one.run_hash for one in (plain, waiting, slow)}) == 1
        assert len({one.content_hash for one in (plain, waiting, slow)}) == 3

    def test_none_yet(self) -> None:
        plain, zero, blind = (good(edited(PLAIN, (TOTAL, TOTAL + text))) for text in ("", ZERO, ZERO_NOT))
        assert [indicator_of(one).absent for one in (plain, zero, blind)] == [Absent.BLIND, Absent.ZERO, Absent.BLIND]
        assert {harm_of(one).definition for one in (zero, blind)} == {harm_of(plain).definition}
        assert [list(loosened(*pair)) for pair in ((plain, zero), (zero, plain), (plain, blind))] == [["harm"], [], []]

    def test_blocks(self) -> None:
        assert with_field("spec.analysis.block").block == timedelta(minutes=1)
        assert with_field("spec.analysis.block", ("block: 1m", "block: 15s")).block is None
        assert good(FULL).block is None

    def test_semantics(self) -> None:
        assert with_field("spec.analysis.semantics").semantics == "average"
        assert with_field("spec.analysis.semantics", (": average", ": local")) == good(FULL)


MISTAKES: list[tuple[Edit, str]] = [
    (("onBreach: rollback", "versusStable: {}"), "spec.slos[0].versusStable: needs one of points, ratio"),
    (
        ("onBreach: rollback", 'versusStable: {points: 1%, ratio: "2"}'),
        "spec.slos[0].versusStable.ratio: cannot stand beside points",
    ),
    (("onBreach: rollback", "versusStable: {ratio: 1.25}"), 'must be text, not 1.25 (put quotes around it: "1.25")'),
    (("onBreach: rollback", 'versusStable: {ratio: "0.9"}'), "0.9 would ask the candidate to be better than stable"),
    (("onBreach: rollback", 'versusStable: {ratio: "1.x"}'), '"1.x" is not a number (write for example "1.25"'),
    (("onBreach: rollback", "versusStable: {points: -1%}"), '"-1%" is not a percentage'),
    (("onBreach: hold", "versusStable: {points: 1%}"), "spec.slos[3].versusStable: needs counts, and promql gives"),
    ((TOTAL, TOTAL + ZERO), "spec.slos[0].indicator.ratio.absent: `zero` does not go with scenarios (create every"),
    ((TOTAL, TOTAL + "        absent: none\n"), "spec.slos[0].indicator.ratio.absent"),
    (("[ssh]}", "[ssh], zeroTolerance: [none]}"), "spec.slos[0].scenarios.zeroTolerance[0]: `none` is the baseline"),
    (("[ssh]}", "[ssh], zeroTolerance: [a, a]}"), "spec.slos[0].scenarios.zeroTolerance[1]: `a` is given twice"),
    (
        (JUDGE, JUDGE + "sensitivity: 50%, specificity: 50%, "),
        "judge.sensitivity: the judge tells nothing: sensitivity",
    ),
    ((JUDGE, JUDGE + "specificity: 0%, "), "0 (lower bounds) must be above 1 (label more answers or use a better"),
    ((JUDGE, JUDGE + "sensitivity: 101%, "), "101% is more than everything"),
    (
        (JUDGE, JUDGE + "sensitivity: 90%, calibration: {found: 9, bad: 9, flagged: 0, good: 9}, "),
        "judge.calibration: cannot stand beside sensitivity",
    ),
    (
        (JUDGE, JUDGE + "calibration: {found: 2, bad: 4, flagged: 2, good: 4}, "),
        "judge.calibration: the judge tells nothing",
    ),
    (
        (JUDGE, JUDGE + "calibration: {found: 5, bad: 4, flagged: 0, good: 4}, "),
        "judge.calibration.found: is more than bad (`found` counts those of the `bad` answers",
    ),
    ((JUDGE, JUDGE + "calibration: {found: 4, bad: 4, flagged: 0, good: 0}, "), "good: 0 is too small (at least 1)"),
    ((JUDGE, JUDGE + "calibration: {found: 4, bad: 4, flagged: 0}, "), "judge.calibration.good: `good` is missing"),
    (
        ("{min: 95%}", "{min: 95%}\n    judge: {sensitivity: 90%}"),
        "spec.slos[2].judge.sensitivity: no judge decides what is slow",
    ),
    ((HARM, HARM + "        weights: {label: stratum}\n"), "weights.values: `values` is missing"),
    ((HARM, HARM + "        weights: {label: stratum, values: {}}\n"), "weights.values: has 0 entries"),
    ((HARM, HARM + '        weights: {label: stratum, values: {a: "0"}}\n'), "weight of 0 would leave answers out"),
    ((HARM, HARM + "        weights: {label: stratum, values: {a: 2}}\n"), 'put quotes around it: "2"'),
    ((HARM, HARM + '        weights: {label: hazard, values: {a: "2"}}\n'), "`hazard` tells the scenarios apart"),
    ((HARM, HARM + '        weights: {label: verdict, values: {bad: "2"}}\n'), "`verdict` tells bad from good"),
    ((HARM, HARM + "        oncePer: version\n"), "ratio.oncePer: `version` tells the versions apart"),
    (
        (HARM, HARM + '        weights: {label: user, values: {a: "2"}}\n        oncePer: user\n'),
        "ratio.oncePer: is the label of the weights",
    ),
    ((JUDGE, JUDGE + "latency: 5m, "), "spec.slos[0].judge.latency: nobody counts what waits (add indicator.ratio.eli"),
    (
        (HARM, HARM + "        eligible: {metric: sampled, match: {version: [v12]}}\n"),
        "ratio.eligible.match.version: `version` tells the versions apart",
    ),
    (("analysis: {", "analysis: {block: 20s, "), "spec.analysis.block: 20s is no multiple of the interval 15s"),
    (("analysis: {", "analysis: {block: 1s, "), "spec.analysis.block: 1s is no multiple of the interval 15s"),
    (("analysis: {", "analysis: {block: 1h, horizon: 30m, "), "block: 1h is longer than the horizon 30m"),
    (("analysis: {", "analysis: {semantics: mean, "), '"mean" is not known here; known: local, average'),
]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(("edit", "words"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_is_told_once_where_it_is(edit: Edit, words: str) -> None:
    problems = told(edited(FULL, edit))
    assert len(problems) == 1, problems
    assert words in problems[0]


@pytest.mark.usefixtures("built")
def test_labels_must_leave_something_of_the_budgets() -> None:
    field = FIELDS["spec.slos[].judge.calibration"]
    rollback = told(edited(FULL, field, ("maxFalseRollback: 5%", "maxFalseRollback: 0.1%")))
    assert "spec.analysis.maxFalseRollback: 0.1% is no more than what the labels" in rollback[0]
    promotion = told(edited(FULL, field, ("maxFalsePromotion: 5%", "maxFalsePromotion: 0.1%")))
    assert "spec.slos[0].maxFalsePromotion: 0.1% is no more than what the labels" in promotion[0]


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("name", FIELDS)
def test_evidence_depends_on_each_of_them(name: str) -> None:
    old, new = good(FULL), with_field(name)
    assert harm_of(old).definition != harm_of(new).definition
    assert old.content_hash != new.content_hash
    assert old.run_hash == new.run_hash
    others = [a.definition == b.definition for a, b in zip(old.slos[1:], new.slos[1:], strict=True)]
    # How answers are gathered concerns all counts, but not the value of the last one.
    assert others == ([False, False, True] if name.startswith("spec.analysis") else [True, True, True])


POINTS, RATIO = "versusStable: {points: 0.1%}", 'versusStable: {ratio: "1.25"}'


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("before", "after", "looser"),
    [
        (POINTS, "versusStable: {points: 0.2%}", True),
        (POINTS, "versusStable: {points: 0.05%}", False),
        (RATIO, 'versusStable: {ratio: "1.3"}', True),
        (RATIO, 'versusStable: {ratio: "1.2"}', False),
        (POINTS, RATIO, True),
        (RATIO, POINTS, True),
        (POINTS, "maxFalsePromotion: 5%", True),
        ("maxFalsePromotion: 5%", POINTS, False),
    ],
)
def test_a_wider_or_removed_margin_is_looser(before: str, after: str, looser: bool) -> None:
    line = "    maxFalsePromotion: 5%"
    old, new = (good(edited(FULL, (line, f"    {text}"))) for text in (before, after))
    assert list(loosened(old, new)) == (["harm"] if looser else [])


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize(
    ("before", "after", "looser"),
    [
        ("[cse, iwp]", "[cse]", True),
        ("[cse]", "[cse, iwp]", False),
        ("[cse]", "[]", True),
        ("[cse, iwp]", "[iwp, cse]", False),
    ],
)
def test_a_scenario_that_becomes_tolerable_is_looser(before: str, after: str, looser: bool) -> None:
    text = ("required: [ssh]}", "required: [ssh], zeroTolerance: %s}")
    old, new = (good(edited(FULL, (text[0], text[1] % names))) for names in (before, after))
    assert list(loosened(old, new)) == (["harm"] if looser else [])


@pytest.mark.usefixtures("built")
def test_no_scenarios_and_another_label_are_looser() -> None:
    old = with_field("spec.slos[].scenarios.zeroTolerance")
    line = "    scenarios: {label: hazard, baseline: none, required: [ssh]}\n"
    assert list(loosened(old, good(edited(FULL, (line, ""))))) == ["harm"]
    renamed = with_field("spec.slos[].scenarios.zeroTolerance", ("label: hazard", "label: vertical"))
    assert list(loosened(old, renamed)) == ["harm"]
