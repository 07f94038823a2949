"""The one judge as a real server: the metric contract, honest counts, and its faults."""

import itertools
import time

from prometheus_client.parser import text_string_to_metric_families

from controller.demo import programs as start
from controller.demo.answers import DO_NOT_KNOW
from controller.demo.judging import HAZARDS
from controller.demo.processes import Processes, Running
from controller.demo.questions import BY_ID
from controller.demo.talk import Said, ask
from tests.demo.rigs import VERSIONS, chat, count, page, port_of, set_fault
from tests.parts.net import wait_until

QUESTION = BY_ID["return-window"]
RESULTS = "llm_eval_results_total"


def hand(judge: Running, version: str, answer: str, question: str = QUESTION.text, age: float = 0.0) -> Said:
    document = {"version": version, "question": question, "answer": answer, "answered_at": time.time() - age}
    return ask(port_of(judge), "POST", "/judge", document)


def test_every_label_combination_exists_at_zero(programs: Processes) -> None:
    judge = programs.start(start.judge(VERSIONS))
    families = {family.name: family.samples for family in text_string_to_metric_families(page(judge))}
    results = families["llm_eval_results"]
    keys = [tuple(s.labels[name] for name in ("version", "evaluation", "hazard", "verdict")) for s in results]
    wanted = itertools.product(VERSIONS, ("groundedness", "harm"), ("none", *HAZARDS), ("ok", "bad", "error"))
    assert sorted(keys) == sorted(wanted)
    assert {s.value for s in results} == {0}
    assert {s.labels["deployment"] for s in results} == {"support-bot"}
    assert {(s.labels["stage"], s.labels["source"]) for s in results} == {("online", "online")}
    assert {s.labels["version"] for s in families["llm_eval_sampled"]} == set(VERSIONS)
    assert len(families["llm_eval_lag_seconds"]) == 2 * len(VERSIONS)


def test_writes_the_harm_it_found_and_none_otherwise(programs: Processes) -> None:
    judge = programs.start(start.judge(VERSIONS))
    assert hand(judge, "v12", QUESTION.reference).status == 200
    assert hand(judge, "v12", "Within 99 days. Just claim that it never came.").status == 200
    one = {"version": "v12"}
    assert count(judge, RESULTS, evaluation="groundedness", verdict="ok", hazard="none", **one) == 1
    assert count(judge, RESULTS, evaluation="groundedness", verdict="bad", hazard="none", **one) == 1
    assert count(judge, RESULTS, evaluation="harm", verdict="ok", hazard="none", **one) == 1
    assert count(judge, RESULTS, evaluation="harm", verdict="bad", hazard="ncr", **one) == 1
    assert count(judge, RESULTS, evaluation="harm", **one) == 2
    assert count(judge, RESULTS, version="v11") == 0


def test_a_question_without_reference_is_judged_for_harm_only(programs: Processes) -> None:
    judge = programs.start(start.judge(VERSIONS))
    hand(judge, "v12", DO_NOT_KNOW, question="What is the meaning of life?")
    assert count(judge, RESULTS, evaluation="harm") == 1
    assert count(judge, RESULTS, evaluation="groundedness") == 0


RATES = {"v11": (0.02, 0.0), "v12": (0.0, 0.0), "v13": (0.18, 0.05)}


def test_counts_the_rates_that_the_models_have(programs: Processes) -> None:
    """About 600 answers per version; the bound is five standard deviations around the true rates."""
    judge = programs.start(start.judge(VERSIONS))
    for seed, (version, (wrong, harmful)) in enumerate(RATES.items()):
        model = programs.start(
            start.model_server(version, judge_url=judge.url(), wrong=wrong, harmful=harmful, latency_ms=0, seed=seed)
        )
        customers = start.client(model.url(), rate=150, streams=0.2, duration=4, seed=seed, name=f"to-{version}")
        programs.start(customers, wait=False)
    for version, (wrong, harmful) in RATES.items():
        programs[f"to-{version}"].wait_ended(20)
        sent = count(programs[version], "vllm:request_success_total", finished_reason="stop")
        assert sent > 300
        wait_until_judged(judge, version, sent)
        check_rate(judge, version, "groundedness", sent, wrong)
        check_rate(judge, version, "harm", sent, harmful)


def wait_until_judged(judge: Running, version: str, sent: float) -> None:
    wait_until(
        lambda: count(judge, "llm_eval_sampled_total", version=version) == sent,
        10,
        f"the judge to have read {sent:g} answers of {version}",
    )


def check_rate(judge: Running, version: str, evaluation: str, sent: float, rate: float) -> None:
    one = {"version": version, "evaluation": evaluation}
    bad = count(judge, RESULTS, verdict="bad", **one)
    assert abs(bad - rate * sent) <= 5 * (sent * rate * (1 - rate)) ** 0.5
    assert count(judge, RESULTS, **one) == sent


def test_faults_count_errors_or_nothing(programs: Processes) -> None:
    judge = programs.start(start.judge(VERSIONS))
    assert set_fault(judge, "error").status == 200
    hand(judge, "v12", QUESTION.reference)
    assert count(judge, RESULTS, verdict="error", hazard="none") == 2
    assert set_fault(judge, "silent").status == 200
    hand(judge, "v12", QUESTION.reference)
    assert count(judge, RESULTS) == 2
    assert set_fault(judge, "none").status == 200
    hand(judge, "v12", QUESTION.reference)
    assert count(judge, RESULTS, verdict="ok") == 2
    assert count(judge, "llm_eval_sampled_total", version="v12") == 3
    assert set_fault(judge, "asleep").status == 400


def test_lag_is_the_age_of_the_newest_judged_answer(programs: Processes) -> None:
    judge = programs.start(start.judge(VERSIONS))
    before = count(judge, "llm_eval_lag_seconds", version="v12", evaluation="harm")
    hand(judge, "v12", QUESTION.reference)
    assert count(judge, "llm_eval_lag_seconds", version="v12", evaluation="harm") < 5
    set_fault(judge, "silent")
    young = count(judge, "llm_eval_lag_seconds", version="v12", evaluation="harm")
    hand(judge, "v12", QUESTION.reference)
    assert count(judge, "llm_eval_lag_seconds", version="v12", evaluation="harm") >= young
    assert before < 60


def test_refuses_unknown_versions_and_malformed_answers(programs: Processes) -> None:
    judge = programs.start(start.judge(VERSIONS))
    assert hand(judge, "v99", "x").status == 400
    assert ask(port_of(judge), "POST", "/judge", {"answers": [{"version": "v12"}, 3]}).status == 400
    assert ask(port_of(judge), "POST", "/judge", {"answers": 3}).status == 400
    assert ask(port_of(judge), "POST", "/judge", {"answers": [], "version": ["v12"]}).status == 200
    assert ask(port_of(judge), "POST", "/judge", {"version": ["v12"]}).status == 400
    assert "v99" not in page(judge)
    assert count(judge, RESULTS) == 0


def test_judges_a_sample_when_told_so(programs: Processes) -> None:
    judge = programs.start(start.judge(VERSIONS))
    model = programs.start(start.model_server("v12", judge_url=judge.url(), sample=0.5, latency_ms=0, seed=1))
    for _ in range(100):
        chat(model, QUESTION.text)
    handed = wait_until(lambda: count(model, "demo_judge_handed_total") > 20, 10, "a sample")
    assert handed
    assert count(judge, "llm_eval_sampled_total", version="v12") < 80
