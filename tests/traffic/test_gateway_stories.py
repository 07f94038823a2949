"""Whole rollouts on an HTTPRoute: the decision and the router together, without any counter of requests."""

from dataclasses import replace
from datetime import datetime, timedelta

from controller.domain.cluster import HTTP_ROUTE
from controller.domain.request import Ask
from controller.domain.route import BackendRef
from controller.domain.state import HeldCause, Phase
from controller.domain.traffic import RouteSeen, RouteTable, Split
from controller.ports import RouteBinding
from controller.testing.builders import CANDIDATE, STABLE, a_rollout, a_stage
from controller.testing.drive import drive, drive_until, one_pass
from controller.testing.gateway import a_backend, a_route
from controller.testing.plane import Plane
from controller.testing.world import World, a_world
from controller.traffic.gateway_api import GatewayApiRouter
from tests.laws.checks import check
from tests.traffic.gateway_rigs import CHAT, ROUTE, GatewayRig

TOOL = "argocd-controller"
GOOD, HARMFUL = 0.005, 0.6
STAGES = tuple(
    replace(stage, min_duration=timedelta(seconds=150))
    for stage in (
        a_stage("shadow", mirror=20),
        a_stage("cohort"),
        a_stage("canary", "canary-10", weight=10),
        a_stage("full"),
    )
)


class GatewayPlane(Plane):
    """A plane whose split lies in an HTTPRoute; `carry` serves by what that says."""

    rig: GatewayRig
    router: GatewayApiRouter

    def apply(self, split: Split, now: datetime) -> None:
        self.writes += 1
        self.router.apply(split)
        self.settle(now)

    def observe(self) -> RouteSeen:
        return self.router.observe()

    def settle(self, now: datetime) -> None:
        self.table = self.router.observe().table


def a_gateway_world(bad: float) -> tuple[World, GatewayPlane]:
    rig = GatewayRig({**CHAT, "backendRefs": [a_backend("bot-v11", 3)]}, tools=(TOOL,))
    world = a_world(a_rollout(stages=STAGES), v11=GOOD, v12=bad)
    plane = GatewayPlane()
    plane.rig = rig
    backends = {STABLE: BackendRef("Service", "bot-v11", 8000), CANDIDATE: BackendRef("Service", "bot-v12", 8000)}
    binding = RouteBinding(rig.binding.key, rig.binding.route, backends)
    plane.router = GatewayApiRouter(binding, rig.cluster, rig.cluster.view)
    plane.settle(world.true_now)
    world.plane = plane
    return world, plane


def on_canary(bad: float = GOOD) -> tuple[World, GatewayPlane]:
    world, plane = a_gateway_world(GOOD)
    canary = 2
    drive_until(world, lambda w: w.position.run is not None and w.position.run.stage == canary and _verified(w), 200)
    for slo in world.rollout.slos:
        world.truth.rates[slo.name, CANDIDATE] = bad
    return world, plane


def _verified(world: World) -> bool:
    mark = world.position.traffic
    return (
        mark is not None
        and mark.verified_at is not None
        and world.position.run is not None
        and (world.position.run.stage_since is not None)
    )


def test_a_good_candidate_is_promoted_without_counters() -> None:
    world, plane = a_gateway_world(GOOD)
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 300)
    entered = [n.facts["stage"] for n in world.notices if n.reason.value == "stage_entered"]
    assert entered == [stage.name for stage in STAGES]
    assert plane.rig.rules[0]["backendRefs"] == [a_backend("bot-v12", 3)]
    check(world)


def test_a_harmful_candidate_is_gone_and_the_route_as_it_was() -> None:
    world, plane = on_canary(HARMFUL)
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 100)
    assert plane.rig.rules == [{**CHAT, "backendRefs": [a_backend("bot-v11", 3)]}]
    breach = world.position.breach
    assert breach is not None
    assert breach.decided_at is not None
    assert breach.verified_at is not None
    assert timedelta(seconds=1) <= breach.verified_at - breach.decided_at <= timedelta(seconds=3)
    check(world)


