"""Views on a real API server: current, cheap, and honest when they are not."""

import json
import socket
import time
from functools import partial
from pathlib import Path

import pytest

from controller.cluster.connect import Access, connect
from controller.cluster.listing import Pace
from controller.cluster.objects import ClusterObjects
from controller.cluster.views import ClusterViews
from controller.domain.cluster import (
    LEASE,
    ClusterUnavailableError,
    ForbiddenError,
    Kind,
    NotServedError,
    ObjectRef,
    Operation,
)
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.forward import Forward
from tests.cluster.clients import QUICK, WIDGET, serve, size, trouble, until, views_on, widget


class Seen(list[ObjectRef]):
    """What `changed` was told."""

    def of(self, name: str) -> int:
        return sum(ref.name == name for ref in self)


@pytest.fixture
def served(api_server: ApiServer) -> None:
    serve(api_server, WIDGET)


@pytest.mark.usefixtures("served")
def test_a_view_tells_what_is_there_and_every_change_once(api_server: ApiServer, namespace: str) -> None:
    with views_on(api_server.kubeconfig("admin")) as (views, connection):
        objects, seen = ClusterObjects(connection), Seen()
        one, two = ObjectRef(WIDGET, namespace, "one"), ObjectRef(WIDGET, namespace, "two")
        objects.create(one, widget("one"))
        views.follow(WIDGET, namespace, seen.append)
        assert views.wait(10)
        assert size(views.get(one)) == 1
        assert views.get(two) is None
        objects.create(two, widget("two"))
        until(lambda: views.get(two))
        objects.patch(one, [Operation("replace", "/spec/size", 7)])
        until(lambda: size(views.get(one)) == 7)
        until(lambda: (seen.of("one"), seen.of("two")) == (2, 1))
        api_server.kubectl("delete", "widgets", "two", "-n", namespace)
        until(lambda: views.get(two) is None)
        assert [size(document) for document in views.all(WIDGET)] == [7]
        until(lambda: seen.of("two") == 2)
        time.sleep(3 * QUICK.watch)  # watches end and begin anew: nothing is told again
        assert (seen.of("one"), seen.of("two")) == (2, 2)


@pytest.mark.usefixtures("served")
def test_what_a_write_returned_is_known_before_the_watch_tells_it(api_server: ApiServer, namespace: str) -> None:
    with views_on(api_server.kubeconfig("admin")) as (views, connection):
        objects = ClusterObjects(connection)
        ref = ObjectRef(WIDGET, namespace, "one")
        objects.create(ref, widget("one"))
        views.follow(WIDGET, namespace, lambda _: None)
        assert views.wait(10)
        for wanted in range(2, 60):
            views.learn(ref, objects.patch(ref, [Operation("replace", "/spec/size", wanted)]))
            assert size(views.get(ref)) == wanted


@pytest.mark.usefixtures("served")
def test_lists_come_in_pages_and_a_thousand_objects_cost_little(api_server: ApiServer, namespace: str) -> None:
    api_server.kubectl("create", "-n", namespace, "-f", "-", stdin=_many(namespace, 1100))
    with views_on(api_server.kubeconfig("admin")) as (views, _):
        seen = Seen()
        views.follow(WIDGET, namespace, seen.append)
        assert views.wait(20)
        assert len(views.all(WIDGET)) == len(seen) == 1100
        reads = 100_000
        started = time.perf_counter()
        for _ in range(reads):
            views.get(ObjectRef(WIDGET, namespace, "w-1"))
        assert (time.perf_counter() - started) / reads < 100e-6


def _many(namespace: str, count: int) -> str:
    items = [{**widget(f"w-{n}"), "metadata": {"name": f"w-{n}", "namespace": namespace}} for n in range(count)]
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": items})


def test_a_definition_that_is_missing_comes_goes_and_comes_again(api_server: ApiServer, namespace: str) -> None:
    kind = Kind("coming.dev", "v1", "comers", "Comer")
    document = {"apiVersion": "coming.dev/v1", "kind": "Comer", "metadata": {"name": "one"}, "spec": {"size": 1}}
    ref = ObjectRef(kind, namespace, "one")
    with views_on(api_server.kubeconfig("admin")) as (views, connection):
        views.follow(kind, "", lambda _: None)
        until(lambda: isinstance(trouble(views, ref), NotServedError))
        for _ in range(2):
            serve(api_server, kind)
            until(lambda: trouble(views, ref) is None)
            ClusterObjects(connection).create(ref, document)
            until(lambda: views.get(ref))
            api_server.kubectl("delete", "crd", kind.resource)
            until(lambda: isinstance(trouble(views, ref), NotServedError))


