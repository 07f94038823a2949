"""Several replicas that share one cluster and one clock, turn by turn."""

from datetime import timedelta

from controller.cluster.lease_settings import LeaseSettings
from controller.cluster.leases import LeasedShards
from controller.domain.cluster import LEASE
from controller.domain.names import RolloutKey
from controller.testing.clock import ManualClock
from controller.testing.cluster import MemoryCluster
from controller.testing.cluster_server import MemoryApiServer

NAMESPACE = "tidegate-system"


class Replica:
    """One process. `skew` is how wrong its wall clock is; `asleep` means that it gets no turn."""

    def __init__(self, name: str, server: MemoryApiServer, clock: ManualClock, shards: int, skew: timedelta) -> None:
        self.name, self.asleep = name, False
        self.cluster = MemoryCluster(server, manager=name)
        self.told: list[str] = []
        settings = LeaseSettings(NAMESPACE, name, shards)
        self.keeper = LeasedShards(
            self.cluster, self.cluster.view, settings, lambda: clock.now() + skew,
            lambda shard: self.told.append(f"+{shard}"), lambda shard: self.told.append(f"-{shard}"), clock.monotonic,
        )  # fmt: skip
        self.cluster.view.follow(LEASE, NAMESPACE, lambda _: None)

    @property
    def mine(self) -> frozenset[int]:
        return self.keeper.mine()


class Fleet:
    """All of them. After every step no shard has two holders."""

    def __init__(self, shards: int = 4) -> None:
        self.server, self.clock, self.shards = MemoryApiServer(), ManualClock(), shards
        self.replicas: dict[str, Replica] = {}

    def join(self, name: str, skew: float = 0.0, shards: int | None = None) -> Replica:
        one = Replica(name, self.server, self.clock, shards or self.shards, timedelta(seconds=skew))
        self.replicas[name] = one
        return one

    def step(self, seconds: float = 0.5) -> None:
        """Time passes, then everybody who is awake has a turn."""
        self.clock.advance(seconds)
        for one in tuple(self.replicas.values()):
            if not one.asleep:
                one.keeper.tick()
            self.check()

    def run(self, seconds: float, step: float = 0.5) -> None:
        for _ in range(round(seconds / step)):
            self.step(step)

    def kill(self, name: str) -> None:
        """Gone without a word."""
        del self.replicas[name]

    def check(self) -> None:
        held = [shard for one in self.replicas.values() for shard in one.mine]
        assert len(held) == len(set(held)), {name: sorted(one.mine) for name, one in self.replicas.items()}

    def held(self) -> dict[str, int]:
        return {name: len(one.mine) for name, one in self.replicas.items()}

    def all_held(self) -> bool:
        return sum(self.held().values()) == self.shards


def key_in(shard: int, keeper: LeasedShards) -> RolloutKey:
    """Some rollout of that shard."""
    return next(key for n in range(1000) if keeper.shard_of(key := RolloutKey("ns", f"r{n}")) == shard)
