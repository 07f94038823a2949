"""Answered requests of a cluster go after a while: they are owned by their rollouts, which may live for years.

What was asked, by whom, and how it ended is kept in the journal.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from controller.domain.cluster import ROLLOUT_REQUEST, ClusterError, ConflictError, Document, ObjectRef
from controller.domain.names import RolloutKey
from controller.ports import Clock, ObjectRemover, ObjectView, Shards
from controller.runtime.asked_in_cluster import ENDED
from controller.telemetry.health import Health

log = structlog.get_logger("requests")
KEPT = timedelta(days=7)
MOST = 200
"""Deleted in one look: the rest waits for the next one."""
COMPONENT = "answered requests in the cluster"


class Answered:
    """`tidy` for one thread at a time. Only those of rollouts that are this process's own are deleted."""

    def __init__(
        self, remover: ObjectRemover, view: ObjectView, shards: Shards, clock: Clock, health: Health,
        kept: timedelta = KEPT,
    ) -> None:  # fmt: skip
        self._remover, self._view, self._shards = remover, view, shards
        self._clock, self._health, self._kept = clock, health, kept

    def tidy(self) -> None:
        """Delete what was answered long enough ago, and has not been replaced by another of its name."""
        try:
            documents = self._view.all(ROLLOUT_REQUEST)
        except ClusterError:
            return  # told by whoever reads the rollouts
        gone = 0
        for ref, uid in list(self._due(documents))[:MOST]:
            try:
                self._remover.remove(ref, uid)
            except ConflictError:
                continue
            except ClusterError as error:
                self._health.trouble(COMPONENT, str(error))
                log.warning("requests_not_deleted", why=str(error))
                return
            gone += 1
        self._health.ok(COMPONENT)
        if gone:
            log.info("requests_deleted", count=gone)

    def _due(self, documents: Sequence[Document]) -> Iterator[tuple[ObjectRef, str]]:
        before = self._clock.now() - self._kept
        for document in documents:
            metadata, spec, status = (_part(document, name) for name in ("metadata", "spec", "status"))
            namespace, uid = str(metadata.get("namespace", "")), str(metadata.get("uid", ""))
            answered = _instant(status.get("observedAt"))
            if status.get("state") not in ENDED or answered is None or answered > before or not uid:
                continue
            if self._shards.holds(RolloutKey(namespace, str(spec.get("rollout", "")))):
                yield ObjectRef(ROLLOUT_REQUEST, namespace, str(metadata.get("name", ""))), uid


def _part(document: Document, name: str) -> Mapping[str, object]:
    found = document.get(name)
    return found if isinstance(found, Mapping) else {}


def _instant(text: object) -> datetime | None:
    """None for what is no instant: when it was answered is not known, and it stays."""
    try:
        found = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None
