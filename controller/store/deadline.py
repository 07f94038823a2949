"""A call that must come back in time: a hung disk or network must not hold up a rollback."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TypeVar

T = TypeVar("T")
THREAD = "tidegate-store"
"""The name of the threads in which calls are made."""


class TooLateError(Exception):
    """The call was not back in time. It may still happen: its outcome is unknown."""


class Deadline:
    """Runs calls in threads of their own; `slots` bounds how many may hang at once."""

    def __init__(self, slots: int) -> None:
        self._slots = threading.BoundedSemaphore(slots)

    def call(self, seconds: float, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises TooLateError after `seconds`."""
        if not self._slots.acquire(timeout=seconds):
            raise TooLateError(f"no turn in {seconds:g} s: earlier calls hang")
        answer: Future[T] = Future()
        # A daemon thread: a process that is told to stop does not wait for what hangs.
        thread = threading.Thread(target=self._run, args=(answer, work), name=THREAD, daemon=True)
        try:
            thread.start()
        except RuntimeError as full:
            self._slots.release()
            raise TooLateError(f"no thread to be had ({full})") from full
        if not wait([answer], seconds).done:
            raise TooLateError(f"no answer in {seconds:g} s; whether it was written is not known")
        return answer.result()

    def _run(self, answer: "Future[T]", work: Callable[[], T]) -> None:
        try:
            result = work()
        except BaseException as fault:  # noqa: BLE001 - handed over to the caller's thread
            answer.set_exception(fault)
        else:
            answer.set_result(result)
        finally:
            self._slots.release()
