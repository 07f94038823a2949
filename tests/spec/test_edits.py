"""Hashes say what an edit means; `loosened` says which SLOs now allow more."""

import pytest

from controller.domain.edits import loosened
from tests.spec.texts import FULL, MINIMAL, edited, good


def test_writing_the_same_differently_changes_nothing() -> None:
    other = "# a comment\n" + edited(
        FULL,
        (
            "[ok, bad]}}\n        errors: {metric: llm_eval_results_total, match: {evaluation: [harm]",
            "[bad, ok]}}\n        errors: {metric: llm_eval_results_total, match: {evaluation: [harm]",
        ),
    )
    old, new = good(FULL), good(other)
    assert old.run_hash == new.run_hash
    assert [slo.definition for slo in old.slos] == [slo.definition for slo in new.slos]
    assert good("# a comment\n" + FULL).content_hash == old.content_hash


RUN_EDITS = [
    ('prompt: "sha256:77aa"}  ', 'prompt: "sha256:77ab"}  '),
    ("port: 8011", "port: 8012"),
    ("canary: {weight: 25}", "canary: {weight: 26}"),
    ("percent: 20", "percent: 21"),
    ("x-cohort: employees", "x-cohort: friends"),
    ("prefix: /v1/", "prefix: /v2/"),
    ("header: x-conversation-id", "cookie: conversation"),
]
OTHER_EDITS = [
    ("version: v12   ", "version: v11   "),
    ("minDuration: 2h", "minDuration: 3h"),
    ("after: 5m", "after: 6m"),
    ("weight: 60%", "weight: 50%"),
    ("objective: {max: 0.1%}", "objective: {max: 0.2%}"),
    ("name: canary-25", "name: quarter"),
    ("suspend: false", "suspend: true"),
]


@pytest.mark.parametrize("edit", RUN_EDITS)
def test_what_a_run_is_pinned_to_changes_its_hash(edit: tuple[str, str]) -> None:
    old, new = good(FULL), good(edited(FULL, edit))
    assert old.run_hash != new.run_hash
    assert old.content_hash != new.content_hash


@pytest.mark.parametrize("edit", OTHER_EDITS)
def test_other_edits_apply_to_the_run_there_is(edit: tuple[str, str]) -> None:
    old, new = good(FULL), good(edited(FULL, edit))
    assert old.run_hash == new.run_hash
    assert old.content_hash != new.content_hash


def test_a_digest_is_of_the_bundle_and_of_the_backend_without_one() -> None:
    old = good(FULL)
    moved = good(edited(FULL, ("name: model-v12.internal", "name: model-v12.example.com")))
    assert moved.versions[1].digest == old.versions[1].digest
    unpinned = good(MINIMAL)
    assert not unpinned.versions[0].pinned
    assert unpinned.versions[0].digest != good(edited(MINIMAL, ("port: 8001", "port: 8003"))).versions[0].digest


@pytest.mark.parametrize(
    ("edit", "names"),
    [
        (("objective: {max: 0.1%}", "objective: {max: 0.2%}"), ["harm"]),
        (("objective: {max: 0.1%}", "objective: {max: 0.05%}"), []),
        (("objective: {max: 0.1%}", "objective: {min: 99.9%}"), []),
        (("objective: {min: 95%}", "objective: {min: 94%}"), ["latency"]),
        (("threshold: {max: 0.02,", "threshold: {max: 0.03,"), ["cost"]),
        (("threshold: {max: 0.02,", "threshold: {max: 0.01,"), []),
        (("threshold: {max: 0.02,", "threshold: {min: 0.02,"), ["cost"]),
        (("consecutive: 3", "consecutive: 4"), ["cost"]),
        (("onBreach: rollback", "onBreach: hold"), ["harm"]),
        (("onBreach: hold", "onBreach: rollback"), []),
        (("- name: latency", "- name: speed"), ["latency"]),
        (("minDuration: 2h", "minDuration: 1h"), []),
    ],
)
def test_loosened_slos_are_named(edit: tuple[str, str], names: list[str]) -> None:
    assert list(loosened(good(FULL), good(edited(FULL, edit)))) == names


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (("objective: {max: 0.1%}", "objective: {max: 0.2%}"), True),
        (("label: hazard", "label: vertical"), True),
        (("judge: {maxErrors: 5%,", "judge: {maxErrors: 6%,"), True),
        (("weight: 60%", "weight: 50%"), False),
        (("onBreach: rollback", "onBreach: hold"), False),
    ],
)
def test_a_definition_is_what_evidence_depends_on(edit: tuple[str, str], changes: bool) -> None:
    old, new = good(FULL).slos[0], good(edited(FULL, edit)).slos[0]
    assert (old.definition != new.definition) is changes


def test_min_and_max_that_mean_the_same_are_the_same() -> None:
    by_min = good(edited(FULL, ("objective: {max: 0.1%}", "objective: {min: 99.9%}")))
    assert by_min.slos[0].max_bad == good(FULL).slos[0].max_bad == 0.001


def test_weights_are_shared_out_per_action() -> None:
    text = edited(FULL, ("    objective: {min: 95%}", "    objective: {min: 95%}\n    onBreach: hold\n    weight: 10%"))
    assert [round(slo.weight, 9) for slo in good(text).slos] == [0.6, 0.4, 1.0, 0.0]
    text = edited(FULL, ("    objective: {min: 95%}", "    objective: {min: 95%}\n    onBreach: alert"))
    assert [round(slo.weight, 9) for slo in good(text).slos] == [0.6, 0.4, 0.0, 0.0]
