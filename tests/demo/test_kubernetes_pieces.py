"""Small parts of the demo on Kubernetes, without a cluster."""

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from controller.demo.cluster import answered, pod, rollout, told
from controller.demo.serving import LoopbackServer, Reply, Request, local_address

ROOT = Path(__file__).parents[2]


class Models:
    """Pages like those of the model servers, with counts that a test sets."""

    def __init__(self, *names: str) -> None:
        self.counts = dict.fromkeys(names, 0)
        self.servers = {name: LoopbackServer(0, {"GET /metrics": self._page_of(name)}) for name in names}
        for server in self.servers.values():
            server.start()

    @property
    def ports(self) -> Mapping[str, int]:
        return {name: server.port for name, server in self.servers.items()}

    def _page_of(self, name: str) -> "Page":
        return Page(self, name)

    def stop(self) -> None:
        for server in self.servers.values():
            server.stop()


class Page:
    def __init__(self, models: Models, name: str) -> None:
        self._models, self._name = models, name

    def __call__(self, request: Request) -> Reply:
        count = self._models.counts[self._name]
        stop = f'vllm:request_success_total{{finished_reason="stop",version="{self._name}"}} {count}.0'
        aborted = f'vllm:request_success_total{{finished_reason="abort",version="{self._name}"}} 1.0'
        return Reply(f"# TYPE vllm:request_success_total counter\n{stop}\n{aborted}\n".encode())


@pytest.fixture
def models() -> Iterator[Models]:
    made = Models("v11", "v12")
    yield made
    made.stop()


def seen(weight: int, *, verified: bool = True, candidate: str | None = "v12") -> Mapping[str, object]:
    return {"traffic": {"candidate": candidate, "weight": weight, "verified": verified}}


def test_a_weight_is_measured_while_it_is_verified(models: Models) -> None:
    meter = answered.Meter(models.ports, "v12")
    models.counts |= {"v11": 100, "v12": 100}
    assert meter.see(seen(10, verified=False)) is None
    assert meter.see(seen(10)) is None
    models.counts |= {"v11": 190, "v12": 110}
    assert meter.see(seen(10)) is None
    assert meter.see(seen(50, verified=False)) == {"weight": 10, "share": 10.0, "requests": 100}
    models.counts |= {"v11": 200, "v12": 120}
    assert meter.see(seen(50)) is None
    models.counts |= {"v12": 150}
    assert meter.see({}) == {"weight": 50, "share": 100.0, "requests": 30}
    assert len(meter.measured) == 2


def test_requests_of_all_ends_are_counted(models: Models) -> None:
    models.counts["v12"] = 7
    assert answered.answered(models.ports["v12"]) == 8
    assert answered.share(models.ports, "v12", 0.0) is None, "no request, no share"


def test_the_process_is_what_the_deployment_says() -> None:
    container = {
        "args": ["run", "--cluster"],
        "env": [
            {"name": "TIDEGATE_SHARDS", "value": "8"},
            {"name": "TIDEGATE_HTTP", "value": "0.0.0.0:9464"},
            {"name": "TIDEGATE_IDENTITY", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "TIDEGATE_LEASE_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}}},
            {"name": "TIDEGATE_DATABASE", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}},
        ],
    }
    deployment = {"metadata": {"namespace": "tidegate"}, "spec": {"template": {"spec": {"containers": [container]}}}}
    command, environment = pod.command(deployment, Path("/tmp/hosts"), {"TIDEGATE_HTTP": "127.0.0.1:0"})
    assert command[-3:] == ["controller", "run", "--cluster"]
    assert command[:2] == ["unshare", "--mount"]
    assert environment == {
        "TIDEGATE_SHARDS": "8",
        "TIDEGATE_HTTP": "127.0.0.1:0",
        "TIDEGATE_IDENTITY": pod.POD,
        "TIDEGATE_LEASE_NAMESPACE": "tidegate",
    }


def test_the_example_is_what_is_applied() -> None:
    assert (ROOT / "rollouts" / "demo-kubernetes.yaml").read_text() == rollout.TEXT
    for name in rollout.ADDRESSES:
        assert f"{rollout.ADDRESSES[name]} {rollout.host_of(name)}\n" in rollout.hosts()
        assert f"http://{rollout.host_of(name)}:{rollout.PORT}/metrics" in rollout.TEXT


def test_the_servers_are_for_this_machine_alone() -> None:
    assert [local_address(one) for one in ("127.0.0.1", "10.77.0.11")] == ["127.0.0.1", "10.77.0.11"]
    for other in ("0.0.0.0", "10.78.0.1", "192.168.0.1", "somewhere"):
        with pytest.raises(argparse.ArgumentTypeError):
            local_address(other)


def test_the_way_to_zero_is_told_in_seconds() -> None:
    at = "2026-01-01T00:00:0{}+00:00"
    breach: dict[str, object] = {"measured_at": at.format(1), "decided_at": at.format(2), "verified_at": at.format(4)}
    assert told.way_to_zero(breach) == "breach measured → decided after 1.0 s → verified zero after 3.0 s"
    assert told.seconds_between(None, at.format(1)) is None
