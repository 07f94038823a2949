"""The house: every door filled. Made by `bootstrap`, handed to the verbs; nothing here has logic of its own."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from controller.alerts.delivery import Deliverer
from controller.ports import AlertChannel, Clock, Outbox, SpecSource, Store
from controller.runtime.book import Book
from controller.runtime.desk import Desk, NoDesk
from controller.runtime.persist import Persister
from controller.runtime.probe import Probe
from controller.runtime.routers import Routers
from controller.runtime.scaling import NoWorkloads, Workloads
from controller.runtime.sharing import Alone, Shared
from controller.runtime.watch import Watch
from controller.store.spool import Spool
from controller.telemetry.exposition import Telemetry
from controller.telemetry.health import Health


@dataclass(frozen=True, slots=True)
class House:
    """All doors of one daemon. `observe_only`: no route is ever written. `closing`: what to close, in this order.

    `sharing`: which rollouts are this daemon's; `desk`: what a cluster hears of them; `workloads`: what
    of its objects is scaled with them.
    """

    clock: Clock
    book: Book
    sources: tuple[str, ...]
    specs: SpecSource
    routers: Routers
    watch: Watch
    probe: Probe
    store: Store
    outbox: Outbox
    spool: Spool
    persister: Persister
    channels: Mapping[str, AlertChannel]
    deliverer: Deliverer
    telemetry: Telemetry
    health: Health
    observe_only: bool = False
    sharing: Shared = field(default_factory=Alone)
    desk: Desk = field(default_factory=NoDesk)
    workloads: Workloads = field(default_factory=NoWorkloads)
    stopping: threading.Event = field(default_factory=threading.Event)
    closing: tuple[Callable[[], None], ...] = ()

    def close(self) -> None:
        """Give back what is open; the house is not used afterwards."""
        self.stopping.set()
        for close in self.closing:
            close()
