"""Somebody goes round a controller on a cluster: it is taken for a person's doing, and nothing is raised again."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.cli import cluster_emergency
from controller.cli.desk import Reach
from controller.cli.emergency import Ending
from controller.cli.output import CommandError
from controller.domain.cluster import EVENT, HTTP_ROUTE, MODEL_ROLLOUT, ObjectRef, Operation
from controller.domain.state import HeldCause, Phase
from controller.runtime.cluster_routes import ClusterRoutes
from controller.runtime.routers import Routers
from controller.testing.cluster import MemoryCluster
from controller.testing.gateway import MemoryGateway, a_backend, a_route
from tests.runtime.cluster_rig import KEY, ClusterRig, a_cluster_rig
from tests.runtime.test_cluster_routes import ROUTE, backends, on_gateway


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[tuple[ClusterRig, MemoryGateway]]:
    rig = a_cluster_rig(tmp_path)
    gate = MemoryGateway(rig.cluster.server)
    rule = {"name": "chat", "backendRefs": [a_backend("chat-v11")]}
    rig.cluster.put(HTTP_ROUTE, a_route("chat", KEY.namespace, rule))
    rig.rig.house = replace(rig.rig.house, routers=Routers(ClusterRoutes(rig.cluster, rig.cluster.view)))
    rig.apply(on_gateway())
    rig.passes()
    yield rig, gate
    rig.rig.house.persister.close()


@pytest.fixture
def rig(gateway: tuple[ClusterRig, MemoryGateway]) -> ClusterRig:
    """In the canary stage."""
    rig = gateway[0]
    rig.apply(on_gateway("v12"))
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    assert backends(rig) == {"chat-v11": 90, "chat-v12": 10}
    return rig


def person(rig: ClusterRig) -> MemoryCluster:
    return MemoryCluster(rig.cluster.server, manager="kubectl-tidegate")


def place_of(rig: ClusterRig, version: str | None = None, paths: list[Path] | None = None) -> Any:
    reach = Reach(person(rig), "memory", KEY.namespace)
    return cluster_emergency.the_route(KEY.name, reach, paths or [], version)


def break_glass(rig: ClusterRig, place: Any = None) -> Ending:
    """As `kubectl tidegate route` does it, with that person's own requests."""
    place, api = place or place_of(rig), person(rig)
    told = cluster_emergency.note(place, api, "grace", "v12 insults people", rig.clock)
    assert told is None
    ending = cluster_emergency.to_stable(place, api, rig.clock)
    cluster_emergency.tell(place, api, ending, "grace", "v12 insults people", rig.clock)
    return ending


def test_everything_goes_to_stable_and_the_controller_holds(rig: ClusterRig) -> None:
    ending = break_glass(rig)
    assert ending.trouble is None
    assert backends(rig) == {"chat-v11": 1}
    for _ in range(6):
        rig.tick()
        assert backends(rig) == {"chat-v11": 1}
    assert (rig.held.position.phase, rig.held.position.held) == (Phase.HELD, HeldCause.EXTERNAL)
    assert rig.condition("Stalled")["reason"] == "HeldExternal"


def test_who_when_and_why_are_on_the_route_and_in_an_event(rig: ClusterRig) -> None:
    break_glass(rig)
    route: Any = rig.cluster.look(ROUTE)
    assert '"actor": "grace"' in route["metadata"]["annotations"]["tidegate.dev/break-glass-support-bot"]
    notes = [one["note"] for ref, one in rig.cluster.server.objects.items() if ref.kind == EVENT]
    assert any(one.startswith("grace sent everything to v11 by hand (v12 insults people)") for one in map(str, notes))


def test_it_is_respected_between_a_decision_and_its_route(gateway: tuple[ClusterRig, MemoryGateway]) -> None:
    """A raise was written down and not carried out; then somebody broke the glass: it is never carried out."""
    rig = gateway[0]
    rig.apply(on_gateway("v12"))
    router = rig.rig.house.routers.of(rig.held)
    assert router is not None
    written, router.apply = router.apply, lambda split: None  # type: ignore[method-assign]
    rig.tick_until(lambda: rig.held.position.phase is Phase.PROGRESSING)
    assert backends(rig) == {"chat-v11": 1}
    assert break_glass(rig).trouble is None
    router.apply = written  # type: ignore[method-assign]
    for _ in range(4):
        rig.tick()
        assert backends(rig) == {"chat-v11": 1}
    assert rig.held.position.held is HeldCause.EXTERNAL
    assert "grace" in [one.actor for one in rig.rig.house.store.journal(KEY, 50) if one.reason == "external_change"]


