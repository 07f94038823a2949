"""`kubectl tidegate` as its users call it: real kubectl, real admission, a controller that we play ourselves."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.spec.yaml_text import read_documents
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.patience import wait_until
from controller.testing.cluster_parts.programs import program
from tests.cluster.resources import installed, wait_refused

pytestmark = pytest.mark.xdist_group("cluster-crd")

ROOT = Path(__file__).resolve().parents[2]
STATUS = {
    "phase": "Progressing",
    "message": "canary-25: 12 min of at least 60 min",
    "stable": "v11",
    "candidate": "v12",
    "observedGeneration": 1,
    "stage": "canary-25",
    "run": {"id": "chat-1", "number": 1, "stable": "v11", "candidate": "v12", "digest": "sha256:1",
            "stage": "canary-25", "stageIndex": 1, "startedAt": "2026-11-22T10:00:00Z", "withdrawn": False},
    "traffic": {"desired": {"weight": 25, "mirror": 0, "cohort": False},
                "verified": {"weight": 25, "mirror": 0, "cohort": False}, "verifiedAt": "2026-11-22T11:00:00Z"},
    "slos": [{"name": "harm", "against": "objective", "verdict": "pass", "bad": 1.0, "total": 4200.0, "rate": 0.000238,
              "lower": 0.00001, "upper": 0.0019, "objective": 0.001, "evidence": 0.4}],
}  # fmt: skip


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> ApiServer:
    installed(api_server, "crd.yaml", "admission.yaml")
    asked = {"rollout": "chat", "action": "pause", "reason": "probe", "requestedBy": "nobody"}
    probe = {"apiVersion": "tidegate.dev/v1alpha1", "kind": "RolloutRequest"}
    wait_refused(api_server, {**probe, "metadata": {"name": "probe", "namespace": "default"}, "spec": asked})
    return api_server


@pytest.fixture
def rollout(server: ApiServer, namespace: str) -> str:
    """The namespace in which a rollout `chat` is under way."""
    (document,) = [one.value for one in read_documents((ROOT / "rollouts" / "kubernetes.yaml").read_text())]
    assert isinstance(document, dict)
    server.kubectl.apply({**document, "metadata": {"name": "chat", "namespace": namespace}})
    say(server, namespace, "modelrollout", "chat", STATUS)
    return namespace


def say(server: ApiServer, namespace: str, kind: str, name: str, status: object) -> None:
    words = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    server.kubectl("-n", namespace, "patch", kind, name, *words)


def plugin(server: ApiServer, *words: str, user: str = "admin") -> "subprocess.CompletedProcess[str]":
    """As a person types it: kubectl finds the plugin on PATH."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "KUBECONFIG": str(server.kubeconfig(user)), "COLUMNS": "160"}
    argv = [str(program("kubectl")), "tidegate", *words]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


def grant(server: ApiServer, namespace: str, user: str, *verbs: str) -> None:
    """May see rollouts, make requests, and take these actions on `chat`."""
    kubectl, name = server.kubectl, f"{user}-{namespace}"
    seen = [{"apiGroups": ["tidegate.dev"], "resources": ["modelrollouts"], "verbs": ["get", "list"]},
            {"apiGroups": ["tidegate.dev"], "resources": ["rolloutrequests"], "verbs": ["get", "create"]}]  # fmt: skip
    own = {"apiGroups": ["tidegate.dev"], "resources": ["modelrollouts"], "resourceNames": ["chat"]}
    rules = [*seen, {**own, "verbs": list(verbs)}] if verbs else seen
    kubectl.apply(
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
         "metadata": {"name": name, "namespace": namespace}, "rules": rules},
        {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
         "metadata": {"name": name, "namespace": namespace},
         "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
         "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]},
    )  # fmt: skip


@contextmanager
def controller_that_says(server: ApiServer, namespace: str, state: str, message: str) -> Iterator[list[object]]:
    """Answers the first request; gives what it asked for."""
    taken: list[object] = []

    def answer() -> None:
        (found,) = wait_until(lambda: server.kubectl.items("rolloutrequests", "-n", namespace), 30, "a request")
        taken.append(found["spec"])
        told = {"state": state, "message": message, "observedAt": "2026-11-22T12:00:00Z"}
        say(server, namespace, "rolloutrequest", found["metadata"]["name"], told)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield taken
    finally:
        thread.join()


