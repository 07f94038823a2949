"""The controller on a real API server: applied, followed, told, asked, deleted; and two of them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.runtime.bootstrap import bootstrap
from controller.runtime.daemon import Daemon
from controller.runtime.settings import ClusterSettings, Settings
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.crds import install_gateway_api
from tests.cluster.hands import NAME, Gate, ReadyProbe, a_rollout, an_http_route, eventually, page, weights
from tests.cluster.resources import installed
from tests.parts.metrics_page import MetricsPage


@pytest.fixture
def judged() -> Iterator[MetricsPage]:
    served = MetricsPage(page())
    yield served
    served.stop()


@pytest.fixture
def place(api_server: ApiServer, namespace: str) -> Iterator[str]:
    """A namespace with an HTTPRoute on v11, and a gateway that accepts it."""
    install_gateway_api(api_server.kubectl)
    installed(api_server, "crd.yaml")
    api_server.kubectl.apply(an_http_route(namespace))
    gate = Gate(api_server, namespace)
    yield namespace
    gate.stop()


@contextmanager
def a_controller(
    server: ApiServer, namespace: str, folder: Path, identity: str = "one", database: str = "", shards: int = 2
) -> Iterator[Daemon]:
    """As `tidegate run --cluster` in this process; nothing runs behind the Services, so it believes they are ready."""
    cluster = ClusterSettings(server.kubeconfig("admin"), None, (namespace,), shards, identity, 6.0, namespace)
    folder.mkdir(exist_ok=True)
    settings = Settings(cluster=cluster, state_dir=folder, http="127.0.0.1:0", database=database)
    daemon = Daemon(replace(bootstrap(settings), probe=ReadyProbe()), settings)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


def status(server: ApiServer, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = server.kubectl.get("modelrollout", NAME, namespace).get("status", {})
    return found


def condition(server: ApiServer, namespace: str, kind: str) -> dict[str, Any]:
    told: list[dict[str, Any]] = status(server, namespace).get("conditions", [])
    return next((one for one in told if one["type"] == kind), {})


def ask(server: ApiServer, namespace: str, name: str, action: str, run: str) -> None:
    server.kubectl.apply(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "RolloutRequest",
            "metadata": {"name": name, "namespace": namespace},
            "spec": {"rollout": NAME, "run": run, "action": action, "reason": "a test", "requestedBy": "admin"},
        }
    )


def wait_for(server: ApiServer, namespace: str, what: str) -> None:
    """As CI does."""
    server.kubectl("wait", f"--for=condition={what}", f"mro/{NAME}", "-n", namespace, "--timeout=40s")


def test_a_rollout_is_applied_followed_paused_and_deleted(
    api_server: ApiServer, place: str, judged: MetricsPage, tmp_path: Path
) -> None:
    kubectl = api_server.kubectl
    with a_controller(api_server, place, tmp_path / "state"):
        kubectl.apply(a_rollout(place, judged.url))
        wait_for(api_server, place, "Ready")
        wait_for(api_server, place, "Promoted")
        assert status(api_server, place)["stable"] == "v11"

        kubectl.apply(a_rollout(place, judged.url, version="v12"))
        eventually(lambda: weights(api_server, place) == {"chat-v11": 90, "chat-v12": 10}, "the first weight")
        eventually(
            lambda: status(api_server, place).get("traffic", {}).get("verified", {}).get("weight") == 10, "verified"
        )
        told = status(api_server, place)
        assert (told["stage"], told["observedGeneration"]) == ("canary-10", 2)
        assert condition(api_server, place, "Promoted")["status"] == "False"
        assert condition(api_server, place, "Reconciling")["status"] == "True"
        assert "canary-10" in kubectl("get", "mro", NAME, "-n", place)

        ask(api_server, place, "wait", "pause", told["run"]["id"])
        eventually(
            lambda: kubectl.get("rolloutrequest", "wait", place).get("status", {}).get("state") == "Done", "paused"
        )
        assert "paused by admin: a test" in kubectl.get("rolloutrequest", "wait", place)["status"]["message"]
        eventually(lambda: condition(api_server, place, "Reconciling").get("reason") == "Paused", "the phase")
        ask(api_server, place, "other", "abort", "chat-99")
        eventually(
            lambda: kubectl.get("rolloutrequest", "other", place).get("status", {}).get("state") == "Refused", "refused"
        )
        assert {"RunStarted", "StageEntered", "Paused"} <= {
            event["reason"] for event in kubectl.items("events.events.k8s.io", "-n", place)
        }
        kubectl("delete", "mro", NAME, "-n", place)
        eventually(lambda: weights(api_server, place) == {"chat-v11": 1}, "back on stable, as it was")


def test_a_breach_is_rolled_back_and_told(
    api_server: ApiServer, place: str, judged: MetricsPage, tmp_path: Path
) -> None:
    with a_controller(api_server, place, tmp_path / "state"):
        api_server.kubectl.apply(a_rollout(place, judged.url))
        wait_for(api_server, place, "Ready")
        api_server.kubectl.apply(a_rollout(place, judged.url, version="v12"))
        eventually(lambda: status(api_server, place).get("stage") == "canary-10", "in its stage")
        counted = iter(range(1, 1000))

        def rolled_back() -> bool:
            more = next(counted) * 200
            judged.set(page(bad=more, total=1000 + more))
            return condition(api_server, place, "RolledBack").get("status") == "True"

        eventually(rolled_back, "rolled back")
        told = status(api_server, place)
        assert told["phase"] == "RolledBack"
        assert told["breach"]["slo"] == "harm"
        assert told["slos"][0]["verdict"] == "breach"
        assert "judged answers of v12 were harmful" in condition(api_server, place, "RolledBack")["message"]
        assert weights(api_server, place) == {"chat-v11": 1}
        wait_for(api_server, place, "Ready")


def test_what_only_the_controller_can_know_is_stalled_with_the_reason(
    api_server: ApiServer, place: str, judged: MetricsPage, tmp_path: Path
) -> None:
    lost = a_rollout(place, judged.url, routes=[{"gatewayAPI": {"httpRoute": "nowhere", "rule": "chat"}}])
    with a_controller(api_server, place, tmp_path / "state"):
        api_server.kubectl.apply(lost)
        eventually(lambda: condition(api_server, place, "Stalled").get("status") == "True", "stalled")
        assert "nowhere" in condition(api_server, place, "Stalled")["message"]


def test_nothing_is_written_when_nothing_changes(
    api_server: ApiServer, place: str, judged: MetricsPage, tmp_path: Path
) -> None:
    with a_controller(api_server, place, tmp_path / "state", shards=0) as daemon:
        api_server.kubectl.apply(a_rollout(place, judged.url))
        wait_for(api_server, place, "Ready")
        before = api_server.kubectl.get("mro", NAME, place)["metadata"]["resourceVersion"]
        for held in daemon.house.book.all():
            for _ in range(20):
                daemon.dispatcher.wake(held.key)
        daemon.chores.read_sources()
        assert api_server.kubectl.get("mro", NAME, place)["metadata"]["resourceVersion"] == before
    with a_controller(api_server, place, tmp_path / "state", shards=0) as again:
        eventually(lambda: any(held.looked_at for held in again.house.book.all()), "a pass")
        again.dispatcher.stop()
        again.house.desk.stop()
        assert api_server.kubectl.get("mro", NAME, place)["metadata"]["resourceVersion"] == before, "nor by a restart"


@pytest.fixture(params=["file", "PostgreSQL"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """What replicas share. A file serves here as well, since both are on this machine."""
    file = request.param == "file"
    return f"sqlite:///{tmp_path / 'shared.db'}" if file else str(request.getfixturevalue("postgres_url"))


def test_another_replica_takes_over_when_one_stops(
    api_server: ApiServer, place: str, judged: MetricsPage, tmp_path: Path, database: str
) -> None:
    with a_controller(api_server, place, tmp_path / "b", "two", database) as second:
        with a_controller(api_server, place, tmp_path / "a", "one", database) as first:
            api_server.kubectl.apply(a_rollout(place, judged.url))
            wait_for(api_server, place, "Ready")
            api_server.kubectl.apply(a_rollout(place, judged.url, version="v12"))
            eventually(lambda: weights(api_server, place).get("chat-v12") == 10, "the first weight")
            eventually(lambda: status(api_server, place).get("stage") == "canary-10", "told")
            guards = [held.key for held in first.house.book.all() if first.house.sharing.holds(held.key)]
            others = [held.key for held in second.house.book.all() if second.house.sharing.holds(held.key)]
            assert len(guards) + len(others) == 1, "one guard at a time"
        (held,) = second.house.book.all()
        eventually(lambda: second.house.sharing.holds(held.key), "taken over", 10)
        ask(api_server, place, "enough", "abort", status(api_server, place)["run"]["id"])
        eventually(lambda: weights(api_server, place) == {"chat-v11": 1}, "taken away by the second")
        eventually(lambda: status(api_server, place)["phase"] == "RolledBack", "told by the second")


@contextmanager
def a_process(server: ApiServer, namespace: str, folder: Path, database: str) -> Iterator[subprocess.Popen[bytes]]:
    """The command itself, in a process that can be stopped and killed."""
    folder.mkdir()
    words = ["--cluster", "--kubeconfig", str(server.kubeconfig("admin")), "--namespace", namespace, "--shards", "2"]
    words += ["--lease-seconds", "6", "--lease-namespace", namespace, "--identity", "process"]
    words += ["--database", database, "--state-dir", str(folder), "--http", "127.0.0.1:0", "--log", "json"]
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen([sys.executable, "-m", "controller", "run", *words], stdout=log, stderr=log)
        try:
            yield running
        finally:
            running.send_signal(signal.SIGCONT)
            running.kill()
            running.wait()


def test_one_that_was_stopped_and_wakes_up_is_not_the_guard_any_more(
    api_server: ApiServer, place: str, judged: MetricsPage, tmp_path: Path, database: str
) -> None:
    """Stopped without a word: another replica takes over within the lease, and both live on without a quarrel."""
    with a_process(api_server, place, tmp_path / "a", database) as first:
        api_server.kubectl.apply(a_rollout(place, judged.url))
        wait_for(api_server, place, "Ready")
        os.kill(first.pid, signal.SIGSTOP)
        with a_controller(api_server, place, tmp_path / "b", "two", database) as second:
            eventually(lambda: second.house.book.all(), "read")
            (held,) = second.house.book.all()
            eventually(lambda: second.house.sharing.holds(held.key), "taken over", 20)
            api_server.kubectl.apply(a_rollout(place, judged.url, version="v12"))
            eventually(lambda: weights(api_server, place).get("chat-v12") == 10, "the second one's run")
            os.kill(first.pid, signal.SIGCONT)
            eventually(lambda: status(api_server, place).get("stage") == "canary-10", "told")
            run = status(api_server, place)["run"]["id"]
            ask(api_server, place, "enough", "abort", run)
            eventually(lambda: weights(api_server, place) == {"chat-v11": 1}, "taken away")
            eventually(lambda: status(api_server, place)["phase"] == "RolledBack", "told")
            log = (tmp_path / "a" / "log").read_text()
            assert "shard_ran_out" in log, "it found that its time was over"
            assert status(api_server, place)["run"]["id"] == run
