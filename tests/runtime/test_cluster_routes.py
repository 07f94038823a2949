"""A rollout on an HTTPRoute: looked at when somebody writes it, refused when its gateway cannot do it."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.cluster import HTTP_ROUTE, MODEL_ROLLOUT, Document, ObjectRef, Operation
from controller.domain.state import HeldCause, Phase
from controller.runtime.cluster_routes import ClusterRoutes
from controller.runtime.reconcile import reconcile
from controller.runtime.routers import Routers
from controller.testing.gateway import MemoryGateway, a_backend, a_route
from tests.runtime.cluster_rig import KEY, ClusterRig, a_cluster_rig, a_document

ROUTE = ObjectRef(HTTP_ROUTE, KEY.namespace, "chat")


def on_gateway(version: str = "v11", **spec: Any) -> Document:
    made = a_document(version, **spec)
    made["spec"]["routes"] = [{"gatewayAPI": {"httpRoute": "chat", "rule": "chat"}}]
    for one in made["spec"]["versions"]:
        one["backendRef"] = {"kind": "Service", "name": f"chat-{one['name']}", "port": 8000}
    return made


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ClusterRig]:
    made = a_cluster_rig(tmp_path)
    gateway = MemoryGateway(made.cluster.server, features=("HTTPRouteRequestMirror",))
    assert not gateway.asleep
    made.cluster.put(
        HTTP_ROUTE, a_route("chat", KEY.namespace, {"name": "chat", "backendRefs": [a_backend("chat-v11")]})
    )
    routes = ClusterRoutes(made.cluster, made.cluster.view)
    routes.changed = lambda ref: made.woken.append(KEY) if ref == ROUTE else None
    made.rig.house = replace(made.rig.house, routers=Routers(routes))
    made.apply(on_gateway())
    made.passes()
    yield made
    made.rig.house.persister.close()


def backends(rig: ClusterRig) -> dict[str, int]:
    route: Any = rig.cluster.look(ROUTE)
    return {one["name"]: one["weight"] for one in route["spec"]["rules"][0]["backendRefs"]}


def test_a_stage_is_a_weight_of_the_route(rig: ClusterRig) -> None:
    assert rig.is_true("Ready")
    rig.apply(on_gateway("v12"))
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    assert backends(rig) == {"chat-v11": 90, "chat-v12": 10}
    assert rig.status["traffic"]["verified"]["weight"] == 10
    assert rig.woken[-1] == KEY


def test_somebody_elses_writing_asks_for_a_look_at_once(rig: ClusterRig) -> None:
    rig.apply(on_gateway("v12"))
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    rig.woken.clear()
    alone = [a_backend("chat-v11")]
    rig.cluster.edit(ROUTE, Operation("replace", "/spec/rules/0/backendRefs", alone))
    assert rig.woken
    rig.passes(2)
    assert rig.held.position.held is HeldCause.EXTERNAL
    assert rig.condition("Stalled")["reason"] == "HeldExternal"


def test_what_the_gateway_cannot_do_is_refused_with_the_reason(rig: ClusterRig) -> None:
    stages = [
        {"name": "shadow", "shadow": {"percent": 20, "sideEffects": "none"}},
        {"name": "canary-10", "canary": {"weight": 10}},
        {"name": "full", "full": {}},
    ]
    rig.apply(on_gateway("v12", stages=stages))
    rig.passes()
    assert rig.held.position.phase is Phase.STALLED
    assert "stage shadow: HTTPRoute assistants/chat" in rig.condition("Stalled")["message"]
    assert "cannot mirror 20 %" in rig.condition("Stalled")["message"]
    assert backends(rig) == {"chat-v11": 1}
    rig.apply(on_gateway("v12"))
    rig.passes()
    assert rig.held.position.under_way


def test_deleting_the_rollout_leaves_the_route_as_it_was(rig: ClusterRig) -> None:
    before: Any = rig.cluster.look(ROUTE)
    rig.apply(on_gateway("v12"))
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    rig.cluster.delete(ObjectRef(MODEL_ROLLOUT, KEY.namespace, KEY.name))
    rig.read()
    rig.passes(20)
    after: Any = rig.cluster.look(ROUTE)
    assert after["spec"] == before["spec"]


def test_where_nobody_counts_requests_an_accepted_zero_is_verified_at_once(rig: ClusterRig) -> None:
    rig.apply(on_gateway("v12"))
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    rig.apply(on_gateway())
    began = rig.clock.now()
    for _ in range(6):
        reconcile(KEY, rig.rig.house)
    assert backends(rig) == {"chat-v11": 1}
    assert rig.held.position.phase is Phase.IDLE
    assert rig.clock.now() == began


@pytest.mark.parametrize("route_first", [True, False])
def test_deleted_together_with_its_route_it_ends_without_a_page(rig: ClusterRig, route_first: bool) -> None:
    rig.apply(on_gateway("v12"))
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    doomed = [ROUTE, ObjectRef(MODEL_ROLLOUT, KEY.namespace, KEY.name)]
    for ref in doomed if route_first else reversed(doomed):
        rig.cluster.delete(ref)
        rig.read()
        rig.passes(2)
    rig.passes(40)
    assert not rig.held.position.under_way
    told = rig.rig.house.store.journal(KEY, 100)
    assert {entry.reason for entry in told if entry.severity == "page"} == set()
    components: Any = rig.rig.house.health.alive().document["components"]
    assert [name for name, one in components.items() if name.startswith("route ") and not one["ok"]] == []


def test_a_route_that_is_deleted_alone_is_no_proof_of_zero(rig: ClusterRig) -> None:
    rig.apply(on_gateway("v12"))
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    rig.cluster.delete(ROUTE)
    rig.passes(40)
    assert rig.held.position.under_way
    rig.apply(on_gateway())
    rig.passes(40)
    assert rig.held.position.phase is Phase.ROLLING_BACK, "somebody may have put it under another name"
