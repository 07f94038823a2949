"""A house on a cluster in memory. Several houses may share one API server, one store and one data plane."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from controller.domain.cluster import EVENT, MODEL_ROLLOUT, ROLLOUT_REQUEST, Document, ObjectRef, Operation
from controller.domain.names import RolloutKey
from controller.ports import RouteBinding
from controller.runtime.book import Held
from controller.runtime.cluster_house import Cluster, ShardNews, open_desk
from controller.runtime.cluster_routes import ClusterRoutes
from controller.runtime.desk import ClusterDesk
from controller.runtime.reconcile import reconcile
from controller.runtime.routers import Routers
from controller.runtime.sharing import Sharing
from controller.sources.custom_resources import CustomResources
from controller.testing.clock import ManualClock
from controller.testing.cluster import MemoryCluster
from controller.testing.cluster_server import MemoryApiServer
from controller.testing.routers import MemoryRouter
from controller.testing.stores import MemoryShelf, MemoryStore
from tests.runtime.rig import Counters, Rig, a_rig

KEY = RolloutKey("assistants", "support-bot")
REF = ObjectRef(MODEL_ROLLOUT, KEY.namespace, KEY.name)


def a_document(version: str = "v11", name: str = KEY.name, **spec: Any) -> dict[str, Any]:
    """The object that a person applies."""
    backends = ("v11", "v12", "v13")
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {"name": name, "namespace": KEY.namespace},
        "spec": {
            "version": version,
            "versions": [
                {"name": one, "backendRef": {"kind": "Host", "name": "127.0.0.1", "port": port}, "bundle": {"w": one}}
                for port, one in enumerate(backends, start=8000)
            ],
            "routes": [{"envoy": {"admin": "127.0.0.1:9901", "configDir": "/nowhere/envoy", "prefix": f"/{name}/"}}],
            "metrics": {"prometheus": {"url": "http://127.0.0.1:9", "scrapeInterval": "15s"}, "identity": IDENTITY},
            "slos": [
                {
                    "name": "harm",
                    "indicator": {"ratio": {"bad": {"metric": "harm_bad_total"}, "total": {"metric": "harm_total"}}},
                    "objective": {"max": "5%"},
                }
            ],
            "stages": [
                {"name": "canary-10", "canary": {"weight": 10}, "minDuration": "1m", "require": "noBreach"},
                {"name": "full", "full": {}, "minDuration": "1m"},
            ],
            "initialStable": "v11",
            **spec,
        },
    }


IDENTITY = {"label": "version", "value": "{{version}}"}


class HandKeeper:
    """Holds the shards that a test gives it."""

    def __init__(self, news: ShardNews, everything: bool = True) -> None:
        self.news, self.everything, self.is_adrift = news, everything, False

    def holds(self, key: RolloutKey) -> bool:
        return self.everything

    def guards(self, key: RolloutKey) -> bool:
        return self.everything or self.is_adrift

    def shard_of(self, key: RolloutKey) -> int:
        return 0

    def start(self) -> None:
        """The test says when."""

    def stop(self) -> None:
        """The test says when."""

    def gain(self) -> None:
        self.everything, self.is_adrift = True, False
        self.news.gained(0)

    def lose(self) -> None:
        self.everything = self.is_adrift = False
        self.news.lost(0)

    def run_out(self) -> None:
        """Not renewed in time: the API server does not answer."""
        self.everything, self.is_adrift = False, True
        self.news.lost(0)


@dataclass(slots=True)
class ClusterRig:
    """The rig of a house in memory, and what of it is on the cluster. Nothing runs in a thread."""

    rig: Rig
    cluster: MemoryCluster
    keeper: HandKeeper
    desk: ClusterDesk
    sharing: Sharing
    source: CustomResources
    doors: Cluster
    woken: list[RolloutKey] = field(default_factory=list)

    @property
    def held(self) -> Held:
        found = self.rig.house.book.get(KEY)
        assert found is not None
        return found

    @property
    def clock(self) -> ManualClock:
        return self.rig.clock

    @property
    def status(self) -> dict[str, Any]:
        return dict(self.document.get("status", {}))

    @property
    def document(self) -> dict[str, Any]:
        found = self.cluster.look(REF)
        assert found is not None
        return dict(found)

    def condition(self, kind: str) -> dict[str, Any]:
        return next(one for one in self.status["conditions"] if one["type"] == kind)

    def is_true(self, kind: str) -> bool:
        return bool(self.condition(kind)["status"] == "True")

    def apply(self, document: Document | None = None, **spec: Any) -> None:
        """A person applies it, and the controller hears of it."""
        self.cluster.put(MODEL_ROLLOUT, document or a_document(**spec))
        self.read()

    def read(self) -> None:
        """As `Chores.read_sources` does."""
        specs = self.source.read()
        self.rig.house.book.take(specs, self.clock.now())
        self.desk.read(specs)

    def ask(self, name: str, action: str, run: str = "", by: str = "ada", **spec: Any) -> None:
        """A person's RolloutRequest, and a look at it."""
        metadata = {"name": name, "namespace": KEY.namespace}
        body = {"rollout": KEY.name, "run": run, "action": action, "reason": "because", "requestedBy": by, **spec}
        self.cluster.put(ROLLOUT_REQUEST, {
            "apiVersion": ROLLOUT_REQUEST.api_version, "kind": "RolloutRequest", "metadata": metadata, "spec": body,
        })  # fmt: skip
        self.look()

    def look(self) -> None:
        assert self.desk._requests is not None
        self.desk._requests.look()

    def answer(self, name: str) -> dict[str, Any]:
        found = self.cluster.look(ObjectRef(ROLLOUT_REQUEST, KEY.namespace, name))
        assert found is not None
        return found.get("status", {})  # type: ignore[return-value]

    def events(self) -> Sequence[dict[str, Any]]:
        return [dict(one) for ref, one in self.cluster.server.objects.items() if ref.kind == EVENT]

    def write(self) -> None:
        """Everything that is due."""
        while self.desk._writer.step():
            pass

    def passes(self, count: int = 8) -> None:
        for _ in range(count):
            reconcile(KEY, self.rig.house)
            self.write()
            self.clock.advance(0.25)

    def tick(self, seconds: float = 15.0, answers: float = 100, bad: float = 0.0, count: int = 8) -> None:
        self.clock.advance(seconds)
        self.rig.counters.count("v11", answers)
        self.rig.counters.count("v12", answers, bad)
        self.sample()
        self.passes(count)

    def sample(self) -> None:
        for server in self.rig.house.watch.stations():
            sampler = self.rig.house.watch.of(server)
            assert sampler is not None
            sampler.tick()

    def tick_until(self, done: Callable[[], bool], limit: int = 40, **how: Any) -> None:
        for _ in range(limit):
            if done():
                return
            self.tick(**how)
        raise AssertionError(f"{self.held.position.phase}: {self.held.position.message}")

    def edit(self, *operations: Operation) -> None:
        self.cluster.edit(REF, *operations)
        self.read()


