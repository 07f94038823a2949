"""Kinds that a `scale` names, found on a real API server: with irregular plurals, without a scale, or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.cluster.discovery import Discovery
from controller.cluster.objects import ClusterObjects
from controller.domain.cluster import (
    MODEL_ROLLOUT,
    ClusterUnavailableError,
    Kind,
    NotServedError,
    ObjectRef,
    Operation,
)
from controller.testing.cluster_parts.apiserver import ApiServer
from tests.cli.conftest import tidegate
from tests.cluster.clients import connected
from tests.cluster.faults_rig import a_daemon, prepared
from tests.cluster.hands import NAME, Gate, a_rollout, an_http_route, eventually, page
from tests.parts.metrics_page import MetricsPage

pytestmark = pytest.mark.xdist_group("discovery")
GROUP = "pond.example.dev"
GOOSE = Kind(GROUP, "v1", "geese", "Goose")
SHEEP = Kind(GROUP, "v1", "sheep", "Sheep")


@pytest.fixture(scope="module")
def pond(api_server: ApiServer) -> ApiServer:
    """Geese can be scaled, sheep cannot."""
    prepared(api_server)
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    replicas = {"type": "object", "properties": {"replicas": {"type": "integer"}}}
    schema = {"type": "object", "properties": {"spec": anything | replicas, "status": anything | replicas}}
    paths = {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"}
    for kind, parts in ((GOOSE, {"status": {}, "scale": paths}), (SHEEP, {"status": {}})):
        version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
        names = {"plural": kind.plural, "singular": kind.name.lower(), "kind": kind.name}
        spec = {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [{**version, "subresources": parts}]}
        about = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
        api_server.kubectl.apply({**about, "metadata": {"name": kind.resource}, "spec": spec})
        api_server.kubectl.established(f"crd/{kind.resource}")
    return api_server


@contextmanager
def a_discovery(server: ApiServer, user: str = "alice") -> Iterator[Discovery]:
    """Every account may ask."""
    with connected(server.kubeconfig(user)) as connection:
        yield Discovery(connection)


def test_plurals_are_what_the_definitions_say(pond: ApiServer) -> None:
    with a_discovery(pond) as kinds:
        eventually(lambda: kinds.with_scale(GOOSE.api_version, "Goose") == GOOSE, "served")
        assert kinds.with_scale("apps/v1", "Deployment") == Kind("apps", "v1", "deployments", "Deployment")
        assert kinds.with_scale("apps/v1", "ReplicaSet").plural == "replicasets"
        assert kinds.with_scale("v1", "ReplicationController").resource == "replicationcontrollers"


def test_what_is_not_there_is_told_with_what_is(pond: ApiServer) -> None:
    with a_discovery(pond) as kinds:
        with pytest.raises(NotServedError, match=r"Gooose is not among the kinds of pond.example.dev/v1; .*: Goose;"):
            kinds.with_scale(GOOSE.api_version, "Gooose")
        with pytest.raises(NotServedError, match=r"Sheep has no sub-resource scale"):
            kinds.with_scale(SHEEP.api_version, "Sheep")
        with pytest.raises(NotServedError, match=r"serves nothing of pond.example.dev/v9: correct the apiVersion"):
            kinds.with_scale(f"{GROUP}/v9", "Goose")


def test_a_kind_is_looked_for_once_and_its_absence_every_time(pond: ApiServer) -> None:
    asked: list[int] = []
    with connected(pond.kubeconfig("alice")) as connection:
        kinds = Discovery(connection, lambda *told: asked.append(told[2]))
        for _ in range(3):
            kinds.with_scale("apps/v1", "Deployment")
        assert asked == [200]
        for _ in range(2):
            with pytest.raises(NotServedError):
                kinds.with_scale("nowhere.example.dev/v1", "Deployment")
        assert asked == [200, 404, 404]


def test_an_api_server_that_is_away_is_no_absence(pond: ApiServer) -> None:
    away = pond.kubeconfig_for("away", "token", server="https://127.0.0.1:1")
    with connected(away) as connection, pytest.raises(ClusterUnavailableError, match="discover"):
        Discovery(connection).with_scale("apps/v1", "Deployment")


def scaled(namespace: str, metrics: str, kind: str, version: str = "v12") -> dict[str, Any]:
    made = a_rollout(namespace, metrics, version, initialStable="v11")
    made["spec"]["versions"][1]["scale"] = {
        "apiVersion": GOOSE.api_version, "kind": kind, "name": "chat-v12", "replicas": 3,
    }  # fmt: skip
    return made


def test_geese_are_scaled_up_and_a_kind_that_is_not_there_is_told(
    pond: ApiServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.runtime.scaling.AFTER_A_FAULT", 0.5)
    monkeypatch.setattr("controller.runtime.scaling.LOOK", timedelta(seconds=0.5))
    goose = ObjectRef(GOOSE, namespace, "chat-v12")
    gate = Gate(pond, namespace)
    with MetricsPage(page()) as judged, connected(pond.kubeconfig("admin")) as connection:
        try:
            api = ClusterObjects(connection)
            api.create(goose, {"metadata": {"name": goose.name, "namespace": namespace}, "spec": {"replicas": 0}})
            pond.kubectl.apply(an_http_route(namespace))
            with a_daemon(pond.kubeconfig("admin"), namespace, tmp_path):
                pond.kubectl.apply(scaled(namespace, judged.url, "Gooose"))
                eventually(lambda: "Gooose is not among the kinds" in message(pond, namespace), "told")
                told = tidegate("doctor", "--kubeconfig", pond.kubeconfig("admin"), "--namespace", namespace)
                assert "Gooose is not among the kinds of pond.example.dev/v1" in told.out
                kind = Operation("replace", "/spec/versions/1/scale/kind", "Goose")
                api.patch(ObjectRef(MODEL_ROLLOUT, namespace, NAME), [kind])
                eventually(lambda: (api.get(goose) or {})["spec"] == {"replicas": 3}, "brought up")
                eventually(lambda: "Goose chat-v12: 0 of 3 replicas ready" in message(pond, namespace), "waited for")
        finally:
            gate.stop()


def message(server: ApiServer, namespace: str) -> str:
    status: dict[str, Any] = server.kubectl.get("modelrollout", NAME, namespace).get("status", {})
    return str(status.get("message", ""))
