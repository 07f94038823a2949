"""Asking a real API server: what the doors promise, every refusal in plain words, and a bad network."""

import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from controller.cluster.connect import Access, NoAccessError, connect
from controller.cluster.objects import ClusterObjects
from controller.domain.cluster import (
    EVENT,
    LEASE,
    SERVICE,
    ClusterUnavailableError,
    ForbiddenError,
    InvalidObjectError,
    NotServedError,
    ObjectRef,
    Operation,
)
from controller.ports import ObjectView
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.forward import Forward
from controller.testing.conformance.cluster import CLUSTER_PROMISES, PLAIN, ClusterRig, Doors
from tests.cluster.clients import WIDGET, connected, serve, size, views_on, widget


class Rig:
    """One namespace of the real one."""

    def __init__(self, server: ApiServer, namespace: str, api: Doors, view: ObjectView) -> None:
        self.namespace, self.api, self.view = namespace, api, view
        self._server = server

    def delete(self, ref: ObjectRef) -> None:
        self._server.kubectl("delete", ref.kind.resource, ref.name, "-n", ref.namespace)


@pytest.fixture
def rig(api_server: ApiServer, namespace: str) -> Iterator[Rig]:
    serve(api_server, PLAIN)
    with views_on(api_server.kubeconfig("admin")) as (views, connection):
        yield Rig(api_server, namespace, ClusterObjects(connection), views)


@pytest.mark.parametrize("promise", CLUSTER_PROMISES.values(), ids=CLUSTER_PROMISES.keys())
def test_keeps_the_promise_of_a_cluster(promise: Callable[[ClusterRig], None], rig: Rig) -> None:
    promise(rig)


ASKED: dict[str, tuple[str, Callable[[ClusterObjects, str], object]]] = {
    "get": ('resources: ["services"], verbs: ["get"]', lambda api, ns: api.get(ObjectRef(SERVICE, ns, "one"))),
    "list": ('resources: ["services"], verbs: ["list"]', lambda api, ns: api.list(SERVICE, ns)),
    "list everywhere": ('resources: ["services"], verbs: ["list"]', lambda api, _: api.list(SERVICE)),
    "patch": (
        'apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["patch"]',
        lambda api, ns: api.patch(ObjectRef(LEASE, ns, "one"), [Operation("add", "/spec", {})]),
    ),
    "patch a status": (
        'apiGroups: [""], resources: ["services/status"], verbs: ["patch"]',
        lambda api, ns: api.patch(ObjectRef(SERVICE, ns, "one"), [Operation("add", "/status", {})], "status"),
    ),
    "create": (
        'apiGroups: ["events.k8s.io"], resources: ["events"], verbs: ["create"]',
        lambda api, ns: api.create(ObjectRef(EVENT, ns, "one"), {"metadata": {"name": "one"}}),
    ),
}


@pytest.mark.parametrize("asked", ASKED.values(), ids=ASKED.keys())
def test_what_rbac_denies_names_verb_resource_and_the_rule_to_add(
    asked: tuple[str, Callable[[ClusterObjects, str], object]], api_server: ApiServer, namespace: str
) -> None:
    rule, ask = asked
    with connected(api_server.kubeconfig("alice")) as connection, pytest.raises(ForbiddenError) as raised:
        ask(ClusterObjects(connection), namespace)
    assert rule in str(raised.value)
    where = (
        f"in namespace {namespace}: add this rule to the Role or",
        "in the whole cluster: add this rule to the Clus",
    )
    assert any(words in str(raised.value) for words in where)


def test_the_rule_that_an_error_names_is_the_one_that_helps(api_server: ApiServer, namespace: str) -> None:
    with connected(api_server.kubeconfig("carol")) as connection:
        api = ClusterObjects(connection)
        ref = ObjectRef(LEASE, namespace, "mine")
        with pytest.raises(ForbiddenError) as raised:
            api.create(ref, {"metadata": {"name": "mine"}})
        rule = str(raised.value).partition("service account: ")[2]
        role = f"apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {{name: r}}\nrules:\n{rule}\n"
        api_server.kubectl("apply", "-n", namespace, "-f", "-", stdin=role)
        api_server.kubectl("create", "rolebinding", "r", "-n", namespace, "--role=r", "--user=carol")
        deadline = time.monotonic() + 10
        while True:  # the authorizer sees a new binding after a moment
            try:
                assert api.create(ref, {"metadata": {"name": "mine"}})
                break
            except ForbiddenError:
                assert time.monotonic() < deadline
                time.sleep(0.05)


