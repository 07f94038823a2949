"""What goes wrong in the middle of a watch of a real API server: errors told in it, refusals, torn and dead streams."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.cluster.objects import ClusterObjects
from controller.domain.cluster import ClusterUnavailableError, ObjectRef, Operation
from controller.testing.cluster_parts.apiserver import ApiServer
from tests.cluster.clients import WIDGET, connected, serve, size, until, views_on, widget
from tests.cluster.faults_rig import CANARY, STABLE, a_canary, impatient, prepared
from tests.cluster.hands import eventually
from tests.cluster.meddler import Asked, Meddler, Stream, a_meddler

pytestmark = [pytest.mark.xdist_group("faults-watches"), pytest.mark.timeout(240)]
CODES = (410, 429, 500)
TORN: dict[str, Callable[[Stream], None]] = {
    "410 told": lambda stream: stream.fail(410),
    "429 told": lambda stream: stream.fail(429),
    "500 told": lambda stream: stream.fail(500),
    "torn in an event": Stream.tear,
    "cut": Stream.cut,
    "half-open": Stream.mute,
}


@pytest.fixture
def meddler(api_server: ApiServer, tmp_path: Path) -> Iterator[Meddler]:
    with a_meddler(api_server, tmp_path) as made:
        yield made


@pytest.fixture
def place(api_server: ApiServer, namespace: str) -> str:
    serve(api_server, WIDGET)
    return namespace


def one_watch(meddler: Meddler, plural: str) -> Stream:
    until(lambda: meddler.watches(plural))
    return meddler.watches(plural)[0]


@pytest.mark.parametrize(
    ("how", "then"),
    [
        ("410 told", 0), ("410 told", 410), ("429 told", 429), ("500 told", 500),
        ("torn in an event", 500), ("cut", 429), ("half-open", 0),
    ],
)  # fmt: skip
def test_a_view_misses_nothing_of_what_happened_meanwhile(
    api_server: ApiServer, place: str, meddler: Meddler, how: str, then: int
) -> None:
    """The watch breaks, the list and the watch that follow are refused once (`then`), and meanwhile objects come,
    change and go. Everything is as the API server has it in the end, and each change was told."""
    refs = {name: ObjectRef(WIDGET, place, name) for name in ("stays", "changes", "goes", "comes")}
    told: list[ObjectRef] = []
    with connected(api_server.kubeconfig("admin")) as direct, views_on(meddler.kubeconfig()) as (views, _):
        objects = ClusterObjects(direct)
        for name in ("stays", "changes", "goes"):
            objects.create(refs[name], widget(name))
        views.follow(WIDGET, place, told.append)
        assert views.wait(10)
        until(lambda: len(told) == 3)
        stream = one_watch(meddler, "widgets")
        if then:
            patience = {"Retry_After": "1"} if then == 429 else {}
            meddler.answer(then, lambda asked: asked.verb == "watch", 1, **patience)
            meddler.answer(then, lambda asked: asked.verb == "list", 1, **patience)
        TORN[how](stream)
        objects.create(refs["comes"], widget("comes", 5))
        _resize(objects, refs["changes"], 7)
        api_server.kubectl("delete", "widgets", "goes", "-n", place)

        def converged() -> bool:
            try:
                return {str(_name(one)): size(one) for one in views.all(WIDGET)} == {
                    "stays": 1, "changes": 7, "comes": 5,
                }  # fmt: skip
            except ClusterUnavailableError:
                return False

        until(converged)
        until(lambda: not meddler.left())
        until(lambda: set(told[3:]) >= {refs["changes"], refs["comes"], refs["goes"]})
        assert refs["stays"] not in told[3:], "nothing happened to it"
        meddler.heal()
        _resize(objects, refs["stays"], 9)
        until(lambda: size(views.get(refs["stays"])) == 9)


def _resize(objects: ClusterObjects, ref: ObjectRef, to: int) -> None:
    objects.patch(ref, [Operation("replace", "/spec/size", to)])


def _name(document: Any) -> object:
    return document["metadata"]["name"]


def test_a_rollback_goes_out_while_watches_fail_again_and_again(
    api_server: ApiServer, meddler: Meddler, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every watch is broken from within, and every second list is refused, from before the harm until after it."""
    impatient(monkeypatch)
    prepared(api_server)
    codes, refused = itertools.cycle(CODES), itertools.cycle((True, False))
    with a_canary(api_server, tmp_path / "state", meddler.kubeconfig()) as story:
        for code in CODES:
            meddler.answer(code, lambda asked: asked.verb == "list" and next(refused), 10)
        assert story.weights() == CANARY

        def rolled_back() -> bool:
            for one in meddler.watches():
                one.fail(next(codes))
            story.harm()
            return story.weights() == STABLE

        eventually(rolled_back, "rolled back")
        meddler.heal()
        eventually(lambda: story.status()["phase"] == "RolledBack", "told")


@pytest.mark.parametrize(
    ("method", "path", "asked"),
    [
        ("GET", "/apis/example.dev/v1/namespaces/a/widgets?limit=500", Asked("list", "widgets")),
        ("GET", "/apis/example.dev/v1/widgets?watch=true&resourceVersion=1", Asked("watch", "widgets")),
        ("PATCH", "/apis/tidegate.dev/v1alpha1/namespaces/a/modelrollouts/chat/status",
         Asked("patch", "modelrollouts", "status")),
        ("GET", "/api/v1/namespaces/a/services/x", Asked("get", "services")),
        ("POST", "/apis/events.k8s.io/v1/namespaces/a/events", Asked("create", "events")),
    ],
)  # fmt: skip
def test_what_a_request_asks(method: str, path: str, asked: Asked) -> None:
    assert Asked.read(method, path) == asked
