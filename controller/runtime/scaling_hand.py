"""The hand at one workload: reads its scale, writes it when it must, and says how far it is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from controller.domain.cluster import ConflictError, Document, ObjectRef, Operation
from controller.domain.rollout import Scale
from controller.ports import KindFinder, ObjectApi
from controller.runtime.scaling_wanted import Wanted

log = structlog.get_logger("scaling")
TRIES = 3


@dataclass(frozen=True, slots=True)
class Scaled:
    """`asked` for so many replicas, `there` are so many (ready or not); None when there is no such workload."""

    asked: int
    there: int


def bring(api: ObjectApi, kinds: KindFinder, namespace: str, want: Wanted, still: Callable[[], bool]) -> Scaled | None:
    """Up to at least what is wanted, or down to 0; nothing is written when `still` says that it is not wanted now.

    Raises ClusterError.
    """
    ref = ref_of(kinds, namespace, want.scale)
    for tried in range(TRIES):
        document = api.get(ref, "scale")
        if document is None:
            return None
        found = _scaled(document)
        goal = max(found.asked, want.replicas) if want.replicas else 0
        if goal == found.asked or not still():
            return found
        try:
            written = api.patch(ref, _operations(document, goal), "scale")
        except ConflictError:
            if tried + 1 == TRIES:
                raise
            continue
        log.info("scaled", object=str(ref), version=want.version.name, before=found.asked, replicas=goal)
        return Scaled(goal, _scaled(written).there)
    raise AssertionError("the last conflict is raised")


def ref_of(kinds: KindFinder, namespace: str, scale: Scale) -> ObjectRef:
    """The workload of a rollout in that namespace. Raises ClusterError."""
    return ObjectRef(kinds.with_scale(scale.api_version, scale.kind), namespace, scale.name)


def _operations(document: Document, replicas: int) -> tuple[Operation, ...]:
    """Only onto what was read. `add` also replaces; a scale of 0 is told by leaving the number out."""
    version = _section(document, "metadata").get("resourceVersion")
    return (Operation("test", "/metadata/resourceVersion", version), Operation("add", "/spec/replicas", replicas))


def _scaled(document: Document) -> Scaled:
    return Scaled(_number(_section(document, "spec")), _number(_section(document, "status")))


def _section(document: Document, name: str) -> Mapping[str, object]:
    value = document.get(name)
    return value if isinstance(value, Mapping) else {}


def _number(fields: Mapping[str, object]) -> int:
    value = fields.get("replicas", 0)
    return value if isinstance(value, int) else 0