def test_get_shows_all_rollouts_of_the_namespace(server: ApiServer, rollout: str) -> None:
    shown = plugin(server, "get", "-n", rollout)
    assert shown.returncode == 0, shown.stderr
    assert "chat" in shown.stdout
    assert "Progressing" in shown.stdout
    assert "v11 → v12" in shown.stdout


def test_get_one_shows_traffic_and_objectives(server: ApiServer, rollout: str) -> None:
    shown = plugin(server, "get", "chat", f"--namespace={rollout}").stdout
    assert "canary-25" in shown
    assert "25 %" in shown
    assert "harm" in shown
    assert "4,200" in shown


def test_json_is_the_same_document_as_a_daemon_gives(server: ApiServer, rollout: str) -> None:
    answer = json.loads(plugin(server, "get", "chat", "-n", rollout, "--output", "json").stdout)
    (view,) = answer["rollouts"]
    assert (view["phase"], view["traffic"]["weight"], view["run"]["id"]) == ("Progressing", 25, "chat-1")


def test_a_wrong_name_says_which_there_are(server: ApiServer, rollout: str) -> None:
    shown = plugin(server, "get", "chta", "-n", rollout)
    assert shown.returncode == 1
    assert f"there is no rollout {rollout}/chta; in that namespace: chat" in shown.stderr


def test_a_pause_is_a_request_in_the_askers_name(server: ApiServer, rollout: str) -> None:
    grant(server, rollout, "alice", "pause")
    with controller_that_says(server, rollout, "Done", "paused") as taken:
        shown = plugin(server, "pause", "chat", "--reason", "launch event", "-n", rollout, user="alice")
    assert shown.returncode == 0, shown.stderr
    assert taken == [{"rollout": "chat", "run": "chat-1", "action": "pause", "reason": "launch event",
                      "requestedBy": "alice"}]  # fmt: skip
    assert "pause: done" in shown.stdout


def test_what_the_controller_refuses_is_told(server: ApiServer, rollout: str) -> None:
    with controller_that_says(server, rollout, "Refused", "nothing waits for an approval"):
        shown = plugin(server, "approve", "chat", "--reason", "read it", "-n", rollout)
    assert shown.returncode == 1
    assert "nothing waits for an approval" in shown.stderr


def test_an_action_that_was_not_granted_is_refused_by_the_api_server(server: ApiServer, rollout: str) -> None:
    grant(server, rollout, "bob", "pause")
    shown = plugin(server, "abort", "chat", "--reason", "do not like it", "-n", rollout, user="bob")
    assert shown.returncode == 1
    assert "`bob` may not abort modelrollouts.tidegate.dev `chat`" in shown.stderr
    assert server.kubectl.items("rolloutrequests", "-n", rollout) == []


def test_who_may_see_nothing_is_told_the_rule(server: ApiServer, rollout: str) -> None:
    shown = plugin(server, "get", "-n", rollout, user="carol")
    assert shown.returncode == 1
    assert 'resources: ["modelrollouts"], verbs: ["list"]' in shown.stderr


def test_what_needs_the_database_says_where_to_ask(server: ApiServer, rollout: str) -> None:
    shown = plugin(server, "history", "chat", "-n", rollout)
    assert shown.returncode == 2
    assert "exec deployment/tidegate -- tidegate history" in shown.stderr


def test_no_cluster_is_said_in_one_line() -> None:
    argv = [str(Path(sys.executable).parent / "kubectl-tidegate"), "get", "--kubeconfig", "/nowhere"]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 2
    assert "no usable access to a Kubernetes cluster in /nowhere" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_lint_needs_no_cluster() -> None:
    argv = [str(Path(sys.executable).parent / "kubectl-tidegate"), "lint", str(ROOT / "rollouts")]
    shown = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert shown.returncode == 0, shown.stderr
