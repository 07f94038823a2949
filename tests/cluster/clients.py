"""Doors to a real API server, and small things to ask it for."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.cluster.connect import Access, Connection, connect
from controller.cluster.listing import Pace
from controller.cluster.views import ClusterViews
from controller.domain.cluster import ClusterError, Kind, ObjectRef
from controller.ports import ObjectView
from controller.testing.cluster_parts.apiserver import ApiServer

WIDGET = Kind("example.dev", "v1", "widgets", "Widget")
QUICK = Pace(watch=2.0, grace=1.0, fresh=5.0, backoff_first=0.1, backoff_longest=1.0)


def serve(server: ApiServer, kind: Kind) -> None:
    """A custom resource with a status and any spec."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    version = {"name": kind.version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": kind.resource},
        "spec": {
            "group": kind.group,
            "scope": "Namespaced",
            "names": {"plural": kind.plural, "kind": kind.name},
            "versions": [{**version, "subresources": {"status": {}}}],
        },
    }
    server.kubectl.apply(definition)
    server.kubectl.established(f"crd/{kind.resource}")


def widget(name: str, size: int = 1) -> dict[str, object]:
    return {"apiVersion": "example.dev/v1", "kind": "Widget", "metadata": {"name": name}, "spec": {"size": size}}


def size(document: object) -> object:
    assert isinstance(document, dict)
    return document["spec"]["size"]


def until(holds: Callable[[], object], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s"
        time.sleep(0.02)


@contextmanager
def connected(kubeconfig: Path, **access: float) -> Iterator[Connection]:
    connection = connect(Access(kubeconfig, **access))  # type: ignore[arg-type]
    try:
        yield connection
    finally:
        connection.close()


@contextmanager
def views_on(kubeconfig: Path, pace: Pace = QUICK) -> Iterator[tuple[ClusterViews, Connection]]:
    with connected(kubeconfig) as connection:
        views = ClusterViews(connection, pace)
        try:
            yield views, connection
        finally:
            views.close()


def trouble(view: ObjectView, ref: ObjectRef) -> ClusterError | None:
    """Why the view is not current; None when it is."""
    try:
        view.get(ref)
    except ClusterError as error:
        return error
    return None
