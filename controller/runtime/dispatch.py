"""Which rollout is due: a queue with one pass per rollout at a time, worked off by a few threads."""

import heapq
import itertools
import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from controller.domain.names import RolloutKey
from controller.ports import Clock

log = structlog.get_logger("dispatch")
AFTER_A_FAULT = timedelta(seconds=5)
STUCK = 0.01
"""Seconds after which a pass is taken to wait for something: then another one begins beside it."""

AHEAD = 1.0
"""Seconds: whoever is hastened goes before what became due in the last second, and before nothing that waits longer."""

Pass = Callable[[RolloutKey], timedelta | None]


class Dispatcher:
    """`wake` from any thread; passes run on `workers` threads until `stop`.

    Passes compute most of the time, and two that compute take turns on one interpreter: together they are slower than
    one after the other. So one runs at a time, and the next one waits until that ends, or waits for something itself.
    """

    def __init__(self, clock: Clock, one_pass: Pass, workers: int, late: Callable[[float], None]) -> None:
        self._clock, self._pass, self._late = clock, one_pass, late
        self._heap: list[tuple[float, int, RolloutKey]] = []
        self._due: dict[RolloutKey, float] = {}
        """The place in the queue: when it is due, or `AHEAD` earlier."""
        self._hastened: set[RolloutKey] = set()
        self._again: dict[RolloutKey, float] = {}
        """Those that became due while their pass was under way: they go back to their place when it ends."""
        self._running: dict[RolloutKey, float] = {}
        self._order = itertools.count()
        self._change = threading.Condition()
        self._stopping = False
        self._threads = [threading.Thread(target=self._work, name=f"pass-{n}", daemon=True) for n in range(workers)]

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def wake(self, key: RolloutKey, after: timedelta = timedelta(0)) -> None:
        """A pass over `key`, at the latest `after` from now; an earlier one stands."""
        with self._change:
            if self._queue(key, self._clock.monotonic() + after.total_seconds()):
                self._hastened.discard(key)

    def hasten(self, key: RolloutKey) -> None:
        """A pass over `key` now, before those that a tick made due: somebody asked, or its traffic changed."""
        with self._change:
            if self._queue(key, self._clock.monotonic() - AHEAD):
                self._hastened.add(key)

    def _queue(self, key: RolloutKey, place: float) -> bool:
        """With the lock. False: it has an earlier place."""
        if self._due.get(key, float("inf")) <= place:
            return False
        self._due[key] = place
        self._push(key, place)
        return True

    def _push(self, key: RolloutKey, place: float) -> None:
        heapq.heappush(self._heap, (place, next(self._order), key))
        if self._heap[0][2] == key:
            self._change.notify()

    def stop(self, patience: float = 3.0) -> bool:
        """No new passes; waits for those under way. False when one did not end in time."""
        with self._change:
            self._stopping = True
            self._change.notify_all()
        deadline = self._clock.monotonic() + patience
        for thread in (one for one in self._threads if one.ident is not None):
            thread.join(max(0.0, deadline - self._clock.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while True:
            key = self._next()
            if key is None:
                return
            after = self._guarded(key)
            with self._change:
                del self._running[key]
                self._back(key)
            if after is not None:
                self.wake(key, after)

    def _guarded(self, key: RolloutKey) -> timedelta | None:
        try:
            return self._pass(key)
        except Exception:  # one rollout's fault must not end the worker that guards the others
            log.exception("pass_failed", rollout=str(key))
            return AFTER_A_FAULT

    def _next(self) -> RolloutKey | None:
        with self._change:
            while not self._stopping:
                wait = self._wait_for_first()
                if wait is None:
                    return self._take()
                self._change.wait(wait)
            return None

    def _wait_for_first(self) -> float | None:
        """Seconds until something may be done; None when the first one can be taken now."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        if not self._heap:
            return 60.0
        due, _, key = self._heap[0]
        wait = due - self._clock.monotonic()
        if wait > 0:
            return min(wait, 60.0)
        if key in self._running:
            self._postpone(key)
            return 0.0
        alone = max(self._running.values(), default=0.0) + STUCK - self._clock.monotonic()
        return alone if self._running and alone > 0 else None

    def _postpone(self, key: RolloutKey) -> None:
        """Its pass is under way: it comes back when that ends, and blocks nobody meanwhile."""
        self._again[key] = heapq.heappop(self._heap)[0]

    def _back(self, key: RolloutKey) -> None:
        """With the lock: its pass is over."""
        place = self._again.pop(key, None)
        if place is not None and self._due.get(key) == place:
            self._push(key, place)

    def _take(self) -> RolloutKey:
        place, _, key = heapq.heappop(self._heap)
        del self._due[key]
        self._running[key] = now = self._clock.monotonic()
        self._late(now - place - (AHEAD if key in self._hastened else 0.0))
        self._hastened.discard(key)
        if self._heap:
            self._change.notify()  # somebody must look when this pass is found to wait, or when the next one is due
        return key
