"""Who should hold which shard: claim what nobody holds, give to who has too few, ask who has too many. Pure."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Shard:
    """One shard as one replica sees it, by its own clock.

    `holder` is who holds it, alive; empty when it may be claimed. `free_for` is how many seconds it could have been
    claimed. `wanted_by` is who asked for it lately.
    """

    holder: str = ""
    free_for: float = 0.0
    wanted_by: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """`claim` in this order; `give` a shard to a replica; `ask` for these."""

    claim: tuple[int, ...] = ()
    give: Mapping[int, str] = field(default_factory=dict)
    ask: tuple[int, ...] = ()


def plan(shards: Mapping[int, Shard], me: str, patience: float) -> Plan:
    """What `me` does next. What nobody claims for `patience` seconds is claimed beyond the fair share.

    Moving a shard must bring the two nearer to each other, so that no shard goes to and fro.
    """
    holds = Counter(one.holder for one in shards.values() if one.holder)
    members = {*holds, me}
    free = sorted(number for number, one in shards.items() if not one.holder)
    room = -(-len(shards) // len(members)) - holds[me]
    claim = [number for at, number in enumerate(free) if at < room or shards[number].free_for >= patience]
    give = _give(shards, holds, me)
    few = room - len(free)
    return Plan(tuple(claim), give, () if give or few <= 0 else _ask(shards, holds, me, few))


def _give(shards: Mapping[int, Shard], holds: Counter[str], me: str) -> Mapping[int, str]:
    given: dict[int, str] = {}
    left = Counter(holds)
    for number, one in sorted(shards.items()):
        other = one.wanted_by
        if one.holder == me and other not in ("", me) and left[me] - left[other] >= 2:
            given[number] = other
            left.subtract({me: 1, other: -1})
    return given


def _ask(shards: Mapping[int, Shard], holds: Counter[str], me: str, few: int) -> tuple[int, ...]:
    asked: list[int] = []
    left = Counter(holds)
    left[me] += sum(one.wanted_by == me for one in shards.values())
    few -= left[me] - holds[me]
    while few > 0:
        rich, most = max(((who, left[who]) for who in left if who != me), key=lambda item: (item[1], item[0]))
        theirs = [n for n, one in sorted(shards.items()) if one.holder == rich and not one.wanted_by and n not in asked]
        if most - left[me] < 2 or not theirs:
            break
        asked.append(theirs[0])
        left.subtract({rich: 1, me: -1})
        few -= 1
    return tuple(asked)
