"""The demo's customers: sends real chat requests at a steady rate and prints one JSON line of totals at the end.

    python -m controller.demo.client --url http://127.0.0.1:8080 --rate 80 --conversations 0.3 --duration 600

Refuses every URL that is not on loopback. An error is counted and never ends it; SIGTERM or the duration does.
"""

import argparse
import http.client
import ipaddress
import json
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from controller.demo.conversations import Customers, Prompt

CHAT_PATH = "/v1/chat/completions"
LATE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """What the customers do. `rate` is requests per second of all workers together; shares are from 0 to 1."""

    host: str
    port: int
    rate: float = 80.0
    conversations: float = 0.3
    streams: float = 0.1
    workers: int = 16
    timeout: float = 10.0
    seed: int = 0


class Totals:
    """What came back; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._statuses: Counter[str] = Counter()
        self._versions: Counter[str] = Counter()

    def count(self, status: str, version: str | None = None) -> None:
        """One request is over, with a status code or the name of an error."""
        with self._lock:
            self._statuses[status] += 1
            if version is not None:
                self._versions[version] += 1

    def report(self, seconds: float) -> dict[str, object]:
        """Everything counted, for the closing line."""
        with self._lock:
            return {
                "requests": self._statuses.total(),
                "seconds": round(seconds, 3),
                "statuses": dict(sorted(self._statuses.items())),
                "versions": dict(sorted(self._versions.items())),
            }


class Worker:
    """One keep-alive connection that asks on its own steady beat."""

    def __init__(self, settings: ClientSettings, number: int, totals: Totals, over: threading.Event) -> None:
        self._settings, self._totals, self._over = settings, totals, over
        self._beat = settings.workers / settings.rate
        self._first = self._beat * number / settings.workers
        self._customers = Customers(settings.conversations, settings.streams, f"{settings.seed} {number}")
        self._connection = http.client.HTTPConnection(settings.host, settings.port, timeout=settings.timeout)

    def run(self) -> None:
        """Ask until it is over. Beats missed by more than a second are left out, not caught up with."""
        due = time.monotonic() + self._first
        while not self._over.wait(max(0.0, due - time.monotonic())):
            self._ask(self._customers.next_prompt())
            due = max(due + self._beat, time.monotonic() - LATE_SECONDS)
        self._connection.close()

    def _ask(self, prompt: Prompt) -> None:
        try:
            self._connection.request("POST", CHAT_PATH, prompt.body(), prompt.headers())
            with self._connection.getresponse() as response:
                body = response.read()
                version = response.getheader("x-model-version")
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            self._totals.count(type(error).__name__)
            return
        self._take(prompt, response.status, body, version)

    def _take(self, prompt: Prompt, status: int, body: bytes, version: str | None) -> None:
        answer = read_answer(body, streamed=prompt.stream) if status == 200 else None
        broken = status == 200 and answer is None
        self._totals.count("broken_answer" if broken else str(status), version if status == 200 else None)
        self._customers.hear(prompt, answer)


def read_answer(body: bytes, *, streamed: bool) -> str | None:
    """The answer's text out of a complete body or all of a stream; None when it is cut or malformed."""
    try:
        if not streamed:
            return str(json.loads(body)["choices"][0]["message"]["content"])
        events = [line[6:] for line in body.decode().splitlines() if line.startswith("data: ")]
        if not events or events[-1] != "[DONE]":
            return None
        deltas = [json.loads(event)["choices"][0]["delta"] for event in events[:-1]]
        return "".join(delta.get("content", "") for delta in deltas)
    except (ValueError, LookupError, TypeError):
        return None


def loopback(url: str) -> tuple[str, int]:
    """Host and port of a loopback http URL; ValueError for any other: the demo loads nobody else's server."""
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        is_loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    if parts.scheme != "http" or not is_loopback or parts.port is None:
        raise ValueError(f"{url}: only http://127.0.0.1:PORT is allowed, this client never leaves the machine")
    return host, parts.port


def run_client(settings: ClientSettings, wait: Callable[[threading.Event], object]) -> dict[str, object]:
    """Send until `wait` returns or sets the event it is given; returns the totals."""
    over, totals, started = threading.Event(), Totals(), time.monotonic()
    workers = [Worker(settings, number, totals, over) for number in range(settings.workers)]
    threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    wait(over)
    over.set()
    deadline = time.monotonic() + 2
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    return totals.report(time.monotonic() - started)


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m controller.demo.client")
    parser.add_argument("--url", required=True, help="http://127.0.0.1:PORT")
    parser.add_argument("--rate", type=float, default=80.0, help="requests per second")
    parser.add_argument("--conversations", type=float, default=0.3, help="share in sticky conversations")
    parser.add_argument("--streams", type=float, default=0.1, help="share that asks for a stream")
    parser.add_argument("--workers", type=int, default=16)
    parser.add_argument("--duration", type=float, default=600.0, help="seconds, at most 3600")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    if not (0 < given.rate <= 1000 and 1 <= given.workers <= 100 and 0 < given.duration <= 3600):
        parser.error("rate up to 1000, workers from 1 to 100, duration up to 3600")
    return given


def main() -> None:
    """Run the customers as a program."""
    given = _parse_arguments()
    try:
        host, port = loopback(given.url)
    except ValueError as error:
        raise SystemExit(f"error: {error}") from None
    settings = ClientSettings(
        host, port, given.rate, given.conversations, given.streams, given.workers, seed=given.seed
    )

    def wait(over: threading.Event) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: over.set())
        over.wait(given.duration)

    print(json.dumps(run_client(settings, wait)), flush=True)


if __name__ == "__main__":
    main()
