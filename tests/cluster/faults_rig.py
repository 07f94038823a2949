"""A rollout in its canary stage on a real API server that is about to fail, and what must hold afterwards."""

import itertools
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from controller.cluster.listing import Pace
from controller.runtime.bootstrap import bootstrap
from controller.runtime.daemon import Daemon
from controller.runtime.settings import ClusterSettings, Settings
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.crds import install_gateway_api
from controller.testing.cluster_parts.kubectl import KubectlError
from tests.cluster.hands import NAME, Gate, ReadyProbe, a_rollout, an_http_route, eventually, page, weights
from tests.cluster.resources import installed
from tests.parts.metrics_page import MetricsPage

CANARY = {"chat-v11": 90, "chat-v12": 10}
STABLE = {"chat-v11": 1}
SHORT = Pace(watch=3.0, grace=1.0, fresh=6.0, backoff_first=0.2, backoff_longest=1.0)
"""So that a watch that is dead is noticed within seconds."""


def impatient(patch: pytest.MonkeyPatch) -> None:
    """Dead watches are noticed, and refused statuses tried again, in seconds; the product's own pace is slower."""
    patch.setattr("controller.cluster.views.Pace", lambda: SHORT)
    patch.setattr("controller.runtime.cluster_writer.AFTER_A_REFUSAL", timedelta(seconds=3))


@dataclass
class Story:
    """One rollout, its controller, and the judge whose counts decide. `most` is the most that v12 was ever given."""

    server: ApiServer
    namespace: str
    daemon: Daemon
    judged: MetricsPage
    counted: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def weights(self) -> dict[str, int] | None:
        """None while the API server is away."""
        try:
            return weights(self.server, self.namespace)
        except KubectlError:
            return None

    def harm(self) -> None:
        """200 more harmful answers of v12."""
        more = next(self.counted) * 200
        self.judged.set(page(bad=more, total=1000 + more))

    def harmed_until_stable(self, patience: float = 40.0) -> None:
        """Harm goes on until everything is on stable again; v12 never gets more than it had."""

        def rolled_back() -> bool:
            self.harm()
            found = self.weights()
            assert found in (None, CANARY, STABLE), found
            return found == STABLE

        eventually(rolled_back, "rolled back", patience)

    def phase(self) -> str:
        """As the controller knows it."""
        return next((held.position.phase.value for held in self.daemon.house.book.all()), "")

    def status(self) -> dict[str, Any]:
        """As the API server tells it."""
        found: dict[str, Any] = self.server.kubectl.get("modelrollout", NAME, self.namespace).get("status", {})
        return found

    def said(self) -> str:
        """Everything that the controller tells of its troubles: health, and where its rollout stands."""
        told = [str(self.daemon.house.health.alive().document)]
        for held in self.daemon.house.book.all():
            told += [held.trouble, held.position.message, str(held.route)]
        return "\n".join(told)


def a_place(server: ApiServer) -> str:
    """A new namespace with an HTTPRoute on v11."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    server.kubectl("create", "namespace", name)
    server.kubectl.apply(an_http_route(name))
    return name


def prepared(server: ApiServer) -> None:
    """The kinds."""
    install_gateway_api(server.kubectl)
    installed(server, "crd.yaml")


@contextmanager
def a_daemon(kubeconfig: Path, namespace: str, folder: Path, shards: int = 0, **more: Any) -> Iterator[Daemon]:
    """As `tidegate run --cluster` in this process. `more`: of ClusterSettings."""
    cluster = ClusterSettings(kubeconfig, None, (namespace,), shards, "one", 6.0, namespace, **more)
    folder.mkdir(exist_ok=True)
    settings = Settings(cluster=cluster, state_dir=folder, http="127.0.0.1:0")
    daemon = Daemon(replace(bootstrap(settings), probe=ReadyProbe()), settings)
    try:
        daemon.start()
        yield daemon
    finally:
        daemon.stop()


@contextmanager
def a_canary(
    server: ApiServer, folder: Path, kubeconfig: Path | None = None, shards: int = 0, **more: Any
) -> Iterator[Story]:
    """v12 gets 10 %, verified and told."""
    namespace, judged = a_place(server), MetricsPage(page())
    gate = Gate(server, namespace)
    try:
        with a_daemon(kubeconfig or server.kubeconfig("admin"), namespace, folder, shards, **more) as daemon:
            story = Story(server, namespace, daemon, judged)
            begin(story)
            yield story
    finally:
        gate.stop()
        judged.stop()


def begin(story: Story) -> None:
    """v11 is stable, then v12 is wanted."""
    apply(story, "v11")
    eventually(lambda: story.status().get("phase") == "Completed" or story.status().get("stable") == "v11", "adopted")
    apply(story, "v12")
    eventually(lambda: story.weights() == CANARY, "the first weight")
    eventually(lambda: story.status().get("traffic", {}).get("verified", {}).get("weight") == 10, "verified and told")


def apply(story: Story, version: str) -> None:
    """As a person does."""
    story.server.kubectl.apply(a_rollout(story.namespace, story.judged.url, version))


def grant(server: ApiServer, user: str, rules: list[dict[str, Any]]) -> None:
    """A ClusterRole for that user with exactly these rules."""
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
            "metadata": {"name": f"only-{user}"}, "rules": rules}  # fmt: skip
    bound = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
             "metadata": {"name": f"only-{user}"},
             "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": f"only-{user}"},
             "subjects": [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]}  # fmt: skip
    server.kubectl.apply(role, bound)
