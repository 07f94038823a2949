"""The real parts of a cluster do what the other tests of this folder rely on."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.controllers import NODE, a_controller_manager, a_kwok, wait_all_ready
from controller.testing.cluster_parts.crds import install_gateway_api
from controller.testing.cluster_parts.kubectl import Kubectl, KubectlError
from controller.testing.cluster_parts.patience import wait_until
from controller.testing.cluster_parts.programs import CHECKOUT, PartError, program
from controller.testing.cluster_parts.users import User


def test_the_api_server_is_the_pinned_one_and_kubectl_speaks_to_it(api_server: ApiServer, namespace: str) -> None:
    assert "Server Version: v1.36." in api_server.kubectl("version")
    assert api_server.get("/readyz") == "ok"
    assert namespace in api_server.kubectl("get", "namespaces", "--output", "name")


def test_a_plain_user_may_do_only_what_was_granted(api_server: ApiServer, namespace: str) -> None:
    alice = api_server.as_user("alice")
    with pytest.raises(KubectlError, match='User "alice" cannot list resource "configmaps"'):
        alice("get", "configmaps", "--namespace", namespace)
    here = ("--namespace", namespace)
    api_server.kubectl("create", "role", "reader", *here, "--verb=list", "--resource=configmaps")
    api_server.kubectl("create", "rolebinding", "alice-reads", *here, "--role=reader", "--user=alice")
    wait_until(lambda: _may(alice, "list", "configmaps", namespace), 10, "the grant to be seen")
    assert alice.items("configmaps", "--namespace", namespace) == []
    with pytest.raises(KubectlError, match='cannot create resource "configmaps"'):
        alice("create", "configmap", "hers", "--namespace", namespace)


def test_a_service_account_asks_with_a_token_of_its_own(api_server: ApiServer, namespace: str) -> None:
    api_server.kubectl("create", "serviceaccount", "tidegate", "--namespace", namespace)
    token = api_server.kubectl("create", "token", "tidegate", "--namespace", namespace).strip()
    asking = api_server.kubeconfig_for(f"{namespace}/tidegate", token)
    said = subprocess.run(
        [program("kubectl"), "--kubeconfig", asking, "auth", "whoami"], check=True, capture_output=True, text=True
    )
    assert f"system:serviceaccount:{namespace}:tidegate" in said.stdout


@pytest.mark.parametrize(("channel", "has_retry"), [("standard", False), ("experimental", True)])
def test_gateway_api_is_served_in_either_channel(own_api_server: ApiServer, channel: str, has_retry: bool) -> None:
    install_gateway_api(own_api_server.kubectl, "experimental" if channel == "experimental" else "standard")
    said = own_api_server.kubectl("explain", "httproute.spec.rules")
    assert ("retry\t<Object>" in said) is has_retry
    assert "name\t<string>" in said, "rules have names in both"


def test_what_was_written_outlives_a_restart_and_a_pause_is_silence(own_api_server: ApiServer) -> None:
    server = own_api_server
    server.kubectl("create", "configmap", "kept")
    server.restart()
    assert server.kubectl.get("configmap", "kept")["metadata"]["name"] == "kept"
    server.pause()
    with pytest.raises(OSError, match="timed out"):
        server.get("/readyz", timeout=0.3)
    server.resume()
    wait_until(server.is_ready, 10, "the API server to go on")


def test_a_restored_snapshot_takes_the_cluster_back(own_api_server: ApiServer, tmp_path: Path) -> None:
    server = own_api_server
    server.kubectl("create", "configmap", "before")
    snapshot = server.etcd.snapshot(tmp_path / "snapshot.db")
    # More writes than an API server makes at its start.
    server.kubectl.apply(*map(_config_map, [*(f"filler-{number}" for number in range(40)), "after"]))
    late = _revision(server, "after")
    server.restore(snapshot)
    assert "after" not in server.kubectl("get", "configmaps", "--output", "name")
    server.kubectl("create", "configmap", "again")
    assert _revision(server, "again") < late, "a naive restore lets revisions go back"
    server.restore(snapshot, bump_revision=1_000_000)
    server.kubectl("create", "configmap", "ahead")
    assert _revision(server, "ahead") > 1_000_000 > late


def test_a_deployment_gets_pods_that_a_played_node_makes_ready(own_api_server: ApiServer) -> None:
    server = own_api_server
    with a_controller_manager(server), a_kwok(server):
        server.kubectl.apply(_deployment("model", replicas=2))
        wait_all_ready(server, "default", "app=model", 2)
        server.kubectl("scale", "deployment/model", "--replicas=0")
        wait_all_ready(server, "default", "app=model", 0)
        server.kubectl("create", "namespace", "short-lived")
        server.kubectl("delete", "namespace", "short-lived", "--timeout=30s")


def test_nothing_is_left_of_a_stopped_server(tmp_path: Path) -> None:
    server = ApiServer(tmp_path, users=(User("admin", ("system:masters",)),))
    server.start()
    pids = server.process.pid, server.etcd.process.pid
    server.pause()
    server.stop()
    server.stop()
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    with pytest.raises(PartError, match="no user 'alice'; there are: admin"):
        server.token_of("alice")


def test_nothing_is_left_when_we_are_killed(tmp_path: Path) -> None:
    script = f"""
