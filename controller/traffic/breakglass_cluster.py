"""When everything else is down, for a route in a cluster: read it anew each time, and leave a note on it.

The note is an annotation of the HTTPRoute: whoever may move the traffic may write it, and the controller sees it.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from controller.domain.cluster import ClusterError, ConflictError, Document, Kind, NotServedError, ObjectRef, Operation
from controller.domain.names import RolloutKey
from controller.domain.traffic import BrokenGlass
from controller.ports import ObjectApi
from controller.traffic.gateway_api_memory import annotations_of
from controller.traffic.gateway_api_names import glass_annotation

TRIES = 5


@dataclass(frozen=True, slots=True)
class ReadThrough:
    """A ports.ObjectView that follows nothing: every reading is a request. `namespace`: what `all` lists."""

    api: ObjectApi
    namespace: str

    def follow(self, kind: Kind, namespace: str, changed: Callable[[ObjectRef], None]) -> None:
        """There is nothing to keep."""

    def get(self, ref: ObjectRef) -> Document | None:
        """As the API server has it now. Raises ClusterError."""
        return self.api.get(ref)

    def all(self, kind: Kind) -> Sequence[Document]:
        """Those of the namespace, as the API server has them now. Raises ClusterError."""
        return self.api.list(kind, self.namespace if kind.namespaced else "")

    def learn(self, ref: ObjectRef, document: Document) -> None:
        """There is nothing to keep."""


def leave_note(api: ObjectApi, route: ObjectRef, key: RolloutKey, glass: BrokenGlass) -> None:
    """Say on the HTTPRoute who breaks the glass, when and why. Raises ClusterError."""
    name = glass_annotation(key)
    text = json.dumps({"at": glass.at.isoformat(), "actor": glass.actor, "reason": glass.reason}, ensure_ascii=False)
    for left in reversed(range(TRIES)):
        document = api.get(route)
        if document is None:
            raise NotServedError(f"{route} does not exist")
        try:
            api.patch(route, _steps(document, name, text))
            return
        except ConflictError:
            if not left:
                raise


def _steps(document: Document, name: str, text: str) -> tuple[Operation, ...]:
    metadata = document["metadata"]
    assert isinstance(metadata, Mapping)
    unchanged = Operation("test", "/metadata/resourceVersion", metadata.get("resourceVersion"))
    if annotations_of(document):
        return unchanged, Operation("add", f"/metadata/annotations/{name.replace('/', '~1')}", text)
    return unchanged, Operation("add", "/metadata/annotations", {name: text})


def note_on(document: Document, key: RolloutKey) -> BrokenGlass | None:
    """The newest note of this rollout on its HTTPRoute; None without one that can be read."""
    with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
        told = json.loads(annotations_of(document)[glass_annotation(key)])
        at = datetime.fromisoformat(told["at"])
        if at.tzinfo is not None:
            return BrokenGlass(at, str(told["actor"]), str(told.get("reason", "")))
    return None


def try_note(api: ObjectApi, route: ObjectRef, key: RolloutKey, glass: BrokenGlass) -> str | None:
    """`leave_note`; why it could not be left, or None: what is urgent does not wait for it."""
    try:
        leave_note(api, route, key, glass)
    except ClusterError as error:
        return str(error)
    return None
