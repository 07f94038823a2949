"""A call that must come back in time: a hung disk or network must not hold up a rollback."""

import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Generic, TypeVar

T = TypeVar("T")
THREAD = "tidegate-store"
"""The name of a thread while it makes a call."""
RESTS = "tidegate-store (rests)"
"""Its name while it waits for another one."""
PATIENCE = 2.0
"""Seconds that a thread without work waits for more: to start one takes longer than most calls."""
SLACK = 0.1
"""Seconds by which a call inside another one may be answered late: a thread of its own is not worth less."""


class TooLateError(Exception):
    """The call was not back in time. It may still happen: its outcome is unknown."""


class _Call(Generic[T]):
    def __init__(self, work: Callable[[], T], ends: float) -> None:
        self.work, self.ends = work, ends
        self.result: T | None = None
        self.fault: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()


_here = threading.local()


class Deadline:
    """Runs calls in threads of their own; `slots` bounds how many may hang at once.

    A call made inside another one that is given up as soon runs where it is: one thread to lose is enough.
    """

    def __init__(self, slots: int) -> None:
        self._slots = threading.BoundedSemaphore(slots)
        self._idle: deque[SimpleQueue[_Call[object] | None]] = deque()

    def call(self, seconds: float, work: Callable[[], T]) -> T:
        """What `work` returns or raises. Raises TooLateError after `seconds`."""
        ends = time.monotonic() + seconds
        if getattr(_here, "ends", float("inf")) <= ends + SLACK:
            return work()
        if not self._slots.acquire(timeout=seconds):
            raise TooLateError(f"no turn in {seconds:g} s: earlier calls hang")
        call = _Call(work, ends)
        try:
            self._hand_over(call)
        except RuntimeError as full:
            self._slots.release()
            raise TooLateError(f"no thread to be had ({full})") from full
        if not call.done.acquire(timeout=seconds):
            raise TooLateError(f"no answer in {seconds:g} s; whether it was written is not known")
        if call.fault is not None:
            raise call.fault
        return call.result  # type: ignore[return-value]  # set when there is no fault

    def close(self) -> None:
        """Let the threads that rest go; nothing is waited for. A call may still be made."""
        while self._idle:
            with suppress(IndexError):
                self._idle.pop().put(None)

    def _hand_over(self, call: "_Call[T]") -> None:
        try:
            inbox = self._idle.pop()
        except IndexError:
            # A daemon thread: a process that is told to stop does not wait for what hangs.
            threading.Thread(target=self._serve, args=(call,), name=THREAD, daemon=True).start()
        else:
            inbox.put(call)  # type: ignore[arg-type]  # whose answer is of what type is between call and caller

    def _serve(self, first: "_Call[object]") -> None:
        inbox, call = SimpleQueue[_Call[object] | None](), first
        while True:
            self._run(call, inbox)
            del call  # what it holds is not kept while the thread rests
            threading.current_thread().name = RESTS
            following = self._next(inbox)
            if following is None:
                return
            threading.current_thread().name = THREAD
            call = following
            del following

    def _run(self, call: "_Call[object]", inbox: "SimpleQueue[_Call[object] | None]") -> None:
        _here.ends = call.ends
        try:
            call.result = call.work()
        except BaseException as fault:  # noqa: BLE001 - handed over to the caller's thread
            call.fault = fault
        finally:
            del _here.ends
            self._idle.append(inbox)
            self._slots.release()
            call.done.release()

    def _next(self, inbox: "SimpleQueue[_Call[object] | None]") -> "_Call[object] | None":
        """The next call, or None when nobody wants this thread any more."""
        try:
            return inbox.get(timeout=PATIENCE)
        except Empty:
            try:
                self._idle.remove(inbox)
            except ValueError:
                return inbox.get()  # somebody took it at this very moment, and hands over
            return None
