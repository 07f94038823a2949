"""Answers that a real API server cannot be made to give on demand: 429, 500, refusals, one after the other.

In memory, with the clock in the test's hand: what goes out, in which order, and that nothing is raised.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.cluster import (
    EVENT,
    HTTP_ROUTE,
    MODEL_ROLLOUT,
    ClusterError,
    ClusterUnavailableError,
    ConflictError,
    InvalidObjectError,
)
from controller.domain.state import Phase
from controller.runtime.cluster_routes import ClusterRoutes
from controller.runtime.routers import Routers
from controller.testing.gateway import MemoryGateway, a_backend, a_route
from tests.runtime.cluster_rig import KEY, ClusterRig, a_cluster_rig
from tests.runtime.test_cluster_routes import backends, on_gateway

CANARY, STABLE = {"chat-v11": 90, "chat-v12": 10}, {"chat-v11": 1}
ANSWERS: dict[str, Callable[[], ClusterError]] = {
    "429": lambda: ClusterUnavailableError("cannot patch: HTTP 429: too many requests; it is tried again", 0.1),
    "500": lambda: ClusterUnavailableError("cannot patch: HTTP 500: etcdserver: request timed out; it is tried again"),
    "409": lambda: ConflictError("cannot patch: it was changed in the meantime; read it again"),
}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ClusterRig]:
    """v12 gets 10 %."""
    made = a_cluster_rig(tmp_path)
    gateway = MemoryGateway(made.cluster.server)
    assert not gateway.asleep
    rule = {"name": "chat", "backendRefs": [a_backend("chat-v11")]}
    made.cluster.put(HTTP_ROUTE, a_route("chat", KEY.namespace, rule))
    made.rig.house = replace(made.rig.house, routers=Routers(ClusterRoutes(made.cluster, made.cluster.view)))
    made.apply(on_gateway())
    made.passes()
    made.apply(on_gateway("v12"))
    made.tick_until(lambda: bool(made.held.position.run and made.held.position.run.stage_since))
    assert backends(made) == CANARY
    yield made
    made.rig.house.persister.close()


def harm_until(rig: ClusterRig, done: Callable[[], bool]) -> None:
    def more() -> bool:
        assert backends(rig) in (CANARY, STABLE)
        return done()

    rig.tick_until(more, bad=80, count=2)


@pytest.mark.parametrize("answer", ANSWERS)
@pytest.mark.parametrize("times", [1, 3])
def test_a_rollback_outwaits_a_few_of_them(rig: ClusterRig, answer: str, times: int) -> None:
    rig.cluster.fail(ANSWERS[answer](), verb="patch", kind=HTTP_ROUTE, times=times)
    harm_until(rig, lambda: rig.held.position.phase is Phase.ROLLED_BACK)
    assert backends(rig) == STABLE


@pytest.mark.parametrize("answer", ANSWERS)
def test_as_long_as_they_last_it_is_tried_again_and_nothing_is_called_done(rig: ClusterRig, answer: str) -> None:
    rig.cluster.fail(ANSWERS[answer](), verb="patch", kind=HTTP_ROUTE)
    harm_until(rig, lambda: rig.held.position.phase is Phase.ROLLING_BACK)
    assert backends(rig) == CANARY
    rig.cluster.heal()
    rig.tick_until(lambda: rig.held.position.phase is Phase.ROLLED_BACK)
    assert backends(rig) == STABLE


@pytest.mark.parametrize("answer", ANSWERS)
def test_neither_status_nor_events_hold_a_rollback_up(rig: ClusterRig, answer: str) -> None:
    rig.cluster.fail(ANSWERS[answer](), verb="patch", kind=MODEL_ROLLOUT)
    rig.cluster.fail(ANSWERS[answer](), verb="create", kind=EVENT)
    harm_until(rig, lambda: rig.held.position.phase is Phase.ROLLED_BACK)
    assert backends(rig) == STABLE
    assert rig.status["phase"] != "RolledBack"
    rig.cluster.heal()
    rig.tick_until(lambda: rig.status["phase"] == "RolledBack", bad=0)


@pytest.mark.parametrize("answer", ["429", "500"])
def test_an_api_server_that_answers_nothing_else(rig: ClusterRig, answer: str) -> None:
    rig.cluster.fail(ANSWERS[answer]())
    rig.cluster.view.cut(ANSWERS[answer]())
    harm_until(rig, lambda: rig.held.position.phase is Phase.ROLLING_BACK)
    assert backends(rig) == CANARY
    rig.cluster.heal()
    rig.cluster.view.mend()
    rig.tick_until(lambda: rig.held.position.phase is Phase.ROLLED_BACK)
    assert backends(rig) == STABLE


def test_a_raise_is_refused_and_is_no_raise(rig: ClusterRig) -> None:
    """A webhook of somebody refuses every write: the next stage gets nothing, and the harm is taken away after it."""
    rig.cluster.fail(InvalidObjectError("the API server refused to patch: denied by a webhook"), "patch", HTTP_ROUTE)
    for _ in range(20):
        rig.tick(seconds=15, count=2)
        assert backends(rig) == CANARY
    harm_until(rig, lambda: rig.held.position.phase is Phase.ROLLING_BACK)
    rig.cluster.heal()
    rig.tick_until(lambda: rig.held.position.phase is Phase.ROLLED_BACK)
    assert backends(rig) == STABLE
