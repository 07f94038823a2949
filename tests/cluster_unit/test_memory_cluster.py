"""The cluster in memory keeps the promises of a cluster, and does what tests tell it."""

from collections.abc import Callable

import pytest

from controller.domain.cluster import (
    HTTP_ROUTE,
    MODEL_ROLLOUT,
    ClusterUnavailableError,
    ConflictError,
    ForbiddenError,
    Kind,
    NotServedError,
    ObjectRef,
    Operation,
)
from controller.ports import ObjectView
from controller.testing.cluster import MemoryCluster
from controller.testing.cluster_server import MemoryApiServer
from controller.testing.conformance.cluster import CLUSTER_PROMISES, PLAIN, ClusterRig, Doors

REF = ObjectRef(MODEL_ROLLOUT, "team", "chat")
DOCUMENT = {"metadata": {"name": "chat", "namespace": "team"}, "spec": {"size": 1}}


class Rig:
    """A server of its own."""

    namespace = "mine"

    def __init__(self) -> None:
        self._cluster = MemoryCluster(MemoryApiServer(served=[PLAIN]))
        self.api: Doors = self._cluster
        self.view: ObjectView = self._cluster.view

    def delete(self, ref: ObjectRef) -> None:
        self._cluster.delete(ref)


@pytest.mark.parametrize("promise", CLUSTER_PROMISES.values(), ids=CLUSTER_PROMISES.keys())
def test_keeps_the_promise_of_a_cluster(promise: Callable[[ClusterRig], None]) -> None:
    promise(Rig())


def test_requests_are_counted_and_looking_is_not() -> None:
    cluster = MemoryCluster()
    cluster.put(MODEL_ROLLOUT, DOCUMENT)
    cluster.view.follow(MODEL_ROLLOUT, "", lambda _: None)
    cluster.view.get(REF), cluster.view.all(MODEL_ROLLOUT), cluster.look(REF)
    assert not cluster.calls
    cluster.patch(REF, [Operation("add", "/status", {})], "status")
    assert dict(cluster.calls) == {("patch", "modelrollouts.tidegate.dev/status"): 1}


def test_it_refuses_and_fails_as_told_until_it_is_healed() -> None:
    cluster = MemoryCluster()
    cluster.put(MODEL_ROLLOUT, DOCUMENT)
    cluster.deny("patch", MODEL_ROLLOUT, part="status")
    cluster.patch(REF, [])
    with pytest.raises(ForbiddenError, match=r'resources: \["modelrollouts/status"\], verbs: \["patch"\]'):
        cluster.patch(REF, [], "status")
    cluster.fail(times=1)
    with pytest.raises(ClusterUnavailableError):
        cluster.get(REF)
    assert cluster.get(REF)
    cluster.heal()
    cluster.patch(REF, [], "status")


def test_somebody_else_may_be_faster() -> None:
    cluster = MemoryCluster()
    made = cluster.put(MODEL_ROLLOUT, DOCUMENT)
    metadata = made["metadata"]
    assert isinstance(metadata, dict)

    def meanwhile(_verb: str, ref: ObjectRef) -> None:
        cluster.edit(ref, Operation("replace", "/spec/size", 2))

    cluster.before_write = meanwhile
    with pytest.raises(ConflictError):
        cluster.patch(REF, [Operation("test", "/metadata/resourceVersion", metadata["resourceVersion"])])


def test_a_view_can_be_late_and_can_be_cut() -> None:
    server = MemoryApiServer()
    mine, other = MemoryCluster(server), MemoryCluster(server)
    for one in (mine, other):
        one.view.follow(MODEL_ROLLOUT, "", lambda _: None)
    mine.view.hold_back()
    other.put(MODEL_ROLLOUT, DOCUMENT)
    assert mine.view.get(REF) is None
    assert other.view.get(REF)
    mine.view.let_go()
    assert mine.view.get(REF)
    mine.view.cut()
    with pytest.raises(ClusterUnavailableError):
        mine.view.all(MODEL_ROLLOUT)
    mine.view.mend()
    assert mine.view.all(MODEL_ROLLOUT)


def test_a_definition_may_be_missing() -> None:
    cluster = MemoryCluster()
    cluster.view.follow(HTTP_ROUTE, "", lambda _: None)
    cluster.server.served.discard(HTTP_ROUTE)
    with pytest.raises(NotServedError, match="install the Gateway API"):
        cluster.view.all(HTTP_ROUTE)
    with pytest.raises(NotServedError):
        cluster.list(HTTP_ROUTE)


def test_workloads_are_scaled_by_their_sub_resource() -> None:
    kind = Kind("apps", "v1", "deployments", "Deployment")
    cluster = MemoryCluster(MemoryApiServer(served=[kind]))
    ref = ObjectRef(kind, "team", "llm")
    cluster.put(kind, {"metadata": {"name": "llm", "namespace": "team"}, "spec": {"replicas": 0, "other": 1}})
    scale = cluster.patch(ref, [Operation("replace", "/spec/replicas", 3)], "scale")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 3})
    document = cluster.look(ref)
    assert document is not None
    assert document["spec"] == {"replicas": 3, "other": 1}


def test_who_wrote_is_kept() -> None:
    cluster = MemoryCluster(manager="tidegate")
    cluster.put(MODEL_ROLLOUT, DOCUMENT, manager="argocd-controller")
    cluster.patch(REF, [Operation("add", "/status", {"phase": "Idle"})], "status")
    document = cluster.look(REF)
    assert document is not None
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    assert [(one["manager"], one.get("subresource")) for one in metadata["managedFields"]] == [
        ("argocd-controller", None),
        ("tidegate", "status"),
    ]
