"""How leases are held: times, how many, by whom; and who hears of it."""

from collections.abc import Callable
from dataclasses import dataclass

import structlog

log = structlog.get_logger("leases")
Heard = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class LeaseSettings:
    """Times in seconds. All replicas of one namespace need the same `shards`.

    `margin` is what is left of a lease when its holder stops to believe in it: longer than the longest write that was
    begun while it was held.
    """

    namespace: str
    identity: str
    shards: int = 4
    lease: float = 15.0
    renew: float = 5.0
    margin: float = 3.0
    retry: float = 1.0

    def __post_init__(self) -> None:
        if self.shards < 1 or not self.identity or " " in self.identity:
            raise ValueError("leases need at least one shard, and an identity without spaces")
        if not 0 < self.renew + self.retry < self.lease - self.margin < self.lease:
            raise ValueError(
                f"renew ({self.renew:g} s) and retry ({self.retry:g} s) must fit into lease less margin "
                f"({self.lease:g} s less {self.margin:g} s), and margin must be more than 0"
            )


def undisturbed(heard: Heard) -> Heard:
    """Whoever listens may fail: the leases are renewed all the same, and the other shards are told."""

    def tell(shard: int) -> None:
        try:
            heard(shard)
        except Exception:  # it is the listener's fault, and he has a look of his own every few seconds
            log.exception("shard_listener_failed", shard=shard)

    return tell
