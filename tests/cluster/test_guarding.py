"""The API server is away for longer than a lease, on real parts: what an Envoy of ours serves stays guarded.

A ModelRollout on a real API server routes through a real Envoy, whose files need no API server.
"""

import itertools
import socket
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.names import VersionName
from controller.domain.state import Phase
from controller.domain.traffic import RouterUnavailableError, RouteTable
from controller.runtime.book import Held
from controller.runtime.bootstrap import bootstrap
from controller.runtime.daemon import Daemon
from controller.runtime.settings import ClusterSettings, Settings
from controller.runtime.sharing import GUARDING_ONLY
from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from controller.testing.cluster_parts.forward import Forward
from controller.traffic.envoy_process import stop_envoy
from tests.cluster.faults_rig import STABLE, a_canary, impatient, prepared
from tests.cluster.hands import NAME, ReadyProbe, a_rollout, eventually, page
from tests.faults.parts import Model, ask
from tests.parts.metrics_page import MetricsPage
from tests.parts.net import free_port

pytestmark = [pytest.mark.xdist_group("guarding-cluster"), pytest.mark.timeout(240)]
LEASE = 6.0
V11, V12 = VersionName("v11"), VersionName("v12")
HOME, TENTH, FULL = RouteTable(((V11, 100),)), RouteTable(((V11, 90), (V12, 10))), RouteTable(((V12, 100),))


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """One for this module, which comes back after every test."""
    with an_api_server() as started:
        prepared(started)
        yield started


@pytest.fixture(autouse=True)
def quick_views(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)


@dataclass
class Ground:
    """What outlives the daemons: a namespace, the judge, two model servers, and the folder of their Envoy."""

    server: ApiServer
    namespace: str
    folder: Path
    judged: MetricsPage
    models: dict[str, Model]
    listen: int = field(default_factory=free_port)
    admin: int = field(default_factory=free_port)
    counted: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def envoy(self) -> Path:
        return self.folder / "envoy"

    def apply(self, version: str, **spec: Any) -> None:
        """As a person does."""
        versions = [
            {"name": name, "backendRef": {"kind": "Host", "name": "127.0.0.1", "port": model.server_port},
             "bundle": {"w": name}}
            for name, model in self.models.items()
        ]  # fmt: skip
        envoy = {"listen": f"127.0.0.1:{self.listen}", "admin": f"127.0.0.1:{self.admin}", "configDir": str(self.envoy)}
        more = {"versions": versions, "routes": [{"envoy": envoy}], "initialStable": "v11", **spec}
        self.server.kubectl.apply(a_rollout(self.namespace, self.judged.url, version, **more))

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = self.server.kubectl.get("modelrollout", NAME, self.namespace).get("status", {})
        return found

    def judge(self, bad: int = 0) -> None:
        """200 more answers of v12, so many of them bad."""
        more = next(self.counted)
        self.judged.set(page(bad=more * bad, total=1000 + more * 200))

    def answers(self, requests: int = 300) -> Counter[str]:
        """Who answers real requests through Envoy."""
        return ask(self.listen, requests)


@pytest.fixture
def ground(server: ApiServer, tmp_path: Path) -> Iterator[Ground]:
    with ExitStack() as stack:
        namespace = f"test-{uuid.uuid4().hex[:10]}"
        server.kubectl("create", "namespace", namespace)
        judged = MetricsPage(page())
        stack.callback(judged.stop)
        models = {name: Model(name) for name in ("v11", "v12")}
        for model in models.values():
            stack.callback(model.stop)
        made = Ground(server, namespace, tmp_path, judged, models)
        stack.callback(stop_envoy, str(made.envoy))
        yield made


@contextmanager
def a_replica(ground: Ground, name: str, kubeconfig: Path | None = None) -> Iterator[Daemon]:
    """As `tidegate run --cluster`, with a database that all replicas share."""
    config = kubeconfig or ground.server.kubeconfig("admin")
    cluster = ClusterSettings(config, None, (ground.namespace,), 1, name, LEASE, ground.namespace)
    folder = ground.folder / name
    folder.mkdir()
    database = f"sqlite:///{ground.folder / 'shared.db'}"
    settings = Settings(cluster=cluster, state_dir=folder, http="127.0.0.1:0", database=database)
    daemon = Daemon(replace(bootstrap(settings), probe=ReadyProbe()), settings)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


def in_canary(ground: Ground, **spec: Any) -> None:
    """v12 gets 10 %, verified and told."""
    ground.apply("v11", **spec)
    eventually(lambda: ground.status().get("stable") == "v11", "v11 serves")
    ground.apply("v12", **spec)
    eventually(lambda: ground.status().get("traffic", {}).get("verified", {}).get("weight") == 10, "verified and told")


def held_by(daemon: Daemon) -> Held:
    (held,) = daemon.house.book.all()
    return held


