"""The list function of one informer: pages, watches that end in time, waits between failures, proofs of life."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import structlog

from controller.cluster.backoff import Backoff
from controller.cluster.boottime import boottime
from controller.cluster.connect import Answer, Connection, NoAnswerError, Response, Told
from controller.cluster.documents import revision, section, text
from controller.cluster.library import library
from controller.cluster.objects import ClusterObjects, items, refusal
from controller.cluster.paths import path_of_kind
from controller.cluster.refusals import unavailable
from controller.domain.cluster import ClusterError, ClusterUnavailableError, Document, ForbiddenError, Kind, ObjectRef

log = structlog.get_logger("cluster")
Listed = Callable[[Sequence[Document], str], None]


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds. A watch is opened again after `watch` (up to a quarter more, so that not all come at once).

    A connection that is dead without saying so is noticed `grace` after that at the latest. After `fresh` without a
    sign of life the view is not current. After `relist` everything is listed anew, whatever the watch said.
    """

    watch: float = 20.0
    grace: float = 5.0
    fresh: float = 45.0
    relist: float = 600.0
    backoff_first: float = 0.5
    backoff_longest: float = 10.0


@dataclass(slots=True)
class Health:
    """When the view was last known to be current, and what is wrong. Read from other threads, written by one."""

    proven: float | None = None
    error: ClusterError | None = None
    listed: threading.Event = field(default_factory=threading.Event)


class _ClosedError(Exception):
    """The view ends; nobody reads it."""


class Listing:
    """What SharedInformer calls, for lists and for watches, from its one thread.

    It never sees a failed list: this waits and tries again. After a watch that did not end as the API server meant it
    to, it is made to list: the API server may be another, with an older database.
    """

    def __init__(
        self, connection: Connection, kind: Kind, namespace: str, pace: Pace, listed: Listed, told: Told
    ) -> None:
        self._connection, self._told = connection, told
        self._objects = ClusterObjects(connection, told)
        self._kind, self._namespace, self._pace = kind, namespace, pace
        self._what = ObjectRef(kind, namespace, "")
        self._listed = listed
        self._closing = threading.Event()
        self._backoff = Backoff(pace.backoff_first, pace.backoff_longest)
        self._opened: float | None = None
        self._listed_at = 0.0
        self._at = ""
        """The resource version up to which everything was told: the next watch goes on from there."""
        self._broken = False
        self.health = Health()

    def ask(self, watch: bool = False, **_: object) -> Any:
        """A list, or an open watch. Names no type that it returns, so that the library leaves events as they came.

        Else it would write each object down and read it once more; it then does not remember how far it came, we do.
        """
        if self._closing.is_set():
            raise _ClosedError
        return self._open() if watch else self._list()

    def alive(self, document: Document) -> None:
        """This came from the watch: an object as it is now, or a bookmark."""
        self.health.proven = boottime()
        self._at = revision(document) or self._at

    @property
    def watching(self) -> bool:
        """Whether what the informer tells now comes from a watch, and not from a list that was taken already."""
        return self._opened is not None

    def broke(self, error: object) -> None:
        """The watch ended otherwise than by its time. 410 is no such thing: a list follows anyway."""
        self._broken = getattr(error, "status", None) != 410

    def close(self) -> None:
        """No more requests; a wait ends now."""
        self._closing.set()

    def _list(self) -> Any:
        self._watch_ended()
        while True:
            started = boottime()
            try:
                found, at = self._everything()
            except ClusterError as error:
                self._failed(error)
                continue
            self._listed(found, at)
            self._listed_at, self._at, self._broken = started, at, False
            self.health.proven = started
            self.health.listed.set()
            return SimpleNamespace(items=found, metadata=SimpleNamespace(resource_version=at))

    def _everything(self) -> tuple[list[Document], str]:
        found: list[Document] = []
        at = ""
        for page in self._objects.pages(self._kind, self._namespace):
            found += [slim(self._kind, one) for one in items(self._kind, page)]
            at = at or text(section(page, "metadata"), "resourceVersion")
            if self._closing.is_set():
                raise _ClosedError
        return found, at

    def _open(self) -> Response:
        self._watch_ended()
        if self._broken or boottime() - self._listed_at > self._pace.relist:
            raise _gone()
        seconds = round(self._pace.watch * random.uniform(1.0, 1.25))  # noqa: S311 - spreads load, guards nothing
        query = {"watch": "true", "allowWatchBookmarks": "true", "timeoutSeconds": str(max(1, seconds))}
        query["resourceVersion"] = self._at or "0"
        started = boottime()
        try:
            response = self._ask(query, seconds + self._pace.grace)
        except ClusterError as error:
            self._failed(error)
            raise _gone() from error
        if self._closing.is_set():
            response.close()
            raise _ClosedError
        if self.health.error is not None:
            log.info("view_current_again", kind=self._kind.resource, namespace=self._namespace)
        self.health.error, self.health.proven = None, started
        self._opened = started
        return response

    def _watch_ended(self) -> None:
        """In time: a proof that nothing was missed. Broken, or ended as soon as it began: a reason to wait."""
        opened, self._opened = self._opened, None
        if opened is None:
            return
        short = boottime() - opened < min(1.0, self._pace.watch / 2)
        if not short:
            self._backoff.worked()
        if self._broken or short:
            how = "the connection of the watch broke" if self._broken else "the watch ended as soon as it began"
            self._failed(unavailable("watch", self._what, how))
        else:
            self.health.proven = boottime()

    def _ask(self, query: Mapping[str, str], read_seconds: float) -> Response:
        started, code = time.monotonic(), 0
        try:
            response = self._connection.open("GET", path_of_kind(self._kind, self._namespace), query, read_seconds)
            code = int(response.status)
        except NoAnswerError as error:
            raise unavailable("watch", self._what, f"{self._connection.host}: {error}") from error
        finally:
            self._told("watch", self._kind.resource, code, time.monotonic() - started)
        if code == 200:
            return response
        try:
            body = response.read1(1 << 16)
        finally:
            response.close()
        raise refusal(Answer(code, body), "watch", self._what)

    def _failed(self, error: ClusterError) -> None:
        """Remember it, tell the first of a series, and wait."""
        if _is_news(error, self.health.error):
            log.warning("view_not_current", kind=self._kind.resource, namespace=self._namespace, why=str(error))
        self.health.error = error
        wait = self._backoff.failed(error.retry_after if isinstance(error, ClusterUnavailableError) else None)
        if self._closing.wait(wait):
            raise _ClosedError


def slim(kind: Kind, document: dict[str, object]) -> dict[str, object]:
    """Without the lists of owned fields, often half of an object; who wrote it, and when, is kept.

    Kept whole for HTTPRoutes, where it matters who owns which field.
    """
    metadata = document.get("metadata")
    owners = metadata.get("managedFields") if isinstance(metadata, dict) else None
    if isinstance(owners, list) and kind.name != "HTTPRoute":
        for one in owners:
            if isinstance(one, dict):
                one.pop("fieldsV1", None)
    return document


def _is_news(error: ClusterError, before: ClusterError | None) -> bool:
    """Of another kind; or another right that is missing: each is added by a rule of its own."""
    return type(error) is not type(before) or (isinstance(error, ForbiddenError) and str(error) != str(before))


def _gone() -> Exception:
    """What makes the informer list anew."""
    error: Exception = library("client").exceptions.ApiException(status=410, reason="list again")
    return error
