"""A right is taken from the controller while a candidate has traffic: it is told, and what can be done is done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from controller.cli.rights import Right, needed
from controller.domain.cluster import HTTP_ROUTE
from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from tests.cluster.faults_rig import (
    CANARY,
    STABLE,
    Story,
    a_canary,
    a_daemon,
    a_place,
    apply,
    grant,
    impatient,
    prepared,
)
from tests.cluster.hands import eventually, page
from tests.parts.metrics_page import MetricsPage

pytestmark = [pytest.mark.xdist_group("faults-cluster"), pytest.mark.timeout(240)]
USER = "alice"
RIGHTS = tuple(needed())
VERBS = ("get", "list", "watch", "patch", "create")
ONE_BY_ONE = (
    "watch modelrollouts.tidegate.dev",
    "patch modelrollouts.tidegate.dev/status",
    "watch rolloutrequests.tidegate.dev",
    "create events.events.k8s.io",
    "watch httproutes.gateway.networking.k8s.io",
    "patch httproutes.gateway.networking.k8s.io",
    "watch gateways.gateway.networking.k8s.io",
)
UNSEEN = frozenset({"get", "list"})
"""While watches go on nobody gets or lists: nothing is lost, and there is nothing to tell."""
AT_THE_START = (
    "list modelrollouts.tidegate.dev",
    "list rolloutrequests.tidegate.dev",
    "list httproutes.gateway.networking.k8s.io",
)


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with an_api_server() as started:
        prepared(started)
        yield started


@pytest.fixture(autouse=True)
def quick_views(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)


def rules(rights: tuple[Right, ...]) -> list[dict[str, Any]]:
    return [
        {
            "apiGroups": [one.kind.group],
            "resources": [f"{one.kind.plural}/{one.part}" if one.part else one.kind.plural],
            "verbs": [one.verb],
        }
        for one in rights
    ]


def without(denied: str) -> tuple[Right, ...]:
    """All rights but one; a verb alone takes it away everywhere."""
    left = tuple(one for one in RIGHTS if denied not in (str(one), one.verb))
    assert len(left) < len(RIGHTS), denied
    return left


def in_words(right: Right) -> str:
    resource = f"{right.kind.plural}/{right.part}" if right.part else right.kind.plural
    return f'resources: ["{resource}"], verbs: ["{right.verb}"]'


def told(story: Story, logs: list[Any], denied: str) -> bool:
    """Is at least one of the rules that were taken away in the health, in the status, or in the log?"""
    everything = story.said() + "\n".join(map(str, logs)).replace("\\'", "'")
    gone = [one for one in RIGHTS if one not in without(denied)]
    return any(in_words(one) in everything for one in gone)


@pytest.mark.parametrize("denied", [*VERBS, *ONE_BY_ONE])
def test_a_right_is_taken_away(server: ApiServer, tmp_path: Path, denied: str) -> None:
    grant(server, USER, rules(RIGHTS))
    with capture_logs() as logs, a_canary(server, tmp_path / "state", server.kubeconfig(USER)) as story:
        grant(server, USER, rules(without(denied)))
        if any(one.kind == HTTP_ROUTE and one.verb == "patch" for one in without(denied)):
            story.harmed_until_stable()
        else:
            cannot_move(story)
        if denied not in UNSEEN:
            eventually(lambda: told(story, logs, denied), "told with its rule")
        grant(server, USER, rules(RIGHTS))
        eventually(lambda: story.weights() == STABLE, "carried out")
        eventually(lambda: story.phase() == "RolledBack", "verified")
        eventually(lambda: story.status()["phase"] == "RolledBack", "told, as soon as it is let", 90)


@pytest.mark.parametrize("denied", AT_THE_START)
def test_a_controller_that_starts_without_a_right_says_so(server: ApiServer, tmp_path: Path, denied: str) -> None:
    grant(server, USER, rules(without(denied)))
    namespace, judged = a_place(server), MetricsPage(page())
    try:
        with capture_logs() as logs, a_daemon(server.kubeconfig(USER), namespace, tmp_path / "state") as daemon:
            story = Story(server, namespace, daemon, judged)
            apply(story, "v12")
            eventually(lambda: told(story, logs, denied), "told with its rule")
            assert story.weights() == STABLE
    finally:
        judged.stop()


def cannot_move(story: Story) -> None:
    """The decision is made; nothing is called done that was not done, and v12 gets no more."""

    def decided() -> bool:
        story.harm()
        return story.phase() == "RollingBack"

    eventually(decided, "decided")
    assert story.weights() == CANARY


def test_its_leases_are_taken_away(server: ApiServer, tmp_path: Path) -> None:
    """It stops guarding before another could begin; v12 keeps what it has until somebody may guard again."""
    grant(server, USER, rules(RIGHTS))
    with a_canary(server, tmp_path / "state", server.kubeconfig(USER), shards=2) as story:
        with capture_logs() as logs:
            grant(server, USER, rules(without("patch leases.coordination.k8s.io")))
            (held,) = story.daemon.house.book.all()
            eventually(lambda: not story.daemon.house.sharing.holds(held.key), "let go")
            for _ in range(5):
                story.harm()
            assert story.weights() == CANARY
            eventually(lambda: 'resources: ["leases"], verbs: ["patch"]' in str(logs), "told")
        grant(server, USER, rules(RIGHTS))
        story.harmed_until_stable()
