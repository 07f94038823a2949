"""The CRD on a real API server: what lint takes is taken, what lint refuses is refused with lint's words."""

import copy
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from controller.spec.parse import parse_document
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.kubectl import KubectlError
from tests.cluster.resources import installed

pytestmark = pytest.mark.xdist_group("cluster-crd")
EXAMPLES = Path(__file__).resolve().parents[2] / "rollouts"
Node = dict[str, Any]


@pytest.fixture(scope="module")
def server(api_server: ApiServer) -> ApiServer:
    installed(api_server, "crd.yaml")
    return api_server


def example(file: str, namespace: str) -> Node:
    document: Node = yaml.safe_load((EXAMPLES / file).read_text(encoding="utf-8"))
    document["metadata"]["namespace"] = namespace
    return document


def put(document: Node, *steps: str | int, value: object = None) -> Node:
    """The document with something else at a place; None removes what is there."""
    changed = copy.deepcopy(document)
    here: Any = changed
    for step in steps[:-1]:
        here = here[step]
    if value is None:
        del here[steps[-1]]
    elif isinstance(here, list) and steps[-1] == len(here):
        here.append(value)
    else:
        here[steps[-1]] = value
    return changed


@pytest.mark.parametrize("file", sorted(path.name for path in EXAMPLES.glob("*.yaml")))
def test_every_example_is_taken_and_means_the_same(server: ApiServer, namespace: str, file: str) -> None:
    """The API server fills defaults in: the rollout, and its hash, are what they were in the file."""
    written = example(file, namespace)
    if written["kind"] != "ModelRollout":
        pytest.skip("not a rollout")
    server.kubectl.apply(written, server_side=True)
    kept = server.kubectl.get("mro", written["metadata"]["name"], namespace)
    assert kept["spec"]["onBlind"] == {"after": "5m", "then": "withdraw"} | written["spec"].get("onBlind", {})
    before, after = parse_document(written, "file"), parse_document(kept, "file")
    assert not after.problems
    assert after.rollout == before.rollout
    assert after.rollout is not None


def test_defaults_stand_in_no_list(server: ApiServer, namespace: str) -> None:
    """Tools compare lists whole: an item in which something was filled in would differ from git for ever."""
    written = example("kubernetes.yaml", namespace)
    server.kubectl.apply(written, server_side=True)
    kept = server.kubectl.get("mro", "chat", namespace)["spec"]
    for field in ("versions", "routes", "slos", "stages"):
        assert kept[field] == written["spec"][field], field


def test_an_unchanged_resource_is_applied_without_a_change(server: ApiServer, namespace: str) -> None:
    written = example("kubernetes.yaml", namespace)
    server.kubectl.apply(written, server_side=True)
    before = server.kubectl.get("mro", "chat", namespace)["metadata"]
    server.kubectl.apply(written, server_side=True)
    after = server.kubectl.get("mro", "chat", namespace)["metadata"]
    assert (before["resourceVersion"], after["generation"]) == (after["resourceVersion"], 1)


PROMQL = {"promql": 'usd{version="{{version}}"}'}
COUNTER = {"metric": "answers_total", "match": {"verdict": ["bad"]}}
SPEC = ("spec",)
SLO = ("spec", "slos", 0)
STAGE = ("spec", "stages", 0)
ROUTE = ("spec", "routes", 0)
RATIO = (*SLO, "indicator", "ratio")
ENVOY = {"admin": "127.0.0.1:9901", "configDir": "/tmp/x"}