def test_what_the_api_server_says_of_an_invalid_object_is_kept(api_server: ApiServer, namespace: str) -> None:
    with connected(api_server.kubeconfig("admin")) as connection:
        api = ClusterObjects(connection)
        ref = ObjectRef(LEASE, namespace, "bad")
        with pytest.raises(InvalidObjectError, match="leaseDurationSeconds: Invalid value: -4"):
            api.create(ref, {"metadata": {"name": "bad"}, "spec": {"leaseDurationSeconds": -4}})
        with pytest.raises(NotServedError, match=r"there is no namespace nowhere; create it"):
            api.create(ObjectRef(LEASE, "nowhere", "one"), {"metadata": {"name": "one"}})


def test_what_an_admission_policy_refuses_is_no_matter_of_rbac(api_server: ApiServer, namespace: str) -> None:
    serve(api_server, WIDGET)
    rules = {"apiGroups": [WIDGET.group], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["widgets"]}
    only_here = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    constraint = {"resourceRules": [rules], "namespaceSelector": only_here}
    admission = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": f"small-{namespace}"}}
    wrong = {"expression": "object.spec.size < 5", "message": "too large for us", "reason": "Forbidden"}
    api_server.kubectl.apply(
        {
            **admission,
            "kind": "ValidatingAdmissionPolicy",
            "spec": {"matchConstraints": constraint, "validations": [wrong]},
        },
        {
            **admission,
            "kind": "ValidatingAdmissionPolicyBinding",
            "spec": {"policyName": f"small-{namespace}", "validationActions": ["Deny"]},
        },
    )
    with connected(api_server.kubeconfig("admin")) as connection:
        api = ClusterObjects(connection)
        deadline = time.monotonic() + 20
        for attempt in range(1000):  # policies are seen after a moment
            try:
                api.create(ObjectRef(WIDGET, namespace, f"w{attempt}"), widget(f"w{attempt}", 9))
            except InvalidObjectError as error:
                assert "too large for us" in str(error)  # noqa: PT017 - which attempt it is, is not known
                break
            assert time.monotonic() < deadline
            time.sleep(0.1)


