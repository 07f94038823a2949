"""Stands for Slack in the demo: takes what an incoming webhook takes and shows what it received.

    python -m controller.demo.slack_receiver --port 0

Any other POST is a webhook call; `GET /messages` lists the last 50; `POST /fault {"mode": "none"|"500"|"429",
"retry_after": 2}` makes it refuse.
"""

import argparse
import threading
import time
from collections import deque
from collections.abc import Mapping

from controller.demo.serving import LoopbackServer, RefusedRequestError, Reply, Request, Route, json_reply

KEPT_MESSAGES = 50
FAULTS = ("none", "500", "429")


class SlackReceiver:
    """Keeps the messages that were posted to it; safe to use from several threads."""

    def __init__(self) -> None:
        self._messages: deque[dict[str, object]] = deque(maxlen=KEPT_MESSAGES)
        self._lock = threading.Lock()
        self._fault, self._retry_after, self._refused = "none", 1, 0

    def routes(self) -> Mapping[str, Route]:
        """Its pages."""
        return {
            "POST *": self._receive,
            "POST /fault": self._switch_fault,
            "GET /messages": self._show,
            "GET /health": lambda _: json_reply({"status": "ok"}),
        }

    def _receive(self, request: Request) -> Reply:
        if self._fault != "none":
            return self._refuse()
        try:
            message = request.json()
        except RefusedRequestError:
            return _plain("invalid_payload", 400)
        if not isinstance(message.get("text"), str) or not message["text"]:
            return _plain("no_text", 400)
        with self._lock:
            self._messages.append({"received_at": time.time(), "payload": message})
        return _plain("ok", 200)

    def _refuse(self) -> Reply:
        with self._lock:
            self._refused += 1
        if self._fault == "429":
            return Reply(b"rate_limited", 429, "text/plain", {"Retry-After": str(self._retry_after)})
        return _plain("server_error", 500)

    def _switch_fault(self, request: Request) -> Reply:
        document = request.json()
        mode, retry_after = str(document.get("mode")), document.get("retry_after", 1)
        if mode not in FAULTS or not isinstance(retry_after, int):
            raise RefusedRequestError(f"mode: one of {', '.join(FAULTS)}; retry_after: whole seconds")
        self._fault, self._retry_after = mode, retry_after
        return json_reply({"mode": mode})

    def _show(self, _: Request) -> Reply:
        with self._lock:
            return json_reply({"messages": list(self._messages), "refused": self._refused})


def _plain(text: str, status: int) -> Reply:
    return Reply(text.encode(), status, "text/plain")


def main() -> None:
    """Run the receiver as a program."""
    parser = argparse.ArgumentParser(prog="python -m controller.demo.slack_receiver")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one and prints it")
    given = parser.parse_args()
    LoopbackServer(given.port, SlackReceiver().routes()).serve_until_signalled("slack_receiver")


if __name__ == "__main__":
    main()
