"""The API server fails while a candidate has traffic: a rollback still happens, and the candidate never gets more.

Clock skew is in tests/cluster_unit/test_shards.py (`test_wrong_wall_clocks_change_nothing`): leases are told by
how long one of them was seen unchanged, on a clock that never jumps. Answers that a real API server cannot be made to
give on demand are in test_faults_answers.py, rights in test_faults_rights.py.
"""

import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from controller.cluster.objects import ClusterObjects
from controller.domain.cluster import MODEL_ROLLOUT, ConflictError, Document, ObjectRef, Operation
from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from controller.testing.cluster_parts.forward import Forward
from tests.cluster.faults_rig import CANARY, STABLE, a_canary, apply, impatient, prepared
from tests.cluster.hands import NAME, eventually
from tests.cluster.resources import installed

pytestmark = [pytest.mark.xdist_group("faults-cluster"), pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    """One for this module, which comes back after every test."""
    with an_api_server() as started:
        prepared(started)
        yield started


@pytest.fixture
def network(server: ApiServer) -> Iterator[Forward]:
    """Between the controller and the API server."""
    forward = Forward(
        socket.create_server(("127.0.0.1", 0)), lambda: socket.create_connection(("127.0.0.1", server.port))
    )
    yield forward
    forward.stop()


def through(server: ApiServer, forward: Forward) -> Path:
    return server.kubeconfig_for(f"through-{forward.port}", server.token, server=f"https://127.0.0.1:{forward.port}")


@pytest.fixture(autouse=True)
def quick_views(monkeypatch: pytest.MonkeyPatch) -> None:
    impatient(monkeypatch)


@pytest.mark.parametrize("shards", [0, 2])
def test_the_api_server_is_restarted(server: ApiServer, tmp_path: Path, shards: int) -> None:
    with a_canary(server, tmp_path / "state", shards=shards) as story:
        server.restart()
        story.harmed_until_stable()
        eventually(lambda: story.status()["phase"] == "RolledBack", "told")


def test_the_api_server_is_away_when_the_harm_is_seen(server: ApiServer, tmp_path: Path) -> None:
    """The decision is made and stored without it, and carried out as soon as it is back."""
    with a_canary(server, tmp_path / "state") as story:
        server.stop_alone()
        try:

            def decided() -> bool:
                story.harm()
                return story.phase() in ("RollingBack", "RolledBack")

            eventually(decided, "decided")
            assert story.phase() == "RollingBack", "what was not seen is not called done"
        finally:
            server.start_alone()
        eventually(lambda: story.weights() == STABLE, "carried out")
        eventually(lambda: story.status()["phase"] == "RolledBack", "told")


def test_the_api_server_is_slow(server: ApiServer, network: Forward, tmp_path: Path) -> None:
    with a_canary(server, tmp_path / "state", through(server, network)) as story:
        network.delay = 0.7
        network.drop()
        story.harmed_until_stable()
        network.delay = 0.0
        eventually(lambda: story.status()["phase"] == "RolledBack", "told")


def test_a_watch_that_is_half_open_is_noticed(server: ApiServer, network: Forward, tmp_path: Path) -> None:
    """No connection closes and nothing comes: what the view shows is not believed, and the harm is taken away."""
    with a_canary(server, tmp_path / "state", through(server, network)) as story:
        network.freeze()
        view = story.daemon.house.routers
        (held,) = story.daemon.house.book.all()
        eventually(lambda: "not current" in str(view.look(held)), "noticed")

        def decided() -> bool:
            story.harm()
            return story.phase() == "RollingBack"

        eventually(decided, "decided")
        assert story.weights() == CANARY
        network.drop()
        network.thaw()
        story.harmed_until_stable()


def test_only_the_watches_die_without_a_word(server: ApiServer, network: Forward, tmp_path: Path) -> None:
    """Somebody lowers the traffic while nothing is heard; it is seen after the next list, and never raised again."""
    with a_canary(server, tmp_path / "state", through(server, network)) as story:
        network.freeze()
        only = [{"op": "replace", "path": "/spec/rules/0/backendRefs/1/weight", "value": 0}]
        server.kubectl(
            "patch", "httproute", NAME, "-n", story.namespace, "--type=json", "-p", str(only).replace("'", '"')
        )
        lowered = {"chat-v11": 90, "chat-v12": 0}
        assert story.weights() == lowered
        (held,) = story.daemon.house.book.all()
        eventually(lambda: "not current" in str(story.daemon.house.routers.look(held)), "noticed")
        network.drop()
        network.thaw()
        eventually(lambda: story.phase() == "Held", "held")
        assert story.weights() in (lowered, STABLE)


class Disturbed(ClusterObjects):
    """Somebody else writes the object under every write of a status: the API server answers a conflict each time."""

    writes, conflicts, calm = 0, 0, False

    def patch(self, ref: ObjectRef, operations: Sequence[Operation], part: str = "") -> Document:
        if Disturbed.calm or part != "status" or ref.kind != MODEL_ROLLOUT:
            return super().patch(ref, operations, part)
        Disturbed.writes += 1
        super().patch(ref, [Operation("add", "/metadata/annotations/disturbed", str(Disturbed.writes))])
        try:
            return super().patch(ref, operations, part)
        except ConflictError:
            Disturbed.conflicts += 1
            raise


def test_every_write_of_a_status_meets_a_conflict(server: ApiServer, tmp_path: Path) -> None:
    with a_canary(server, tmp_path / "state") as story:
        api = story.daemon.house.desk._writer._api  # type: ignore[attr-defined]
        before = story.status()["phase"]
        api.__class__ = Disturbed
        story.harmed_until_stable()
        eventually(lambda: story.phase() == "RolledBack", "verified")
        assert story.status()["phase"] == before
        eventually(lambda: "is changed by somebody else all the time" in story.said(), "told in the health")
        assert Disturbed.conflicts >= 5
        Disturbed.calm = True
        eventually(lambda: story.status()["phase"] == "RolledBack", "told, once it is let")


@pytest.mark.parametrize("bump", [1_000_000, 0], ids=["bumped", "naive"])
def test_etcd_is_restored_from_a_snapshot(own_api_server: ApiServer, tmp_path: Path, bump: int) -> None:
    """The cluster goes back to when v12 had traffic, after v12 was rolled back: it is taken away again.

    Bumped, every watch is told 410; naive, revisions go back and the watches are not told.
    """
    prepared(own_api_server)
    with a_canary(own_api_server, tmp_path / "state") as story:
        taken = own_api_server.etcd.snapshot(tmp_path / "snapshot")
        story.harmed_until_stable()
        eventually(lambda: story.status()["phase"] == "RolledBack", "told")
        own_api_server.restore(taken, bump_revision=bump)
        eventually(lambda: story.weights() == STABLE, "taken away again")
        eventually(lambda: story.status().get("phase") == "RolledBack", "told again")


def test_the_past_is_compacted_under_the_watches(server: ApiServer, network: Forward, tmp_path: Path) -> None:
    """A watch that opens again where nothing is known any more is told 410: everything is listed anew."""
    with a_canary(server, tmp_path / "state", through(server, network)) as story:
        network.freeze()
        for _ in range(3):
            server.kubectl("annotate", "modelrollout", NAME, "-n", story.namespace, "again=1", "--overwrite")
            server.kubectl("annotate", "modelrollout", NAME, "-n", story.namespace, "again=2", "--overwrite")
        compact(server)
        network.drop()
        network.thaw()
        story.harmed_until_stable()
        eventually(lambda: story.status()["phase"] == "RolledBack", "told")


def compact(server: ApiServer) -> None:
    """What was before now is forgotten."""
    import base64
    import json
    import urllib.request

    def post(path: str, body: dict[str, object]) -> dict[str, object]:
        asked = urllib.request.Request(f"{server.etcd.url}{path}", json.dumps(body).encode())
        with urllib.request.urlopen(asked, timeout=10) as answer:
            found: dict[str, object] = json.load(answer)
            return found

    told = post("/v3/kv/range", {"key": base64.b64encode(b"/registry").decode()})
    header = told["header"]
    assert isinstance(header, dict)
    post("/v3/kv/compaction", {"revision": header["revision"], "physical": True})


def test_the_definition_is_deleted_and_made_again(own_api_server: ApiServer, tmp_path: Path) -> None:
    """With the definition all rollouts go: v12 is withdrawn. Made and applied again, v11 is what serves."""
    prepared(own_api_server)
    with a_canary(own_api_server, tmp_path / "state") as story:
        own_api_server.kubectl("delete", "crd", "modelrollouts.tidegate.dev", "--timeout=30s")
        eventually(lambda: story.weights() == STABLE, "withdrawn")
        eventually(lambda: "apply Tidegate's manifests/crd.yaml" in story.said(), "told")
        installed(own_api_server, "crd.yaml")
        apply(story, "v11")
        eventually(lambda: story.status().get("stable") == "v11", "looked at again")
        assert story.weights() == STABLE


def test_the_definition_is_away_when_the_harm_is_seen(own_api_server: ApiServer, tmp_path: Path) -> None:
    """The rollout is gone from the cluster, and its candidate is taken away by what is stored here."""
    prepared(own_api_server)
    with a_canary(own_api_server, tmp_path / "state") as story:
        own_api_server.stop_alone()
        story.harm()
        own_api_server.start_alone()
        own_api_server.kubectl("delete", "crd", "modelrollouts.tidegate.dev", "--timeout=30s")
        story.harmed_until_stable()
