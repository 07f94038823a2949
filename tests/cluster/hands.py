"""What the tests of the controller on a real API server share: a rollout, an HTTPRoute, and a gateway's promises."""

import json
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from controller.domain.observation import Readiness
from controller.domain.rollout import Version
from controller.runtime.probe import Probe, Probed
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.kubectl import KubectlError

PATIENCE = 40.0
NAME = "chat"


class ReadyProbe(Probe):
    """Every version is ready: nothing runs behind the Services of these tests."""

    def readiness(self, version: Version) -> Readiness:
        return Readiness.READY

    def ask(self, run: str, version: Version) -> Probed | None:
        return Probed()


def a_rollout(namespace: str, metrics: str, version: str = "v11", **spec: Any) -> dict[str, Any]:
    """The object that people apply. `metrics` is the URL of a page."""
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "ModelRollout",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "version": version,
            "versions": [
                {
                    "name": one,
                    "backendRef": {"kind": "Service", "name": f"chat-{one}", "port": 8000},
                    "bundle": {"w": one},
                }
                for one in ("v11", "v12")
            ],
            "routes": [{"gatewayAPI": {"httpRoute": NAME, "rule": "chat"}}],
            "metrics": {"scrape": {"urls": [metrics], "scrapeInterval": "1s"}, "identity": IDENTITY},
            "analysis": {"interval": "1s"},
            "slos": [
                {
                    "name": "harm",
                    "indicator": {"ratio": {"bad": {"metric": "harm_bad_total"}, "total": {"metric": "harm_total"}}},
                    "objective": {"max": "5%"},
                }
            ],
            "stages": [
                {"name": "canary-10", "canary": {"weight": 10}, "minDuration": "1h", "require": "noBreach"},
                {"name": "full", "full": {}, "minDuration": "1h"},
            ],
            **spec,
        },
    }


TRUE = {"status": "True", "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z"}
IDENTITY = {"label": "version", "value": "{{version}}"}


def page(bad: int = 0, total: int = 1000) -> str:
    """What the versions' judge counts."""
    lines = ["# TYPE harm_bad_total counter", "# TYPE harm_total counter"]
    for version, wrong in (("v11", 0), ("v12", bad)):
        lines += [f'harm_bad_total{{version="{version}"}} {wrong}', f'harm_total{{version="{version}"}} {total}']
    return "\n".join(lines) + "\n"


def an_http_route(namespace: str) -> dict[str, Any]:
    """Everything goes to v11."""
    backend = {"group": "", "kind": "Service", "name": "chat-v11", "port": 8000}
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": NAME, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": "gate", "namespace": namespace}],
            "hostnames": [f"{namespace}.example.org"],
            "rules": [{"name": "chat", "backendRefs": [backend]}],
        },
    }


def a_gateway(namespace: str) -> dict[str, Any]:
    """What the HTTPRoute hangs on."""
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "gate", "namespace": namespace},
        "spec": {"gatewayClassName": "by-hand", "listeners": [{"name": "http", "port": 80, "protocol": "HTTP"}]},
    }


class Gate:
    """Stands for a gateway's controller: says of every HTTPRoute of a namespace that it is accepted."""

    def __init__(self, server: ApiServer, namespace: str) -> None:
        self._server, self._namespace, self._done = server, namespace, threading.Event()
        server.kubectl.apply(a_gateway(namespace))
        told = {"status": {"conditions": [{"type": "Programmed", **TRUE, "reason": "Programmed"}]}}
        words = ("--subresource=status", "--type=merge", "-p", json.dumps(told))
        server.kubectl("patch", "gateway", "gate", "-n", namespace, *words)
        self._thread = threading.Thread(target=self._work, name="gate")
        self._thread.start()

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._done.wait(0.3):
            try:
                for route in self._server.kubectl.items("httproute", "-n", self._namespace):
                    self._accept(route)
            except KubectlError:
                pass  # the next look

    def _accept(self, route: Mapping[str, Any]) -> None:
        generation = route["metadata"]["generation"]
        parents = route.get("status", {}).get("parents", [])
        if parents and parents[0]["conditions"][0]["observedGeneration"] == generation:
            return
        told = [
            {"type": kind, **TRUE, "reason": kind, "observedGeneration": generation}
            for kind in ("Accepted", "ResolvedRefs")
        ]
        parent = {"parentRef": route["spec"]["parentRefs"][0], "controllerName": "tests/gate", "conditions": told}
        status = {**route, "status": {"parents": [parent]}}
        self._server.kubectl("replace", "--subresource=status", "-f", "-", stdin=json.dumps(status))


def weights(server: ApiServer, namespace: str) -> dict[str, int]:
    """Who gets how much, by the HTTPRoute."""
    route = server.kubectl.get("httproute", NAME, namespace)
    return {one["name"]: one.get("weight", 1) for one in route["spec"]["rules"][0]["backendRefs"]}


def eventually(look: Callable[[], object], what: str, patience: float = PATIENCE) -> None:
    """Until `look` gives something true."""
    deadline = time.monotonic() + patience
    found: object = None
    while time.monotonic() < deadline:
        found = look()
        if found:
            return
        time.sleep(0.2)
    raise AssertionError(f"{what}: not within {patience:g} s; at the end: {found!r}")


def kubeconfig(server: ApiServer) -> Path:
    """As an administrator."""
    return server.kubeconfig("admin")
