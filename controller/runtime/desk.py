"""What a cluster hears of the passes: statuses, events, answers to requests. Nothing here holds a pass up."""

from collections.abc import Callable
from datetime import timedelta
from typing import Protocol

import structlog

from controller.domain.cluster import ROLLOUT_REQUEST, ClusterError, ObjectRef
from controller.domain.decision import Decision
from controller.domain.names import RolloutKey
from controller.ports import ObjectView, Specs
from controller.runtime.asked_in_cluster import Requests
from controller.runtime.book import Held
from controller.runtime.cluster_writer import ClusterWriter
from controller.runtime.events import event_of
from controller.runtime.sharing import Sharing
from controller.runtime.statuses import Statuses, ref_of
from controller.sources.coalesced import Coalesced

log = structlog.get_logger("cluster")
LOOK, TIDY = timedelta(seconds=2), timedelta(minutes=30)
OUTBOX = RolloutKey("tidegate", "alert-outbox")
"""Whoever holds this name's shard delivers the alerts of all."""
Every = Callable[[str, timedelta, Callable[[], None]], None]


class Desk(Protocol):
    """Who is told. `start` gets the doors that only a running daemon has."""

    def start(self, wake: Callable[[RolloutKey], None], every: Every) -> None:
        """Begin to hear and to write. `every` plans a job; `wake` asks for a pass."""
        ...

    def passed(self, held: Held) -> None:
        """A pass is over, whether its decision was carried out or not."""
        ...

    def told(self, held: Held, decision: Decision) -> None:
        """A decision was written down and carried out."""
        ...

    def read(self, specs: Specs) -> None:
        """The sources were read, and the book knows."""
        ...

    def delivers(self) -> bool:
        """Does this process deliver the alerts of the shared outbox?"""
        ...

    def stop(self) -> None:
        """Give back what is held: others take over at once."""
        ...


class NoDesk:
    """Without a cluster."""

    def start(self, wake: Callable[[RolloutKey], None], every: Every) -> None:
        """Nothing begins."""

    def passed(self, held: Held) -> None:
        """Nobody is told."""

    def told(self, held: Held, decision: Decision) -> None:
        """Nobody is told."""

    def read(self, specs: Specs) -> None:
        """Nobody is told."""

    def delivers(self) -> bool:
        """The outbox is ours alone."""
        return True

    def stop(self) -> None:
        """Nothing is held."""


class ClusterDesk:
    """The desk of a daemon on a cluster. `keep_shards`/`give_back`: begin and end to hold shards.

    `tidy` deletes old requests; it asks the API server, and is called from a thread of its own.
    """

    def __init__(
        self, view: ObjectView, writer: ClusterWriter, statuses: Statuses, sharing: Sharing, identity: str,
        namespaces: tuple[str, ...], requests: Callable[[Callable[[RolloutKey], None]], Requests],
        keep_shards: Callable[[], None], give_back: Callable[[], None], tidy: Callable[[], None],
    ) -> None:  # fmt: skip
        self._view, self._writer, self._statuses, self._sharing = view, writer, statuses, sharing
        self._identity, self._namespaces, self._new_requests = identity, namespaces or ("",), requests
        self._keep_shards, self._give_back, self._tidy = keep_shards, give_back, tidy
        self._requests: Requests | None = None
        self._wake: Callable[[RolloutKey], None] = lambda _: None
        self._asked, self._shards_moved = Coalesced("requests"), Coalesced("shards")

    def start(self, wake: Callable[[RolloutKey], None], every: Every) -> None:
        """Follow requests, hold shards, write."""
        self._wake, self._requests = wake, self._new_requests(wake)
        self._writer.start()
        self._shards_moved.start(self._sharing.refresh)
        for namespace in self._namespaces:
            self._view.follow(ROLLOUT_REQUEST, namespace, self._heard)
        self._asked.start(self._requests.look)
        every("requests", LOOK, self._asked.tell)
        every("shards", LOOK, self._shards_moved.tell)
        every("answered requests", TIDY, self._tidy)
        self._keep_shards()

    def _heard(self, _ref: ObjectRef) -> None:
        self._asked.tell()

    def wake(self, key: RolloutKey) -> None:
        """Ask for a pass over a rollout, once there is somebody who makes passes."""
        self._wake(key)

    def shards_moved(self) -> None:
        """From any thread: a shard was gained or lost."""
        self._shards_moved.tell()

    def taken(self, key: RolloutKey) -> None:
        """A rollout is ours from now on: its requests, and a pass."""
        self._asked.tell()
        self._wake(key)

    def dropped(self, key: RolloutKey) -> None:
        """A rollout is another process's from now on."""
        self._statuses.forget(key)
        if self._requests is not None:
            self._requests.forget(key)

    def passed(self, held: Held) -> None:
        """Its status, when it is news."""
        try:
            self._statuses.passed(held)
        except Exception:  # no status is worth a pass
            log.exception("status_failed", rollout=str(held.key))

    def told(self, held: Held, decision: Decision) -> None:
        """Events, and answers."""
        try:
            self._tell(held, decision)
        except Exception:  # nor is an event
            log.exception("events_failed", rollout=str(held.key))

    def _tell(self, held: Held, decision: Decision) -> None:
        if held.spec.generation:
            for notice in decision.notices:
                self._writer.tell(*event_of(held.key, decision.position, notice, self._uid(held), self._identity))
        if self._requests is not None and decision.settled:
            self._requests.settled(held, decision)

    def read(self, specs: Specs) -> None:
        """New rollouts may be ours; what was never good gets its status."""
        self._sharing.refresh()
        self._statuses.read(specs)

    def delivers(self) -> bool:
        """One of all processes does; while the cluster cannot be asked who, everybody does."""
        return self._sharing.guards(OUTBOX) or not self._is_current()

    def stop(self) -> None:
        """Passes are over: write what is left, then let the others in."""
        self._asked.stop()
        self._shards_moved.stop()
        self._writer.stop()
        self._give_back()

    def _uid(self, held: Held) -> str:
        try:
            document = self._view.get(ref_of(held.key))
        except ClusterError:
            return ""
        metadata = document.get("metadata") if document is not None else None
        return str(metadata.get("uid", "")) if isinstance(metadata, dict) else ""

    def _is_current(self) -> bool:
        try:
            self._view.all(ROLLOUT_REQUEST)
        except ClusterError:
            return False
        return True
