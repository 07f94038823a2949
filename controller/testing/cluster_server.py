"""An API server in memory: resource versions, generations, sub-resources, JSON Patch, events for watchers."""

import copy
import itertools
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from controller.cluster import refusals
from controller.cluster.documents import ref_of, revision, section
from controller.domain import cluster
from controller.domain.cluster import Document, Kind, ObjectRef, Operation
from controller.testing.clock import ManualClock
from controller.testing.json_patch import PatchError, TestFailedError, apply_patch

Told = Callable[[str, ObjectRef, Document], None]
"""An event: `ADDED`, `MODIFIED` or `DELETED`, what, and how it looks now (with the event's resource version)."""
Fields = dict[str, object]

WITHOUT_STATUS = {"Lease", "Event", "EndpointSlice", "SLOTemplate"}
WITHOUT_GENERATION = {"Lease", "Event", "Service"}


class MemoryApiServer:
    """What all clients share. `manager` names who writes, as in `metadata.managedFields`."""

    def __init__(self, served: Iterable[Kind] = (), now: Callable[[], datetime] | None = None) -> None:
        known = (one for one in vars(cluster).values() if isinstance(one, Kind))
        self.served: set[Kind] = {*known, *served}
        self.objects: dict[ObjectRef, Document] = {}
        self.watchers: list[Told] = []
        self._events: deque[tuple[str, ObjectRef, Document]] = deque()
        self._telling = threading.Lock()
        self.lock = threading.RLock()
        self.now = now or ManualClock().now
        self._revisions = itertools.count(1)
        self._uids = itertools.count(1)
        self._revision = 0

    def check_served(self, kind: Kind) -> None:
        """Raises NotServedError."""
        if kind not in self.served:
            raise refusals.not_served(kind)

    def get(self, ref: ObjectRef) -> Document | None:
        """As it is now."""
        with self.lock:
            self.check_served(ref.kind)
            return self.objects.get(ref)

    def list(self, kind: Kind, namespace: str, selector: str) -> Sequence[Document]:
        """By namespace and name, as the API server sorts them."""
        with self.lock:
            self.check_served(kind)
            found = [
                (ref.namespace, ref.name, one)
                for ref, one in self.objects.items()
                if ref.kind == kind and namespace in ("", ref.namespace) and _selected(one, selector)
            ]
        return [one for _, _, one in sorted(found, key=lambda item: item[:2])]

    def create(self, ref: ObjectRef, document: Document, manager: str) -> Document:
        """Raises ConflictError when it exists, InvalidObjectError when document and reference disagree."""
        self.check_served(ref.kind)
        _check_it_is(ref, document, "create")
        with self._writing():
            if ref in self.objects:
                raise refusals.conflict("create", ref, "it already exists")
            new: Fields = copy.deepcopy(dict(document))
            if ref.kind.name not in WITHOUT_STATUS:
                new.pop("status", None)
            stamp = self.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            metadata: Fields = {**section(new, "metadata"), "name": ref.name, "uid": f"uid-{next(self._uids)}"}
            metadata["creationTimestamp"] = stamp
            if ref.kind.name not in WITHOUT_GENERATION:
                metadata["generation"] = 1
            if ref.kind.namespaced:
                metadata["namespace"] = ref.namespace
            new = {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, **new, "metadata": metadata}
            return self._keep("ADDED", ref, new, manager, "")

    def patch(self, ref: ObjectRef, operations: Sequence[Operation], part: str, manager: str) -> Document:
        """Raises NotServedError when there is none, ConflictError when a `test` fails, InvalidObjectError."""
        self.check_served(ref.kind)
        with self._writing():
            old = self.objects.get(ref)
            if old is None or (part == "status" and ref.kind.name in WITHOUT_STATUS):
                raise refusals.missing("patch", ref, part)
            try:
                if part == "scale":
                    return self._scale(ref, old, operations, manager)
                changed = apply_patch(old, operations)
            except TestFailedError as error:
                raise refusals.conflict("patch", ref, str(error)) from error
            except PatchError as error:
                raise refusals.invalid("patch", ref, str(error)) from error
            _check_it_is(ref, changed, "patch")
            if revision(changed) != revision(old):
                raise refusals.conflict("patch", ref, "the object has been modified")
            return self._change(ref, old, _only(part, ref, old, changed), manager, part)

    def replace(self, ref: ObjectRef, document: Document, manager: str) -> Document:
        """The whole object anew, but for its status and what the API server keeps in `metadata`."""
        with self._writing():
            old = self.objects[ref]
            metadata = {**section(old, "metadata"), **copy.deepcopy(dict(section(document, "metadata")))}
            kept = {name: old[name] for name in ("apiVersion", "kind") if name in old}
            changed = {**copy.deepcopy(dict(document)), **kept, "metadata": metadata}
            return self._change(ref, old, _only("", ref, old, changed), manager, "")

    def delete(self, ref: ObjectRef) -> None:
        """Gone at once; nothing when there was none."""
        with self._writing():
            old = self.objects.pop(ref, None)
            if old is not None:
                self._events.append(("DELETED", ref, self._stamped(dict(old))))

    def remove(self, ref: ObjectRef, uid: str) -> None:
        """As a client deletes it, who knows its uid. Raises ConflictError when another has its name."""
        self.check_served(ref.kind)
        with self.lock:
            old = self.objects.get(ref)
            if old is not None and section(old, "metadata").get("uid") != uid:
                raise refusals.conflict("delete", ref, "its uid is another")
            self.delete(ref)

    def list_revision(self) -> str:
        """The resource version a list would carry."""
        return str(self._revision)

    def _scale(self, ref: ObjectRef, old: Document, operations: Sequence[Operation], manager: str) -> Document:
        asked = apply_patch(scale_of(ref, old), operations)
        replicas = section(asked, "spec").get("replicas")
        changed = {**old, "spec": {**section(old, "spec"), "replicas": replicas}}
        return scale_of(ref, self._change(ref, old, changed, manager, "scale"))

    def _change(self, ref: ObjectRef, old: Document, changed: Fields, manager: str, part: str) -> Document:
        if changed == old:
            return old
        metadata: Fields = dict(section(changed, "metadata"))
        if "generation" in metadata and _wanted(changed) != _wanted(old):
            generation = section(old, "metadata").get("generation")
            metadata["generation"] = (generation if isinstance(generation, int) else 0) + 1
        return self._keep("MODIFIED", ref, {**changed, "metadata": metadata}, manager, part)

    def _keep(self, event: str, ref: ObjectRef, new: Fields, manager: str, part: str) -> Document:
        metadata: Fields = dict(section(new, "metadata"))
        metadata["managedFields"] = _managed(metadata, manager, part, ref, self.now())
        kept = self._stamped({**new, "metadata": metadata})
        self.objects[ref] = kept
        self._events.append((event, ref, kept))
        return kept

    def _stamped(self, document: Fields) -> Fields:
        self._revision = next(self._revisions)
        return {**document, "metadata": {**section(document, "metadata"), "resourceVersion": str(self._revision)}}

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """One write at a time; its events go out when the lock is free again, by one thread and in order."""
        with self.lock:
            yield
        while self._events and self._telling.acquire(blocking=False):
            try:
                while self._events:
                    event = self._events.popleft()
                    for told in tuple(self.watchers):
                        told(*event)
            finally:
                self._telling.release()


