"""Views of the cluster: one informer per kind and namespace, kept current by a watch; reading costs no request."""

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import structlog

from controller.cluster.boottime import boottime
from controller.cluster.connect import Connection, Told
from controller.cluster.known import Known
from controller.cluster.library import library, quiet
from controller.cluster.listing import Listing, Pace, slim
from controller.cluster.objects import told_nobody
from controller.domain.cluster import (
    ClusterError,
    ClusterUnavailableError,
    Document,
    ForbiddenError,
    Kind,
    NotServedError,
    ObjectRef,
)

log = structlog.get_logger("cluster")
Changed = Callable[[ObjectRef], None]


class _Follower:
    """One informer and what it knows."""

    def __init__(self, connection: Connection, kind: Kind, namespace: str, pace: Pace, told: Told) -> None:
        self.kind, self.namespace, self._fresh = kind, namespace, pace.fresh
        self.known = Known(kind)
        self._hearing: list[tuple[str, Changed]] = []
        self._listing = Listing(connection, kind, namespace, pace, self._listed, told)
        informer = library("informer")
        self._informer: Any = informer.SharedInformer(self._listing.ask)
        for event in (informer.ADDED, informer.MODIFIED, informer.DELETED):
            self._informer.add_event_handler(event, self._handler(event))
        self._informer.add_event_handler(informer.BOOKMARK, self._listing.alive)
        self._informer.add_event_handler(informer.ERROR, self._listing.broke)

    def start(self) -> None:
        self._informer.start()

    def hear(self, namespace: str, changed: Changed) -> None:
        """From now on, and once for everything that is known already."""
        self._hearing.append((namespace, changed))
        for ref in self.known.refs():
            self._tell((ref,), (namespace, changed))

    def wait(self, seconds: float) -> bool:
        return self._listing.health.listed.wait(seconds)

    def check(self) -> None:
        """Raises what stands in the way of being current."""
        health = self._listing.health
        error = health.error
        if isinstance(error, (ForbiddenError, NotServedError)):
            raise type(error)(str(error))
        if not health.listed.is_set() or health.proven is None:
            raise ClusterUnavailableError(f"{self._what()} was never listed yet{_because(error)}")
        age = boottime() - health.proven
        if age > self._fresh:
            raise ClusterUnavailableError(f"{self._what()} is not current since {age:.0f} s{_because(error)}")

    def stop(self) -> None:
        self._listing.close()
        with suppress(AttributeError):  # its watch may end by itself while it looks at it
            self._informer.stop()

    def _what(self) -> str:
        return f"the view of {self.kind.resource}{f' in {self.namespace}' if self.namespace else ''}"

    def _listed(self, found: Sequence[Document], at: str) -> None:
        self._tell(self.known.listed(found, at), *self._hearing)

    def _handler(self, event: str) -> Callable[[dict[str, object]], None]:
        def heard(document: dict[str, object]) -> None:
            if not self._listing.watching:
                return
            self._listing.alive(document)
            self._tell(self.known.happened(event, slim(self.kind, document)), *self._hearing)

        return heard

    def _tell(self, refs: Sequence[ObjectRef], *hearing: tuple[str, Changed]) -> None:
        for ref in refs:
            for namespace, changed in hearing:
                if namespace in ("", ref.namespace):
                    _call(changed, ref)


class ClusterViews:
    """Implements ports.ObjectView. `wait` after `follow` at a start; `close` at the end."""

    def __init__(self, connection: Connection, pace: Pace | None = None, told: Told = told_nobody) -> None:
        self._connection, self._pace, self._told = connection, pace or Pace(), told
        self._followers: dict[tuple[Kind, str], _Follower] = {}
        self._lock = threading.Lock()
        quiet()

    def follow(self, kind: Kind, namespace: str, changed: Changed) -> None:
        """Keep a kind current; returns at once. `changed` hears of what is there, and of every change once."""
        with self._lock:
            follower = self._followers.get((kind, "")) or self._followers.get((kind, namespace))
            new = follower is None
            if follower is None:
                follower = _Follower(self._connection, kind, namespace, self._pace, self._told)
                self._followers[kind, namespace] = follower
        follower.hear(namespace, changed)
        if new:
            follower.start()

    def wait(self, seconds: float) -> bool:
        """Until everything that is followed was listed once; False when that took longer."""
        deadline = boottime() + seconds
        return all(one.wait(max(0.0, deadline - boottime())) for one in tuple(self._followers.values()))

    def get(self, ref: ObjectRef) -> Document | None:
        """The newest known. Raises ClusterUnavailableError, NotServedError or ForbiddenError: why it is not current."""
        follower = self._followers.get((ref.kind, "")) or self._followers.get((ref.kind, ref.namespace))
        if follower is None:
            raise ClusterUnavailableError(f"{ref} is not followed: its kind or its namespace is none of the views'")
        follower.check()
        return follower.known.get(ref)

    def all(self, kind: Kind) -> Sequence[Document]:
        """Every followed object of a kind, in no order. Raises as `get` does."""
        followers = [one for (other, _), one in tuple(self._followers.items()) if other == kind]
        if not followers:
            raise ClusterUnavailableError(f"{kind.resource} is not followed: it is none of the views'")
        for one in followers:
            one.check()
        return _unique(followers)

    def learn(self, ref: ObjectRef, document: Document) -> None:
        """What a write returned wins over older events."""
        for follower in (self._followers.get((ref.kind, "")), self._followers.get((ref.kind, ref.namespace))):
            if follower is not None:
                follower.known.learn(ref, document)

    def close(self) -> None:
        """End all watches; returns soon even when one hangs."""
        endings = [threading.Thread(target=one.stop, daemon=True) for one in self._followers.values()]
        for ending in endings:
            ending.start()
        for ending in endings:
            ending.join(3.0)


def _unique(followers: Sequence[_Follower]) -> Sequence[Document]:
    """A kind followed in one namespace first and in all of them later is known twice."""
    if len(followers) > 1:
        followers = [one for one in followers if not one.namespace] or followers
    return [document for one in followers for document in one.known.all()]


def _because(error: ClusterError | None) -> str:
    return f": {error}" if error else "; is the API server up and reachable?"


def _call(changed: Changed, ref: ObjectRef) -> None:
    try:
        changed(ref)
    except Exception:  # one listener's mistake must not end the watch for the others
        log.exception("view_listener_failed", object=str(ref))
