"""A real API server with the chart, the fleet in it, a metrics server, a stand-in for the gateway, and controllers."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from benchmarks.children import Child, child, until
from benchmarks.kubernetes import audit, fleet
from benchmarks.kubernetes.api import Api
from benchmarks.kubernetes.gate import Gate
from controller.runtime.status import outline
from controller.testing.cluster_parts import chart
from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from controller.testing.cluster_parts.crds import install_gateway_api

Tell = Callable[[str], None]
SHARDS, LEASE = 8, 12.0


@dataclass(frozen=True, slots=True)
class World:
    """Ready, without a controller. `size` rollouts; `port` is that of metrics and model servers."""

    folder: Path
    server: ApiServer
    api: Api
    gate: Gate
    port: int
    account: Path
    size: int

    def rollouts(self) -> list[Any]:
        """All ModelRollouts as they are."""
        found: list[Any] = self.api.get(f"{_in(fleet.ROLLOUTS)}/modelrollouts")["items"]
        return found

    def want(self, number: int, version: str) -> None:
        """What people do to begin a run."""
        self.api.patch(f"{_in(fleet.ROLLOUTS)}/modelrollouts/{fleet.name_of(number)}", {"spec": {"version": version}})

    def overwrite(self, number: int) -> None:
        """What a GitOps tool does that applies what is committed."""
        path = f"{_in(fleet.ROUTES)}/httproutes/{fleet.name_of(number)}"
        self.api.patch(path, {"spec": {"rules": fleet.rules(number, self.port)}}, fleet.GITOPS)

    def turn_bad(self, turns: Mapping[str, tuple[float, str]]) -> None:
        """From these instants on (Unix time) v2 of these deployments is bad in that way."""
        requests.post(f"http://127.0.0.1:{self.port}/turn", json=dict(turns), timeout=10).raise_for_status()

    def asked(self) -> int:
        """Queries that the metrics server got so far."""
        return int(requests.get(f"http://127.0.0.1:{self.port}/asked", timeout=10).json()["asked"])

    def requests_between(self, begin: float, end: float) -> audit.Counts:
        """What the controllers asked of the API server."""
        return audit.requests_between(self.folder, begin, end)

    @contextmanager
    def controller(self, name: str, database: str = "") -> Iterator[Child]:
        """`tidegate run` with the chart's service account and no other rights, as a process of its own."""
        words = ["run", "--cluster", "--kubeconfig", str(self.account), "--shards", str(SHARDS), "--identity", name]
        words += ["--lease-seconds", f"{LEASE:g}", "--lease-namespace", chart.RELEASE, "--http", "127.0.0.1:0"]
        words += ["--state-dir", str(self.folder / name), "--log", "json"]
        words += ["--database", database] if database else []
        with child(["-m", "benchmarks.kubernetes.pod", *words], self.folder / f"{name}.log") as started:
            yield started


@contextmanager
def a_world(
    size: int, tell: Tell, version: str = "v1", trying: int = 0, interval: float = fleet.INTERVAL
) -> Iterator[World]:
    """`size` rollouts, the first `trying` of which want `version` from the start; `interval`: seconds of a tick."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-bench-")))
        gates = ExitStack()
        stack.push(gates)  # it ends with the API server, and is waited for after that
        tell(f"starting kube-apiserver and etcd for {size:,} rollouts")
        server = stack.enter_context(an_api_server(flags=audit.flags(folder)))
        metrics = stack.enter_context(child(["-m", "benchmarks.kubernetes.metrics"], folder / "metrics.log"))
        port = int(metrics.first_line())
        install_gateway_api(server.kubectl)
        account = chart.install(server)
        server.kubectl.established("crd/modelrollouts.tidegate.dev")
        api = Api(server)
        stack.callback(api.close)
        _fill(api, size, port, version, trying, interval)
        gate = Gate(Api(server))
        gates.callback(gate.join)
        stack.callback(gate.finish)
        until(lambda: gate.accepted() == size, 180, "the stand-in for the gateway to accept every route")
        yield World(folder, server, api, gate, port, account, size)


def _fill(api: Api, size: int, port: int, version: str, trying: int, interval: float) -> None:
    api.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": fleet.NAMESPACE}})
    gateways = f"{_in(fleet.ROUTES)}/gateways"
    api.create(gateways, fleet.a_gateway())
    told = {"status": {"conditions": [{"type": "Programmed", **fleet.TRUE, "reason": "Programmed"}]}}
    api.patch(f"{gateways}/{fleet.GATE}/status", told)
    for number in range(size):
        api.create(f"{_in(fleet.ROUTES)}/httproutes", fleet.a_route(number, port))
        wanted = version if number < trying else "v1"
        api.create(f"{_in(fleet.ROLLOUTS)}/modelrollouts", fleet.a_rollout(number, port, wanted, interval))


def _in(group: str) -> str:
    return f"{group}/namespaces/{fleet.NAMESPACE}"


def told(rollouts: list[Any]) -> int:
    """How many have a status."""
    return sum(1 for one in rollouts if one.get("status", {}).get("conditions"))


def outlines(rollouts: list[Any]) -> dict[str, object]:
    """What every status says, but for counts, times, and numbers in sentences."""
    return {str(one["metadata"]["name"]): outline(one.get("status", {})) for one in rollouts}


def under_way(rollouts: list[Any]) -> int:
    """How many runs are in their canary stage with a verified weight."""
    return sum(1 for one in rollouts if _verified(one.get("status", {})) == 10)


def _verified(status: Mapping[str, Any]) -> int:
    return int(status.get("traffic", {}).get("verified", {}).get("weight", 0))


def pause(seconds: float, alive: Child) -> None:
    """Wait, but not for a process that has ended."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        alive.check()
        time.sleep(0.1)