def scale_of(ref: ObjectRef, document: Document) -> Fields:
    """The `scale` sub-resource of a workload."""
    replicas = section(document, "spec").get("replicas", 1)
    metadata = {"name": ref.name, "namespace": ref.namespace, "resourceVersion": revision(document)}
    ready = section(document, "status").get("replicas", 0)
    about = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": metadata}
    return {**about, "spec": {"replicas": replicas}, "status": {"replicas": ready}}


def _check_it_is(ref: ObjectRef, document: Document, verb: str) -> None:
    said = ref_of(ref.kind, document)
    if said.name != ref.name or said.namespace not in ("", ref.namespace):
        raise refusals.invalid(verb, ref, f"the name in the object ({said.name}) or its namespace is another")


def _only(part: str, ref: ObjectRef, old: Document, changed: Fields) -> Fields:
    """A write to `status` changes that alone; a write to the object leaves `status` as it was."""
    if ref.kind.name in WITHOUT_STATUS:
        return changed
    kept: Fields = dict(old) if part == "status" else {**changed}
    source: Document = changed if part == "status" else old
    kept.pop("status", None)
    return {**kept, "status": source["status"]} if "status" in source else kept


def _wanted(document: Document) -> Fields:
    return {name: value for name, value in document.items() if name not in ("metadata", "status")}


def _managed(metadata: Fields, manager: str, part: str, ref: ObjectRef, now: datetime) -> list[object]:
    others = metadata.get("managedFields")
    old = [one for one in others if not _is_of(one, manager, part)] if isinstance(others, list) else []
    owned: Fields = {"f:status": {}} if part == "status" else {"f:spec": {}}
    entry = {
        "manager": manager,
        "operation": "Update",
        "apiVersion": ref.kind.api_version,
        "time": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "fieldsType": "FieldsV1",
        "fieldsV1": owned,
    }
    return [*old, {**entry, "subresource": part} if part else entry]


def _is_of(entry: object, manager: str, part: str) -> bool:
    return isinstance(entry, dict) and entry.get("manager") == manager and entry.get("subresource", "") == part


def _selected(document: Document, selector: str) -> bool:
    """Equality and existence: `a=b`, `a==b`, `a!=b`, `a`, `!a`, joined by commas."""
    labels = section(section(document, "metadata"), "labels")
    return all(_term(labels, term.strip()) for term in selector.split(",") if term.strip())


def _term(labels: Document, term: str) -> bool:
    if "!=" in term:
        name, _, value = term.partition("!=")
        return labels.get(name.strip()) != value.strip()
    if "=" in term:
        name, _, value = term.replace("==", "=").partition("=")
        return labels.get(name.strip()) == value.strip()
    return (term[1:] not in labels) if term.startswith("!") else term in labels