def a_cluster_rig(
    folder: Path,
    server: MemoryApiServer | None = None,
    shelf: MemoryShelf | None = None,
    clock: ManualClock | None = None,
    plane: dict[RolloutKey, MemoryRouter] | None = None,
    counters: Counters | None = None,
    holds: bool = True,
    keep: Callable[[MemoryCluster, ShardNews, ManualClock], HandKeeper] | None = None,
) -> ClusterRig:
    """One replica. What two of them share is given to both. `keep` makes another keeper than the test's own hand."""
    base = a_rig(folder, MemoryStore(("memory",), shelf), clock=clock, counters=counters)
    clock = base.clock
    server = server or MemoryApiServer(now=clock.now)
    plane = plane if plane is not None else {}
    cluster, news = MemoryCluster(server), ShardNews()
    keeper = keep(cluster, news, clock) if keep else HandKeeper(news, holds)
    source = CustomResources(cluster.view, clock=clock)
    routes = ClusterRoutes(cluster, cluster.view)
    doors = Cluster(cluster, cluster, cluster.view, routes, f"replica-{folder.name}", (), keeper, news)
    house = base.house

    def route(binding: RouteBinding) -> MemoryRouter:
        return plane.setdefault(binding.key, MemoryRouter(binding))

    sharing, desk = open_desk(doors, house.book, house.store, house.watch, clock, house.health, timedelta(0))
    base.house = replace(house, specs=source, routers=Routers(route), sharing=sharing, desk=desk)
    base.routers = plane
    made = ClusterRig(base, cluster, keeper, desk, sharing, source, doors)
    desk._wake = made.woken.append
    desk._requests = desk._new_requests(desk._wake)
    cluster.view.follow(ROLLOUT_REQUEST, "", lambda _: None)
    return made
