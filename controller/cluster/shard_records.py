"""What a shard's Lease says, and the documents and patches that change it. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from controller.cluster.documents import revision, section, text
from controller.domain.cluster import LEASE, Document, ObjectRef, Operation
from controller.domain.names import RolloutKey

SHARDS = "tidegate.dev/shards"
"""Annotation: into how many shards its holder divides the rollouts."""
WANTED = "tidegate.dev/wanted-by"
"""Annotation: who asks its holder for it, and when he asked."""
GIVEN = "tidegate.dev/given"
"""Annotation: the transition by which it was given. Whoever takes it up makes another one: then it is void."""
PREFIX = "tidegate-shard-"


@lru_cache(maxsize=16384)
def shard_of(key: RolloutKey, shards: int) -> int:
    """The same in every process and release."""
    return int.from_bytes(hashlib.sha256(str(key).encode()).digest()[:8]) % shards


def lease_ref(namespace: str, shard: int) -> ObjectRef:
    """The Lease of a shard."""
    return ObjectRef(LEASE, namespace, f"{PREFIX}{shard}")


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease. `holder` is empty when it was released; `wanted` is who asks for it, with the time he wrote."""

    holder: str
    acquired: str
    renewed: str
    transitions: int
    seconds: float
    shards: int
    wanted: str
    given: str
    document: Document

    @property
    def sign_of_life(self) -> tuple[str, str, str, int]:
        """Changes with every renewal, and only then: that somebody asks for it is no sign of its holder's life."""
        return self.holder, self.acquired, self.renewed, self.transitions

    @property
    def is_on_its_way(self) -> bool:
        """Given to its holder, who has not taken it up: nobody acts on it yet, and he may never do."""
        return bool(self.holder) and self.given == str(self.transitions)

    @property
    def wanted_by(self) -> str:
        """Who asks for it."""
        return self.wanted.partition(" ")[0]


def read(document: Document) -> Record:
    """Never fails: what is missing or of another type is empty."""
    metadata, spec = section(document, "metadata"), section(document, "spec")
    notes = section(metadata, "annotations")
    shards = text(notes, SHARDS)
    return Record(
        text(spec, "holderIdentity"),
        text(spec, "acquireTime"),
        text(spec, "renewTime"),
        _whole(spec.get("leaseTransitions")),
        float(_whole(spec.get("leaseDurationSeconds"))),
        int(shards) if shards.isdecimal() else 0,
        text(notes, WANTED),
        text(notes, GIVEN),
        document,
    )


def new_lease(ref: ObjectRef, holder: str, seconds: float, shards: int, now: datetime) -> Document:
    """A Lease that `holder` holds from now on."""
    metadata = {"name": ref.name, "namespace": ref.namespace, "annotations": {SHARDS: str(shards)}}
    return {"metadata": metadata, "spec": _spec(holder, seconds, 0, _time(now), _time(now))}


def renewal(record: Record, now: datetime) -> Sequence[Operation]:
    """Its holder is alive."""
    return [_unchanged(record), Operation("add", "/spec/renewTime", _time(now))]


def passing(record: Record, holder: str, seconds: float, shards: int, now: datetime) -> Sequence[Operation]:
    """To who writes it, or to nobody (empty): claimed, or released."""
    return _passing(record, holder, seconds, now, {SHARDS: str(shards)})


def giving(record: Record, to: str, now: datetime) -> Sequence[Operation]:
    """From its holder to another, who is to take it up."""
    notes = {SHARDS: str(record.shards), GIVEN: str(record.transitions + 1)}
    return _passing(record, to, record.seconds, now, notes)


def asking(record: Record, who: str, now: datetime) -> Sequence[Operation]:
    """`who` asks the holder for it."""
    return [_unchanged(record), _notes(record, {WANTED: f"{who} {_time(now)}"})]


def _unchanged(record: Record) -> Operation:
    return Operation("test", "/metadata/resourceVersion", revision(record.document))


def _passing(
    record: Record, holder: str, seconds: float, now: datetime, notes: Mapping[str, str]
) -> Sequence[Operation]:
    spec = _spec(holder, seconds, record.transitions + 1, _time(now), _time(now))
    return [_unchanged(record), _notes(record, notes, WANTED, GIVEN), Operation("add", "/spec", spec)]


def _notes(record: Record, more: Mapping[str, str], *without: str) -> Operation:
    old = section(section(record.document, "metadata"), "annotations")
    kept = {name: value for name, value in old.items() if name not in without}
    return Operation("add", "/metadata/annotations", {**kept, **more})


def _spec(holder: str, seconds: float, transitions: int, acquired: str, renewed: str) -> dict[str, object]:
    about = {"leaseDurationSeconds": max(1, round(seconds)), "leaseTransitions": transitions}
    return {"holderIdentity": holder, "acquireTime": acquired, "renewTime": renewed, **about}


def _time(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
