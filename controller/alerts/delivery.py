"""Carries alerts from the outbox to their channels: at least once, in order, and no channel waits for another."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from itertools import groupby
from queue import SimpleQueue

import structlog

from controller.alerts.line import GIVE_UP_AFTER, Line, Told
from controller.alerts.urgent import Urgent
from controller.domain.record import Alert, Delivery, OutboxItem, Outcome, StoreUnavailableError
from controller.ports import AlertChannel, Clock, Outbox

log = structlog.get_logger("alerts")
BATCH = 50
MOST_BATCHES = 40
MOST_COUNTED = 1000

Carried = list[tuple[OutboxItem, Delivery]]
Ended = tuple[OutboxItem, Delivery, bool]


class Deliverer:
    """`deliver_due` is for one thread at a time, the rest for any.

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
        self._outbox, self._clock = outbox, clock
        self._new_line: Callable[[str], Line] = lambda name: Line(name, channels.get(name), clock, jitter, told)
        self._lines = {name: self._new_line(name) for name in channels}
        self._urgent = Urgent(dict(self._lines))
        self._ended: dict[int, Delivery] = {}
        self._results: SimpleQueue[Carried | None] = SimpleQueue()
        self._stopped = threading.Event()

    def deliver_due(self) -> int:
        """Try what is due, until nothing is; returns how many alerts were delivered. Faults are logged, not raised."""
        delivered = 0
        self._urgent.push()
        for _ in range(MOST_BATCHES):
            try:
                items = self._outbox.due(self._clock.now(), BATCH)
            except StoreUnavailableError as error:
                log.error("alerts_unreadable", trouble=str(error))
                break
            ended = self._batch(items) if items and not self._stopped.is_set() else []
            delivered += sum(delivery.outcome is Outcome.DELIVERED for _, delivery, _ in ended)
            if not all(settled for _, _, settled in ended) or not ended:
                break
        return delivered

    def tell_now(self, alert: Alert) -> None:
        """Send past the outbox, once per channel and `dedupe`: for when the database is gone. Returns at once.

        What fails is tried again with every `deliver_due`, as long as this process lives.
        """
        self._urgent.tell(alert)

    def pending(self) -> int:
        """How many alerts wait in the outbox, up to 1,000. Raises StoreUnavailableError."""
        return len(self._outbox.due(self._clock.now() + GIVE_UP_AFTER, MOST_COUNTED))

    def stop(self) -> None:
        """Let `deliver_due` return at once, whatever a receiver does; what it had not settled is tried again later."""
        self._stopped.set()
        self._results.put(None)

    def _batch(self, items: Sequence[OutboxItem]) -> list[Ended]:
        """Each channel in a thread of its own, settled here as they come. The threads hold up no exit."""
        by_channel = sorted(items, key=lambda item: item.channel)
        groups = [list(group) for _, group in groupby(by_channel, key=lambda item: item.channel)]
        for group in groups:
            line = self._lines.setdefault(group[0].channel, self._new_line(group[0].channel))
            threading.Thread(target=self._carry, args=(line, group), name=f"alerts-{line.name}", daemon=True).start()
        ended: list[Ended] = []
        for _ in groups:
            carried = self._results.get()
            if carried is None:
                break
            ended += [(item, delivery, self._settle(item, delivery)) for item, delivery in carried]
        return ended

    def _carry(self, line: Line, items: Sequence[OutboxItem]) -> None:
        carried: Carried = []
        try:
            for item in items:
                if not self._stopped.is_set():
                    carried.append((item, self._known(item) or line.carry(item)))
        finally:
            self._results.put(carried)

    def _known(self, item: OutboxItem) -> Delivery | None:
        """How it ended earlier, when the store could not be told."""
        return self._ended.get(item.id) or self._urgent.ended(item.channel, item.alert.dedupe)

    def _settle(self, item: OutboxItem, delivery: Delivery) -> bool:
        """Write how a try ended; what cannot be written is remembered, so that nobody is told twice for it."""
        now = self._clock.now()
        again = now + timedelta(seconds=delivery.retry_after or 0.0) if delivery.outcome is Outcome.RETRY else now
        try:
            self._outbox.settle(item, delivery, again)
        except StoreUnavailableError as error:
            log.error("alert_not_settled", dedupe=item.alert.dedupe, trouble=str(error))
            if delivery.outcome is not Outcome.RETRY:
                self._ended[item.id] = delivery
            return False
        self._ended.pop(item.id, None)
        return True
