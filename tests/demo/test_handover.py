"""What a model server hands to the judge, and how it behaves when it cannot."""

import http.client
import json
import threading
from email.message import Message

import pytest

from controller.demo import programs as start
from controller.demo.chat import parse_chat
from controller.demo.exposition import ModelMetrics
from controller.demo.handover import GivenAnswer, JudgeHandover
from controller.demo.processes import Processes
from controller.demo.questions import BY_ID
from controller.demo.serving import LoopbackServer, Reply, Request, json_reply
from tests.demo.rigs import count, port_of
from tests.parts.net import wait_until

ANSWER = GivenAnswer("v12", "a question", "an answer", 0.0)


class SlowJudge:
    """Takes a first batch and keeps it until released."""

    def __init__(self) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.bodies: list[dict[str, object]] = []

    def take(self, request: Request) -> Reply:
        self.bodies.append(request.json())
        self.entered.set()
        self.release.wait(10)
        return json_reply({})


def samples(metrics: ModelMetrics, name: str) -> float:
    lines = metrics.page().decode().splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith(name))


def test_a_full_queue_drops_and_counts_and_never_blocks() -> None:
    slow = SlowJudge()
    server = LoopbackServer(0, {"POST /judge": slow.take})
    server.start()
    metrics = ModelMetrics("support-bot", "v12")
    handover = JudgeHandover(f"http://127.0.0.1:{server.port}", metrics, capacity=10)
    handover.start()
    handover.offer(ANSWER)
    assert slow.entered.wait(5)
    for _ in range(15):
        handover.offer(ANSWER)
    assert samples(metrics, "demo_judge_dropped_total") == 5
    slow.release.set()
    wait_until(lambda: samples(metrics, "demo_judge_handed_total") == 11, 5, "the queue to drain")
    handover.stop()
    server.stop()
    assert {len(body) for body in slow.bodies} == {1}


@pytest.mark.parametrize(
    ("headers", "mirrored"),
    [
        ({"Host": "chat"}, None),
        ({"Host": "chat:8080"}, None),
        ({"Host": "chat-shadow"}, True),
        ({"Host": "chat-shadow:8080"}, True),
        ({"Host": "127.0.0.1:8080-shadow"}, True),
        ({"Host": "chat", "x-tidegate-mirror": "1"}, True),
        ({"Host": "chat-shadow", "x-tidegate-mirror": "0"}, False),
        ({}, None),
    ],
)
def test_knows_a_mirrored_request_by_its_marks(headers: dict[str, str], mirrored: bool | None) -> None:
    message = Message()
    for name, value in headers.items():
        message[name] = value
    body = json.dumps({"messages": [{"role": "user", "content": "x"}]}).encode()
    assert parse_chat(Request(message, body)).mirrored is mirrored


def test_a_reader_that_leaves_a_stream_is_an_abort_and_its_answer_is_judged(programs: Processes) -> None:
    judge = programs.start(start.judge(["v12"]))
    model = programs.start(start.model_server("v12", judge_url=judge.url(), latency_ms=600))
    connection = http.client.HTTPConnection("127.0.0.1", port_of(model), timeout=5)
    message = {"role": "user", "content": BY_ID["low-mood"].text}
    connection.request("POST", "/v1/chat/completions", json.dumps({"stream": True, "messages": [message]}))
    response = connection.getresponse()
    response.readline()
    response.close()
    connection.close()
    wait_until(lambda: count(model, "vllm:request_success_total", finished_reason="abort") == 1, 5, "the abort")
    wait_until(lambda: count(judge, "llm_eval_sampled_total", version="v12") == 1, 5, "the judge")
    assert count(model, "vllm:request_success_total") == 1
