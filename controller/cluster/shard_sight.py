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
    wanted: str
    wanted_since: float
    was_there: bool


class Sight:
    """What one replica saw, and when. `seconds` is the lease duration."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: dict[int, _Seen] = {}

    def look(self, records: Mapping[int, Record | None], now: float) -> Mapping[int, Shard]:
        """The shards as they are for us at `now`."""
        return {number: self._one(number, record, now) for number, record in records.items()}

    def _one(self, number: int, record: Record | None, now: float) -> Shard:
        life = record.sign_of_life if record else None
        wanted = record.wanted if record else ""
        seen = self._seen.setdefault(number, _Seen(life, now, wanted, now, record is not None))
        if seen.life != life:
            seen.life, seen.since, seen.was_there = life, now, True
        if seen.wanted != wanted:
            seen.wanted, seen.wanted_since = wanted, now
        runs_out = seen.since + self._lasts(record, seen)
        if now < runs_out:
            return Shard(record.holder if record else GONE, 0.0, self._asker(seen, record, now))
        return Shard("", now - runs_out, self._asker(seen, record, now))

    def _lasts(self, record: Record | None, seen: _Seen) -> float:
        """Seconds that somebody may believe in what the record says, after it was last seen to change."""
        if record is None:
            return self._seconds if seen.was_there else 0.0
        return max(self._seconds, record.seconds) if record.holder else 0.0

    def _asker(self, seen: _Seen, record: Record | None, now: float) -> str:
        """Who asked long ago may be gone; if he lives, he asks again."""
        return record.wanted_by if record and now - seen.wanted_since < self._seconds else ""
