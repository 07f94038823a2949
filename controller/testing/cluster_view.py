"""A view of the cluster in memory: current at once, or as old as a test wants it."""

import threading
from collections.abc import Callable, Sequence

from controller.cluster.documents import is_older, revision
from controller.domain.cluster import ClusterError, ClusterUnavailableError, Document, Kind, ObjectRef
from controller.testing.cluster_server import MemoryApiServer

Changed = Callable[[ObjectRef], None]


class MemoryView:
    """Implements ports.ObjectView. Reading it is never counted as a request."""

    def __init__(self, server: MemoryApiServer) -> None:
        self._server = server
        self._lock = threading.RLock()
        self._follows: list[tuple[Kind, str, Changed]] = []
        self._known: dict[ObjectRef, Document] = {}
        self._gone: dict[ObjectRef, str] = {}
        self._backlog: list[tuple[str, ObjectRef, Document]] | None = None
        self._trouble: ClusterError | None = None
        server.watchers.append(self._happened)

    def follow(self, kind: Kind, namespace: str, changed: Changed) -> None:
        """Current at once, unless the view is held back; `changed` hears of what is there already, too."""
        with self._server.lock, self._lock:
            self._follows.append((kind, namespace, changed))
            there = [
                (ref, one)
                for ref, one in self._server.objects.items()
                if ref.kind == kind and namespace in ("", ref.namespace)
            ]
        for ref, document in there:
            self._happened("ADDED", ref, document)

    def get(self, ref: ObjectRef) -> Document | None:
        """The newest known."""
        self._check(ref.kind, ref.namespace)
        return self._known.get(ref)

    def all(self, kind: Kind) -> Sequence[Document]:
        """By namespace and name."""
        self._check(kind, None)
        with self._lock:
            found = [(ref.namespace, ref.name, one) for ref, one in self._known.items() if ref.kind == kind]
        return [one for _, _, one in sorted(found, key=lambda item: item[:2])]

    def learn(self, ref: ObjectRef, document: Document) -> None:
        """What a write returned wins over older events."""
        with self._lock:
            self._take(ref, document)

    # hands for tests

    def hold_back(self) -> None:
        """Events do not arrive any more (a slow watch): the view keeps showing what it has."""
        with self._lock:
            self._backlog = [] if self._backlog is None else self._backlog

    def let_go(self) -> None:
        """What was held back arrives, in order."""
        with self._lock:
            late, self._backlog = self._backlog or [], None
        for event, ref, document in late:
            self._happened(event, ref, document)

    def cut(self, error: ClusterError | None = None) -> None:
        """The watch is broken: reading raises until `mend`."""
        self._trouble = error or ClusterUnavailableError("memory cluster: the view is not current since a minute")
        self.hold_back()

    def mend(self) -> None:
        """It is current again."""
        self._trouble = None
        self.let_go()

    def _check(self, kind: Kind, namespace: str | None) -> None:
        followed = [seen for one, seen, _ in self._follows if one == kind]
        if not followed or (namespace is not None and not {"", namespace} & set(followed)):
            raise ClusterUnavailableError(f"memory cluster: {kind.resource} in `{namespace}` is not followed")
        if self._trouble is not None:
            raise self._trouble
        self._server.check_served(kind)

    def _happened(self, event: str, ref: ObjectRef, document: Document) -> None:
        hearing = [changed for kind, seen, changed in self._follows if kind == ref.kind and seen in ("", ref.namespace)]
        if not hearing:
            return
        with self._lock:
            if self._backlog is not None:
                self._backlog.append((event, ref, document))
                return
            if event != "DELETED":
                self._take(ref, document)
            elif not is_older(revision(document), revision(self._known.get(ref, {}))):
                self._known.pop(ref, None)
                self._gone[ref] = revision(document)
        for changed in hearing:
            changed(ref)

    def _take(self, ref: ObjectRef, document: Document) -> None:
        known = self._gone.get(ref) or revision(self._known.get(ref, {}))
        if is_older(revision(document), known):
            return
        self._gone.pop(ref, None)
        self._known[ref] = document
