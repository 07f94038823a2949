"""`tidegate run`: everything started in order, and stopped again within five seconds with traffic left as it is."""

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType

import structlog

from controller.runtime.bootstrap import bootstrap
from controller.runtime.chores import Chores
from controller.runtime.control import Control
from controller.runtime.dispatch import Dispatcher
from controller.runtime.house import House
from controller.runtime.reconcile import listen, reconcile
from controller.runtime.scheduler import Ticker
from controller.runtime.settings import Settings
from controller.telemetry.health import Check
from controller.telemetry.logging import set_up
from controller.web.http import Page, PageServer, json_page
from controller.web.socket import ControlServer

log = structlog.get_logger("daemon")
PASSES_END, SOURCES_END = 2.5, 0.5
"""Seconds that passes under way and sources get to end: all in all a stop takes less than five."""


class Daemon:
    """A running house. `start`, then `stop`; both from one thread."""

    def __init__(self, house: House, settings: Settings) -> None:
        self.house, self.settings = house, settings
        self.dispatcher = Dispatcher(
            house.clock, lambda key: reconcile(key, house), settings.workers, house.telemetry.late
        )
        self.ticker = Ticker(house.clock)
        self.chores = Chores(house, self.ticker, self.dispatcher, settings.retention_days)
        self.control = ControlServer(settings.socket, Control(house, self.dispatcher))
        self.pages = PageServer(settings.http, _pages(house))
        self.address = ""

    def start(self) -> None:
        """Serve, read, sample, pass: in this order, so that nobody asks a daemon that knows nothing."""
        self.control.start()
        self.address = self.pages.start()
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
        log.info("started", address=self.address, socket=str(self.settings.socket), observe=self.house.observe_only)

    def stop(self) -> None:
        """Traffic stays as it is: the guard of the next start goes on from what is stored."""
        self.house.stopping.set()
        self.house.deliverer.stop()
        self.ticker.stop()
        clean = self.dispatcher.stop(PASSES_END)
        self._close_sources()
        self.control.stop()
        self.pages.stop()
        self.house.close()
        log.info("stopped", clean=clean)

    def _close_sources(self) -> None:
        """A fetch from a remote that hangs is not waited for."""
        closing = threading.Thread(target=self.house.specs.close, name="close sources", daemon=True)
        closing.start()
        closing.join(SOURCES_END)


def _pages(house: House) -> dict[str, Callable[[], Page]]:
    return {
        "/metrics": lambda: Page(house.telemetry.render(), house.telemetry.content_type),
        "/healthz": lambda: _checked(house.health.alive()),
        "/readyz": lambda: _checked(house.health.ready()),
    }


def _checked(check: Check) -> Page:
    return json_page(check.document, check.good)


def run(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    set_up(settings.log_level, settings.log_format)
    daemon = Daemon(bootstrap(settings), settings)
    done = threading.Event()

    def end(number: int, _frame: FrameType | None) -> None:
        log.info("signal", number=number)
        done.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    try:
        daemon.start()
    except BaseException:
        daemon.stop()
        raise
    done.wait()
    daemon.stop()
    _leave()


def _leave() -> None:
    """Threads of libraries that still wait for a slow server would hold up the end of the process: given up."""
    lingering = [one.name for one in threading.enumerate() if one is not threading.current_thread() and not one.daemon]
    if lingering:
        log.info("given_up", threads=lingering)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)
