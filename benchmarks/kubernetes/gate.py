"""Stands for a gateway's controller: one thread that watches HTTPRoutes, accepts what is written, and notes when."""

import contextlib
import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass

import requests

from benchmarks.kubernetes.api import Api
from benchmarks.kubernetes.fleet import NAMESPACE, ROUTES, Document, accepted, candidate_weight

PATH = f"{ROUTES}/namespaces/{NAMESPACE}/httproutes"
AGAIN = 0.1


@dataclass(frozen=True, slots=True)
class Taken:
    """A generation of a route: what v2 gets by it, when it was seen here and when it was accepted (Unix time)."""

    weight: int
    seen: float
    accepted: float


class Gate:
    """Begins at once. It ends when the API server does: `join` after that."""

    def __init__(self, api: Api) -> None:
        self._api, self._done = api, threading.Event()
        self._lock = threading.Lock()
        self._taken: defaultdict[str, list[Taken]] = defaultdict(list)
        self._generations: dict[str, int] = {}
        self._thread = threading.Thread(target=self._work, name="gate", daemon=True)
        self._thread.start()

    def first(self, name: str, after: float, fits: Callable[[int], bool]) -> Taken | None:
        """The first generation seen after an instant whose weight of v2 fits."""
        with self._lock:
            return next((one for one in self._taken[name] if one.seen >= after and fits(one.weight)), None)

    def accepted(self) -> int:
        """How many routes have been accepted at least once."""
        with self._lock:
            return sum(1 for taken in self._taken.values() if taken)

    def finish(self) -> None:
        """No new watch from now on."""
        self._done.set()

    def join(self) -> None:
        """Once the API server is gone."""
        self._thread.join(10)

    def _work(self) -> None:
        while not self._done.is_set():
            with contextlib.suppress(requests.RequestException, ValueError, KeyError):
                self._follow()
            self._done.wait(AGAIN)

    def _follow(self) -> None:
        listed = self._api.get(PATH)
        for route in listed["items"]:
            self._take(route)
        with self._api.watch(PATH, listed["metadata"]["resourceVersion"]) as lines:
            for line in lines:
                event = json.loads(line)
                if event["type"] in ("ADDED", "MODIFIED"):
                    self._take(event["object"])

    def _take(self, route: Document) -> None:
        name, generation = route["metadata"]["name"], route["metadata"]["generation"]
        if self._generations.get(name, 0) >= generation:
            return
        seen = time.time()
        self._api.patch(f"{PATH}/{name}/status", accepted(generation))
        self._generations[name] = generation
        with self._lock:
            self._taken[name].append(Taken(candidate_weight(route), seen, time.time()))
