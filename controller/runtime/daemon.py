"""`tidegate run`: everything started in order, and stopped again within five seconds with traffic left as it is."""

import os
import signal
import sys
import threading
from types import FrameType

import structlog

from controller.runtime.bootstrap import furnish, lay
from controller.runtime.chores import Chores
from controller.runtime.control import Control
from controller.runtime.dispatch import Dispatcher
from controller.runtime.footprint import few_heaps, settled
from controller.runtime.front import Front
from controller.runtime.groundwork import Groundwork
from controller.runtime.house import House
from controller.runtime.reconcile import listen, reconcile
from controller.runtime.scheduler import Ticker
from controller.runtime.settings import Settings
from controller.runtime.vigil import Vigil
from controller.telemetry.logging import set_up
from controller.web.protocol import Request
from controller.web.socket import Answer, RequestRefusedError

log = structlog.get_logger("daemon")
PASSES_END, SOURCES_END = 2.5, 0.5
"""Seconds that passes under way and sources get to end: all in all a stop takes less than five."""


class Daemon:
    """A running house. `start`, then `stop`; both from one thread. `front` may listen already."""

    def __init__(self, house: House, settings: Settings, front: Front | None = None) -> None:
        self.house, self.settings = house, settings
        self.dispatcher = Dispatcher(
            house.clock, lambda key: reconcile(key, house), settings.workers, house.telemetry.late
        )
        self.ticker = Ticker(house.clock)
        self.chores = Chores(house, self.ticker, self.dispatcher, settings.retention_days)
        self.control = Control(house, self.dispatcher)
        self.front = front or Front(settings, house.telemetry, house.health, self.control)

    @property
    def address(self) -> str:
        """Where the pages are served, `host:port`."""
        return self.front.address

    def start(self) -> None:
        """Serve, read, sample, pass: in this order, so that nobody asks a daemon that knows nothing."""
        self.front.answer = self.control
        self.front.start()
        self.chores.read_sources()
        for name in self.house.sources:
            self.house.health.first_pass(name)
        for held in self.house.book.all():
            listen(held, self.house)
            self.dispatcher.wake(held.key)
        self.ticker.start()
        self.chores.plan()
        self.house.specs.watch(self.chores.read_sources)
        self.dispatcher.start()
        self.house.desk.start(self.dispatcher.hasten, self.ticker.every)
        self.house.workloads.start(self.ticker.every)
        log.info("started", address=self.address, socket=str(self.settings.socket), observe=self.house.observe_only)

    def stop(self) -> None:
        """Traffic stays as it is: the guard of the next start goes on from what is stored."""
        self.house.stopping.set()
        self.house.deliverer.stop()
        self.ticker.stop()
        clean = self.dispatcher.stop(PASSES_END)
        self.house.workloads.stop()
        self.house.desk.stop()
        self._close_sources()
        self.front.stop()
        self.house.close()
        log.info("stopped", clean=clean)

    def _close_sources(self) -> None:
        """A fetch from a remote that hangs is not waited for."""
        closing = threading.Thread(target=self.house.specs.close, name="close sources", daemon=True)
        closing.start()
        closing.join(SOURCES_END)


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT. A database that cannot be read is waited for, with every candidate withdrawn."""
    few_heaps()
    set_up(settings.log_level, settings.log_format)
    done = _until_told()
    ground = lay(settings)
    front = Front(settings, ground.telemetry, ground.health, _nobody)
    try:
        house = Vigil(ground, front, furnish).until_open(done)
    except BaseException:
        _close(ground, front)
        raise
    if house is None:
        _close(ground, front)
        log.info("stopped", clean=True)
        _leave()
        return
    _serve(Daemon(house, settings, front), done)


def _serve(daemon: Daemon, done: threading.Event) -> None:
    try:
        daemon.start()
    except BaseException:
        daemon.stop()
        raise
    settled()
    done.wait()
    daemon.stop()
    _leave()


def _until_told() -> threading.Event:
    """Set by SIGTERM or SIGINT, from now on."""
    done = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        log.info("signal", number=number)
        done.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    return done


def _nobody(_request: Request) -> Answer:
    raise RequestRefusedError("the daemon is starting: ask again in a moment")


def _close(ground: Groundwork, front: Front) -> None:
    front.stop()
    ground.close()


def _leave() -> None:
    """Threads of libraries that still wait for a slow server would hold up the end of the process: given up."""
    lingering = [one.name for one in threading.enumerate() if one is not threading.current_thread() and not one.daemon]
    if lingering:
        log.info("given_up", threads=lingering)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
