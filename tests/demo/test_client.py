"""The customers: steady, sticky, undisturbed by errors, and never leaving the machine."""

import json
from collections import Counter
from pathlib import Path

import pytest

from controller.demo import programs as start
from controller.demo.client import loopback, read_answer
from controller.demo.conversations import Customers
from controller.demo.processes import Processes
from tests.demo.rigs import count
from tests.parts.net import free_port, wait_until


def totals(log: Path) -> tuple[int, dict[str, int], dict[str, int]]:
    """Requests, statuses and versions out of the closing line."""
    document = json.loads(log.read_text().splitlines()[-1])
    return document["requests"], document["statuses"], document["versions"]


def test_keeps_its_rate_and_its_totals_agree_with_the_server(programs: Processes) -> None:
    model = programs.start(start.model_server("v11", latency_ms=5))
    customers = programs.start(start.client(model.url(), rate=50, streams=0.3, duration=4), wait=False)
    customers.wait_ended(15)
    requests, statuses, versions = totals(customers.log)
    assert 100 <= requests <= 205
    assert statuses == {"200": requests}
    assert versions == {"v11": requests}
    assert count(model, "vllm:request_success_total", finished_reason="stop") == requests


def test_survives_a_server_that_goes_away_and_ends_on_sigterm(programs: Processes) -> None:
    server = start.model_server("v11", latency_ms=1, port=free_port())
    model = programs.start(server)
    customers = programs.start(start.client(model.url(), rate=50, duration=60), wait=False)
    wait_until(lambda: count(model, "vllm:request_success_total") > 5, 10, "answers")
    programs.stop("v11")
    model = programs.start(server)
    wait_until(lambda: count(model, "vllm:request_success_total") > 5, 10, "answers after the restart")
    assert programs.stop("client") == 0
    requests, statuses, _ = totals(customers.log)
    assert statuses["200"] > 10
    assert statuses["200"] < requests


@pytest.mark.parametrize(
    "url",
    [
        "http://192.0.2.7:80", "https://127.0.0.1:80", "http://example.com:80", "http://127.0.0.1",
        "http://127.0.0.1.example.com:80", "ftp://127.0.0.1:21", "http://0.0.0.0:80", "nonsense",
    ],
)  # fmt: skip
def test_refuses_everything_but_loopback(url: str) -> None:
    with pytest.raises(ValueError, match="never leaves the machine"):
        loopback(url)


def test_takes_loopback() -> None:
    assert loopback("http://127.0.0.1:8080") == ("127.0.0.1", 8080)
    assert loopback("http://localhost:8080/") == ("127.0.0.1", 8080)


def test_the_program_refuses_a_foreign_url(programs: Processes) -> None:
    customers = programs.start(start.client("http://192.0.2.7:80", duration=5), wait=False)
    customers.wait_ended(10)
    assert customers.exit_code() == 1
    assert "never leaves the machine" in customers.log.read_text()


def test_conversations_keep_their_id_and_history_and_end() -> None:
    customers = Customers(conversations=0.3, streams=0.0, seed="7")
    turns: Counter[str] = Counter()
    sticky = 0
    for _ in range(2000):
        prompt = customers.next_prompt()
        headers = prompt.headers()
        asked = json.loads(prompt.body())["messages"]
        assert asked[-1] == {"role": "user", "content": prompt.question}
        if prompt.conversation is None:
            assert "x-conversation-id" not in headers
            assert len(asked) == 1
            continue
        sticky += 1
        assert len(asked) == 1 + 2 * turns[headers["x-conversation-id"]]
        turns[headers["x-conversation-id"]] += 1
        customers.hear(prompt, "an answer")
    assert 450 < sticky < 750
    assert max(turns.values()) == 6


@pytest.mark.parametrize(
    "body", [b"", b"data: {}\n\n", b'data: {"choices":[{"delta":{"content":"cut"}}]}\n\n', b"data: x\n\ndata: [DONE]"]
)
def test_a_cut_stream_is_no_answer(body: bytes) -> None:
    assert read_answer(body, streamed=True) is None


@pytest.mark.parametrize("body", [b"", b"[]", b'{"choices": []}', b'{"choices": 3}'])
def test_a_malformed_body_is_no_answer(body: bytes) -> None:
    assert read_answer(body, streamed=False) is None
