"""A cluster in memory, behind the doors of a real one. It can be told to refuse, to fail, and to show old things.

Two `MemoryCluster`s over one `MemoryApiServer` are like two processes on one cluster.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.cluster import refusals
from controller.cluster.documents import section, text
from controller.domain.cluster import (
    ClusterError,
    ClusterUnavailableError,
    Document,
    Kind,
    NotServedError,
    ObjectRef,
    Operation,
)
from controller.testing.cluster_server import MemoryApiServer, scale_of
from controller.testing.cluster_view import MemoryView

Fault = Callable[[str, ObjectRef, str], ClusterError]


@dataclass(slots=True)
class _Trouble:
    """`verb` and `part` may be `*`, `kind` may be None: then they are for all."""

    verb: str
    kind: Kind | None
    part: str
    fault: Fault
    times: float

    def hits(self, verb: str, ref: ObjectRef, part: str) -> bool:
        return self.verb in ("*", verb) and self.kind in (None, ref.kind) and self.part in ("*", part)


class MemoryCluster:
    """Implements ports.ObjectApi; `view` is its ports.ObjectView.

    `calls` counts requests by verb and resource (`("patch", "modelrollouts.tidegate.dev/status")`), the refused ones
    too. Documents it gives are shared: do not change them.
    """

    def __init__(self, server: MemoryApiServer | None = None, manager: str = "tidegate") -> None:
        self.server = server or MemoryApiServer()
        self.view = MemoryView(self.server)
        self.manager = manager
        self.calls: Counter[tuple[str, str]] = Counter()
        self.before_write: Callable[[str, ObjectRef], None] | None = None
        """Called with verb and reference when a write has left and not yet arrived: change something under it."""
        self._troubles: list[_Trouble] = []

    def get(self, ref: ObjectRef, part: str = "") -> Document | None:
        """The object as it is now, or its scale, or None."""
        self._ask("get", ref, part)
        found = self.server.get(ref)
        return scale_of(ref, found) if found is not None and part == "scale" else found

    def list(self, kind: Kind, namespace: str = "", selector: str = "") -> Sequence[Document]:
        """All of a kind, by namespace and name."""
        self._ask("list", ObjectRef(kind, namespace, ""))
        return self.server.list(kind, namespace, selector)

    def patch(self, ref: ObjectRef, operations: Sequence[Operation], part: str = "") -> Document:
        """Change it, or its sub-resource."""
        self._ask("patch", ref, part)
        return self.server.patch(ref, operations, part, self.manager)

    def create(self, ref: ObjectRef, document: Document) -> Document:
        """Write a new one."""
        self._ask("create", ref)
        return self.server.create(ref, document, self.manager)

    def remove(self, ref: ObjectRef, uid: str) -> None:
        """Implements ports.ObjectRemover."""
        self._ask("delete", ref)
        self.server.remove(ref, uid)

    def with_scale(self, api_version: str, name: str) -> Kind:
        """Implements ports.KindFinder: everything that is served has a scale. Not counted as a request of a verb."""
        found = next((k for k in self.server.served if (k.api_version, k.name) == (api_version, name)), None)
        if found is None:
            there = ", ".join(sorted(k.name for k in self.server.served if k.api_version == api_version))
            raise NotServedError(f"{name} is not among the kinds of {api_version}; there are: {there or 'none'}")
        return found

    # hands for tests: none of them is counted or disturbed

    def put(self, kind: Kind, document: Document, manager: str = "kubectl") -> Document:
        """A person applies a whole object: created, or replaced but for what the API server keeps (no `status`)."""
        ref = ObjectRef(kind, _namespace(kind, document), text(section(document, "metadata"), "name"))
        old = self.server.get(ref)
        if old is None:
            return self.server.create(ref, document, manager)
        return self.server.replace(ref, document, manager)

    def edit(self, ref: ObjectRef, *operations: Operation, part: str = "", manager: str = "kubectl") -> Document:
        """Somebody else changes an object, or its status."""
        return self.server.patch(ref, operations, part, manager)

    def delete(self, ref: ObjectRef) -> None:
        """Somebody deletes it."""
        self.server.delete(ref)

    def look(self, ref: ObjectRef) -> Document | None:
        """The object as it is, without a request."""
        return self.server.objects.get(ref)

    def deny(self, verb: str, kind: Kind, part: str = "*") -> None:
        """RBAC refuses it until `heal`."""
        self._troubles.append(_Trouble(verb, kind, part, refusals.forbidden, float("inf")))

    def fail(
        self, error: ClusterError | None = None, verb: str = "*", kind: Kind | None = None, times: float = float("inf")
    ) -> None:
        """The next `times` requests raise `error` (default: the API server is away), until `heal`."""
        raised = error or ClusterUnavailableError("memory cluster: the API server is away")
        self._troubles.append(_Trouble(verb, kind, "*", lambda *_: raised, times))

    def heal(self) -> None:
        """Nothing is refused or fails any more."""
        self._troubles.clear()

    def _ask(self, verb: str, ref: ObjectRef, part: str = "") -> None:
        self.calls[verb, f"{ref.kind.resource}/{part}" if part else ref.kind.resource] += 1
        for trouble in self._troubles:
            if trouble.times > 0 and trouble.hits(verb, ref, part):
                trouble.times -= 1
                raise trouble.fault(verb, ref, part)
        if self.before_write is not None and verb in ("patch", "create", "delete"):
            self.before_write(verb, ref)


def _namespace(kind: Kind, document: Document) -> str:
    return (text(section(document, "metadata"), "namespace") or "default") if kind.namespaced else ""