MISTAKES: dict[str, tuple[tuple[str | int, ...], object]] = {
    "version not listed": ((*SPEC, "version"), "v13"),
    "initial stable not listed": ((*SPEC, "initialStable"), "v10"),
    "no router": (ROUTE, {"stickyBy": {"header": "x-user"}}),
    "two routers": ((*ROUTE, "envoy"), ENVOY),
    "sticky": ((*ROUTE, "stickyBy"), {"header": "x-user"}),
    "two ways to be sticky": ((*ROUTE, "stickyBy"), {"header": "x-user", "cookie": "user"}),
    "host behind a gateway": (
        ("spec", "versions", 0, "backendRef"),
        {"kind": "Host", "name": "127.0.0.1", "port": 80},
    ),
    "service behind envoy": (ROUTE, {"envoy": ENVOY}),
    "listen is admin": (ROUTE, {"envoy": ENVOY | {"listen": ENVOY["admin"]}}),
    "no service": (("spec", "versions", 0, "backendRef", "name"), "chat.v11"),
    "bad port": ((*ROUTE, "envoy"), ENVOY | {"admin": "127.0.0.1:0"}),
    "second route": (("spec", "routes", 1), {"gatewayAPI": {"httpRoute": "other"}}),
    "no provider": (("spec", "metrics"), {}),
    "two providers": (("spec", "metrics", "scrape"), {"urls": ["http://127.0.0.1:1/metrics"]}),
    "url with a password": (("spec", "metrics", "prometheus", "url"), "http://me:secret@prometheus:9090"),
    "not a url": (("spec", "metrics", "prometheus", "url"), "prometheus:9090"),
    "secret in a header": (("spec", "metrics", "prometheus", "headers"), {"Authorization": "Bearer x"}),
    "two logins": (
        ("spec", "metrics", "prometheus"),
        {"url": "http://p", "bearerTokenFile": "/t", "basicAuth": {"username": "a", "passwordFile": "/p"}},
    ),
    "ca that is ignored": (
        ("spec", "metrics", "prometheus"),
        {"url": "http://p", "caFile": "/ca", "insecureSkipVerify": True},
    ),
    "unknown placeholder": (("spec", "metrics", "identity"), {"value": "{{version}} {{pod}}"}),
    "two objectives": ((*SLO, "objective"), {"max": "1%", "min": "90%"}),
    "no objective": ((*SLO, "objective"), {}),
    "objective left out": ((*SLO, "objective"), None),
    "not a percentage": ((*SLO, "objective"), {"max": "0.1"}),
    "more than everything": ((*SLO, "weight"), "120%"),
    "no share": ((*SLO, "weight"), "0%"),
    "cannot be tested": ((*SLO, "objective"), {"max": "100%"}),
    "two indicators": ((*SLO, "indicator", "latency"), {"histogram": "h", "under": "1s"}),
    "no indicator": ((*SLO, "indicator"), {}),
    "promql without threshold": (SLO, {"name": "cost", "indicator": PROMQL}),
    "promql with objective": (
        SLO,
        {"name": "cost", "indicator": PROMQL, "threshold": {"max": 1}, "objective": {"max": "1%"}},
    ),
    "ratio with threshold": ((*SLO, "threshold"), {"max": 1}),
    "empty threshold": (SLO, {"name": "cost", "indicator": PROMQL, "threshold": {"consecutive": 2}}),
    "crossed threshold": (SLO, {"name": "cost", "indicator": PROMQL, "threshold": {"max": 1, "min": 2}}),
    "threshold with weight": (SLO, {"name": "c", "indicator": PROMQL, "threshold": {"max": 1}, "weight": "5%"}),
    "promql with scenarios": (
        SLO,
        {"name": "c", "indicator": PROMQL, "threshold": {"max": 1}, "scenarios": {"label": "hazard"}},
    ),
    "query without version": (SLO, {"name": "c", "indicator": {"promql": "up"}, "threshold": {"max": 1}}),
    "same counts": ((*RATIO, "total"), {"metric": "llm_eval_results_total", "match": "as bad"}),
    "scenario label matched": ((*SLO, "scenarios"), {"label": "verdict"}),
    "none is zero with scenarios": ((*RATIO, "absent"), "zero"),
    "baseline required": ((*SLO, "scenarios", "required"), ["none"]),
    "alert with weight": ((*SLO, "onBreach"), "alert"),
    "two margins": ((*SLO, "versusStable"), {"points": "1%", "ratio": "2"}),
    "better than stable": ((*SLO, "versusStable"), {"ratio": "0.9"}),
    "judge of latency": (("spec", "slos", 1, "judge"), {"sensitivity": "90%"}),
    "judge errors not counted": (("spec", "slos", 1, "judge"), {"maxErrors": "5%"}),
    "calibrated twice": (
        (*SLO, "judge"),
        {"sensitivity": "90%", "calibration": {"found": 9, "bad": 9, "flagged": 0, "good": 9}},
    ),
    "more found than bad": ((*SLO, "judge"), {"calibration": {"found": 10, "bad": 9, "flagged": 0, "good": 9}}),
    "weights above 100 %": (("spec", "slos", 1, "weight"), "50%"),
    "no side effects said": (STAGE, {"name": "shadow", "shadow": {"percent": 20}}),
    "two kinds of stage": ((*STAGE, "cohort"), {"headers": {"x-cohort": "us"}}),
    "no kind of stage": (STAGE, {"name": "canary"}),
    "weight goes down": ((*STAGE, "canary", "weight"), 50),
    "last is not full": (("spec", "stages", 2), None),
    "full in the middle": (STAGE, {"name": "first", "full": {}}),
    "minimum above maximum": (STAGE, {"name": "c", "canary": {"weight": 1}, "minDuration": "3h", "maxDuration": "1h"}),
    "not a duration": ((*STAGE, "minDuration"), "30 minutes"),
    "no duration at all": ((*STAGE, "minDuration"), "0s"),
    "not a name": (("metadata", "name"), "chat.bot"),
    "not a metric": ((*RATIO, "bad", "metric"), "bad-answers"),
    "header name": (STAGE, {"name": "us", "cohort": {"headers": {"x cohort": "us"}}}),
    "same identity": (("spec", "metrics", "identity"), {"value": "chat"}),
    "longer than an age": ((*STAGE, "maxDuration"), "4000d"),
    "scenario twice": ((*SLO, "scenarios", "required"), ["ssh", "ssh"]),
    "same backend": (("spec", "versions", 1, "backendRef", "name"), "chat-v11"),
}
"""What is changed in a good rollout, so that lint refuses it."""