def test_a_rollback_that_no_gateway_takes_up_is_not_verified_and_said() -> None:
    world, plane = on_canary(HARMFUL)
    drive_until(world, lambda w: not w.exposed(CANDIDATE) or w.position.phase is Phase.ROLLING_BACK, 100)
    plane.rig.gateway.asleep = True
    plane.router.apply(Split(STABLE, CANDIDATE, weight=5))
    drive(world, 6)
    assert world.position.phase is Phase.ROLLING_BACK
    (told,) = [n for n in world.notices if n.reason.value == "not_verified"]
    assert "has not looked at generation" in str(told.facts["why"])
    plane.rig.gateway.wake()
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 10)


def test_a_person_who_lowers_it_is_obeyed_and_a_listed_tool_is_undone() -> None:
    world, plane = on_canary()
    committed = a_route(ROUTE.name, ROUTE.namespace, {**CHAT, "backendRefs": [a_backend("bot-v11", 3)]})
    plane.rig.cluster.put(HTTP_ROUTE, committed, manager=TOOL)
    one_pass(world)
    assert plane.router.observe().table == Split(STABLE, CANDIDATE, weight=10).table()
    drive(world, 1)
    assert world.position.phase is Phase.PROGRESSING
    plane.rig.cluster.put(HTTP_ROUTE, committed, manager="kubectl-client-side-apply")
    one_pass(world)
    assert plane.router.observe().table == RouteTable(((STABLE, 100),))
    assert world.position.held is HeldCause.EXTERNAL
    check(world)


def test_a_restart_in_the_middle_goes_on_where_it_was() -> None:
    world, plane = on_canary()
    writes = plane.writes
    world.kill()
    drive(world, 1)
    assert plane.writes == writes
    assert world.position.phase is Phase.PROGRESSING
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 300)


def test_a_gateway_that_takes_its_time_is_waited_for_before_the_first_request() -> None:
    world, plane = a_gateway_world(GOOD)
    world.commit(replace(world.rollout, stages=tuple(s for s in STAGES if s.name in ("canary-10", "full"))))
    plane.rig.gateway.asleep = True
    drive_until(world, lambda w: plane.observe().prepared, 100)
    drive(world, 2)
    assert not world.exposed(CANDIDATE)
    plane.rig.gateway.wake()
    one_pass(world)
    assert world.share(CANDIDATE) == 10
    drive_until(world, lambda w: w.position.phase is Phase.COMPLETED, 300)
    assert plane.rig.rules[0]["backendRefs"] == [a_backend("bot-v12", 3)]
    check(world)


def test_what_was_prepared_for_a_run_that_ends_first_is_taken_away_before_zero_is_verified() -> None:
    world, plane = a_gateway_world(GOOD)
    world.commit(replace(world.rollout, stages=tuple(s for s in STAGES if s.name in ("canary-10", "full"))))
    plane.rig.gateway.asleep = True
    drive_until(world, lambda w: plane.observe().prepared, 100)
    world.ask(Ask.ABORT)
    drive_until(world, lambda w: w.position.phase is Phase.ROLLING_BACK, 5)
    drive(world, 2)
    assert world.position.phase is Phase.ROLLING_BACK, "no gateway has said that it is gone"
    assert plane.rig.rules == [{**CHAT, "backendRefs": [a_backend("bot-v11", 3)]}]
    plane.rig.gateway.wake()
    drive_until(world, lambda w: w.position.phase is Phase.ROLLED_BACK, 10)
    check(world)


def test_a_listed_tool_is_undone_through_a_gateway_that_takes_its_time() -> None:
    world, plane = on_canary()
    committed = a_route(ROUTE.name, ROUTE.namespace, {**CHAT, "backendRefs": [a_backend("bot-v11", 3)]})
    plane.rig.gateway.asleep = True
    plane.rig.cluster.put(HTTP_ROUTE, committed, manager=TOOL)
    one_pass(world)
    one_pass(world)
    assert plane.observe().prepared
    assert not world.exposed(CANDIDATE)
    plane.rig.gateway.wake()
    one_pass(world)
    assert plane.router.observe().table == Split(STABLE, CANDIDATE, weight=10).table()
    assert world.position.phase is Phase.PROGRESSING
    check(world)
