"""Every door of the house, as Protocols. Adapters stand behind them; the pure rooms never see an adapter."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from controller.domain.cluster import Document, Kind, ObjectRef, Operation
from controller.domain.evidence import Evidence
from controller.domain.measure import FamilyAsk, Measurement, QueryAsk, Snapshot
from controller.domain.names import Digest, RolloutKey, VersionName
from controller.domain.observation import SpecSeen
from controller.domain.problem import SpecProblem
from controller.domain.record import (
    Alert,
    Delivery,
    JournalEntry,
    OutboxItem,
    Stored,
    TickRecord,
)
from controller.domain.rollout import MetricServer
from controller.domain.route import BackendRef, Route
from controller.domain.traffic import Capabilities, RouteSeen, Split


class Clock(Protocol):
    """Where `now` comes from."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds that never jump, for measuring durations."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; the manual clock returns at once and moves on."""
        ...


@dataclass(frozen=True, slots=True)
class RouteBinding:
    """What a router must know of one rollout: its route and where each version listens."""

    key: RolloutKey
    route: Route
    backends: Mapping[VersionName, BackendRef]


class TrafficRouter(Protocol):
    """Moves the traffic of one rollout. Asked for whole splits; doing one twice is harmless."""

    @property
    def capabilities(self) -> Capabilities:
        """What this router can do."""
        ...

    def apply(self, split: Split) -> None:
        """Write the split, or the next step towards it: asked until `observe` shows it.

        Raises RouterUnavailableError; returning does not mean that the data plane has it yet.
        """
        ...

    def observe(self) -> RouteSeen:
        """The data plane as it is. Raises RouterUnavailableError when it cannot be known."""
        ...


RouterFactory = Callable[[RouteBinding], TrafficRouter]


class MetricProvider(Protocol):
    """Asks one metric server."""

    def fetch(self, asks: Sequence[FamilyAsk | QueryAsk], at: datetime) -> Snapshot:
        """Answers for all asks. Never raises for the server's faults: they are `problem`s in the snapshot."""
        ...


ProviderFactory = Callable[[MetricServer], MetricProvider]


@dataclass(frozen=True, slots=True)
class Specs:
    """All rollouts one source knows. `problems` are of documents that belong to no known rollout.

    `trouble` is set when the source itself is unreachable: what is there is used on, and `as_of` says how old it is.
    """

    rollouts: Mapping[RolloutKey, SpecSeen] = field(default_factory=dict)
    problems: tuple[SpecProblem, ...] = ()
    trouble: str | None = None
    as_of: datetime | None = None


class SpecSource(Protocol):
    """Where specs come from."""

    def read(self) -> Specs:
        """All specs as they are now: last good ones kept, problems told. Never raises for bad input."""
        ...

    def watch(self, changed: Callable[[], None]) -> None:
        """Call `changed` (from any thread) when reading again is worthwhile."""
        ...

    def close(self) -> None:
        """Stop watching."""
        ...


class Store(Protocol):
    """Positions, evidence, journal: committed together."""

    def load(self) -> Sequence[Stored]:
        """Everything known, at start-up; a row that does not read back is `unread`. Raises StoreUnavailableError."""
        ...

    def commit(self, record: TickRecord) -> None:
        """All of a tick in one transaction. Raises StaleWriteError, StoreUnavailableError."""
        ...

    def evidence(self, key: RolloutKey, digest: Digest) -> Evidence | None:
        """Evidence of a digest tried earlier (a retry goes on from it), or None. Raises StoreUnavailableError."""
        ...

    def journal(self, key: RolloutKey, limit: int) -> Sequence[JournalEntry]:
        """The newest entries of a rollout, newest first. Raises StoreUnavailableError."""
        ...

    def measurements(
        self, key: RolloutKey, since: datetime, until: datetime
    ) -> Iterator[tuple[datetime, tuple[Measurement, ...]]]:
        """What was measured from `since` to `until`, both included, oldest first.

        Raises StoreUnavailableError, also while it is read.
        """
        ...

    def prune(self, before: datetime) -> int:
        """Forget measurements older than `before`; decisions are kept for ever. Returns how many rows went."""
        ...


class Outbox(Protocol):
    """Alerts on their way: written with the tick that caused them, removed when delivered."""

    def due(self, now: datetime, limit: int) -> Sequence[OutboxItem]:
        """Alerts to try now, oldest first. Raises StoreUnavailableError."""
        ...

    def settle(self, item: OutboxItem, delivery: Delivery, not_before: datetime) -> None:
        """Write how a try ended; RETRY keeps the item until `not_before`."""
        ...


class AlertChannel(Protocol):
    """Tells people."""

    def send(self, alert: Alert) -> Delivery:
        """Try once. Never raises for the receiver's faults."""
        ...


class ObjectApi(Protocol):
    """The API server of a cluster: every call asks it. All raise the errors of `domain.cluster`."""

    def get(self, ref: ObjectRef, part: str = "") -> Document | None:
        """The object, or its sub-resource `part` (`scale`), as it is now; None when there is no such object."""
        ...

    def list(self, kind: Kind, namespace: str = "", selector: str = "") -> Sequence[Document]:
        """All objects of a kind in a namespace (empty: in all of them); `selector` is a label selector."""
        ...

    def patch(self, ref: ObjectRef, operations: Sequence[Operation], part: str = "") -> Document:
        """Change the object by JSON Patch, or its sub-resource `part` (`status`, `scale`); returns it changed."""
        ...

    def create(self, ref: ObjectRef, document: Document) -> Document:
        """Write a new object; ConflictError when there is one."""
        ...


class KindFinder(Protocol):
    """Knows what an API server serves. Raises the errors of `domain.cluster`."""

    def with_scale(self, api_version: str, name: str) -> Kind:
        """The kind that is named so and has a sub-resource `scale`; NotServedError says what there is instead."""
        ...


class ObjectRemover(Protocol):
    """Who may delete objects of a cluster. Raises the errors of `domain.cluster`."""

    def remove(self, ref: ObjectRef, uid: str) -> None:
        """Delete the object of that uid; nothing when it is gone. ConflictError when another has its name by now."""
        ...


class Shards(Protocol):
    """Which rollouts are this process's own, where several processes share them."""

    def holds(self, key: RolloutKey) -> bool:
        """May this process act on it now? False at once when that is not sure any more; asking costs no request."""
        ...

    def guards(self, key: RolloutKey) -> bool:
        """May it measure, judge, and take traffic from the candidate? Also true of what it held until nobody answered.

        Of what is guarded and not held nothing may be raised or begun: another process may hold it by now.
        """
        ...


class ObjectView(Protocol):
    """Objects of some kinds, kept current by a watch: reading costs no request."""

    def follow(self, kind: Kind, namespace: str, changed: Callable[[ObjectRef], None]) -> None:
        """Keep a kind (of one namespace, or empty: of all) current; `changed` is called from any thread."""
        ...

    def get(self, ref: ObjectRef) -> Document | None:
        """The newest known. Raises ClusterUnavailableError when the view is not current, or does not follow it."""
        ...

    def all(self, kind: Kind) -> Sequence[Document]:
        """Every followed object of a kind. Raises ClusterUnavailableError when the view is not current."""
        ...

    def learn(self, ref: ObjectRef, document: Document) -> None:
        """Take what a write returned, unless something newer is known: nobody reads what is older than his writing."""
        ...
