"""What a daemon has before its database is read: enough to look after traffic, to tell people, and to answer them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.alerts.delivery import Deliverer
from controller.domain.names import RolloutKey
from controller.domain.record import Delivery, OutboxItem
from controller.ports import AlertChannel, Clock, Outbox, RouterFactory, SpecSource
from controller.runtime.cluster_house import Cluster
from controller.runtime.settings import Settings
from controller.store.spool import Spool
from controller.telemetry.exposition import Telemetry
from controller.telemetry.health import Health


class LateOutbox:
    """An outbox that is empty until `store` is known: what is told until then goes past it."""

    def __init__(self) -> None:
        self.store: Outbox | None = None

    def due(self, now: datetime, limit: int) -> Sequence[OutboxItem]:
        """As the store says. Raises StoreUnavailableError."""
        return self.store.due(now, limit) if self.store else ()

    def settle(self, item: OutboxItem, delivery: Delivery, not_before: datetime) -> None:
        """As the store does. Raises StoreUnavailableError."""
        if self.store:
            self.store.settle(item, delivery, not_before)


@dataclass(frozen=True, slots=True)
class Groundwork:
    """Laid once, before anything else; `close` when no house was furnished on it."""

    settings: Settings
    clock: Clock
    channels: Mapping[str, AlertChannel]
    sources: Mapping[str, SpecSource]
    specs: SpecSource
    spool: Spool
    telemetry: Telemetry
    health: Health
    outbox: LateOutbox
    deliverer: Deliverer
    router: RouterFactory
    release: Callable[[], None]
    cluster: Cluster | None = None

    def may_touch(self, key: RolloutKey) -> bool:
        """May this process write the route of that rollout before its database is read? Replicas take turns."""
        return self.cluster is None or self.cluster.may_touch(key)

    def close(self) -> None:
        """Give back what is open."""
        self.deliverer.stop()
        if self.cluster is not None:
            self.cluster.give_back()
            self.cluster.close()
        self.release()
