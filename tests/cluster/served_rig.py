"""A running controller, an HTTPRoute that Contour and Envoy serve, and requests that two backends count."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from controller.alerts.settings import ChannelSettings
from controller.runtime.bootstrap import bootstrap
from controller.runtime.daemon import Daemon
from controller.runtime.settings import ClusterSettings, Settings
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.backend import Backend
from controller.testing.cluster_parts.contour import Contour
from controller.testing.cluster_parts.netns import Netns
from controller.testing.cluster_parts.resources import backend, http_route
from tests.alerts.receiver import Receiver
from tests.cluster.hands import NAME, ReadyProbe, a_rollout, eventually, page, weights
from tests.parts.metrics_page import MetricsPage

STABLE, CANDIDATE = "chat-v11", "chat-v12"
COHORT = {"x-cohort": "employees"}


@dataclass(frozen=True)
class Ground:
    """What the tests of a module share."""

    server: ApiServer
    contour: Contour
    backends: dict[str, Backend]


@contextmanager
def a_ground(server: ApiServer, contour: Contour, netns: Netns) -> Iterator[Ground]:
    """Two backends, which every namespace of these tests has as Services."""
    with ExitStack() as stack:
        made = {
            name: stack.enter_context(Backend(name, netns, netns.address(at)))
            for at, name in enumerate((STABLE, CANDIDATE), 31)
        }
        yield Ground(server, contour, made)


@dataclass
class Served:
    """One namespace with one HTTPRoute. `alerts` takes what people are told."""

    ground: Ground
    namespace: str
    daemon: Daemon
    judged: MetricsPage
    alerts: Receiver

    @property
    def host(self) -> str:
        return f"{self.namespace}.test"

    @property
    def route(self) -> dict[str, Any]:
        """The HTTPRoute as the API server has it."""
        found: dict[str, Any] = self.ground.server.kubectl.get("httproute", NAME, self.namespace)
        return found

    @property
    def weights(self) -> dict[str, int]:
        return weights(self.ground.server, self.namespace)

    def as_people_see_it(self) -> tuple[object, ...]:
        """What is ours to leave as it was; a gateway's controller writes status whenever it likes."""
        route = self.route
        return route["spec"], route["metadata"].get("annotations"), route["metadata"].get("labels")

    def apply(self, version: str, name: str = NAME, **spec: Any) -> None:
        """As a person does."""
        document = a_rollout(self.namespace, self.judged.url, version, **spec)
        document["metadata"]["name"] = name
        self.ground.server.kubectl.apply(document)

    def status(self, name: str = NAME) -> dict[str, Any]:
        found: dict[str, Any] = self.ground.server.kubectl.get("modelrollout", name, self.namespace)
        status: dict[str, Any] = found.get("status", {})
        return status

    def condition(self, kind: str, name: str = NAME) -> dict[str, Any]:
        told: list[dict[str, Any]] = self.status(name).get("conditions", [])
        return next((one for one in told if one["type"] == kind), {})

    def phases(self) -> set[str]:
        """Of all rollouts, as the controller knows them."""
        return {held.position.phase.value for held in self.daemon.house.book.all()}

    def verdicts(self) -> set[str]:
        """Of all SLOs, as the controller has them."""
        return {one.verdict.value for held in self.daemon.house.book.all() for one in held.judgement.on_evidence}

    def is_proven(self) -> bool:
        """Is the traffic of every rollout verified, as the controller knows it?"""
        marks = [held.position.traffic for held in self.daemon.house.book.all()]
        return all(mark is not None and mark.verified_at is not None for mark in marks)

    def events(self, reason: str) -> list[str]:
        """The notes that `kubectl describe` shows."""
        found = self.ground.server.kubectl.items("events.events.k8s.io", "-n", self.namespace)
        return [str(one["note"]) for one in found if one["reason"] == reason]

    def adopted(self) -> None:
        """v11 is stable."""
        self.apply("v11")
        eventually(lambda: self.status().get("stable") == "v11", "adopted")

    def verified(self, stage: str, name: str = NAME) -> None:
        """In that stage, with its traffic verified and told."""
        eventually(lambda: self.is_verified(stage, name), f"{stage} verified")

    def is_verified(self, stage: str, name: str = NAME) -> bool:
        told = self.status(name)
        traffic = told.get("traffic", {})
        return told.get("stage") == stage and bool(traffic) and traffic.get("verified") == traffic.get("desired")

    def write(self, backends: dict[str, int], manager: str = "kubectl-edit") -> None:
        """Somebody writes other weights into the rule."""
        refs = [{"group": "", "kind": "Service", "name": n, "port": 8000, "weight": w} for n, w in backends.items()]
        change = [{"op": "replace", "path": "/spec/rules/0/backendRefs", "value": refs}]
        words = ("--type=json", f"--field-manager={manager}", "-p", json.dumps(change))
        self.ground.server.kubectl("patch", "httproute", NAME, "-n", self.namespace, *words)

    def send(self, requests: int, headers: dict[str, str] | None = None) -> Counter[str]:
        """Who answered."""
        answers = (self.ground.contour.get(host=self.host, headers=headers or {}) for _ in range(requests))
        return Counter(answer.body for answer in answers if answer.status == 200)

    def until_only(self, who: str, *headers: dict[str, str]) -> None:
        """Until 30 requests in a row, of each kind, are answered by one backend alone."""
        kinds: Sequence[dict[str, str]] = headers or ({},)
        eventually(lambda: all(self.send(30, one).keys() == {who} for one in kinds), f"only {who} answers")

    def copies_of(self, requests: int) -> int:
        """How often the candidate was reached while these were answered; it counts from there on."""
        self.ground.backends[CANDIDATE].reset()
        self.send(requests)
        return self.ground.backends[CANDIDATE].count

    def told(self) -> list[str]:
        """The alerts that went out."""
        return [taken.text for taken in self.alerts.taken]


@contextmanager
def a_served(ground: Ground, namespace: str, folder: Path) -> Iterator[Served]:
    """v11 serves; the controller runs and knows of no rollout yet."""
    server = ground.server
    for name, one in ground.backends.items():
        server.kubectl.apply(*backend(name, namespace, one.address, one.port))
    wanted = {"gateway": ground.contour.gateway, "hostname": f"{namespace}.test", "rule": "chat"}
    server.kubectl.apply(http_route(NAME, namespace, weights={STABLE: (8000, 1)}, **wanted))
    ground.contour.wait_served(host=f"{namespace}.test")
    with ExitStack() as stack:
        judged = stack.enter_context(MetricsPage(page()))
        alerts = Receiver()
        stack.callback(alerts.close)
        daemon = stack.enter_context(_a_daemon(server, namespace, folder, alerts))
        served = Served(ground, namespace, daemon, judged, alerts)
        yield served


@contextmanager
def _a_daemon(server: ApiServer, namespace: str, folder: Path, alerts: Receiver) -> Iterator[Daemon]:
    """As `tidegate run --cluster` in this process, with a webhook for alerts."""
    url = folder / "webhook"
    url.write_text(f"http://127.0.0.1:{alerts.port}/hook")
    settings = Settings(
        cluster=ClusterSettings(server.kubeconfig("admin"), None, (namespace,), 0, "one", 6.0, namespace),
        state_dir=folder,
        http="127.0.0.1:0",
        channels=(("webhook", ChannelSettings(str(url))),),
    )
    daemon = Daemon(replace(bootstrap(settings), probe=ReadyProbe()), settings)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()
