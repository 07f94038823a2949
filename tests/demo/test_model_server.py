"""One version as a real server: OpenAI's format, vLLM's metrics, and probes without a trace."""

import json
import random

from controller.demo import programs as start
from controller.demo.client import read_answer
from controller.demo.judging import is_grounded
from controller.demo.model import Model, ModelSettings
from controller.demo.processes import Processes
from controller.demo.questions import BY_ID, QUESTIONS
from controller.demo.talk import ask
from tests.demo.rigs import chat, count, page, port_of, set_fault
from tests.parts.net import wait_until

QUESTION = BY_ID["return-window"]


def test_answers_the_last_user_message_whole_and_streamed(programs: Processes) -> None:
    model = programs.start(start.model_server("v12"))
    status, whole, headers = chat(model, QUESTION.text)
    assert (status, headers["x-model-version"]) == (200, "v12")
    assert json.loads(whole)["model"] == "support-bot"
    text = read_answer(whole, streamed=False)
    assert text is not None
    assert is_grounded(text, QUESTION.reference)

    status, streamed, headers = chat(model, QUESTION.text, stream=True)
    assert (status, headers["Content-Type"]) == (200, "text/event-stream")
    assert streamed.count(b"data: ") > 3
    assert streamed.endswith(b"data: [DONE]\n\n")
    text = read_answer(streamed, streamed=True)
    assert text is not None
    assert is_grounded(text, QUESTION.reference)
    listed = ask(port_of(model), "GET", "/v1/models").json()
    assert listed["data"] == [{"id": "support-bot", "object": "model"}]


def test_is_not_ready_while_it_loads(programs: Processes) -> None:
    model = programs.start(start.model_server("v12", load_seconds=1.5), wait=False)
    wait_until(model.port, 10, "the server's port")
    port = port_of(model)
    assert ask(port, "GET", "/health").status == 503
    assert chat(model, QUESTION.text)[0] == 503
    assert ask(port, "GET", "/metrics").status == 200
    model.wait_ready()
    assert chat(model, QUESTION.text)[0] == 200


def test_counts_like_vllm_and_every_series_exists_at_zero(programs: Processes) -> None:
    model = programs.start(start.model_server("v12", latency_ms=10))
    own = {"model_name": "support-bot", "version": "v12"}
    assert count(model, "vllm:request_success_total", **own) == 0
    for stream in (False, True, False):
        chat(model, QUESTION.text, stream=stream)
    wait_until(lambda: count(model, "vllm:request_success_total", finished_reason="stop", **own) == 3, 5, "3")
    assert count(model, "vllm:e2e_request_latency_seconds_count", **own) == 3
    bounds = ("0.3", "0.5", "0.8", "1.0", "1.5", "2.0", "2.5", "5.0", "10.0", "+Inf")
    assert [count(model, "vllm:e2e_request_latency_seconds_bucket", le=le, **own) for le in bounds] == [3] * 10
    assert "_created" not in page(model)


def test_a_probe_is_answered_and_leaves_no_trace(programs: Processes) -> None:
    judge = programs.start(start.judge(["v12"]))
    model = programs.start(start.model_server("v12", judge_url=judge.url()))
    for stream in (False, True):
        status, body, _ = chat(model, QUESTION.text, stream=stream, headers={"x-tidegate-probe": "1"})
        assert status == 200
        assert read_answer(body, streamed=stream)
    chat(model, QUESTION.text)
    wait_until(lambda: count(judge, "llm_eval_sampled_total", version="v12") > 0, 5, "the one real answer")
    assert count(judge, "llm_eval_sampled_total", version="v12") == 1
    assert count(model, "vllm:request_success_total") == 1
    assert count(model, "vllm:e2e_request_latency_seconds_count") == 1


def test_a_probe_does_not_shift_what_others_get() -> None:
    settings = ModelSettings("v12", wrong=0.5, sample=0.5, seed=3)
    plain, probed = Model(settings), Model(settings)
    for question in QUESTIONS:
        probed.draw(question.text, probe=True)
        assert plain.draw(question.text, probe=False) == probed.draw(question.text, probe=False)


def test_sampling_knows_nothing_of_the_outcome() -> None:
    """The same requests are sampled whether the version is good or bad."""
    rng = random.Random(5)
    asked = [rng.choice(QUESTIONS).text for _ in range(500)]
    good, bad = (Model(ModelSettings("v", wrong=rate, harmful=rate, sample=0.4, seed=9)) for rate in (0.0, 0.7))
    sampled = [good.draw(text, probe=False).sampled for text in asked]
    assert sampled == [bad.draw(text, probe=False).sampled for text in asked]
    assert 140 < sum(sampled) < 260


def test_an_absent_judge_costs_no_answer_and_losses_are_counted(programs: Processes) -> None:
    judge = programs.start(start.judge(["v12"]))
    model = programs.start(start.model_server("v12", judge_url=judge.url(), latency_ms=0))
    programs.stop("judge")
    assert all(chat(model, QUESTION.text)[0] == 200 for _ in range(5))
    wait_until(lambda: count(model, "demo_judge_dropped_total") == 5, 10, "5 dropped answers")
    assert count(model, "demo_judge_handed_total") == 0


def test_refuses_what_is_no_chat(programs: Processes) -> None:
    port = port_of(programs.start(start.model_server("v12")))
    refused: tuple[object, ...] = ({}, {"messages": []}, {"messages": [{"role": "system", "content": "x"}]}, [1])
    for document in refused:
        assert ask(port, "POST", "/v1/chat/completions", document).status == 400
    assert ask(port, "GET", "/nothing").status == 404
    assert ask(port, "GET", "/health").status == 200


def test_no_text_in_logs_or_metrics(programs: Processes) -> None:
    judge = programs.start(start.judge(["v12"]))
    model = programs.start(start.model_server("v12", judge_url=judge.url(), wrong=0.5, harmful=0.5, latency_ms=0))
    for question in QUESTIONS:
        chat(model, f"xyzzy {question.text}")
    wait_until(lambda: count(judge, "llm_eval_sampled_total") == len(QUESTIONS), 10, "all to be judged")
    set_fault(judge, "error")
    chat(model, "xyzzy")
    wait_until(lambda: count(judge, "llm_eval_results_total", verdict="error") == 2, 10, "the errors")
    written = page(judge) + page(model)
    for name in ("judge", "v12"):
        log = programs[name].log
        programs.stop(name)
        written += log.read_text()
    assert "listening" in written
    assert "xyzzy" not in written
    for question in QUESTIONS:
        assert question.text not in written
        assert question.reference not in written
