"""One version of the demo's model: an OpenAI-compatible server with a metrics page like vLLM's.

    python -m controller.demo.model_server --port 0 --name v12 --wrong 0.01 --judge http://127.0.0.1:9100

It loads for a while, answers the last user message, and hands a sample of its answers to the judge. Whether
an answer is sampled is drawn apart from what it will be. A request with `x-tidegate-probe: 1` leaves no trace.
"""

import argparse
import itertools
import json
import time
from collections.abc import Iterator, Mapping

from controller.demo.chat import Chat, parse_chat
from controller.demo.exposition import PAGE_TYPE, ModelMetrics
from controller.demo.handover import GivenAnswer, JudgeHandover
from controller.demo.model import Draw, Model, ModelSettings
from controller.demo.serving import (
    LOOPBACK,
    LoopbackServer,
    RefusedRequestError,
    Reply,
    Request,
    Route,
    Stream,
    json_reply,
    local_address,
)

WORDS_PER_PIECE = 4


class ModelServer:
    """The HTTP side of one version."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._model = Model(settings)
        self._metrics = ModelMetrics(settings.served_model, settings.name)
        self._handover = JudgeHandover(settings.judge, self._metrics) if settings.judge else None
        self._ready_at = time.monotonic() + settings.load
        self._numbers = itertools.count(1)
        self._headers = {"x-model-version": settings.name}

    def run(self, port: int, address: str = LOOPBACK) -> None:
        """Serve until a signal ends it."""
        server = LoopbackServer(port, self.routes(), address)
        if self._handover is not None:
            self._handover.start()
        server.serve_until_signalled(self._settings.name)
        if self._handover is not None:
            self._handover.stop()

    def routes(self) -> Mapping[str, Route]:
        """Its pages."""
        return {
            "POST /v1/chat/completions": self._chat,
            "GET /v1/models": lambda _: json_reply(
                {"object": "list", "data": [{"id": self._settings.served_model, "object": "model"}]}
            ),
            "GET /health": self._health,
            "GET /metrics": lambda _: Reply(self._metrics.page(), content_type=PAGE_TYPE),
        }

    def _health(self, _: Request) -> Reply:
        self._check_loaded()
        return json_reply({"status": "ok"})

    def _check_loaded(self) -> None:
        if time.monotonic() < self._ready_at:
            raise RefusedRequestError("the weights are still loading", 503)

    def _chat(self, request: Request) -> Reply | Stream:
        started = time.monotonic()
        self._check_loaded()
        chat = parse_chat(request)
        draw = self._model.draw(chat.question, probe=chat.probe)
        if chat.stream:
            return Stream(self._pieces(chat, draw, started), self._headers)
        time.sleep(draw.latency)
        self._account(chat, draw, started)
        message = {"role": "assistant", "content": draw.text}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        document = {**self._head("chat.completion"), "choices": [choice], "usage": _usage(chat, draw)}
        return Reply(json.dumps(document).encode(), headers=self._headers)

    def _pieces(self, chat: Chat, draw: Draw, started: float) -> Iterator[bytes]:
        head, words = self._head("chat.completion.chunk"), draw.text.split(" ")
        groups = [words[at : at + WORDS_PER_PIECE] for at in range(0, len(words), WORDS_PER_PIECE)]
        aborted = True
        try:
            yield _event(head, {"role": "assistant", "content": ""}, None)
            for number, group in enumerate(groups):
                time.sleep(draw.latency / len(groups))
                yield _event(head, {"content": (" " if number else "") + " ".join(group)}, None)
            yield _event(head, {}, "stop") + b"data: [DONE]\n\n"
            aborted = False
        finally:
            self._account(chat, draw, started, aborted=aborted)

    def _account(self, chat: Chat, draw: Draw, started: float, *, aborted: bool = False) -> None:
        if chat.probe:
            return
        self._metrics.count_request(time.monotonic() - started, len(draw.text.split()), aborted=aborted)
        if draw.sampled and self._handover is not None:
            name, now = self._settings.name, time.time()
            self._handover.offer(GivenAnswer(name, chat.question, draw.text, now, chat.mirrored))

    def _head(self, kind: str) -> dict[str, object]:
        number = f"chatcmpl-{self._settings.name}-{next(self._numbers)}"
        return {
            "id": number,
            "object": kind,
            "created": int(time.time()),
            "model": self._settings.served_model,
        }


def _event(head: Mapping[str, object], delta: Mapping[str, str], finish_reason: str | None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


def _usage(chat: Chat, draw: Draw) -> dict[str, int]:
    asked, said = len(chat.question.split()), len(draw.text.split())
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not a share from 0 to 1")
    return value


def parse_arguments(argv: list[str] | None = None) -> tuple[str, int, ModelSettings]:
    """The address, the port and the settings from the command line."""
    parser = argparse.ArgumentParser(prog="python -m controller.demo.model_server")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    parser.add_argument("--address", type=local_address, default=LOOPBACK)
    parser.add_argument("--name", required=True, help="the version, as it appears in the metrics")
    parser.add_argument("--served-model", default="support-bot")
    parser.add_argument("--wrong", type=_share, default=0.0, help="share of answers with wrong facts")
    parser.add_argument("--harmful", type=_share, default=0.0, help="share of answers with a harmful remark")
    parser.add_argument("--latency-ms", type=float, default=20.0)
    parser.add_argument("--load-seconds", type=float, default=0.0, help="answers 503 for so long")
    parser.add_argument("--sample", type=_share, default=1.0, help="share of answers handed to the judge")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--judge", help="URL of the judge; none: nothing is handed over")
    given = parser.parse_args(argv)
    latency = given.latency_ms / 1000
    return given.address, given.port, ModelSettings(
        given.name, given.served_model, given.wrong, given.harmful, latency, given.load_seconds, given.sample,
        given.seed, given.judge,
    )  # fmt: skip


def main() -> None:
    """Run one version as a program."""
    address, port, settings = parse_arguments()
    ModelServer(settings).run(port, address)


if __name__ == "__main__":
    main()
