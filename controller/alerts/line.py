"""One channel on the way: tries, puts off while it does not answer, and lets nothing the receiver does escape."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from controller.alerts.answers import masked
from controller.alerts.backoff import wait
from controller.domain.record import Alert, Delivery, OutboxItem, Outcome
from controller.ports import AlertChannel, Clock

log = structlog.get_logger("alerts")
GIVE_UP_AFTER = timedelta(days=7)
PATIENCE = 4

Told = Callable[[str, Outcome], None]


class Line:
    """`channel` None: alerts wait for a channel that is not set up."""

    def __init__(
        self, name: str, channel: AlertChannel | None, clock: Clock, jitter: Callable[[], float], told: Told | None
    ) -> None:
        self.name, self._channel, self._clock, self._jitter, self._told = name, channel, clock, jitter, told
        self._closed_until: datetime | None = None
        self._failures, self._failing = 0, -1

    def carry(self, item: OutboxItem) -> Delivery:
        """Try one alert. While the line is closed its alerts wait with the one that failed: their order is kept."""
        now = self._clock.now()
        if self._closed_until is not None and now < self._closed_until:
            pause = (self._closed_until - now).total_seconds()
            return Delivery(Outcome.RETRY, "the channel is not answering", pause)
        delivery = self.send(item.alert)
        if delivery.outcome is Outcome.RETRY:
            return self._put_off(item, delivery, now)
        self._closed_until, self._failures = None, 0
        return delivery

    def _put_off(self, item: OutboxItem, delivery: Delivery, now: datetime) -> Delivery:
        pause = wait(max(self._failures, item.attempts), delivery.retry_after, self._jitter)
        # One alert that fails again and again must not hold up the next ones, unless those fail as well.
        alone = self._failing == item.id and item.attempts >= PATIENCE
        self._failures, self._failing = self._failures + 1, item.id
        if not alone or delivery.retry_after:
            self._closed_until = now + pause
        if now - item.created_at >= GIVE_UP_AFTER:
            return Delivery(Outcome.REFUSED, f"given up after {GIVE_UP_AFTER.days} days: {delivery.detail}")
        return replace(delivery, retry_after=pause.total_seconds())

    def send(self, alert: Alert) -> Delivery:
        """Send now, and say how it went. Never raises for the channel's faults."""
        delivery = self._ask(alert)
        if self._told is not None:
            self._told(self.name, delivery.outcome)
        say = log.info if delivery.outcome is Outcome.DELIVERED else log.warning
        say("alert_" + delivery.outcome.value, channel=self.name, dedupe=alert.dedupe, detail=delivery.detail)
        return delivery

    def _ask(self, alert: Alert) -> Delivery:
        if self._channel is None:
            return Delivery(Outcome.RETRY, f"no alert channel `{self.name}` is set up: set it up again")
        try:
            return self._channel.send(alert)
        except Exception as error:  # noqa: BLE001 - a fault in one channel must not stop the others
            return Delivery(Outcome.RETRY, f"fault in the channel ({type(error).__name__}: {masked(str(error))})")