def test_a_view_that_is_not_allowed_says_which_rule_to_add(api_server: ApiServer, namespace: str) -> None:
    rules = ["list", "watch"]
    with views_on(api_server.kubeconfig("bob")) as (views, _):
        ref = ObjectRef(LEASE, namespace, "one")
        views.follow(LEASE, namespace, lambda _: None)
        for verb in rules:
            until(partial(_says, views, ref, f'verbs: ["{verb}"]'))
            assert isinstance(trouble(views, ref), ForbiddenError)
            name = f"bob-{verb}"
            api_server.kubectl(
                "create", "role", name, "-n", namespace, "--resource=leases.coordination.k8s.io", f"--verb={verb}"
            )
            api_server.kubectl("create", "rolebinding", name, "-n", namespace, f"--role={name}", "--user=bob")
        until(lambda: trouble(views, ref) is None)


def test_a_half_open_connection_is_noticed_and_mended(api_server: ApiServer, namespace: str) -> None:
    forward = Forward(
        socket.create_server(("127.0.0.1", 0)), lambda: socket.create_connection(("127.0.0.1", api_server.port))
    )
    kubeconfig = api_server.kubeconfig_for("far", api_server.token, server=f"https://127.0.0.1:{forward.port}")
    try:
        with views_on(kubeconfig) as (views, _):
            ref = ObjectRef(LEASE, namespace, "one")
            views.follow(LEASE, namespace, lambda _: None)
            assert views.wait(10)
            forward.freeze()
            until(lambda: isinstance(trouble(views, ref), ClusterUnavailableError), 15)
            assert "is not current since" in str(trouble(views, ref))
            forward.thaw()
            until(lambda: trouble(views, ref) is None, 20)
    finally:
        forward.stop()


def test_a_restarted_and_an_old_database_are_survived(own_api_server: ApiServer, tmp_path: Path) -> None:
    server = own_api_server
    serve(server, WIDGET)
    with views_on(server.kubeconfig("admin")) as (views, connection):
        objects, seen = ClusterObjects(connection), Seen()
        kept, lost = ObjectRef(WIDGET, "default", "kept"), ObjectRef(WIDGET, "default", "lost")
        objects.create(kept, widget("kept"))
        snapshot = server.etcd.snapshot(tmp_path / "snapshot")
        views.follow(WIDGET, "", seen.append)
        assert views.wait(10)
        objects.create(lost, widget("lost"))
        for n in range(20):
            objects.patch(kept, [Operation("replace", "/spec/size", 100 + n)])
        until(lambda: views.get(lost) and size(views.get(kept)) == 119)
        server.restart()
        until(lambda: trouble(views, kept) is None and size(views.get(kept)) == 119)
        server.stop_alone()
        server.etcd.restore(snapshot)
        server.start_alone()
        until(lambda: trouble(views, kept) is None and size(views.get(kept)) == 1, 30)
        assert views.get(lost) is None
        objects.patch(kept, [Operation("replace", "/spec/size", 3)])
        until(lambda: size(views.get(kept)) == 3)


def test_a_view_costs_no_requests_but_its_watch(api_server: ApiServer, namespace: str) -> None:
    told: list[str] = []
    connection = connect(Access(api_server.kubeconfig("admin")))
    pace = Pace(watch=4.0, grace=1.0, fresh=10.0)
    views = ClusterViews(connection, pace, lambda verb, *_: told.append(verb))
    try:
        views.follow(LEASE, namespace, lambda _: None)
        views.follow(LEASE, namespace, lambda _: None)
        assert views.wait(10)
        time.sleep(9)
        views.get(ObjectRef(LEASE, namespace, "x"))
        assert told.count("list") == 1
        assert 2 <= told.count("watch") <= 3
    finally:
        views.close()
        connection.close()


def _says(views: ClusterViews, ref: ObjectRef, words: str) -> bool:
    return words in str(trouble(views, ref))
