"""RolloutRequests on a real API server: never changed, made in one's own name, one RBAC verb per action."""

from collections.abc import Mapping

import pytest

from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.kubectl import KubectlError
from tests.cluster.resources import installed, wait_refused

pytestmark = pytest.mark.xdist_group("cluster-crd")


def request_of(name: str, namespace: str, **spec: object) -> dict[str, object]:
    asked = {"rollout": "chat", "action": "pause", "reason": "a known fault", "requestedBy": "alice"} | spec
    return {
        "apiVersion": "tidegate.dev/v1alpha1",
        "kind": "RolloutRequest",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {key: value for key, value in asked.items() if value is not None},
    }


def rules(*rules: Mapping[str, object], namespace: str, user: str) -> list[dict[str, object]]:
    group = "rbac.authorization.k8s.io"
    role: dict[str, object] = {
        "apiVersion": f"{group}/v1",
        "kind": "Role",
        "metadata": {"name": user, "namespace": namespace},
    }
    binding: dict[str, object] = {
        "apiVersion": f"{group}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": user, "namespace": namespace},
        "roleRef": {"apiGroup": group, "kind": "Role", "name": user},
        "subjects": [{"apiGroup": group, "kind": "User", "name": user}],
    }
    return [role | {"rules": list(rules)}, binding]


@pytest.fixture(scope="module")
def installed_server(api_server: ApiServer) -> ApiServer:
    """A policy takes effect a moment after it was written: until then everything is let in."""
    installed(api_server, "crd.yaml", "admission.yaml")
    wait_refused(api_server, request_of("probe", "default", requestedBy="nobody"))
    return api_server


@pytest.fixture
def server(installed_server: ApiServer, namespace: str) -> ApiServer:
    """Alice may make requests, and pause and resume the rollout `chat`."""
    make = {"apiGroups": ["tidegate.dev"], "resources": ["rolloutrequests"], "verbs": ["create", "get", "patch"]}
    verbs = {"apiGroups": ["tidegate.dev"], "resources": ["modelrollouts"], "resourceNames": ["chat"]}
    granted = rules(make, verbs | {"verbs": ["pause", "resume"]}, namespace=namespace, user="alice")
    installed_server.kubectl.apply(*granted, server_side=True)
    return installed_server


def test_a_granted_request_in_ones_own_name_is_taken(server: ApiServer, namespace: str) -> None:
    server.as_user("alice").apply(
        request_of("one", namespace), request_of("two", namespace, action="resume", run="r-1"), server_side=True
    )
    assert server.kubectl.get("rolloutrequest", "one", namespace)["spec"]["requestedBy"] == "alice"


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ({"requestedBy": "bob"}, "requestedBy is `bob` and the API server knows you as `alice` (write your own name)"),
        ({"action": "abort"}, "`alice` may not abort modelrollouts.tidegate.dev `chat` in the namespace"),
        ({"action": "abort"}, "resources: [modelrollouts], verbs: [abort]}"),
        ({"rollout": "other"}, "`alice` may not pause modelrollouts.tidegate.dev `other`"),
        ({"action": "delete"}, 'supported values: "abort", "retry", "pause", "resume", "approve", "review", "revoke"'),
        ({"reason": "  "}, "needs a reason (say why, for the history)"),
        ({"reason": None}, 'missing required field "reason"'),
        ({"reason": "x" * 1025}, "spec.reason: Too long"),
        ({"action": "review"}, "a review needs the argument confirm or dismiss"),
    ],
)
def test_anything_else_is_refused(server: ApiServer, namespace: str, spec: dict[str, object], told: str) -> None:
    with pytest.raises(KubectlError) as refused:
        server.as_user("alice").apply(request_of("one", namespace, **spec), server_side=True)
    assert told in str(refused.value)


def test_a_request_stays_as_it_was_made(server: ApiServer, namespace: str) -> None:
    server.as_user("alice").apply(request_of("one", namespace), server_side=True)
    with pytest.raises(KubectlError, match="a request stays as it was made"):
        server.as_user("alice").apply(request_of("one", namespace, reason="another"), server_side=True)


def test_the_controller_says_what_became_of_it(server: ApiServer, namespace: str) -> None:
    server.as_user("alice").apply(request_of("one", namespace), server_side=True)
    done = '{"status": {"state": "Done", "message": "paused", "observedAt": "2026-01-01T00:00:00Z"}}'
    patch = ("patch", "mrr", "one", "-n", namespace, "--subresource=status", "--type=merge", "-p")
    server.kubectl(*patch, done)
    assert "Done" in server.kubectl("get", "mrr", "one", "-n", namespace)
    with pytest.raises(KubectlError, match='User "alice" cannot get resource "rolloutrequests/status"'):
        server.as_user("alice")(*patch, done)


def test_nobody_asks_for_others_whatever_their_rights(server: ApiServer, namespace: str) -> None:
    with pytest.raises(KubectlError, match="the API server knows you as `admin`"):
        server.kubectl.apply(request_of("one", namespace), server_side=True)
