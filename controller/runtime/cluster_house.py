"""The rooms that only a daemon on a cluster has: its doors, what it shares with other replicas, and its desk."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from controller.domain.cluster import MODEL_ROLLOUT, ClusterError, ObjectRef
from controller.domain.names import RolloutKey
from controller.ports import Clock, KindFinder, ObjectApi, ObjectRemover, ObjectView, Shards, Store
from controller.runtime.answered import KEPT, Answered
from controller.runtime.asked_in_cluster import Requests
from controller.runtime.book import Book
from controller.runtime.cluster_routes import ClusterRoutes, rollouts_on
from controller.runtime.cluster_writer import TOGETHER, ClusterWriter
from controller.runtime.desk import ClusterDesk
from controller.runtime.scaling import ClusterWorkloads
from controller.runtime.sharing import GUARDING_ONLY, Alone, Heirs, Sharing
from controller.runtime.statuses import Statuses
from controller.runtime.watch import Watch
from controller.telemetry.health import Health

LEASES = "leases"
GIVE_BACK = 2.0
"""Seconds that a stop waits for the leases to be released; unreleased, they run out."""


class Keeper(Shards, Protocol):
    """Holds shards by leases."""

    def shard_of(self, key: RolloutKey) -> int:
        """Which shard a rollout belongs to."""
        ...

    def start(self) -> None:
        """Begin to hold."""
        ...

    def stop(self) -> None:
        """Let go, so that others take over at once."""
        ...


class AloneKeeper(Alone):
    """One process for the whole cluster: no leases."""

    def shard_of(self, key: RolloutKey) -> int:  # noqa: ARG002 - the protocol's signature
        """There is one."""
        return 0

    def start(self) -> None:
        """It is held already."""

    def stop(self) -> None:
        """There is nobody to let in."""


@dataclass(slots=True)
class ShardNews:
    """Carries what the keeper tells to whoever listens later: the keeper is made first. `keeping`: it has begun."""

    keeping: bool = False
    on_gained: Callable[[int], None] = lambda _: None
    on_lost: Callable[[int], None] = lambda _: None

    def gained(self, shard: int) -> None:
        """A shard is ours."""
        self.on_gained(shard)

    def lost(self, shard: int) -> None:
        """A shard is not ours any more."""
        self.on_lost(shard)


class Doors(ObjectApi, ObjectRemover, Protocol):
    """All that is asked of the API server."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """An open cluster. `identity` is this process's name among replicas; `close` ends the watches.

    Answered requests are deleted after `keep_requests`.
    """

    api: Doors
    kinds: KindFinder
    view: ObjectView
    routes: ClusterRoutes
    identity: str = "tidegate"
    namespaces: tuple[str, ...] = ()
    keeper: Keeper = field(default_factory=AloneKeeper)
    news: ShardNews = field(default_factory=ShardNews)
    close: Callable[[], None] = lambda: None
    keep_requests: timedelta = KEPT

    def keep(self) -> None:
        """Begin to hold shards, once."""
        if not self.news.keeping:
            self.news.keeping = True
            self.keeper.start()

    def give_back(self) -> None:
        """Let the others in; an API server that does not answer is not waited for."""
        leaving = threading.Thread(target=self.keeper.stop, name="give back", daemon=True)
        leaving.start()
        leaving.join(GIVE_BACK)

    def may_touch(self, key: RolloutKey) -> bool:
        """Before anything is known: is the rollout's shard ours, or is it no object of this cluster at all?"""
        self.keep()
        try:
            ours = self.view.get(ObjectRef(MODEL_ROLLOUT, key.namespace, key.name)) is None
        except ClusterError:
            ours = False
        return ours or self.keeper.guards(key)


def open_desk(
    cluster: Cluster,
    book: Book,
    store: Store,
    watch: Watch,
    clock: Clock,
    health: Health,
    together: timedelta = TOGETHER,
) -> tuple[Sharing, ClusterDesk]:
    """What a house on a cluster gets. Nothing is asked or written before `ClusterDesk.start`.

    A status waits for `together`, so that what changes in short time is one writing.
    """
    writer = ClusterWriter(cluster.api, cluster.view, clock, health, together=together)

    def dropped(key: RolloutKey) -> None:
        watch.follow(key, None, False)
        desk.dropped(key)

    sharing = Sharing(book, cluster.keeper, store, Heirs(lambda key: desk.taken(key), dropped))

    def requests(wake: Callable[[RolloutKey], None]) -> Requests:
        return Requests(book, sharing, store, cluster.view, writer, clock, wake)

    desk = ClusterDesk(
        cluster.view, writer, Statuses(writer, clock, sharing.holds), sharing, cluster.identity, cluster.namespaces,
        requests, cluster.keep, cluster.give_back,
        Answered(cluster.api, cluster.view, sharing, clock, health, cluster.keep_requests).tidy,
    )  # fmt: skip
    _listen(cluster, sharing, desk, health)
    cluster.routes.changed = lambda route: _look_at(route, book, desk)
    return sharing, desk


def open_workloads(
    cluster: Cluster, book: Book, sharing: Sharing, clock: Clock, health: Health, observe_only: bool = False
) -> ClusterWorkloads:
    """Who scales versions up and down. Nothing is asked before `ClusterWorkloads.start`."""
    return ClusterWorkloads(
        cluster.api, cluster.kinds, cluster.view, book, sharing.holds, clock, health, cluster.namespaces, observe_only
    )


def _look_at(route: ObjectRef, book: Book, desk: ClusterDesk) -> None:
    """What somebody else wrote is put right, or adopted, within a second or two: nobody waits for the next tick."""
    for key in rollouts_on(book, route):
        desk.wake(key)


def _listen(cluster: Cluster, sharing: Sharing, desk: ClusterDesk, health: Health) -> None:
    """A shard that comes back was away for a moment: what we believed of its rollouts is forgotten first.

    One that only ran out goes on being guarded.
    """

    def of(shard: int) -> Callable[[RolloutKey], bool]:
        return lambda key: cluster.keeper.shard_of(key) == shard

    def told() -> None:
        if sharing.adrift(lambda _: True):
            health.trouble(LEASES, f"{GUARDING_ONLY}; nothing goes up")
        else:
            health.ok(LEASES)

    def gained(shard: int) -> None:
        sharing.lost(of(shard))
        told()
        desk.shards_moved()

    def lost(shard: int) -> None:
        mine = of(shard)
        adrift = sharing.adrift(mine)
        sharing.lost(lambda key: mine(key) and key not in adrift)
        told()
        desk.shards_moved()
        for key in adrift:
            desk.wake(key)

    cluster.news.on_lost, cluster.news.on_gained = lost, gained
