"""Workloads on a real API server, with real Deployments and EndpointSlices, and no more rights than the chart gives."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.cluster.connect import Access, connect
from controller.cluster.objects import ClusterObjects
from controller.domain.cluster import ForbiddenError, Kind, NotServedError, ObjectRef
from controller.runtime.bootstrap import bootstrap
from controller.runtime.daemon import Daemon
from controller.runtime.settings import ClusterSettings, Settings
from controller.testing.cluster_parts import chart
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.controllers import NODE, a_controller_manager, a_kwok, wait_all_ready
from controller.testing.cluster_parts.crds import install_gateway_api
from tests.cluster.hands import NAME, Gate, ReadyProbe, a_rollout, an_http_route, eventually, page, weights
from tests.parts.metrics_page import MetricsPage

pytestmark = [pytest.mark.xdist_group("scaling-cluster"), pytest.mark.timeout(240)]
HOME = "assistants"
DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")


def a_workload(version: str, replicas: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A Deployment that plays a model server, and its Service."""
    name, labels = f"chat-{version}", {"app": f"chat-{version}"}
    metadata = {"name": name, "namespace": HOME}
    template = {
        "metadata": {"labels": labels},
        "spec": {"nodeName": NODE, "containers": [{"name": "model", "image": "example.org/model"}]},
    }
    deployment = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    service = {"selector": labels, "ports": [{"port": 8000}]}
    return (
        {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": deployment},
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": service},
    )


def scaled(metrics: str, version: str = "v11", down_after: str = "4s") -> dict[str, Any]:
    """The rollout; its versions have Deployments."""
    made = a_rollout(HOME, metrics, version)
    for one in made["spec"]["versions"]:
        one["scale"] = {"name": f"chat-{one['name']}", "replicas": 4, "downAfter": down_after}
    return made


@contextmanager
def a_controller(kubeconfig: Path, folder: Path) -> Iterator[Daemon]:
    """With the account that the chart makes; nothing answers in the Pods that are only played."""
    settings = Settings(
        cluster=ClusterSettings(kubeconfig, None, (), 1, "one", 6.0, chart.RELEASE),
        state_dir=folder,
        http="127.0.0.1:0",
    )
    daemon = Daemon(replace(bootstrap(settings), probe=ReadyProbe()), settings)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


@pytest.fixture
def judged() -> Iterator[MetricsPage]:
    served = MetricsPage(page())
    yield served
    served.stop()


@pytest.fixture
def place(own_api_server: ApiServer) -> Iterator[ApiServer]:
    """v11 serves with two replicas, v12 has none; an HTTPRoute, and a gateway that accepts it."""
    server = own_api_server
    install_gateway_api(server.kubectl)
    with a_controller_manager(server), a_kwok(server):
        server.kubectl("create", "namespace", HOME)
        server.kubectl.apply(*a_workload("v11", 2), *a_workload("v12", 0), an_http_route(HOME))
        wait_all_ready(server, HOME, "app=chat-v11", 2)
        gate = Gate(server, HOME)
        yield server
        gate.stop()


def message(server: ApiServer) -> str:
    found: dict[str, Any] = server.kubectl.get("modelrollout", NAME, HOME).get("status", {})
    return str(found.get("message", ""))


def replicas(server: ApiServer, version: str) -> int:
    found: dict[str, Any] = server.kubectl.get("deployment", f"chat-{version}", HOME)
    return int(found["spec"]["replicas"])


def condition(server: ApiServer, kind: str) -> str:
    found = server.kubectl.get("modelrollout", NAME, HOME).get("status", {}).get("conditions", [])
    return str(next((one["status"] for one in found if one["type"] == kind), ""))


def run_of(server: ApiServer) -> str:
    found = server.kubectl.get("modelrollout", NAME, HOME).get("status", {}).get("run", {})
    return str(found.get("id", ""))


def ask(server: ApiServer, action: str) -> None:
    eventually(lambda: run_of(server), "the run in the status")
    run = run_of(server)
    body = {"rollout": NAME, "run": run, "action": action, "reason": "a test", "requestedBy": "admin"}
    server.kubectl.apply(
        {
            "apiVersion": "tidegate.dev/v1alpha1",
            "kind": "RolloutRequest",
            "metadata": {"name": action, "namespace": HOME},
            "spec": body,
        }
    )


def test_up_before_the_run_and_down_after_it(place: ApiServer, judged: MetricsPage, tmp_path: Path) -> None:
    account = chart.install(place, values={"scale": {"enabled": True}})
    with a_controller(account, tmp_path / "state") as daemon:
        place.kubectl.apply(scaled(judged.url))
        place.kubectl("wait", "--for=condition=Promoted", f"mro/{NAME}", "-n", HOME, "--timeout=40s")
        place.kubectl.apply(scaled(judged.url, "v12"))
        eventually(lambda: replicas(place, "v12") == 4, "brought up")
        wait_all_ready(place, HOME, "app=chat-v12", 4)
        eventually(lambda: weights(place, HOME) == {"chat-v11": 90, "chat-v12": 10}, "the first weight")
        (held,) = daemon.house.book.all()
        assert held.position.run is not None
        assert held.position.run.stable_endpoints == 2
        assert replicas(place, "v11") == 2, "stable has what people gave it"

        ask(place, "abort")
        eventually(lambda: condition(place, "RolledBack") == "True", "rolled back")
        assert weights(place, HOME) == {"chat-v11": 1}
        eventually(lambda: replicas(place, "v12") == 0, "taken down")
        wait_all_ready(place, HOME, "app=chat-v12", 0)
        assert replicas(place, "v11") == 2


def test_without_the_right_the_run_waits_and_names_the_rule(
    place: ApiServer, judged: MetricsPage, tmp_path: Path
) -> None:
    account = chart.install(place)
    with a_controller(account, tmp_path / "state"):
        place.kubectl.apply(scaled(judged.url))
        place.kubectl("wait", "--for=condition=Promoted", f"mro/{NAME}", "-n", HOME, "--timeout=40s")
        place.kubectl.apply(scaled(judged.url, "v12"))
        rule = 'apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["get"]'
        eventually(lambda: rule in message(place), "the rule is named")
        assert "waiting for Deployment chat-v12" in message(place)
        chart.install(place, values={"scale": {"enabled": True}})
        eventually(lambda: weights(place, HOME) == {"chat-v11": 90, "chat-v12": 10}, "on its way", 60)


def test_a_scale_is_a_sub_resource(place: ApiServer) -> None:
    connection = connect(Access(place.kubeconfig("admin")))
    api = ClusterObjects(connection)
    found = api.get(ObjectRef(DEPLOYMENT, HOME, "chat-v11"), "scale")
    assert found is not None
    assert (found["kind"], found["spec"]) == ("Scale", {"replicas": 2})
    assert api.get(ObjectRef(DEPLOYMENT, HOME, "nothing"), "scale") is None
    with pytest.raises(NotServedError):
        api.get(ObjectRef(Kind("apps", "v1", "nothings", "Nothing"), HOME, "x"), "scale")
    with pytest.raises(ForbiddenError, match="deployments/scale"):
        ClusterObjects(connect(Access(place.kubeconfig("alice")))).get(ObjectRef(DEPLOYMENT, HOME, "chat-v11"), "scale")