def test_pages_make_one_list(api_server: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("controller.cluster.objects.PAGE", 3)
    with connected(api_server.kubeconfig("admin")) as connection:
        told: list[tuple[str, str, int]] = []
        api = ClusterObjects(connection, lambda verb, resource, code, _: told.append((verb, resource, code)))
        for n in range(8):
            api.create(ObjectRef(LEASE, namespace, f"l{n}"), {"metadata": {"name": f"l{n}"}})
        told.clear()
        assert len(api.list(LEASE, namespace)) == 8
        assert told == [("list", "leases.coordination.k8s.io", 200)] * 3


def test_a_silent_api_server_is_given_up_in_time(own_api_server: ApiServer) -> None:
    ref = ObjectRef(LEASE, "default", "one")
    codes: list[int] = []
    with connected(own_api_server.kubeconfig("admin"), read_seconds=1.0) as connection:
        api = ClusterObjects(connection, lambda _verb, _resource, code, _seconds: codes.append(code))
        assert api.get(ref) is None
        own_api_server.pause()
        started = time.monotonic()
        with pytest.raises(ClusterUnavailableError, match="no answer within the time-out"):
            api.get(ref)
        assert time.monotonic() - started < 4
        own_api_server.resume()
        assert api.get(ref) is None
        own_api_server.stop_alone()
        with pytest.raises(ClusterUnavailableError, match=r"the connection broke|no connection"):
            api.get(ref)
        with pytest.raises(ClusterUnavailableError, match="no connection"):
            api.get(ref)
        own_api_server.start_alone()
        assert api.get(ref) is None
    assert codes == [404, 0, 404, 0, 0, 404]


def test_a_dead_database_behind_the_api_server_is_unavailable(own_api_server: ApiServer) -> None:
    with connected(own_api_server.kubeconfig("admin"), read_seconds=3.0) as connection:
        own_api_server.etcd.pause()
        with pytest.raises(ClusterUnavailableError):
            ClusterObjects(connection).patch(ObjectRef(SERVICE, "default", "kubernetes"), [Operation("add", "/x", 1)])
        own_api_server.etcd.resume()


def test_a_hung_up_connection_is_unavailable_and_the_next_request_works(api_server: ApiServer, namespace: str) -> None:
    forward = Forward(
        socket.create_server(("127.0.0.1", 0)), lambda: socket.create_connection(("127.0.0.1", api_server.port))
    )
    kubeconfig = api_server.kubeconfig_for("far", api_server.token, server=f"https://127.0.0.1:{forward.port}")
    try:
        with connected(kubeconfig, read_seconds=1.0) as connection:
            api = ClusterObjects(connection)
            ref = ObjectRef(LEASE, namespace, "one")
            assert api.get(ref) is None
            forward.freeze()
            with pytest.raises(ClusterUnavailableError) as raised:
                api.get(ref)
            assert api_server.token not in str(raised.value)
            forward.thaw()
            forward.drop()
            assert api.get(ref) is None
    finally:
        forward.stop()


def test_credentials_that_are_not_accepted_say_so(api_server: ApiServer, namespace: str) -> None:
    kubeconfig = api_server.kubeconfig_for("nobody", "not-a-token")
    with (
        connected(kubeconfig) as connection,
        pytest.raises(ClusterUnavailableError, match="credentials are not accepted"),
    ):
        ClusterObjects(connection).get(ObjectRef(LEASE, namespace, "one"))


def test_another_authority_is_not_trusted(own_api_server: ApiServer, api_server: ApiServer) -> None:
    kubeconfig = api_server.kubeconfig_for("lost", api_server.token, server=own_api_server.url)
    with connected(kubeconfig) as connection, pytest.raises(ClusterUnavailableError, match="certificate"):
        ClusterObjects(connection).get(ObjectRef(LEASE, "default", "one"))


def test_the_api_server_knows_us_by_name(api_server: ApiServer, namespace: str) -> None:
    with connected(api_server.kubeconfig("admin")) as connection:
        document = {"metadata": {"name": "x"}, "spec": {"holderIdentity": "me"}}
        made = ClusterObjects(connection).create(ObjectRef(LEASE, namespace, "x"), document)
        assert connection.namespace == "default"
    metadata = made["metadata"]
    assert isinstance(metadata, dict)
    assert [one["manager"] for one in metadata["managedFields"]] == ["tidegate"]


def test_no_access_says_where_it_looked(tmp_path: Path, api_server: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for access in (
        Access(tmp_path / "missing"),
        Access(api_server.kubeconfig("admin"), context="other"),
        Access(_file(tmp_path, "no: kubeconfig")),
        Access(_file(tmp_path, "]")),
    ):
        with pytest.raises(NoAccessError, match=r"give --kubeconfig FILE") as raised:
            connect(access)
        assert str(access.kubeconfig) in str(raised.value)


def _file(folder: Path, text: str) -> Path:
    path = folder / f"config-{len(text)}"
    path.write_text(text)
    return path


def test_inside_a_pod_its_account_is_used_and_a_new_token_is_seen(
    api_server: ApiServer, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "token").write_text("an-old-token")
    (tmp_path / "ca.crt").write_text(api_server.ca_file.read_text())
    (tmp_path / "namespace").write_text(namespace)
    monkeypatch.setattr("controller.cluster.connect.ACCOUNT", tmp_path)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(api_server.port))
    connection = connect(Access())
    try:
        assert connection.namespace == namespace
        api, ref = ClusterObjects(connection), ObjectRef(LEASE, namespace, "one")
        with pytest.raises(ClusterUnavailableError, match="credentials"):
            api.get(ref)
        (tmp_path / "token").write_text(api_server.token)
        assert api.get(ref) is None
        (tmp_path / "token").unlink()
        assert api.get(ref) is None
    finally:
        connection.close()


def test_an_object_without_a_name_is_never_asked_for(api_server: ApiServer) -> None:
    with connected(api_server.kubeconfig("admin")) as connection:
        api = ClusterObjects(connection)
        for ref in (ObjectRef(LEASE, "", "one"), ObjectRef(LEASE, "default", "")):
            for ask in (partial(api.get, ref), partial(api.patch, ref, []), partial(api.create, ref, {})):
                with pytest.raises(ValueError, match="names no object"):
                    ask()
        serve(api_server, WIDGET)
        odd = ObjectRef(WIDGET, "default", "a.b")
        assert size(api.create(odd, widget("a.b", 4))) == 4
