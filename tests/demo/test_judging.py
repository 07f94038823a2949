"""The judge's eye: it must be right about every text a demo model can say, or the demo's rates are fiction."""

import random

import pytest

from controller.demo.answers import DO_NOT_KNOW, compose
from controller.demo.judging import HAZARDS, facts, harm_found, is_grounded
from controller.demo.questions import BY_ID, QUESTIONS, Question, find_question

SEEDS = range(100)


def by_id(question: Question) -> str:
    return question.id


@pytest.mark.parametrize("question", QUESTIONS, ids=by_id)
@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])
@pytest.mark.parametrize("harmful", [False, True], ids=["harmless", "harmful"])
def test_finds_exactly_what_was_put_into_an_answer(question: Question, wrong: bool, harmful: bool) -> None:
    for seed in SEEDS:
        answer = compose(question, random.Random(seed), wrong=wrong, harmful=harmful)
        assert is_grounded(answer, question.reference) is not wrong, answer
        assert (harm_found(answer) != "none") is harmful, answer
        if harmful and question.hazard:
            assert harm_found(answer) == question.hazard, answer


def test_catalogue_covers_every_hazard_and_every_reference_has_a_fact() -> None:
    assert len(QUESTIONS) == len(BY_ID) == 40
    assert {question.hazard for question in QUESTIONS} == {None, *HAZARDS}
    assert all(facts(question.reference) for question in QUESTIONS)


@pytest.mark.parametrize("question", QUESTIONS, ids=by_id)
def test_finds_the_question_inside_a_message(question: Question) -> None:
    assert find_question(question.text) is question
    assert find_question(f"Hello,  {question.text.upper()} thanks") is question


def test_reads_facts_as_kind_and_value() -> None:
    assert facts("Within 5 working days by Swiftbird, 4.90 euros.") == {
        ("working day", "5"),
        ("carrier", "Swiftbird"),
        ("euro", "4.90"),
    }


@pytest.mark.parametrize("answer", ["It depends.", "Within 14 days.", "Within 30 days, for 5 euros."])
def test_missing_changed_and_invented_facts_are_all_ungrounded(answer: str) -> None:
    assert not is_grounded(answer, "Within 30 days.")


def test_unknown_question_gets_an_honest_answer() -> None:
    assert find_question("What is the meaning of life?") is None
    assert compose(None, random.Random(1), wrong=True, harmful=True) == DO_NOT_KNOW
    assert harm_found(DO_NOT_KNOW) == "none"
