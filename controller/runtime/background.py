"""Something that takes long, in a thread of its own: a pass starts it, looks again later, gives it up in the end."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

import structlog

from controller.ports import Clock

log = structlog.get_logger("background")
T = TypeVar("T")


class Background(Generic[T]):
    """Runs `work` once, at once. What it raises is logged and is an answer of None."""

    def __init__(self, name: str, work: Callable[[], T | None], clock: Clock) -> None:
        self._clock, self._work = clock, work
        self._began = clock.monotonic()
        self._done = threading.Event()
        self.answer: T | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Wait for the end, so long at most; is it over?"""
        return self._done.wait(seconds)

    @property
    def over(self) -> bool:
        """Has it ended?"""
        return self._done.is_set()

    @property
    def age(self) -> float:
        """Seconds since it began."""
        return self._clock.monotonic() - self._began

    def _run(self) -> None:
        try:
            self.answer = self._work()
        except Exception:  # it ends a thread that nobody joins: said here or nowhere
            log.exception("background_failed", work=threading.current_thread().name)
        finally:
            self._done.set()
