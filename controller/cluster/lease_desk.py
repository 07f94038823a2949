"""Reads and writes the Leases of shards: from the view when it is current, else by asking now and then."""

from collections.abc import Callable, Mapping
from datetime import datetime

from controller.cluster import shard_records
from controller.cluster.documents import is_older, revision, section, text
from controller.cluster.shard_records import PREFIX, Record, lease_ref
from controller.domain.cluster import LEASE, ClusterError, ConflictError, Document, NotServedError, ObjectRef
from controller.ports import ObjectApi, ObjectView


class LeaseDesk:
    """Writes only on top of what was read: whoever was faster wins, with ConflictError for the other."""

    def __init__(self, api: ObjectApi, view: ObjectView, namespace: str, who: str, now: Callable[[], datetime]) -> None:
        self._api, self._view, self._namespace, self._who, self._now = api, view, namespace, who, now
        self._fresh: dict[int, Record] = {}
        self._listed: tuple[Document, ...] = ()
        self._listed_at = float("-inf")
        self._is_current = False

    def records(self, at: float, every: float, doubt: bool = False) -> Mapping[int, Record]:
        """All shards' records. Without a current view they are listed, at most `every` so many seconds (of `at`).

        In `doubt`, too: a watch that is slow, or half dead, shows for long what was.
        """
        documents = self._documents(at, every)
        if doubt and self._is_current and at - self._listed_at >= every:
            self._learn(at)
            documents = self._documents(at, every)
        return self._read(documents)

    def heard(self) -> Mapping[int, Record] | None:
        """All shards' records where a current view has them, else None. Costs no request."""
        try:
            documents = tuple(self._view.all(LEASE))
        except ClusterError:
            return None
        self._is_current = True
        return self._read(documents)

    def _read(self, documents: tuple[Document, ...]) -> Mapping[int, Record]:
        found: dict[int, Record] = {}
        for document in documents:
            number = _number(document, self._namespace)
            if number is not None:
                known, record = self._fresh.get(number), shard_records.read(document)
                newer = known is not None and is_older(revision(document), revision(known.document))
                found[number] = known if known is not None and newer else record
        missing = {n: one for n, one in self._fresh.items() if n not in found and not self._is_current}
        return {**missing, **found}

    def claim(self, shard: int, record: Record | None, seconds: float, shards: int) -> Record:
        """Take it. Raises ConflictError when another did."""
        ref = lease_ref(self._namespace, shard)
        if record is None:
            return self._keep(
                shard, self._api.create(ref, shard_records.new_lease(ref, self._who, seconds, shards, self._now()))
            )
        steps = shard_records.passing(record, self._who, seconds, shards, self._now())
        return self._keep(shard, self._api.patch(ref, steps))

    def renew(self, shard: int, record: Record) -> Record:
        """Tell that we live. Raises ConflictError when the record is another than we know."""
        return self._keep(shard, self._api.patch(self._ref(shard), shard_records.renewal(record, self._now())))

    def pass_on(self, shard: int, record: Record, to: str) -> None:
        """Give it to another, or to nobody (empty)."""
        now = self._now()
        freed = shard_records.passing(record, "", record.seconds, record.shards, now)
        self._keep(shard, self._api.patch(self._ref(shard), shard_records.giving(record, to, now) if to else freed))

    def ask(self, shard: int, record: Record) -> None:
        """Ask its holder for it."""
        self._keep(shard, self._api.patch(self._ref(shard), shard_records.asking(record, self._who, self._now())))

    def again(self, shard: int) -> Record | None:
        """The record as it is now; what a view says later counts only when it is newer."""
        document = self._api.get(self._ref(shard))
        if document is None:
            self._fresh.pop(shard, None)
            return None
        return self._keep(shard, document)

    def _documents(self, at: float, every: float) -> tuple[Document, ...]:
        try:
            documents = tuple(self._view.all(LEASE))
            self._is_current = True
            return documents
        except ClusterError:
            self._is_current = False
        if at - self._listed_at >= every:
            self._listed = tuple(self._api.list(LEASE, self._namespace))
            self._listed_at = at
        return self._listed

    def _learn(self, at: float) -> None:
        self._listed = tuple(self._api.list(LEASE, self._namespace))
        self._listed_at = at
        for document in self._listed:
            number = _number(document, self._namespace)
            if number is not None:
                self._view.learn(self._ref(number), document)

    def _keep(self, shard: int, document: Document) -> Record:
        self._view.learn(self._ref(shard), document)
        self._fresh[shard] = shard_records.read(document)
        return self._fresh[shard]

    def _ref(self, shard: int) -> ObjectRef:
        return lease_ref(self._namespace, shard)


def _number(document: Document, namespace: str) -> int | None:
    metadata = section(document, "metadata")
    tail = text(metadata, "name").removeprefix(PREFIX)
    is_ours = text(metadata, "namespace") == namespace and text(metadata, "name").startswith(PREFIX)
    return int(tail) if is_ours and tail.isdecimal() else None


GONE = (ConflictError, NotServedError)
"""What a write raises when the record is not any more what it was."""
