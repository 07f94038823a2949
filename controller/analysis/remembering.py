"""How long the counters' memory lasts: a vanished series is forgotten after a day, when there are too many. Pure."""

from collections.abc import Collection, Mapping

from controller.domain.measure import SeriesMemory
from controller.domain.names import SloName, VersionName

LARGEST = 5_000
"""Entries that one rollout may remember before vanished series are forgotten.

A series that comes back after it was forgotten counts from zero, its history too. So as long as memory is cheap nothing
is forgotten; above this, pods that come and go, or a label per user, would let what is stored at every tick grow
without end.
"""
GONE = 24 * 3600.0
"""Seconds after which a series that vanished is taken to be gone for good."""


def owner(slo: SloName, version: VersionName) -> str:
    """Who remembers. Neither name holds a colon or a slash."""
    return f"{slo}/{version}"


def remembered(
    memory: SeriesMemory,
    learned: Mapping[str, tuple[float, float]],
    measured: Collection[str],
    asked: Collection[str],
    now: float,
) -> SeriesMemory:
    """`memory` with what this tick `learned`, without what is gone when that is too much. `now` in unix seconds.

    Owners that were `asked` but not `measured` are blind: they forget nothing. What nobody asks for any more is
    forgotten as a whole or not at all, so that who comes back either goes on or begins anew.
    """
    whole = {**memory, **learned}
    if len(whole) <= LARGEST or not measured:
        return whole
    newest: dict[str, float] = {}
    for key, (at, _) in whole.items():
        mine = _owner_of(key)
        newest[mine] = max(newest.get(mine, at), at)
    oldest = now - GONE
    forgotten = {mine for mine, at in newest.items() if mine not in asked and at < oldest}
    return {
        key: seen
        for key, seen in whole.items()
        if (mine := _owner_of(key)) not in forgotten and (key in learned or mine not in measured or seen[0] >= oldest)
    }


def _owner_of(key: str) -> str:
    return key.partition(": ")[0]
