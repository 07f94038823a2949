"""The composition root: settings in, a house with every door filled out. No logic of its own."""

import hashlib
import random
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from controller import __version__
from controller.alerts import open_channel
from controller.alerts.delivery import Deliverer
from controller.analysis.judge import ENGINE
from controller.domain.record import StaleWriteError, StoreUnavailableError
from controller.domain.rollout import MetricServer
from controller.metrics import PROVIDERS
from controller.metrics.sampler import Sampler
from controller.ports import AlertChannel, Clock, SpecSource
from controller.runtime.book import Book
from controller.runtime.clock import SystemClock
from controller.runtime.house import House
from controller.runtime.lock import StateLock
from controller.runtime.persist import Persister
from controller.runtime.probe import Probe
from controller.runtime.routers import Routers
from controller.runtime.settings import GitSettings, Settings
from controller.runtime.watch import Watch
from controller.sources import DirectorySource, GitSource, combine
from controller.sources.git_command import GitLogin
from controller.store.recover import latest, recover
from controller.store.spool import Spool
from controller.store.store import SqlStore, open_store
from controller.telemetry.exposition import Telemetry
from controller.telemetry.health import Health
from controller.traffic import router_for

SHORTEST_TICK = timedelta(seconds=2)


def bootstrap(settings: Settings, clock: Clock | None = None) -> House:
    """Open everything. Raises AlreadyRunningError, StoreUnavailableError and OSError before anything was moved."""
    clock = clock or SystemClock()
    settings.state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = StateLock(settings.state_dir)
    lock.take()
    try:
        channels = {name: open_channel(name, told) for name, told in settings.channels}
        store = open_store(settings.database_url, tuple(channels))
    except BaseException:
        lock.release()
        raise
    try:
        return _furnished(settings, clock, lock, store, channels)
    except BaseException:
        store.close()
        lock.release()
        raise


def _furnished(
    settings: Settings, clock: Clock, lock: StateLock, store: SqlStore, channels: Mapping[str, AlertChannel]
) -> House:
    spool = Spool(settings.state_dir / "spool")
    telemetry = Telemetry(clock, __version__, ENGINE)
    sources = _sources(settings, clock)
    specs, persister = combine(tuple(sources.values())), Persister(store, spool, settings.workers)
    jitter = random.Random()  # noqa: S311 - spreads retries, guards nothing
    deliverer = Deliverer(
        store, channels, clock, jitter.random, lambda name, end: telemetry.alert_tried(name, end.value)
    )
    return House(
        clock=clock,
        book=_book(store, spool),
        sources=tuple(sources),
        specs=specs,
        routers=Routers(router_for),
        watch=Watch(lambda server: _sampler(server, clock)),
        probe=Probe(),
        store=store,
        outbox=store,
        spool=spool,
        persister=persister,
        channels=channels,
        deliverer=deliverer,
        telemetry=telemetry,
        health=Health(clock, SHORTEST_TICK, sources),
        observe_only=settings.observe,
        closing=(deliverer.stop, persister.close, store.close, lock.release),
    )


def _book(store: SqlStore, spool: Spool) -> Book:
    """Database and spool together. One that can be read but not written: as if it had been, and written later."""
    try:
        return Book(recover(store, spool))
    except (StoreUnavailableError, StaleWriteError):
        book = Book(latest(store.load(), spool.read()))
    for held in book.all():
        held.unsaved = True
    return book


def _sampler(server: MetricServer, clock: Clock) -> Sampler:
    return Sampler(server, PROVIDERS[server.provider](server), clock)


def _sources(settings: Settings, clock: Clock) -> dict[str, SpecSource]:
    found: dict[str, SpecSource] = {f"folder {path}": DirectorySource(path, clock=clock) for path in settings.folders}
    for repository in settings.repositories:
        found[f"git {repository.url}"] = _git(repository, settings, clock)
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
