"""Opens the house in a thread of its own, again and again: a database that hangs holds up no withdrawal."""

import threading
from collections.abc import Callable

import structlog

from controller.domain.record import StoreSettingsError, StoreUnavailableError
from controller.runtime.house import House
from controller.store.deadline import THREAD
from controller.store.spool import SpoolUnavailableError

log = structlog.get_logger("store")
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 10.0
"""Seconds between two tries: doubled after each, up to the longest."""
MOST_HANGING = 16


class Opening:
    """`over` is set when it ended, with `house` or with `fault`. `trouble`: why the last try failed, empty before."""

    def __init__(self, open_house: Callable[[], House]) -> None:
        self._open = open_house
        self._given_up = threading.Event()
        self._lock = threading.Lock()
        self.over = threading.Event()
        self.house: House | None = None
        self.fault: BaseException | None = None
        self.trouble = ""
        threading.Thread(target=self._run, name="opening", daemon=True).start()

    def give_up(self) -> None:
        """No more tries; a house that is opened all the same is closed again."""
        with self._lock:
            self._given_up.set()

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._given_up.is_set() and not self._ends():
            self._given_up.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _ends(self) -> bool:
        """One try. What was not foreseen is no reason to leave traffic alone: it is tried again as well."""
        if _hanging() >= MOST_HANGING:
            return False
        try:
            self._take(self._open())
        except StoreSettingsError as fault:
            self.fault = fault
            self.over.set()
        except (StoreUnavailableError, SpoolUnavailableError) as fault:
            return self._again(str(fault))
        except Exception as fault:  # a fault in opening is tried again, the vigil goes on meanwhile
            log.exception("opening_failed")
            return self._again(
                f"reading it failed in a way that was not foreseen ({type(fault).__name__}); see the log"
            )
        return True

    def _take(self, house: House) -> None:
        with self._lock:
            if self._given_up.is_set():
                house.close()
                return
            self.house = house
            self.over.set()

    def _again(self, trouble: str) -> bool:
        if trouble != self.trouble:
            log.error("database_unreadable", trouble=trouble)
        self.trouble = trouble
        return False


def _hanging() -> int:
    """Calls of tries before that still hang, each in a thread that nothing can end."""
    return sum(thread.name == THREAD for thread in threading.enumerate())
