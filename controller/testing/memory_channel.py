"""An alert channel that keeps what it is told, and fails on demand."""

import threading

from controller.domain.record import Alert, Delivery, Outcome


class MemoryChannel:
    """Implements ports.AlertChannel; `answer` is what every send gives, only DELIVERED keeps the alert."""

    def __init__(self) -> None:
        self.answer = Delivery(Outcome.DELIVERED)
        self.told: list[Alert] = []
        self.tries = 0
        self._lock = threading.Lock()

    def send(self, alert: Alert) -> Delivery:
        """Keep the alert, or answer as set."""
        with self._lock:
            self.tries += 1
            if self.answer.outcome is Outcome.DELIVERED:
                self.told.append(alert)
            return self.answer