def table_of(daemon: Daemon) -> RouteTable | None:
    """What Envoy itself holds; None while it does not answer."""
    router = daemon.house.routers.of(held_by(daemon))
    try:
        return router.observe().table if router else None
    except RouterUnavailableError:
        return None


def adrift(daemon: Daemon) -> bool:
    sharing, key = daemon.house.sharing, held_by(daemon).key
    return sharing.guards(key) and not sharing.holds(key)


def at_zero(daemon: Daemon) -> bool:
    mark = held_by(daemon).position.traffic
    return mark is not None and not mark.split.exposes() and mark.verified_at is not None


def while_judged(ground: Ground, done: Callable[[], bool], bad: int = 0) -> Callable[[], bool]:
    """The judge goes on all the time."""

    def look() -> bool:
        ground.judge(bad)
        return done()

    return look


def test_a_bad_candidate_is_at_verified_zero_while_the_api_server_is_still_away(ground: Ground) -> None:
    with a_replica(ground, "one") as daemon:
        in_canary(ground)
        assert ground.answers()["v12"] > 0
        held = held_by(daemon)
        ground.server.stop_alone()
        try:
            eventually(lambda: adrift(daemon), "the lease ran out")
            eventually(while_judged(ground, lambda: at_zero(daemon), bad=200), "at zero")
            assert held.position.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
            eventually(lambda: table_of(daemon) == HOME, "seen in Envoy")
            assert set(ground.answers()) == {"v11"}
            assert adrift(daemon), "all of it without a lease"
        finally:
            ground.server.start_alone()
        eventually(lambda: ground.status()["phase"] == "RolledBack", "told")
        eventually(lambda: daemon.house.sharing.holds(held.key), "held again")
        assert ground.status()["breach"]["slo"] == "harm"
        assert ground.answers()["v12"] == 0


def test_a_good_candidate_waits_for_the_api_server_and_goes_on(ground: Ground) -> None:
    soon = [
        {"name": "canary-10", "canary": {"weight": 10}, "minDuration": "12s", "require": "noBreach"},
        {"name": "full", "full": {}, "minDuration": "1h"},
    ]
    with a_replica(ground, "one") as daemon:
        in_canary(ground, stages=soon)
        held = held_by(daemon)
        ground.server.stop_alone()
        try:
            told = while_judged(ground, lambda: held.position.message == GUARDING_ONLY)
            eventually(told, "complete, and not left")
            before = held.seq
            eventually(while_judged(ground, lambda: held.seq >= before + 3), "its evidence is counted and kept")
            eventually(lambda: table_of(daemon) == TENTH, "as it was")
        finally:
            ground.server.start_alone()
        eventually(while_judged(ground, lambda: table_of(daemon) == FULL), "the next stage")


def test_another_replica_takes_over_and_the_one_that_is_cut_off_lets_go(ground: Ground) -> None:
    """Both can write Envoy's files. What the second one commits tells the first one that its turn is over."""
    network = Forward(
        socket.create_server(("127.0.0.1", 0)), lambda: socket.create_connection(("127.0.0.1", ground.server.port))
    )
    address = f"https://127.0.0.1:{network.port}"
    through = ground.server.kubeconfig_for(f"through-{network.port}", ground.server.token, server=address)
    try:
        with a_replica(ground, "one", through) as first:
            in_canary(ground)
            with a_replica(ground, "two") as second:
                eventually(lambda: second.house.book.all(), "read")
                key = held_by(second).key
                network.freeze()
                eventually(while_judged(ground, lambda: second.house.sharing.holds(key)), "taken over")
                eventually(while_judged(ground, lambda: not first.house.sharing.guards(key)), "let go")
                eventually(lambda: table_of(second) == TENTH, "as it was")
                eventually(while_judged(ground, lambda: at_zero(second), bad=200), "at zero")
                eventually(lambda: ground.status()["phase"] == "RolledBack", "told by the second")
                assert set(ground.answers()) == {"v11"}
                network.drop()
                network.thaw()
    finally:
        network.stop()


def test_a_route_in_the_cluster_is_put_right_as_soon_as_the_api_server_is_back(
    server: ApiServer, tmp_path: Path
) -> None:
    """Nothing can be moved meanwhile; the decision is made and stored."""
    with a_canary(server, tmp_path / "state", shards=2) as story:
        (held,) = story.daemon.house.book.all()
        server.stop_alone()
        try:
            eventually(lambda: not story.daemon.house.sharing.holds(held.key), "the lease ran out")

            def decided() -> bool:
                story.harm()
                return story.phase() == "RollingBack"

            eventually(decided, "decided")
        finally:
            server.start_alone()
        eventually(lambda: story.weights() == STABLE, "carried out")
        eventually(lambda: story.status()["phase"] == "RolledBack", "told")
