"""Carries alerts from the outbox to their channels: at least once, in order, and no channel waits for another."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import groupby

import structlog

from controller.alerts.answers import masked
from controller.alerts.backoff import wait
from controller.domain.record import Alert, Delivery, OutboxItem, Outcome, StoreUnavailableError
from controller.ports import AlertChannel, Clock, Outbox

log = structlog.get_logger("alerts")
BATCH = 50
MOST_BATCHES = 40
GIVE_UP_AFTER = timedelta(days=7)
REMEMBERED = 10_000
PATIENCE = 4
MOST_COUNTED = 1000

Ended = tuple[OutboxItem, Delivery, bool]
Told = Callable[[str, Outcome], None]


class Deliverer:
    """Safe to call from one thread at a time; `tell_now` from any.

    `jitter` gives numbers in 0..1 (seed it). `told` hears of every try: channel and outcome.
    """

    def __init__(
        self,
        outbox: Outbox,
        channels: Mapping[str, AlertChannel],
        clock: Clock,
        jitter: Callable[[], float] = lambda: 1.0,
        told: Told | None = None,
    ) -> None:
        self._outbox, self._channels, self._clock, self._jitter, self._told = outbox, channels, clock, jitter, told
        self._closed_until: dict[str, datetime] = {}
        self._failures: dict[str, int] = {}
        self._failing: dict[str, int] = {}
        self._ended: dict[int, Delivery] = {}
        self._direct: dict[tuple[str, str], Delivery] = {}
        self._lock = threading.Lock()

    def deliver_due(self) -> int:
        """Try what is due, until nothing is; returns how many alerts were delivered. Faults are logged, not raised."""
        delivered = 0
        for _ in range(MOST_BATCHES):
            try:
                items = self._outbox.due(self._clock.now(), BATCH)
            except StoreUnavailableError as error:
                log.error("alerts_unreadable", trouble=str(error))
                break
            ended = self._batch(items) if items else []
            delivered += sum(delivery.outcome is Outcome.DELIVERED for _, delivery, _ in ended)
            if not all(settled for _, _, settled in ended) or not ended:
                break
        return delivered

    def tell_now(self, alert: Alert) -> bool:
        """Send past the outbox, once per channel and `dedupe`: for when the database is gone. True when all have it.

        Waits for the channels, 10 s each at most without a sign of life: not from the thread that guards.
        """
        outcomes = [self._tell_directly(name, alert) for name in self._channels]
        return all(outcomes)

    def pending(self) -> int:
        """How many alerts wait, up to 1,000. Raises StoreUnavailableError."""
        return len(self._outbox.due(self._clock.now() + GIVE_UP_AFTER, MOST_COUNTED))

    def _tell_directly(self, name: str, alert: Alert) -> bool:
        mark = (name, alert.dedupe)
        with self._lock:
            before = self._direct.get(mark)
        if before is not None:
            return True
        delivery = self._send(name, alert)
        if delivery.outcome is Outcome.DELIVERED:
            with self._lock:
                self._direct[mark] = delivery
                while len(self._direct) > REMEMBERED:
                    del self._direct[next(iter(self._direct))]
        return delivery.outcome is Outcome.DELIVERED

    def _batch(self, items: Sequence[OutboxItem]) -> list[Ended]:
        """Each channel in a thread of its own, settled here as they come."""
        by_channel = sorted(items, key=lambda item: item.channel)
        groups = [list(group) for _, group in groupby(by_channel, key=lambda item: item.channel)]
        with ThreadPoolExecutor(len(groups), thread_name_prefix="alerts") as pool:
            tries = [pool.submit(self._carry, group) for group in groups]
            return [(*pair, self._settle(*pair)) for one in as_completed(tries) for pair in one.result()]

    def _carry(self, items: Sequence[OutboxItem]) -> list[tuple[OutboxItem, Delivery]]:
        """One channel's alerts, in order."""
        return [(item, self._known(item) or self._try(item.channel, item)) for item in items]

    def _known(self, item: OutboxItem) -> Delivery | None:
        """How it ended earlier, when the store could not be told."""
        with self._lock:
            return self._ended.get(item.id) or self._direct.get((item.channel, item.alert.dedupe))

    def _try(self, name: str, item: OutboxItem) -> Delivery:
        """While a channel is closed its alerts wait with the one that failed, so that their order is kept."""
        now = self._clock.now()
        until = self._closed_until.get(name)
        if until is not None and now < until:
            return Delivery(Outcome.RETRY, "the channel is not answering", (until - now).total_seconds())
        delivery = self._send(name, item.alert)
        if delivery.outcome is not Outcome.RETRY:
            self._closed_until.pop(name, None)
            self._failures.pop(name, None)
            return delivery
        return self._put_off(name, item, delivery, now)

    def _put_off(self, name: str, item: OutboxItem, delivery: Delivery, now: datetime) -> Delivery:
        failures = self._failures.get(name, 0)
        self._failures[name] = failures + 1
        pause = wait(max(failures, item.attempts), delivery.retry_after, self._jitter)
        # One alert that fails again and again must not hold up the next ones, unless those fail as well.
        alone = self._failing.get(name) == item.id and item.attempts >= PATIENCE
        self._failing[name] = item.id
        if not alone or delivery.retry_after:
            self._closed_until[name] = now + pause
        if now - item.created_at >= GIVE_UP_AFTER:
            return Delivery(Outcome.REFUSED, f"given up after {GIVE_UP_AFTER.days} days: {delivery.detail}")
        return replace(delivery, retry_after=pause.total_seconds())

    def _send(self, name: str, alert: Alert) -> Delivery:
        delivery = self._ask(name, alert)
        if self._told is not None:
            self._told(name, delivery.outcome)
        say = log.info if delivery.outcome is Outcome.DELIVERED else log.warning
        say("alert_" + delivery.outcome.value, channel=name, dedupe=alert.dedupe, detail=delivery.detail)
        return delivery

    def _ask(self, name: str, alert: Alert) -> Delivery:
        channel = self._channels.get(name)
        if channel is None:
            known = ", ".join(sorted(self._channels)) or "none"
            return Delivery(Outcome.RETRY, f"no alert channel `{name}` is set up; known: {known}")
        try:
            return channel.send(alert)
        except Exception as error:  # noqa: BLE001 - a fault in one channel must not stop the others
            return Delivery(Outcome.RETRY, f"fault in the channel ({type(error).__name__}: {masked(str(error))})")

    def _settle(self, item: OutboxItem, delivery: Delivery) -> bool:
        """Write how a try ended; what cannot be written is remembered, so that nobody is told twice for it."""
        now = self._clock.now()
        again = now + timedelta(seconds=delivery.retry_after or 0.0) if delivery.outcome is Outcome.RETRY else now
        try:
            self._outbox.settle(item, delivery, again)
        except StoreUnavailableError as error:
            log.error("alert_not_settled", dedupe=item.alert.dedupe, trouble=str(error))
            if delivery.outcome is not Outcome.RETRY:
                with self._lock:
                    self._ended[item.id] = delivery
            return False
        with self._lock:
            self._ended.pop(item.id, None)
        return True
