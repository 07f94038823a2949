"""Small helpers of the demo's tests: asking a model, reading a metrics page."""

import http.client
import json
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from controller.demo.processes import Running
from controller.demo.talk import Said, ask

VERSIONS = ("v11", "v12", "v13")


def port_of(running: Running) -> int:
    port = running.port()
    assert port is not None
    return port


def page(running: Running) -> str:
    said = ask(port_of(running), "GET", "/metrics")
    assert said.status == 200
    return said.body.decode()


def count(running: Running, name: str, **labels: str) -> float:
    """The sum of the samples of that name and these labels; an assertion error when there is none."""
    samples = [sample for family in text_string_to_metric_families(page(running)) for sample in family.samples]
    values = [s.value for s in samples if s.name == name and labels.items() <= s.labels.items()]
    assert values, f"no sample {name} {labels}"
    return sum(values)


def chat(
    running: Running, text: str, *, stream: bool = False, headers: Mapping[str, str] | None = None
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", port_of(running), timeout=10)
    messages = [{"role": "user", "content": "An older one"}, {"role": "user", "content": text}]
    document = {"model": "support-bot", "messages": messages, "stream": stream}
    try:
        connection.request("POST", "/v1/chat/completions", json.dumps(document), dict(headers or {}))
        response = connection.getresponse()
        return response.status, response.read(), response.headers
    finally:
        connection.close()


def set_fault(running: Running, mode: str, **more: object) -> Said:
    return ask(port_of(running), "POST", "/fault", {"mode": mode, **more})