ONLY_THE_CONTROLLER = {"same identity", "longer than an age"}
"""What a rule at admission would cost too much for, or cannot compute: the controller says it, as `Stalled`."""


def spoiled(name: str, namespace: str) -> Node:
    steps, value = MISTAKES[name]
    document = example("kubernetes.yaml", namespace)
    if value == {"metric": "llm_eval_results_total", "match": "as bad"}:
        value = document["spec"]["slos"][0]["indicator"]["ratio"]["bad"]
    return put(document, *steps, value=value)


def words(text: str) -> str:
    """Without the parts that differ: what was counted or listed."""
    return re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("name", sorted(MISTAKES))
def test_admission_says_what_lint_says(server: ApiServer, namespace: str, name: str) -> None:
    document = spoiled(name, namespace)
    problems = parse_document(document, "file").problems
    assert problems, "lint takes it"
    if name in ONLY_THE_CONTROLLER:
        server.kubectl.apply(document)
        return
    with pytest.raises(KubectlError) as refused:
        server.kubectl.apply(document)
    told = words(str(refused.value))
    assert "evaluating rule" not in told
    for problem in problems:
        assert said(problem.message, problem.hint, told), f"lint: {problem}\nadmission: {told}"


def said(message: str, hint: str, told: str) -> bool:
    """Either lint's sentence whole, or its message, or (where the message has numbers) its advice."""
    return any(text and text in told for text in (f"{message} ({hint})", message, hint))


def test_columns(server: ApiServer, namespace: str) -> None:
    server.kubectl.apply(example("kubernetes.yaml", namespace), server_side=True)
    status = {
        "phase": "Progressing",
        "message": "waiting for 300 more answers",
        "stable": "v11",
        "candidate": "v12",
        "stage": "canary-1",
        "traffic": {"desired": {"weight": 1, "mirror": 0, "cohort": False}, "verified": {"weight": 0}},
        "observedGeneration": 1,
        "conditions": [
            {
                "type": "Ready",
                "status": "False",
                "reason": "Progressing",
                "message": "a run is under way",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
                "observedGeneration": 1,
            }
        ],
    }
    text = yaml.safe_dump({"status": status})
    server.kubectl("patch", "mro", "chat", "-n", namespace, "--subresource=status", "--type=merge", "-p", text)
    head, row = server.kubectl("get", "tidegate", "-n", namespace, "-o", "wide").splitlines()[:2]
    names = "NAME VERSION PHASE STABLE CANDIDATE STAGE WEIGHT VERIFIED READY AGE REASON MESSAGE"
    assert head.split() == names.split()
    assert row.split()[1:9] == ["v12", "Progressing", "v11", "v12", "canary-1", "1", "0", "False"]
    server.kubectl("wait", "--for=condition=Ready=False", "mro/chat", "-n", namespace, "--timeout=5s")


def test_a_status_does_not_make_a_new_generation(server: ApiServer, namespace: str) -> None:
    server.kubectl.apply(example("kubernetes.yaml", namespace), server_side=True)
    patch = ("patch", "mro", "chat", "-n", namespace, "--subresource=status", "--type=merge", "-p")
    server.kubectl(*patch, '{"status": {"phase": "Idle", "sequence": 7, "aFieldOfTomorrow": {"x": 1}}}')
    kept = server.kubectl.get("mro", "chat", namespace)
    assert kept["metadata"]["generation"] == 1
    assert kept["status"]["aFieldOfTomorrow"] == {"x": 1}


def test_a_field_that_does_not_exist_is_told_by_kubectl(server: ApiServer, namespace: str) -> None:
    document = put(example("kubernetes.yaml", namespace), "spec", "stagse", value=[])
    with pytest.raises(KubectlError, match='unknown field "stagse"'):
        server.kubectl.apply(document)
