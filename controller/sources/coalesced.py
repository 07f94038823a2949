"""Much news, told once: whoever listens is called from one thread, and never twice for what came at the same time."""

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger("sources")
TOGETHER = 0.02
"""Seconds in which news are taken together."""


class Coalesced:
    """`tell` from any thread, before `start` too: then the listener is called at the start."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._news, self._stopped = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def tell(self) -> None:
        """There is news."""
        self._news.set()

    def start(self, changed: Callable[[], None]) -> None:
        """Call `changed` soon after every `tell`."""
        self._thread = threading.Thread(target=self._work, args=(changed,), name=self._name, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more calls; waits for the one under way, for a second at most."""
        self._stopped.set()
        self._news.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(1.0)

    def _work(self, changed: Callable[[], None]) -> None:
        while True:
            self._news.wait()
            if self._stopped.wait(TOGETHER):
                return
            self._news.clear()
            try:
                changed()
            except Exception:  # the next news must find its thread alive
                log.exception("listener_failed", source=self._name)
