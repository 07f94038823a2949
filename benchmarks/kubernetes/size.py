"""How long, how many."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """`fleets` are numbers of rollouts, one scene each; `rest` and `watched` are seconds of looking on."""

    fleets: tuple[int, ...]
    under_way: int
    changes: int
    rest: float
    watched: float
    pair: int
    """Rollouts of the two replicas, one of which is killed."""


QUICK = Size(fleets=(100,), under_way=100, changes=10, rest=10.0, watched=20.0, pair=20)
FULL = Size(fleets=(100, 1000), under_way=100, changes=30, rest=60.0, watched=90.0, pair=100)
