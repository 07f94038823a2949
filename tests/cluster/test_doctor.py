"""`tidegate doctor` on a real API server: what is missing is named, with what to do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cli import doctor_cluster, rights
from controller.cli.checks import Finding
from controller.cli.doctor_cluster import differs
from controller.cluster.objects import ClusterObjects
from controller.spec.crd import definitions
from controller.testing.cluster_parts import chart
from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from controller.testing.cluster_parts.crds import install_gateway_api
from tests.cli.conftest import Ran, tidegate
from tests.cluster.clients import connected
from tests.cluster.hands import NAME, Gate, a_rollout, an_http_route, eventually
from tests.cluster.test_kubectl_plugin import plugin

pytestmark = pytest.mark.xdist_group("doctor")
NAMESPACE = "assistants"
STATUS = {"phase": "Idle", "stable": "v11", "observedGeneration": 1, "message": "v11 serves everything"}


def service(name: str, port: int = 8000) -> dict[str, Any]:
    metadata = {"name": name, "namespace": NAMESPACE}
    return {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": [{"port": port}]}}


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """The chart is installed, and one rollout that nothing is wrong with."""
    with an_api_server() as started:
        install_gateway_api(started.kubectl)
        chart.install(started)
        started.kubectl("create", "namespace", NAMESPACE)
        started.kubectl.established("crd/modelrollouts.tidegate.dev")
        started.kubectl.apply(an_http_route(NAMESPACE), service("chat-v11"), service("chat-v12"))
        named = {"metadata": {"name": "by-hand"}, "spec": {"controllerName": "tests.example.org/gate"}}
        started.kubectl.apply({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", **named})
        started.kubectl.apply(a_rollout(NAMESPACE, "http://metrics.nowhere.invalid:9090/metrics"))
        tell(started, STATUS)
        gate = Gate(started, NAMESPACE)
        yield started
        gate.stop()


def tell(server: ApiServer, status: dict[str, Any]) -> None:
    words = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    server.kubectl("-n", NAMESPACE, "patch", "modelrollout", NAME, *words)


def doctor(server: ApiServer, *words: str | Path, kubeconfig: Path | None = None) -> Ran:
    return tidegate("doctor", "--kubeconfig", kubeconfig or server.kubeconfig("admin"), *words)


def found(ran: Ran, about: str, finding: str = "problem") -> list[dict[str, str]]:
    return [one for one in ran.json["checks"] if about in one["about"] and one["finding"] == finding]


def settled(server: ApiServer, *words: str) -> Ran:
    """The gateway of these tests takes a moment to take the route up."""
    ran = doctor(server, *words, "--output", "json")
    for _ in range(20):
        if all("cannot mirror" in one["said"] for one in found(ran, "HTTPRoute")):
            break
        ran = doctor(server, *words, "--output", "json")
    return ran


def test_nothing_is_wrong_with_an_installed_chart(server: ApiServer) -> None:
    ran = settled(server, "--account", "tidegate/tidegate")
    assert (ran.code, ran.json["problems"]) == (0, 0), ran.out
    (allowed,) = found(ran, "rights", "ok")
    assert "system:serviceaccount:tidegate:tidegate may do all that the controller does" in allowed["said"]
    assert "as this version of Tidegate describes it" in found(ran, "modelrollouts", "ok")[0]["said"]
    (gitops,) = found(ran, "HTTPRoute", "note")
    assert "    - .spec.rules[].backendRefs" in gitops["todo"]
    assert '.metadata.annotations["tidegate.dev/before-chat"]' in gitops["todo"]
    (metrics,) = found(ran, "metrics", "unknown")
    assert "in the cluster it may be" in metrics["said"]


def test_the_account_itself_finds_the_same(server: ApiServer) -> None:
    ran = tidegate("doctor", "--kubeconfig", chart.kubeconfig_of(server), "--output", "json")
    assert ran.json["problems"] == 0, ran.out
    assert found(ran, "rights", "ok")
    assert "cannot be seen" in found(ran, "modelrollouts", "unknown")[0]["said"]


def test_every_missing_right_is_told_with_its_rule(server: ApiServer) -> None:
    ran = doctor(server, "--account", "default/nobody", "--output", "json")
    assert ran.code == 1
    told = found(ran, "rights")
    assert len(told) > 20
    (patch,) = [one for one in told if "patch httproutes" in one["said"]]
    assert '- {apiGroups: ["gateway.networking.k8s.io"], resources: ["httproutes"], verbs: ["patch"]}' in patch["todo"]
    assert len(found(ran, "rights", "note")) == 7


def test_rights_on_shared_templates_are_asked_for_where_namespaces_are_named(server: ApiServer) -> None:
    """A Role in the rollouts' namespace does not reach the shared one; a ClusterRole does."""
    read = ("--verb=list,watch", "--resource=slotemplates.tidegate.dev")
    bound = ("--role=reads", f"--serviceaccount={NAMESPACE}:narrow")
    server.kubectl("create", "namespace", "shared")
    server.kubectl("create", "role", "reads", *read, "-n", NAMESPACE)
    server.kubectl("create", "rolebinding", "reads", *bound, "-n", NAMESPACE)
    words = ("--account", f"{NAMESPACE}/narrow", "--namespace", NAMESPACE, "--template-namespace", "shared")
    told = found(doctor(server, *words, "--output", "json"), "rights", "note")
    said = [one["said"] + one["todo"] for one in told if "slotemplates" in one["said"]]
    assert len(said) == 2
    assert "may not list slotemplates.tidegate.dev in namespace shared; without it its templates" in said[0]
    assert "Role of shared" in said[0]
    assert 'resources: ["slotemplates"], verbs: ["watch"]' in said[1]

    def missing(templates: str) -> list[str]:
        asked = [one for one in rights.needed() if one.where is rights.Where.TEMPLATES]
        places = doctor_cluster.Places((NAMESPACE,), "tidegate", templates)
        with connected(server.kubeconfig("admin")) as connection:
            account = doctor_cluster.Account(NAMESPACE, "narrow")
            told = doctor_cluster.rights(ClusterObjects(connection), asked, places, account)
            return [one.said for one in told if one.finding is not Finding.OK]

    assert len(missing("shared")) == 2
    assert missing("") == missing(NAMESPACE) == []
    server.kubectl("create", "role", "reads", *read, "-n", "shared")
    server.kubectl("create", "rolebinding", "reads", *bound, "-n", "shared")
    eventually(lambda: missing("shared") == [], "granted")


