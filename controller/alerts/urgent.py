"""Alerts past the outbox, for when the database is gone: at once, in threads of their own, once per `dedupe`."""

import threading
from collections.abc import Mapping

from controller.alerts.line import Line
from controller.domain.record import Alert, Delivery, Outcome

REMEMBERED = 10_000


class Urgent:
    """What waits lives in memory only; `push` tries it again. Nobody who calls waits for a receiver."""

    def __init__(self, lines: Mapping[str, Line]) -> None:
        self._lines = lines
        self._waiting: dict[tuple[str, str], Alert] = {}
        self._ended: dict[tuple[str, str], Delivery] = {}
        self._busy: set[str] = set()
        self._lock = threading.Lock()

    def tell(self, alert: Alert) -> None:
        """Take it and try; returns at once. One that was told already is not told again."""
        with self._lock:
            for name in self._lines:
                if (name, alert.dedupe) not in self._ended:
                    self._waiting.setdefault((name, alert.dedupe), alert)
        self.push()

    def push(self) -> None:
        """Try what waits, one thread per channel; returns at once."""
        with self._lock:
            names = {name for name, _ in self._waiting} - self._busy
            self._busy |= names
        for name in names:
            threading.Thread(target=self._work, args=(name,), name=f"alerts-{name}", daemon=True).start()

    def ended(self, channel: str, dedupe: str) -> Delivery | None:
        """How it was told here, or None."""
        with self._lock:
            return self._ended.get((channel, dedupe))

    def _work(self, name: str) -> None:
        try:
            while (alert := self._next(name)) is not None:
                delivery = self._lines[name].send(alert)
                if delivery.outcome is Outcome.RETRY:
                    return
                self._end(name, alert, delivery)
        finally:
            with self._lock:
                self._busy.discard(name)

    def _next(self, name: str) -> Alert | None:
        with self._lock:
            return next((alert for (channel, _), alert in self._waiting.items() if channel == name), None)

    def _end(self, name: str, alert: Alert, delivery: Delivery) -> None:
        with self._lock:
            self._waiting.pop((name, alert.dedupe), None)
            self._ended[name, alert.dedupe] = delivery
            while len(self._ended) > REMEMBERED:
                del self._ended[next(iter(self._ended))]
