"""Workloads on a cluster in memory: up before a run, waited for, down when nobody needs them, and never before."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.cluster import (
    ENDPOINT_SLICE,
    EVENT,
    HTTP_ROUTE,
    ClusterUnavailableError,
    ConflictError,
    Kind,
    ObjectRef,
    Operation,
)
from controller.domain.names import RolloutKey
from controller.domain.request import Ask, OperatorRequest
from controller.domain.state import HeldCause, Phase
from controller.runtime.cluster_house import open_workloads
from controller.runtime.cluster_routes import ClusterRoutes
from controller.runtime.routers import Routers
from controller.runtime.scaling import ClusterWorkloads, NoWorkloads
from controller.testing.cluster_server import MemoryApiServer
from controller.testing.gateway import MemoryGateway, a_backend, a_route
from tests.runtime.cluster_rig import KEY, REF, ClusterRig, a_cluster_rig, a_document

DEPLOYMENT = Kind("apps", "v1", "deployments", "Deployment")
SCALE = ("patch", "deployments.apps/scale")


class Fleet:
    """Deployments and their endpoints: a test says how many replicas are there, and how many of them ready."""

    def __init__(self, rig: ClusterRig) -> None:
        self.rig = rig

    def deploy(self, version: str, replicas: int = 0) -> None:
        name = f"chat-{version}"
        self.rig.cluster.put(DEPLOYMENT, {"metadata": self.meta(name), "spec": {"replicas": replicas}})
        self.runs(version, replicas, replicas)

    def runs(self, version: str, there: int, ready: int) -> None:
        """So many Pods exist, and so many of them are ready."""
        status = Operation("add", "/status", {"replicas": there})
        self.rig.cluster.edit(self.ref(version), status, part="status", manager="deployments")
        endpoints = [{"addresses": [f"10.0.0.{at}"], "conditions": {"ready": at < ready}} for at in range(there)]
        labels = {"kubernetes.io/service-name": f"chat-{version}"}
        self.rig.cluster.put(
            ENDPOINT_SLICE,
            {
                "metadata": {**self.meta(f"chat-{version}-4x2"), "labels": labels},
                "addressType": "IPv4",
                "endpoints": endpoints,
            },
        )

    def asked(self, version: str) -> int:
        document: Any = self.rig.cluster.look(self.ref(version))
        return int(document["spec"]["replicas"])

    def ref(self, version: str) -> ObjectRef:
        return ObjectRef(DEPLOYMENT, KEY.namespace, f"chat-{version}")

    def meta(self, name: str) -> dict[str, str]:
        return {"name": name, "namespace": KEY.namespace}


def scaled(version: str = "v11", **spec: Any) -> dict[str, Any]:
    """On a gateway, every version a Deployment of four."""
    made = a_document(version, rollbackWindow="10m", **spec)
    made["spec"]["routes"] = [{"gatewayAPI": {"httpRoute": "chat", "rule": "chat"}}]
    for one in made["spec"]["versions"]:
        one["backendRef"] = {"kind": "Service", "name": f"chat-{one['name']}", "port": 8000}
        one["scale"] = {"name": f"chat-{one['name']}", "replicas": 4, "deadline": "20m", "downAfter": "5m"}
    return made


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[ClusterRig]:
    made = a_cluster_rig(tmp_path, MemoryApiServer(served=[DEPLOYMENT]))
    MemoryGateway(made.cluster.server)
    backends = [a_backend("chat-v11")]
    made.cluster.put(HTTP_ROUTE, a_route("chat", KEY.namespace, {"name": "chat", "backendRefs": backends}))
    house = made.rig.house
    routes = ClusterRoutes(made.cluster, made.cluster.view)
    workloads = open_workloads(made.doors, house.book, made.sharing, made.clock, house.health)
    made.rig.house = replace(house, routers=Routers(routes), workloads=workloads)
    fleet = Fleet(made)
    fleet.deploy("v11", 6)
    fleet.deploy("v12")
    fleet.deploy("v13")
    made.apply(scaled())
    made.passes()
    yield made
    made.rig.house.persister.close()


@pytest.fixture
def fleet(rig: ClusterRig) -> Fleet:
    return Fleet(rig)


def keep(rig: ClusterRig) -> None:
    """A look of the keeper."""
    keeper = rig.rig.house.workloads
    assert isinstance(keeper, ClusterWorkloads)
    keeper.step()


def settle(rig: ClusterRig, seconds: float = 2.0) -> None:
    """Some time, a look, and passes that see what it found."""
    rig.clock.advance(seconds)
    rig.sample()
    keep(rig)
    rig.passes(2)


def begin(rig: ClusterRig, fleet: Fleet, version: str = "v12") -> None:
    """A run whose candidate came up."""
    rig.apply(scaled(version))
    rig.passes(2)
    settle(rig)
    fleet.runs(version, 4, 4)
    settle(rig)
    rig.tick_until(lambda: rig.held.position.phase is Phase.PROGRESSING and rig.held.position.run is not None)
    rig.tick()


def phase(rig: ClusterRig) -> str:
    return rig.held.position.phase.value


def ask(rig: ClusterRig, what: Ask) -> None:
    now = rig.clock.now()
    rig.held.inbox.append(OperatorRequest(f"{what.value} {now}", what, "ada", "because", now))
    rig.passes(10)


def test_up_before_the_first_stage_and_waited_for(rig: ClusterRig, fleet: Fleet) -> None:
    rig.apply(scaled("v12"))
    rig.passes()
    assert (fleet.asked("v12"), rig.held.position.phase) == (0, Phase.PENDING)
    assert rig.held.position.message == "waiting for Deployment chat-v12: it is not looked at yet"
    settle(rig)
    assert fleet.asked("v12") == 4
    assert rig.held.position.message == "waiting for Deployment chat-v12: 0 of 4 replicas ready"
    fleet.runs("v12", 4, 1)
    settle(rig)
    assert rig.held.position.phase is Phase.PENDING
    assert rig.held.position.message == "waiting for Deployment chat-v12: 1 of 4 replicas ready"
    assert "of 4 replicas ready" in rig.status["message"]
    fleet.runs("v12", 4, 4)
    settle(rig)
    rig.tick_until(lambda: rig.held.position.phase is Phase.PROGRESSING)
    assert rig.cluster.calls[SCALE] == 1


def test_never_lowered_while_it_is_tried(rig: ClusterRig, fleet: Fleet) -> None:
    fleet.deploy("v12", 9)
    begin(rig, fleet)
    assert fleet.asked("v12") == 9
    assert rig.cluster.calls[SCALE] == 0


def test_raised_again_when_somebody_takes_it_away(rig: ClusterRig, fleet: Fleet) -> None:
    begin(rig, fleet)
    fleet.deploy("v12", 1)
    settle(rig, 31)
    assert fleet.asked("v12") == 4


def test_warming_is_not_failing_but_has_a_deadline_of_its_own(rig: ClusterRig, fleet: Fleet) -> None:
    rig.apply(scaled("v12"))
    rig.passes()
    settle(rig)
    fleet.runs("v12", 4, 1)
    settle(rig, 19 * 60)
    assert rig.held.position.phase is Phase.PENDING
    settle(rig, 60)
    assert (rig.held.position.phase, rig.held.position.held) == (Phase.HELD, HeldCause.DEADLINE)
    assert "it waited for Deployment chat-v12: 1 of 4 replicas ready" in rig.held.position.message
    assert fleet.asked("v12") == 4
    ask(rig, Ask.RESUME)
    assert rig.held.position.phase is Phase.PENDING
    fleet.runs("v12", 4, 4)
    settle(rig)
    settle(rig)
    rig.tick_until(lambda: rig.held.position.phase is Phase.PROGRESSING)


def test_a_rolled_back_version_goes_down_after_its_delay(rig: ClusterRig, fleet: Fleet) -> None:
    begin(rig, fleet)
    rig.tick_until(lambda: rig.held.position.phase is Phase.ROLLED_BACK, bad=60)
    assert [one.version.name for one in rig.held.position.spare] == ["v12"]
    settle(rig, 4 * 60)
    assert fleet.asked("v12") == 4
    settle(rig, 60)
    assert fleet.asked("v12") == 0
    assert fleet.asked("v11") == 6


def test_a_promoted_one_stays_and_the_former_goes_when_it_cannot_be_returned_to(rig: ClusterRig, fleet: Fleet) -> None:
    begin(rig, fleet)
    rig.tick_until(lambda: rig.held.position.phase is Phase.COMPLETED)
    for _ in range(9):
        rig.tick(60)
        keep(rig)
    assert (phase(rig), fleet.asked("v11")) == ("Completed", 6)
    for _ in range(4):
        rig.tick(60)
        keep(rig)
    assert (phase(rig), fleet.asked("v11"), fleet.asked("v12")) == ("Idle", 0, 4)


def test_a_run_that_ends_before_it_began(rig: ClusterRig, fleet: Fleet) -> None:
    rig.apply(scaled("v12"))
    rig.passes()
    settle(rig)
    ask(rig, Ask.ABORT)
    assert rig.held.position.phase is Phase.ROLLED_BACK
    settle(rig, 4 * 60)
    assert fleet.asked("v12") == 4
    settle(rig, 70)
    assert fleet.asked("v12") == 0
    ask(rig, Ask.RETRY)
    settle(rig)
    assert fleet.asked("v12") == 4


def test_one_that_is_superseded_goes_down_during_the_next_run(rig: ClusterRig, fleet: Fleet) -> None:
    begin(rig, fleet)
    rig.apply(scaled("v13"))
    rig.passes(20)
    settle(rig)
    assert (fleet.asked("v12"), fleet.asked("v13")) == (4, 4)
    settle(rig, 5 * 60)
    assert (fleet.asked("v12"), fleet.asked("v13")) == (0, 4)


class TestNotDown:
    """A version that nobody of ours needs, and still."""

    @pytest.fixture
    def gone(self, rig: ClusterRig, fleet: Fleet) -> ClusterRig:
        begin(rig, fleet)
        rig.tick_until(lambda: rig.held.position.phase is Phase.ROLLED_BACK, bad=60)
        rig.clock.advance(3600)
        return rig

    def after_a_look(self, gone: ClusterRig, fleet: Fleet) -> int:
        settle(gone, 31)
        return fleet.asked("v12")

    def test_another_rollout_lists_it(self, gone: ClusterRig, fleet: Fleet) -> None:
        other = scaled(name="other")
        other["spec"]["routes"] = [{"gatewayAPI": {"httpRoute": "other"}}]
        gone.apply(other)
        assert gone.rig.house.book.get(RolloutKey(KEY.namespace, "other")) is not None
        assert self.after_a_look(gone, fleet) == 4

    def test_a_route_of_somebody_else_sends_to_it(self, gone: ClusterRig, fleet: Fleet) -> None:
        preview = ObjectRef(HTTP_ROUTE, KEY.namespace, "preview")
        gone.cluster.put(HTTP_ROUTE, a_route("preview", KEY.namespace, {"backendRefs": [a_backend("chat-v12")]}))
        assert self.after_a_look(gone, fleet) == 4
        gone.cluster.delete(preview)
        assert self.after_a_look(gone, fleet) == 0

    def test_the_view_is_not_current(self, gone: ClusterRig, fleet: Fleet) -> None:
        gone.cluster.view.cut()
        assert self.after_a_look(gone, fleet) == 4
        gone.cluster.view.mend()
        gone.passes(2)
        assert self.after_a_look(gone, fleet) == 0

    def test_the_shard_is_another_process(self, gone: ClusterRig, fleet: Fleet) -> None:
        gone.keeper.lose()
        assert self.after_a_look(gone, fleet) == 4

    def test_it_is_wanted_again_while_we_ask(self, gone: ClusterRig, fleet: Fleet) -> None:
        def retried(verb: str, ref: ObjectRef) -> None:
            gone.cluster.before_write = None
            fleet.runs("v12", 3, 3)
            ask(gone, Ask.RETRY)

        gone.cluster.before_write = retried
        assert self.after_a_look(gone, fleet) == 4
        assert gone.held.position.under_way

    def test_it_is_wanted_again_when_it_is_too_late(self, gone: ClusterRig, fleet: Fleet) -> None:
        """It comes up again, and the run waits for that: what was seen before does not count for it."""

        def retried(verb: str, ref: ObjectRef) -> None:
            gone.cluster.before_write = None
            ask(gone, Ask.RETRY)

        gone.cluster.before_write = retried
        assert self.after_a_look(gone, fleet) == 0
        fleet.runs("v12", 0, 0)
        assert gone.held.position.message == "waiting for Deployment chat-v12: it is not looked at yet"
        settle(gone)
        assert fleet.asked("v12") == 4
        assert gone.held.position.message == "waiting for Deployment chat-v12: 0 of 4 replicas ready"

    def test_the_rollout_is_deleted(self, gone: ClusterRig, fleet: Fleet) -> None:
        gone.cluster.delete(REF)
        gone.read()
        assert self.after_a_look(gone, fleet) == 4


def test_one_that_somebody_brings_up_again_is_taken_down_again(rig: ClusterRig, fleet: Fleet) -> None:
    begin(rig, fleet)
    ask(rig, Ask.ABORT)
    settle(rig, 6 * 60)
    fleet.deploy("v12", 0)
    settle(rig, 60)
    asked = rig.cluster.calls["get", "deployments.apps/scale"]
    settle(rig, 60)
    assert rig.cluster.calls["get", "deployments.apps/scale"] == asked
    fleet.deploy("v12", 2)
    settle(rig, 60)
    assert fleet.asked("v12") == 0


class TestTrouble:
    """What stands in the way is said where people look: the rollout's message, and health."""

    def message(self, rig: ClusterRig) -> str:
        rig.apply(scaled("v12"))
        rig.passes()
        settle(rig)
        return rig.held.position.message

    def test_there_is_no_such_workload(self, rig: ClusterRig, fleet: Fleet) -> None:
        rig.cluster.delete(fleet.ref("v12"))
        assert "Deployment chat-v12: there is none of that name in namespace assistants" in self.message(rig)
        fleet.deploy("v12")
        settle(rig, 11)
        assert fleet.asked("v12") == 4

    @pytest.mark.parametrize("verb", ["get", "patch"])
    def test_a_missing_right_names_the_rule(self, rig: ClusterRig, fleet: Fleet, verb: str) -> None:
        rig.cluster.deny(verb, DEPLOYMENT, "scale")
        told = self.message(rig)
        assert f'{{apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["{verb}"]}}' in told
        rig.cluster.heal()
        settle(rig, 11)
        assert fleet.asked("v12") == 4

    def test_the_api_server_is_away(self, rig: ClusterRig, fleet: Fleet) -> None:
        rig.cluster.fail(ClusterUnavailableError("nobody is there", 20), "get", DEPLOYMENT)
        assert "nobody is there" in self.message(rig)
        rig.cluster.heal()
        settle(rig, 11)
        assert fleet.asked("v12") == 0
        settle(rig, 10)
        assert fleet.asked("v12") == 4

    def test_somebody_writes_at_the_same_time(self, rig: ClusterRig, fleet: Fleet) -> None:
        rig.cluster.fail(ConflictError("changed meanwhile"), "patch", DEPLOYMENT, times=1)
        self.message(rig)
        assert fleet.asked("v12") == 4

    def test_endpoints_that_cannot_be_counted(self, rig: ClusterRig, fleet: Fleet) -> None:
        self.message(rig)
        fleet.runs("v12", 4, 4)
        rig.cluster.view.cut()
        keep(rig)
        rig.clock.advance(2)
        keep(rig)
        waits = rig.rig.house.workloads.awaited(rig.held)
        assert waits is not None
        assert "its ready replicas cannot be counted" in str(waits.scaling)

    def test_without_a_cluster(self, rig: ClusterRig) -> None:
        rig.apply(scaled("v12"))
        rig.passes()
        waits = NoWorkloads().awaited(rig.held)
        assert waits is not None
        assert "start it with --cluster" in str(waits.scaling)