def test_what_a_rollout_names_and_is_not_there(server: ApiServer) -> None:
    lost = a_rollout(NAMESPACE, "http://127.0.0.1:1/metrics", routes=[{"gatewayAPI": {"httpRoute": "chta"}}])
    lost["metadata"]["name"] = "lost"
    lost["spec"]["versions"][0]["backendRef"]["name"] = "chat-v1"
    lost["spec"]["versions"][1]["backendRef"]["port"] = 80
    server.kubectl.apply(lost)
    try:
        ran = doctor(server, "--namespace", NAMESPACE, "--output", "json")
        assert "no controller has looked at it yet" in found(ran, "rollout assistants/lost")[0]["said"]
        assert "it does not exist; in namespace assistants there are: chat" in found(ran, "assistants/chta")[0]["said"]
        told = found(ran, "assistants/lost, version")
        assert "Service assistants/chat-v1 does not exist; in that namespace: chat-v11, chat-v12" in told[0]["said"]
        assert "has no port 80; it has: 8000" in told[1]["said"]
        assert found(ran, "metrics 127.0.0.1:1")
        assert not found(ran, "assistants/chat,")
    finally:
        server.kubectl.delete(lost)


def test_a_mirror_stage_asks_the_gateway_and_argo_cd(server: ApiServer) -> None:
    stages = [{"name": "shadow", "shadow": {"percent": 20, "sideEffects": "none"}}, {"name": "full", "full": {}}]
    mirroring = a_rollout(NAMESPACE, "http://127.0.0.1:1/metrics", stages=stages)
    mirroring["metadata"]["name"] = "mirroring"
    server.kubectl.apply(mirroring)
    try:
        ran = settled(server, "--namespace", NAMESPACE)
        assert any("cannot mirror 20 %" in one["said"] for one in found(ran, "HTTPRoute"))
        assert any("- .spec.rules[].filters" in one["todo"] for one in found(ran, "HTTPRoute", "note"))
        assert found(ran, "GatewayClass", "note")
    finally:
        server.kubectl.delete(mirroring)


def test_the_plugin_and_the_text(server: ApiServer) -> None:
    ran = plugin(server, "doctor", "-n", NAMESPACE)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "we are admin" in ran.stdout
    assert "nothing is wrong" in ran.stdout


def test_definitions_of_another_version_are_noticed(own_api_server: ApiServer) -> None:
    for one in definitions():
        own_api_server.kubectl.apply({**one, "spec": {**one["spec"], "versions": [older(one["spec"])]}})  # type: ignore[dict-item]
    ran = doctor(own_api_server, "--output", "json")
    assert ran.code == 1
    assert "another version of Tidegate" in found(ran, "modelrollouts")[0]["said"]
    (routes,) = found(ran, "httproutes")
    assert "install the Gateway API's custom resource definitions" in routes["said"]


def older(spec: Any) -> dict[str, Any]:
    (version,) = spec["versions"]
    return {**version, "additionalPrinterColumns": version["additionalPrinterColumns"][1:]}


def test_a_cluster_that_does_not_answer_is_the_only_thing_told(tmp_path: Path, server: ApiServer) -> None:
    away = server.kubeconfig_for("away", "token", server="https://127.0.0.1:1")
    ran = tidegate("doctor", "--kubeconfig", away, "--output", "json")
    assert (ran.code, [one["about"] for one in ran.json["checks"]]) == (1, ["API server"])


@pytest.mark.parametrize(
    ("ours", "theirs", "place"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, None),
        ({"a": {"b": [1, 2]}}, {"a": {"b": [1, 3]}}, "spec.a.b[1]"),
        ({"a": [1]}, {"a": [1, 2]}, "spec.a"),
        ({"a": True}, {"a": 1}, "spec.a"),
        ({"a": 1}, None, "spec"),
    ],
)
def test_differences_are_named_by_place(ours: object, theirs: object, place: str | None) -> None:
    assert differs(ours, theirs, "spec") == place
