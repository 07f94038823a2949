"""How long ago the record of each shard last changed, by our own clock: the clocks of others are never compared."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.cluster.shard_plan import Shard
from controller.cluster.shard_records import Record

GONE = "(its lease was deleted)"
"""Who holds what was just deleted: its last holder may not know it yet."""


@dataclass(slots=True)
class _Seen:
    life: object
    since: float
    ends: float
    holder: str
    wanted: str
    wanted_since: float
    was_there: bool


class Sight:
    """What one replica saw, and when. `seconds` is the lease duration.

    `pickup` is how long whom a shard was given to may take to take it up: he acts on it only afterwards, so that it is
    safe to take it from him before, and whoever asked for it and died keeps it from the others for no longer.
    """

    def __init__(self, seconds: float, pickup: float | None = None) -> None:
        self._seconds, self._pickup = seconds, seconds if pickup is None else pickup
        self._seen: dict[int, _Seen] = {}

    def look(self, records: Mapping[int, Record | None], now: float) -> Mapping[int, Shard]:
        """The shards as they are for us at `now`."""
        return {number: self._one(number, record, now) for number, record in records.items()}

    def next_end(self, now: float) -> float:
        """Seconds until what was seen last runs out next, unless it is renewed; infinite when all has run out."""
        return min((one.ends - now for one in self._seen.values() if one.ends > now), default=float("inf"))

    def is_silent(self, me: str, seconds: float, now: float) -> bool:
        """Was nothing heard for so long of somebody who should hold something? It may be that we hear nothing."""
        others = (one for one in self._seen.values() if one.holder not in ("", me))
        return any(now - one.since >= seconds for one in others)

    def _one(self, number: int, record: Record | None, now: float) -> Shard:
        life = record.sign_of_life if record else None
        wanted = record.wanted if record else ""
        seen = self._seen.setdefault(number, _Seen(life, now, now, "", wanted, now, record is not None))
        if seen.life != life:
            seen.life, seen.since, seen.was_there = life, now, True
        if seen.wanted != wanted:
            seen.wanted, seen.wanted_since = wanted, now
        seen.ends = seen.since + self._lasts(record, seen)
        if now < seen.ends:
            seen.holder = record.holder if record else GONE
            return Shard(seen.holder, 0.0, self._asker(seen, record, now))
        seen.holder = ""
        return Shard("", now - seen.ends, self._asker(seen, record, now))

    def _lasts(self, record: Record | None, seen: _Seen) -> float:
        """Seconds that somebody may believe in what the record says, after it was last seen to change."""
        if record is None:
            return self._seconds if seen.was_there else 0.0
        if record.is_on_its_way:
            return self._pickup
        return max(self._seconds, record.seconds) if record.holder else 0.0

    def _asker(self, seen: _Seen, record: Record | None, now: float) -> str:
        """Who asked long ago may be gone; if he lives, he asks again."""
        return record.wanted_by if record and now - seen.wanted_since < self._seconds else ""


def divided_otherwise(seen: Mapping[int, Shard], records: Mapping[int, Record], me: str, shards: int) -> str:
    """Another replica that lives and maps rollouts to shards in another way: it and we would take the same ones."""
    for number, one in seen.items():
        record = records.get(number)
        if record is not None and one.holder not in ("", me) and record.shards != shards:
            return (
                f"{one.holder} divides the rollouts into {record.shards} shards, this replica into {shards}: "
                "give all the same number; this one waits until that one has ended"
            )
    return ""
