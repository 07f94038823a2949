"""`kubectl tidegate route NAME --stable` as its users call it: real kubectl, a real API server, real rights."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.crds import install_gateway_api
from tests.cluster.hands import NAME, Gate, a_rollout, an_http_route, weights
from tests.cluster.resources import installed
from tests.cluster.test_kubectl_plugin import plugin

pytestmark = pytest.mark.xdist_group("cluster-crd")
STATUS = {"phase": "Progressing", "stable": "v11", "candidate": "v12"}


@pytest.fixture
def place(api_server: ApiServer, namespace: str) -> Iterator[str]:
    """A rollout in its canary stage, and nobody who guards it."""
    install_gateway_api(api_server.kubectl)
    installed(api_server, "crd.yaml")
    route = an_http_route(namespace)
    stable = route["spec"]["rules"][0]["backendRefs"][0]
    route["spec"]["rules"][0]["backendRefs"] = [{**stable, "weight": 90}, {**stable, "name": "chat-v12", "weight": 10}]
    api_server.kubectl.apply(route, a_rollout(namespace, "http://127.0.0.1:9/metrics", "v12"))
    words = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": STATUS}))
    api_server.kubectl("-n", namespace, "patch", "modelrollout", NAME, *words)
    gate = Gate(api_server, namespace)
    yield namespace
    gate.stop()


def test_everything_goes_to_stable_and_the_gateway_says_so(api_server: ApiServer, place: str) -> None:
    ran = plugin(api_server, "route", NAME, "--stable", "--reason", "v12 insults people", "-n", place)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert f"{place}/chat: v11 serves everything, its gateways report the HTTPRoute as it was written" in ran.stdout
    assert weights(api_server, place) == {"chat-v11": 1}
    route = api_server.kubectl.get("httproute", NAME, place)
    note = json.loads(route["metadata"]["annotations"]["tidegate.dev/break-glass-chat"])
    assert (note["actor"], note["reason"]) == ("admin", "v12 insults people")
    (event,) = api_server.kubectl.items("events.events.k8s.io", "-n", place)
    assert event["note"].startswith("admin sent everything to v11 by hand")
    assert event["regarding"]["name"] == NAME
    assert "BrokenGlass" in api_server.kubectl("describe", "mro", NAME, "-n", place)


def test_json_says_what_was_proven(api_server: ApiServer, place: str) -> None:
    ran = plugin(api_server, "route", f"{place}/{NAME}", "--stable", "--output", "json")
    told = json.loads(ran.stdout)
    assert (told["verified"], told["stable"], told["holds"], told["counts"]) == (True, "v11", "100 % to v11", {})
    assert told["http_route"] == f"{place}/chat"


def test_who_may_not_is_told_the_rule_and_what_to_do_by_hand(api_server: ApiServer, place: str) -> None:
    gateway = {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": ["get"]}
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
            "metadata": {"name": "bob-reads", "namespace": place},
            "rules": [{"apiGroups": ["tidegate.dev"], "resources": ["modelrollouts"], "verbs": ["get"]},
                      gateway]}  # fmt: skip
    bound = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
             "metadata": {"name": "bob-reads", "namespace": place},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "bob-reads"},
             "subjects": [{"kind": "User", "name": "bob", "apiGroup": "rbac.authorization.k8s.io"}]}  # fmt: skip
    api_server.kubectl.apply(role, bound)
    ran = plugin(api_server, "route", NAME, "--stable", "-n", place, user="bob")
    assert ran.returncode == 1
    assert "ACT NOW" in ran.stdout
    assert '{apiGroups: ["gateway.networking.k8s.io"], resources: ["httproutes"], verbs: ["patch"]}' in ran.stdout
    assert f"kubectl edit -n {place} httproute chat" in ran.stdout
    assert weights(api_server, place) == {"chat-v11": 90, "chat-v12": 10}


def test_without_the_plugin_and_from_a_file(api_server: ApiServer, place: str, tmp_path: Path) -> None:
    from tests.cli.conftest import tidegate

    access = ("--kubeconfig", api_server.kubeconfig("admin"))
    (tmp_path / "chat.json").write_text("{}")
    (tmp_path / "chat.yaml").write_text(json.dumps(a_rollout(place, "http://127.0.0.1:9/", "v12")))
    words = ("--stable", "--rollouts", tmp_path, "--version", "v11", *access)
    ran = tidegate("route", f"{place}/{NAME}", *words)
    assert ran.code == 0, ran.out + ran.err
    assert weights(api_server, place) == {"chat-v11": 1}
    wrong = tidegate("route", f"{place}/chta", "--stable", *access)
    assert wrong.code == 1
    assert f"there is no ModelRollout {place}/chta; in that namespace: chat" in wrong.err
