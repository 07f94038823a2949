"""How many endpoints of a Service are ready, by its EndpointSlices: followed by a watch, so that asking is free."""

import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from controller.domain.cluster import ENDPOINT_SLICE, ClusterError, Document, ObjectRef
from controller.domain.observation import Unknown
from controller.ports import ObjectView

OWNER = "kubernetes.io/service-name"
Counts = Mapping[tuple[str, str], int]


class ReadyEndpoints:
    """Follows EndpointSlices from the first question on, or from `follow` on."""

    def __init__(self, view: ObjectView, namespaces: tuple[str, ...] = ()) -> None:
        self._view, self._namespaces = view, namespaces or ("",)
        self._lock = threading.Lock()
        self._followed = False
        self._version = 0
        self._counted: tuple[int, Counts] | None = None

    def count(self, namespace: str, service: str) -> int | Unknown:
        """Unknown while the watch is not current, or not allowed."""
        self.follow()
        try:
            self._view.get(ObjectRef(ENDPOINT_SLICE, namespace, service))  # raises when the view is not current
            return self._counts().get((namespace, service), 0)
        except ClusterError as error:
            return Unknown(str(error))

    def follow(self) -> None:
        """Begin to look, so that a later question has its answer at once."""
        with self._lock:
            if self._followed:
                return
            self._followed = True
        for namespace in self._namespaces:
            self._view.follow(ENDPOINT_SLICE, namespace, self._changed)

    def _changed(self, _ref: ObjectRef) -> None:
        with self._lock:
            self._version += 1

    def _counts(self) -> Counts:
        """Counted anew when something changed since."""
        with self._lock:
            version, known = self._version, self._counted
        if known is not None and known[0] == version:
            return known[1]
        counts = ready_by_service(self._view.all(ENDPOINT_SLICE))
        with self._lock:
            self._counted = (version, counts)
        return counts


def ready_by_service(slices: Iterable[Document]) -> Counts:
    """A Service with addresses of two families has every endpoint twice: the family with the most is counted."""
    families: Counter[tuple[str, str, str]] = Counter()
    for one in slices:
        owner = _owner(one)
        if owner is not None:
            families[*owner, str(one.get("addressType", ""))] += sum(1 for _ in _ready(one))
    found: dict[tuple[str, str], int] = {}
    for (namespace, service, _), count in families.items():
        found[namespace, service] = max(count, found.get((namespace, service), 0))
    return found


def _owner(one: Document) -> tuple[str, str] | None:
    metadata = one.get("metadata")
    labels = metadata.get("labels") if isinstance(metadata, Mapping) else None
    service = labels.get(OWNER) if isinstance(labels, Mapping) else None
    return (str(metadata["namespace"]), service) if isinstance(metadata, Mapping) and isinstance(service, str) else None


def _ready(one: Document) -> Iterator[Mapping[str, object]]:
    """What does not say whether it is ready counts as ready, as Kubernetes has it."""
    endpoints = one.get("endpoints")
    for endpoint in endpoints if isinstance(endpoints, list) else ():
        conditions = endpoint.get("conditions") if isinstance(endpoint, Mapping) else None
        ready = conditions.get("ready") if isinstance(conditions, Mapping) else None
        if isinstance(endpoint, Mapping) and ready is not False:
            yield endpoint
