"""The composition root: settings in, a house with every door filled out. No logic of its own."""

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from controller import __version__
from controller.alerts import open_channel
from controller.alerts.delivery import Deliverer
from controller.alerts.unread import state_lost
from controller.analysis.judge import ENGINE
from controller.domain.names import RolloutKey
from controller.domain.record import StaleWriteError, Stored, StoreUnavailableError
from controller.domain.rollout import MetricServer
from controller.metrics import PROVIDERS
from controller.metrics.sampler import Sampler
from controller.ports import Clock, SpecSource
from controller.runtime.book import Book
from controller.runtime.clock import SystemClock
from controller.runtime.cluster_house import Cluster, open_desk, open_workloads
from controller.runtime.cluster_open import open_cluster
from controller.runtime.groundwork import Groundwork, LateOutbox
from controller.runtime.house import House
from controller.runtime.known_routes import known_routes
from controller.runtime.lock import StateLock
from controller.runtime.lost import Lost, keep_aside, lost_rollouts
from controller.runtime.persist import Persister
from controller.runtime.probe import Probe
from controller.runtime.routers import Routers
from controller.runtime.settings import GitSettings, Settings
from controller.runtime.watch import Watch
from controller.sources import CustomResources, DirectorySource, GitSource, combine
from controller.sources.git_command import GitLogin
from controller.store.database import check_settings
from controller.store.recover import latest, recover
from controller.store.spool import Spool
from controller.store.store import SqlStore, open_store
from controller.telemetry.exposition import Telemetry
from controller.telemetry.health import Health
from controller.traffic import router_for

SHORTEST_TICK = timedelta(seconds=2)
DATABASE = "database"
"""What `/readyz` waits for besides the sources."""


def bootstrap(settings: Settings, clock: Clock | None = None) -> House:
    """Open everything. Raises what `lay` and `furnish` raise, before anything was moved."""
    ground = lay(settings, clock)
    try:
        return furnish(ground)
    except BaseException:
        ground.close()
        raise


def lay(settings: Settings, clock: Clock | None = None) -> Groundwork:
    """Everything but the database. Raises AlreadyRunningError, StoreSettingsError and OSError."""
    clock = clock or SystemClock()
    check_settings(settings.database_url, settings.state_dir)
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = StateLock(settings.state_dir)
    lock.take()
    try:
        return _laid(settings, clock, lock)
    except BaseException:
        lock.release()
        raise


def _laid(settings: Settings, clock: Clock, lock: StateLock) -> Groundwork:
    channels = {name: open_channel(name, told) for name, told in settings.channels}
    telemetry, outbox = Telemetry(clock, __version__, ENGINE), LateOutbox()
    cluster = open_cluster(settings.cluster, clock, telemetry.asked_cluster) if settings.cluster else None
    sources = _sources(settings, clock, cluster)
    jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing
    return Groundwork(
        settings=settings,
        clock=clock,
        channels=channels,
        sources=sources,
        specs=combine(tuple(sources.values()), settings.template_namespace),
        spool=Spool(settings.state_dir / "spool"),
        telemetry=telemetry,
        health=Health(clock, SHORTEST_TICK, (*sources, DATABASE)),
        outbox=outbox,
        deliverer=Deliverer(
            outbox, channels, clock, jitter.random, lambda name, end: telemetry.alert_tried(name, end.value)
        ),
        router=cluster.routes if cluster else router_for,
        release=lock.release,
        cluster=cluster,
    )


def furnish(ground: Groundwork) -> House:
    """The rest, by what the database says. Raises StoreUnavailableError, SpoolUnavailableError: try again."""
    store = open_store(ground.settings.database_url, tuple(ground.channels))
    try:
        book = _book(ground, store)
    except BaseException:
        store.close()
        raise
    ground.outbox.store = store
    ground.health.first_pass(DATABASE)
    persister = Persister(store, ground.spool, ground.settings.workers)
    clock = ground.clock
    watch = Watch(lambda server: _sampler(server, clock))
    house = House(
        clock=clock,
        book=book,
        sources=tuple(ground.sources),
        specs=ground.specs,
        routers=Routers(ground.router),
        watch=watch,
        probe=Probe(),
        store=store,
        outbox=ground.outbox,
        spool=ground.spool,
        persister=persister,
        channels=ground.channels,
        deliverer=ground.deliverer,
        telemetry=ground.telemetry,
        health=ground.health,
        observe_only=ground.settings.observe,
        closing=(ground.deliverer.stop, persister.close, store.close, *_of_cluster(ground), ground.release),
    )
    if ground.cluster is None:
        return house
    sharing, desk = open_desk(ground.cluster, book, store, watch, clock, ground.health)
    workloads = open_workloads(ground.cluster, book, sharing, clock, ground.health, ground.settings.observe)
    return replace(house, sharing=sharing, desk=desk, workloads=workloads)


def _of_cluster(ground: Groundwork) -> Sequence[Callable[[], None]]:
    return (ground.cluster.close,) if ground.cluster is not None else ()


def _book(ground: Groundwork, store: SqlStore) -> Book:
    """Database and spool together. One that can be read but not written: as if it had been, and written later."""
    stored, written = _stored(store, ground.spool)
    book = Book(stored, _lost(ground, stored))
    for held in book.all():
        held.unsaved = not written
    return book


def _stored(store: SqlStore, spool: Spool) -> tuple[Sequence[Stored], bool]:
    try:
        return recover(store, spool), True
    except (StoreUnavailableError, StaleWriteError):
        return latest(store.load(), spool.read()), False


def _lost(ground: Groundwork, stored: Sequence[Stored]) -> Mapping[RolloutKey, Lost]:
    """Rows that do not read back: kept aside and told; what lies beside Envoy says how to go on."""
    if all(row.unread is None for row in stored):
        return {}
    settings, now = ground.settings, ground.clock.now()
    kept = keep_aside(stored, settings.state_dir)
    routes = known_routes(ground.specs.read(), (), settings.folders, settings.state_dir, observe=settings.observe)
    lost = lost_rollouts(stored, routes.values(), now)
    for key, one in lost.items():
        ground.deliverer.tell_now(state_lost(now, key, one.why, one.stable, str(kept[key])))
    return lost


def _sampler(server: MetricServer, clock: Clock) -> Sampler:
    return Sampler(server, PROVIDERS[server.provider](server), clock)


def _sources(settings: Settings, clock: Clock, cluster: Cluster | None) -> dict[str, SpecSource]:
    found: dict[str, SpecSource] = {f"folder {path}": DirectorySource(path, clock=clock) for path in settings.folders}
    for repository in settings.repositories:
        found[f"git {repository.url}"] = _git(repository, settings, clock)
    if cluster is not None:
        found["cluster"] = CustomResources(cluster.view, cluster.namespaces, clock)
    return found


def _git(repository: GitSettings, settings: Settings, clock: Clock) -> SpecSource:
    name = hashlib.sha256(f"{repository.url} {repository.branch}".encode()).hexdigest()[:12]
    return GitSource(
        repository.url,
        repository.branch,
        repository.folder,
        settings.state_dir / "git" / name,
        clock=clock,
        login=GitLogin(_path(repository.token_file), _path(repository.ssh_key_file)),
        interval=timedelta(seconds=repository.poll),
    )


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None
