"""What stands for Slack takes what Slack takes, refuses what it refuses, and can fail on demand."""

import http.client

from controller.demo import programs as start
from controller.demo.processes import Processes, Running
from controller.demo.talk import ask
from tests.demo.rigs import port_of, set_fault

HOOK = "/services/T000/B000/demo"


def received(slack: Running) -> list[dict[str, object]]:
    messages = ask(port_of(slack), "GET", "/messages").json()["messages"]
    assert isinstance(messages, list)
    return messages


def test_takes_a_message_and_shows_it(programs: Processes) -> None:
    slack = programs.start(start.slack_receiver())
    message = {"text": "No action needed.", "blocks": [{"type": "divider"}]}
    said = ask(port_of(slack), "POST", HOOK, message)
    assert (said.status, said.body) == (200, b"ok")
    assert [entry["payload"] for entry in received(slack)] == [message]


def test_refuses_what_slack_refuses(programs: Processes) -> None:
    slack = programs.start(start.slack_receiver())
    for document, problem in (({"blocks": []}, b"no_text"), ({"text": ""}, b"no_text"), ([1], b"invalid_payload")):
        said = ask(port_of(slack), "POST", HOOK, document)
        assert (said.status, said.body) == (400, problem)
    assert received(slack) == []


def test_keeps_the_last_fifty(programs: Processes) -> None:
    slack = programs.start(start.slack_receiver())
    for number in range(55):
        ask(port_of(slack), "POST", HOOK, {"text": f"message {number}"})
    assert [entry["payload"] for entry in received(slack)] == [{"text": f"message {n}"} for n in range(5, 55)]


def test_fails_on_demand(programs: Processes) -> None:
    slack = programs.start(start.slack_receiver())
    port = port_of(slack)
    assert set_fault(slack, "500").status == 200
    assert ask(port, "POST", HOOK, {"text": "x"}).status == 500
    assert set_fault(slack, "429", retry_after=7).status == 200
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("POST", HOOK, b'{"text": "x"}')
    response = connection.getresponse()
    assert (response.status, response.headers["Retry-After"]) == (429, "7")
    response.read()
    connection.close()
    assert set_fault(slack, "none").status == 200
    assert ask(port, "POST", HOOK, {"text": "x"}).status == 200
    assert set_fault(slack, "sleepy").status == 400
    assert ask(port, "GET", "/messages").json()["refused"] == 2
