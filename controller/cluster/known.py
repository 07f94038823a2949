"""What one view knows of its objects: what lists, events and our own writes told, and which of them is newer."""

import threading
from collections.abc import Iterable, Mapping, Sequence

from controller.cluster.documents import is_older, ref_of, revision
from controller.domain.cluster import Document, Kind, ObjectRef


class Known:
    """Safe for several threads. Methods return the references of which readers should hear."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._lock = threading.Lock()
        self._objects: dict[ObjectRef, Document] = {}
        self._told: dict[ObjectRef, str] = {}
        self._newest = ""
        """The newest resource version that a list or the watch told: what is older and not here is gone."""

    def get(self, ref: ObjectRef) -> Document | None:
        """The newest known."""
        with self._lock:
            return self._objects.get(ref)

    def all(self) -> Sequence[Document]:
        """Every object, in no order."""
        with self._lock:
            return tuple(self._objects.values())

    def refs(self) -> Sequence[ObjectRef]:
        """Which ones there are."""
        with self._lock:
            return tuple(self._objects)

    def listed(self, items: Iterable[Document], at: str) -> Sequence[ObjectRef]:
        """The whole truth as of resource version `at`. What we wrote after it stays.

        A list that is older than one before it comes from a restored database: then it alone is true.
        """
        found = {ref_of(self._kind, one): one for one in items}
        with self._lock:
            vanished = self._begin_anew(found) if is_older(at, self._newest) else ()
            self._newest = at
            lost = [ref for ref, one in self._objects.items() if ref not in found and not is_older(at, revision(one))]
            for ref in lost:
                self._forget(ref)
            changed = [ref for ref, one in found.items() if self._take_listed(ref, one, at) and self._is_news(ref)]
            return [*vanished, *lost, *changed]

    def happened(self, event: str, document: Document) -> Sequence[ObjectRef]:
        """An event of the watch: `ADDED`, `MODIFIED` or `DELETED`."""
        ref, at = ref_of(self._kind, document), revision(document)
        with self._lock:
            if is_older(self._newest, at):
                self._newest = at
            if event == "DELETED":
                if ref not in self._objects or is_older(at, revision(self._objects[ref])):
                    return ()
                self._forget(ref)
                return (ref,)
            return (ref,) if self._take(ref, document) and self._is_news(ref) else ()

    def learn(self, ref: ObjectRef, document: Document) -> None:
        """What a write returned; readers hear of it when the watch tells. A late answer brings nothing back to life."""
        with self._lock:
            if ref in self._objects or not is_older(revision(document), self._newest):
                self._take(ref, document)

    def _take(self, ref: ObjectRef, document: Document) -> bool:
        """Whether it is not older than what is known."""
        if is_older(revision(document), revision(self._objects.get(ref, {}))):
            return False
        self._objects[ref] = document
        return True

    def _take_listed(self, ref: ObjectRef, document: Document, at: str) -> bool:
        """What is known is kept only where it is newer than the list: a database that was restored with its revisions
        moved ahead lists objects that are older than what was known of them, and they are what there is."""
        if is_older(at, revision(self._objects.get(ref, {}))):
            return False
        self._objects[ref] = document
        return True

    def _is_news(self, ref: ObjectRef) -> bool:
        now = revision(self._objects[ref])
        news = self._told.get(ref) != now
        self._told[ref] = now
        return news

    def _forget(self, ref: ObjectRef) -> None:
        del self._objects[ref]
        self._told.pop(ref, None)

    def _begin_anew(self, found: Mapping[ObjectRef, Document]) -> Sequence[ObjectRef]:
        """Which ones went with the old database. Its resource versions mean nothing any more."""
        vanished = [ref for ref in self._objects if ref not in found]
        self._objects.clear()
        self._told.clear()
        return vanished