def test_a_resume_goes_on(rig: ClusterRig) -> None:
    break_glass(rig)
    rig.tick()
    assert rig.held.position.held is HeldCause.EXTERNAL
    rig.clock.advance(1)
    rig.ask("on", "resume", rig.held.position.run.id if rig.held.position.run else "")
    rig.tick_until(lambda: backends(rig) == {"chat-v11": 90, "chat-v12": 10})


def test_a_gateway_that_sleeps_is_never_called_done(gateway: tuple[ClusterRig, MemoryGateway]) -> None:
    rig, gate = gateway
    rig.apply(on_gateway("v12"))
    rig.tick_until(lambda: bool(rig.held.position.run and rig.held.position.run.stage_since))
    gate.asleep = True
    ending = break_glass(rig)
    assert ending.trouble is not None
    assert "has not looked at generation" in ending.trouble
    assert backends(rig) == {"chat-v11": 1}


def test_a_controller_that_raises_at_the_same_time_is_overwritten(rig: ClusterRig) -> None:
    place, api = place_of(rig), person(rig)
    raised: list[ObjectRef] = []

    def raise_once(verb: str, ref: ObjectRef) -> None:
        if verb == "patch" and ref == ROUTE and not raised:
            raised.append(ref)
            both = [a_backend("chat-v11", 50), a_backend("chat-v12", 50)]
            rig.cluster.edit(ROUTE, Operation("replace", "/spec/rules/0/backendRefs", both), manager="tidegate")

    api.before_write = raise_once
    assert cluster_emergency.to_stable(place, api, rig.clock).trouble is None
    assert raised
    assert backends(rig) == {"chat-v11": 1}


def test_a_resource_that_is_invalid_otherwise_is_enough(rig: ClusterRig) -> None:
    ref = ObjectRef(MODEL_ROLLOUT, KEY.namespace, KEY.name)
    rig.cluster.edit(ref, Operation("replace", "/spec/slos", "nonsense"), Operation("replace", "/spec/metrics", 7))
    assert break_glass(rig).trouble is None
    assert backends(rig) == {"chat-v11": 1}


def test_without_a_status_the_version_is_asked_for(rig: ClusterRig) -> None:
    ref = ObjectRef(MODEL_ROLLOUT, KEY.namespace, KEY.name)
    rig.cluster.edit(ref, Operation("remove", "/status"), part="status")
    with pytest.raises(CommandError) as told:
        place_of(rig)
    assert "--version" in told.value.todo
    assert "v11, v12" in told.value.message
    assert break_glass(rig, place_of(rig, "v11")).trouble is None
    with pytest.raises(CommandError, match="v99 is none of them"):
        place_of(rig, "v99")


def test_a_rollout_file_serves_where_the_resource_cannot_be_read(rig: ClusterRig, tmp_path: Path) -> None:
    (tmp_path / "bot.yaml").write_text(
        "kind: ModelRollout\nmetadata: {name: support-bot}\nspec:\n  routes: [{gatewayAPI: {httpRoute: chat}}]\n"
        "  versions:\n  - {name: v11, backendRef: {kind: Service, name: chat-v11, port: 8000}}\n"
        "  - {name: v12, backendRef: {kind: Service, name: chat-v12, port: 8000}}\n  nonsense: ["
    )
    api = person(rig)
    api.deny("get", MODEL_ROLLOUT)
    place = cluster_emergency.the_route(KEY.name, Reach(api, "memory", KEY.namespace), [tmp_path], "v11")
    assert cluster_emergency.to_stable(place, api, rig.clock).trouble is None
    assert backends(rig) == {"chat-v11": 1}


def test_a_missing_right_is_told_with_its_rule(rig: ClusterRig) -> None:
    place, api = place_of(rig), person(rig)
    api.deny("patch", HTTP_ROUTE)
    assert 'verbs: ["patch"]' in str(cluster_emergency.note(place, api, "grace", "", rig.clock))
    ending = cluster_emergency.to_stable(place, api, rig.clock)
    assert 'resources: ["httproutes"], verbs: ["patch"]' in str(ending.trouble)
    assert any("weight 1 for Service chat-v11" in line for line in cluster_emergency.by_hand(place))