def test_observing_scales_nothing(rig: ClusterRig, fleet: Fleet) -> None:
    rig.apply(scaled("v12", mode="observe"))
    rig.passes()
    settle(rig)
    assert rig.held.position.under_way
    assert (fleet.asked("v12"), rig.cluster.calls[SCALE]) == (0, 0)


class TestStable:
    """No weight is raised while a rollback would fall on fewer shoulders."""

    def test_a_weight_waits(self, rig: ClusterRig, fleet: Fleet) -> None:
        begin(rig, fleet)
        run = rig.held.position.run
        assert run is not None
        assert run.stable_endpoints == 6
        fleet.runs("v11", 6, 2)
        for _ in range(12):
            rig.tick()
        assert rig.held.position.run is not None
        assert rig.held.position.run.stage == 0
        assert rig.held.position.message == "stable has 2 of 6 ready endpoints"
        fleet.runs("v11", 6, 6)
        rig.tick_until(lambda: rig.held.position.run is not None and rig.held.position.run.stage == 1)

    def test_so_does_the_first(self, rig: ClusterRig, fleet: Fleet) -> None:
        rig.apply(scaled("v12"))
        rig.passes()
        settle(rig)
        fleet.runs("v12", 4, 4)
        fleet.runs("v11", 6, 5)
        settle(rig)
        for _ in range(4):
            rig.tick()
        assert rig.held.position.phase is Phase.PENDING
        assert rig.held.position.message == "stable has 5 of 6 ready endpoints"

    def test_a_rollback_never_does_and_its_alert_says_so(self, rig: ClusterRig, fleet: Fleet) -> None:
        begin(rig, fleet)
        fleet.runs("v11", 6, 2)
        rig.tick_until(lambda: rig.held.position.phase is Phase.ROLLED_BACK, bad=60)
        rig.rig.house.deliverer.deliver_due()
        (told,) = [one.body for one in rig.rig.channel.told if "100 % on v11, verified" in one.title]
        assert "stable 2 of 6 ready: v11 has fewer ready endpoints than when the run began" in told

    def test_what_cannot_be_counted_waits_too(self, rig: ClusterRig, fleet: Fleet) -> None:
        begin(rig, fleet)
        rig.cluster.deny("list", ENDPOINT_SLICE)
        rig.cluster.server.served.discard(ENDPOINT_SLICE)
        for _ in range(12):
            rig.tick()
        assert rig.held.position.run is not None
        assert rig.held.position.run.stage == 0
        assert "the ready endpoints of stable cannot be counted" in rig.held.position.message


def test_nothing_is_asked_when_nothing_changes(rig: ClusterRig, fleet: Fleet) -> None:
    begin(rig, fleet)
    rig.cluster.calls.clear()
    for _ in range(20):
        rig.clock.advance(15)
        keep(rig)
    assert not {verb: count for verb, count in rig.cluster.calls.items() if EVENT.resource not in verb[1]}