import pathlib, time
from controller.testing.cluster_parts.netns import Netns, NetnsRefusedError
from controller.testing.cluster_parts.process import Process
folder = pathlib.Path({str(tmp_path)!r})
pids = [Process("sleep", ["sleep", "1000"], folder / "outside.log").pid]
try:
    pids.append(Netns().start("sleep", ["sleep", "1000"], folder / "inside.log").pid)
except NetnsRefusedError:
    pass
time.sleep(0.3)
print(*pids, flush=True)
time.sleep(1000)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, cwd=CHECKOUT) as ours:
        assert ours.stdout is not None
        pids = [int(word) for word in ours.stdout.readline().split()]
        assert all(_runs(pid) for pid in pids)
        ours.kill()
    assert pids
    wait_until(lambda: not any(map(_runs, pids)), 10, "what it started to be gone")


def test_a_program_that_somebody_brought_is_taken_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "etcd").touch(mode=0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    assert program("etcd") == tmp_path / "etcd"
    assert program("kubectl") == CHECKOUT / ".cache" / "tools" / "bin" / "kubectl"
    asked = [str(CHECKOUT / "scripts" / "tools"), "--path", "etcd"]
    assert subprocess.check_output(asked, text=True).strip() == str(tmp_path / "etcd")


def test_a_program_that_is_nowhere_is_named_with_what_to_do() -> None:
    with pytest.raises(PartError, match=r"no kube-nothing in .*: run `make tools`"):
        program("kube-nothing")


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    server = ApiServer(tmp_path, flags=["--no-such-flag"])
    started = time.monotonic()
    with pytest.raises(PartError, match="unknown flag: --no-such-flag"):
        server.start()
    assert time.monotonic() - started < 30
    assert not server.etcd.process.alive


def _runs(pid: int) -> bool:
    """Whether it exists and is no zombie that nobody has collected yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _may(kubectl: Kubectl, verb: str, kind: str, namespace: str) -> bool:
    try:
        return kubectl("auth", "can-i", verb, kind, "--namespace", namespace).strip() == "yes"
    except KubectlError:
        return False


def _config_map(name: str) -> dict[str, object]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}}


def _revision(server: ApiServer, name: str) -> int:
    return int(server.kubectl.get("configmap", name)["metadata"]["resourceVersion"])


def _deployment(name: str, replicas: int) -> dict[str, object]:
    labels = {"app": name}
    pod = {"nodeName": NODE, "containers": [{"name": "model", "image": "none"}]}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }
