"""What a rollout says of a cluster: an HTTPRoute, Services, and what is scaled with a version."""

from datetime import timedelta

import pytest

from controller.domain.rollout import Scale
from controller.domain.route import BackendRef, EnvoyRoute, GatewayApiRoute
from controller.spec.digests import LATER
from tests.spec.texts import EXAMPLES, FULL, MINIMAL, edited, good, told

KUBERNETES = (EXAMPLES / "kubernetes.yaml").read_text(encoding="utf-8")
STARTUP = "    startup: {path: /health, deadline: 45m}\n"
SCALE = "    scale: {name: chat-v12, replicas: 4}\n"

HASHES = {
    "minimal": ("sha256:77c581c06f6e", "sha256:efaa5f7384bc"),
    "support-bot": ("sha256:be921323dd72", "sha256:9895f7bb0092"),
}
"""What stored runs of these files were pinned to before there were any fields of a cluster."""


@pytest.mark.parametrize(("name", "text"), [("minimal", MINIMAL), ("support-bot", FULL)])
def test_hashes_of_files_without_these_fields_stay(name: str, text: str) -> None:
    rollout = good(text)
    assert (rollout.content_hash[:19], rollout.run_hash[:19]) == HASHES[name]
    assert {"gateway_api", "scale", "from_template"} <= LATER


def test_a_route_of_the_cluster() -> None:
    rollout = good(KUBERNETES)
    assert rollout.route.target == GatewayApiRoute("assistants", "chat", "chat", ("argocd-controller",))
    assert rollout.versions[0].backend == BackendRef("Service", "chat-v11", 8000)


def test_the_namespace_of_the_rollout_is_that_of_the_route() -> None:
    one, other = good(KUBERNETES), good(edited(KUBERNETES, ("namespace: assistants", "namespace: other")))
    assert isinstance(other.route.target, GatewayApiRoute)
    assert other.route.target.namespace == "other"
    assert one.run_hash != other.run_hash


def test_a_rule_need_not_be_named() -> None:
    target = good(edited(KUBERNETES, ("      rule: chat  ", "      # rule: chat  "))).route.target
    assert isinstance(target, GatewayApiRoute)
    assert target.rule is None


def test_an_inference_pool() -> None:
    text = KUBERNETES.replace("kind: Service", "kind: InferencePool")
    assert good(text).versions[1].backend.kind == "InferencePool"


MISTAKES = [
    (("  - gatewayAPI:", "  - stickyBy: {header: x-user}\n    gatewayAPI:"), "spec.routes[0].stickyBy: the router gat"),
    (("kind: Service, name: chat-v11", "kind: Host, name: 10.0.0.1"), "versions[0].backendRef.kind: an HTTPRoute can"),
    (("name: chat-v11,", "name: chat.v11,"), "versions[0].backendRef.name: is not the name of a Service or Inf"),
    (("name: chat-v12, port", "name: chat-v11, port"), "versions[1].backendRef: is the same as that of versions[0]"),
    (("httpRoute: chat", "httpRuote: chat"), "gatewayAPI.httpRuote: `httpRuote` is not a field here (did you mean"),
    (("httpRoute: chat", "httpRoute: Chat"), '"Chat" is not the name of an object'),
    (("gatewayAPI:", "gatewayApi:"), "unknown router `gatewayApi`; known: envoy, gateway_api (did you mean `gatewayA"),
]


@pytest.mark.parametrize(("edit", "words"), MISTAKES)
def test_mistakes(edit: tuple[str, str], words: str) -> None:
    problems = told(edited(KUBERNETES, edit))
    assert any(words in one for one in problems), problems


def test_an_envoy_of_this_machine_knows_no_objects_of_a_cluster() -> None:
    text = edited(MINIMAL, ("Host, name: 127.0.0.1, port: 8002", "InferencePool, name: x, port: 8002"))
    assert "cannot look up an InferencePool" in told(text)[0]
    assert isinstance(good(MINIMAL).route.target, EnvoyRoute)


class TestScale:
    """What brings a version up and down."""

    def test_defaults(self) -> None:
        scale = good(edited(KUBERNETES, (STARTUP, STARTUP + SCALE))).versions[1].scale
        minutes = timedelta(minutes=1)
        assert scale == Scale("apps/v1", "Deployment", "chat-v12", 4, 30 * minutes, 10 * minutes)

    def test_anything_with_a_scale(self) -> None:
        block = "{apiVersion: serving.example.com/v1, kind: ModelServer, name: m, replicas: 1, deadline: 1h, "
        text = edited(KUBERNETES, (STARTUP, f"{STARTUP}    scale: {block}downAfter: 1d}}\n"))
        hour = timedelta(hours=1)
        found = good(text).versions[1].scale
        assert found == Scale("serving.example.com/v1", "ModelServer", "m", 1, hour, 24 * hour)

    def test_an_edit_of_it_is_no_new_run(self) -> None:
        with_it = edited(KUBERNETES, (STARTUP, STARTUP + SCALE))
        one, other = good(with_it), good(with_it.replace("replicas: 4", "replicas: 5"))
        assert one.run_hash == other.run_hash == good(KUBERNETES).run_hash
        assert one.content_hash != other.content_hash != good(KUBERNETES).content_hash

    @pytest.mark.parametrize(
        ("block", "words"),
        [
            ("{name: chat-v12}", "scale.replicas: `replicas` is missing"),
            ("{name: chat-v12, replicas: 0}", "scale.replicas: 0 is too small"),
            ("{name: chat-v12, replicas: 1, kind: deployment}", '"deployment" is not a kind'),
            ("{name: chat-v12, replicas: 1, apiVersion: apps}", '"apps" is not an API version'),
            ("{name: chat-v12, replicas: 1, deadlin: 1h}", "did you mean `deadline`?"),
        ],
    )
    def test_mistakes(self, block: str, words: str) -> None:
        problems = told(edited(KUBERNETES, (STARTUP, f"{STARTUP}    scale: {block}\n")))
        assert any(words in one for one in problems), problems

    def test_two_versions_are_not_one_object(self) -> None:
        bundle = 'bundle: {weights: "sha256:1f0c", prompt: "sha256:77aa"}\n'
        text = edited(KUBERNETES, (STARTUP, STARTUP + SCALE), (bundle, bundle + SCALE))
        assert "spec.versions[1].scale: is the same as that of versions[0]" in told(text)[0]
