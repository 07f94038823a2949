"""What makes the API server's objects live: the real controller manager, and kwok, which plays the nodes.

with a_controller_manager(server), a_kwok(server):
    server.kubectl.apply(deployment)        # gets a ReplicaSet and Pods; kwok makes them ready
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.patience import wait_until
from controller.testing.cluster_parts.process import Process
from controller.testing.cluster_parts.programs import program

NODE = "kwok"


@contextmanager
def a_controller_manager(server: ApiServer, *, flags: Sequence[str] = ()) -> Iterator[Process]:
    """Deployments, ReplicaSets, StatefulSets, EndpointSlices, namespaces and garbage collection work inside."""
    words = [
        f"--kubeconfig={server.kubeconfig()}",
        f"--service-account-private-key-file={server.accounts_key}",
        f"--root-ca-file={server.ca_file}",
        "--leader-elect=false",
        "--secure-port=0",
        *flags,
    ]
    with Process("kube-controller-manager", [program("kube-controller-manager"), *words], _log(server)) as process:
        # The account controller is one of the last to start and makes this in every namespace.
        process.wait_ready(lambda: server.kubectl.items("serviceaccounts", "--namespace=default"), 60)
        yield process


@contextmanager
def a_kwok(server: ApiServer) -> Iterator[Process]:
    """There is one node, large enough for everything, whose Pods are Running and ready without being run.

    No scheduler runs: name the node in the Pods' `nodeName` (NODE).
    """
    server.kubectl.apply(_node())
    with tempfile.TemporaryDirectory(prefix="tidegate-kwok-") as folder:
        words = [
            f"--kubeconfig={server.kubeconfig()}",
            "--manage-all-nodes=true",
            f"--config={program('kwok-stages.yaml')}",
        ]
        log = Path(folder) / "kwok.log"
        # It looks for a configuration in the home folder; a test is not to depend on what lies there.
        with Process("kwok", [program("kwok"), *words], log, env={"HOME": folder}) as process:
            process.wait_ready(lambda: is_ready(server.kubectl.get("node", NODE)), 60)
            yield process


def is_ready(resource: dict[str, Any]) -> bool:
    """Whether the condition `Ready` of a Node or Pod is True."""
    conditions = resource.get("status", {}).get("conditions", [])
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def wait_all_ready(server: ApiServer, namespace: str, selector: str, count: int, timeout: float = 60.0) -> None:
    """Return when `count` Pods that `selector` matches are ready, and no more exist. TooLateError otherwise."""

    def ready() -> bool:
        pods = server.kubectl.items("pods", f"--namespace={namespace}", f"--selector={selector}")
        return len(pods) == count and all(map(is_ready, pods))

    wait_until(ready, timeout, f"{count} ready Pods of {selector} in {namespace}")


def _log(server: ApiServer) -> Path:
    return server.folder / "kube-controller-manager.log"


def _node() -> dict[str, Any]:
    room = {"cpu": "10000", "memory": "10000Gi", "pods": "10000", "nvidia.com/gpu": "10000"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": {"kubernetes.io/hostname": NODE}},
        "status": {"allocatable": room, "capacity": room},
    }
