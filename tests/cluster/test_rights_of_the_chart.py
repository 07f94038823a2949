"""Each rule of the chart's roles is taken from a controller that guards a candidate: it says which one, and to add it.

One controller for all rules. Every verb that it uses is provoked; a `get` that it uses only after a conflict meets one.
What only `tidegate doctor` asks, in the controller's pod and with its rights, `doctor` names; the controller goes on
undisturbed. A rule that stands in a role and in no table here fails: nobody needs it, or nobody looked.
"""

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from controller.cli import doctor_cluster
from controller.cli.checks import Check
from controller.cli.rights import Right, Where, needed, to_scale
from controller.cluster.objects import ClusterObjects
from controller.domain.cluster import HTTP_ROUTE, LEASE, MODEL_ROLLOUT, ROLLOUT_REQUEST, Kind, ObjectRef, Operation
from controller.runtime.book import Held
from controller.spec.yaml_text import read_documents
from controller.testing.cluster_parts import chart
from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from tests.cluster.clients import connected
from tests.cluster.faults_rig import CANARY, Story, a_canary, grant, impatient, prepared
from tests.cluster.hands import NAME, a_rollout, an_http_route, eventually
from tests.cluster.meddler import Asked, Meddler, a_meddler
from tests.cluster.resources import MANIFESTS

pytestmark = [pytest.mark.xdist_group("rights-of-the-chart"), pytest.mark.timeout(240)]
USER, ROLE = "alice", "only-alice"
RAISED = {"chat-v11": 60, "chat-v12": 40}
WORKLOADS = {"deployments": "Deployment", "statefulsets": "StatefulSet"}
Rule = tuple[str, str, str]
"""Group, resource (with its sub-resource), verb."""


def rules_of(text: str) -> set[Rule]:
    """Of all roles in a rendering that are the controller's own; those for people aggregate or bind nobody."""
    documents = [one.value for one in read_documents(text) if isinstance(one.value, dict)]
    bound = {one["roleRef"]["name"] for one in documents if one["kind"] in ("RoleBinding", "ClusterRoleBinding")}
    return {
        (group, resource, verb)
        for role in documents
        if role["kind"] in ("Role", "ClusterRole") and role["metadata"]["name"] in bound
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


SCALING = {("apps", f"{plural}/scale", verb) for plural in WORKLOADS for verb in ("get", "patch")}
RULES = sorted(rules_of((MANIFESTS / "controller.yaml").read_text()) | SCALING)
"""The manifests are the chart with its defaults, and need no Helm while tests are collected."""


def test_no_rendering_has_a_rule_that_is_not_tried_here() -> None:
    scaling = chart.render({"scale": {"enabled": True}})
    apart = chart.render({"namespaces": ["assistants"], "templateNamespace": "shared", "replicas": 1})
    assert rules_of(scaling) | rules_of(apart) == set(RULES)


def in_words(rule: Rule) -> str:
    group, resource, verb = rule
    return f'- {{apiGroups: ["{group}"], resources: ["{resource}"], verbs: ["{verb}"]}}'


@dataclass
class Place:
    """The controller, somebody between it and the API server, all that it logged, and an administrator's hands."""

    story: Story
    meddler: Meddler
    logs: list[Any]
    admin: ClusterObjects

    @property
    def server(self) -> ApiServer:
        return self.story.server

    def told(self) -> str:
        """Health, status and log."""
        logged = "\n".join(map(str, tuple(self.logs))).replace("\\'", "'")
        return f"{self.story.said()}\n{logged}"

    def give(self, rules: list[Rule]) -> None:
        """These rights, and no others, from now on."""
        role = ObjectRef(Kind("rbac.authorization.k8s.io", "v1", "clusterroles", "ClusterRole", False), "", ROLE)
        self.admin.patch(role, [Operation("replace", "/rules", in_a_role(rules))])

    def ref(self, kind: Kind, name: str = NAME) -> ObjectRef:
        return ObjectRef(kind, self.story.namespace, name)

    def look(self, kind: Kind) -> dict[str, Any]:
        """The object named as the rollout, by an administrator."""
        return dict(self.admin.get(self.ref(kind)) or {})

    def weights(self) -> dict[str, int]:
        """Who gets how much."""
        refs = self.look(HTTP_ROUTE)["spec"]["rules"][0]["backendRefs"]
        return {one["name"]: one.get("weight", 1) for one in refs}

    @property
    def held(self) -> Held:
        """The rollout with the candidate."""
        return next(one for one in self.story.daemon.house.book.all() if one.key.name == NAME)

    def phase(self) -> str:
        return self.held.position.phase.value

    def is_quiet(self) -> bool:
        """In its stage, verified, held by us, with nothing to complain of."""
        house, held = self.story.daemon.house, self.held
        alive: Any = house.health.alive().document
        if not all(one["ok"] for one in alive["components"].values()) or held.trouble:
            return False
        seen = self.look(MODEL_ROLLOUT)
        told = seen["status"]["observedGeneration"] == seen["metadata"]["generation"]
        under_way = told and self.phase() == seen["status"]["phase"] == "Progressing"
        return bool(under_way and house.sharing.holds(held.key) and self.weights() == CANARY)


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with an_api_server() as started:
        prepared(started)
        yield started


@pytest.fixture(scope="module")
def place(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("rights")
    grant(server, USER, in_a_role(RULES))
    with pytest.MonkeyPatch.context() as patch, a_meddler(server, folder) as meddler, capture_logs() as logs:
        impatient(patch)
        patch.setattr("controller.runtime.desk.TIDY", timedelta(seconds=1))
        patch.setattr("controller.runtime.scaling.AFTER_A_FAULT", 0.5)
        patch.setattr("controller.runtime.scaling.LOOK", timedelta(seconds=0.5))
        patch.setattr("controller.runtime.cluster_writer.AFTER_A_REFUSAL", timedelta(seconds=1))
        more: dict[str, Any] = {"shards": 1, "keep_requests": timedelta(seconds=1)}
        with (
            connected(server.kubeconfig("admin")) as connection,
            a_canary(server, folder / "state", meddler.kubeconfig(USER), **more) as story,
        ):
            made = Place(story, meddler, logs, ClusterObjects(connection))
            eventually(made.is_quiet, "in its stage and well")
            yield made


def in_a_role(rules: list[Rule]) -> list[dict[str, Any]]:
    return [{"apiGroups": [group], "resources": [resource], "verbs": [verb]} for group, resource, verb in rules]


Provoke = Callable[[Place], None]
"""Makes the controller need the right now; may be called again and again."""


def watch_anew(plural: str) -> Provoke:
    """Its watches break: everything is listed, and watched again."""

    def provoke(place: Place) -> None:
        for one in place.meddler.watches(plural):
            one.cut()

    return provoke


def touch(place: Place) -> None:
    """A new generation, of which the status tells."""
    minutes = Operation("add", "/spec/rollbackWindow", f"{uuid.uuid4().int % 1000 + 1}m")
    place.admin.patch(place.ref(MODEL_ROLLOUT), [minutes])


def ask(action: str, run: str = "") -> Provoke:
    """A request; one for a run that is not is refused at once."""

    def provoke(place: Place) -> None:
        spec = {"rollout": NAME, "run": run, "action": action, "reason": "a test", "requestedBy": "admin"}
        ref = place.ref(ROLLOUT_REQUEST, f"r-{uuid.uuid4().hex[:10]}")
        place.admin.create(ref, {"metadata": {"name": ref.name, "namespace": ref.namespace}, "spec": spec})

    return provoke


def after_a_conflict(asked: Asked, provoke: Provoke) -> Provoke:
    """Its next write meets somebody else's: what there is now is read."""

    def provoked(place: Place) -> None:
        place.meddler.answer(409, lambda one: one == asked, 1)
        provoke(place)

    return provoked


def raise_the_candidate(place: Place) -> None:
    """A person does; it is to be taken back."""
    refs = [{"group": "", "kind": "Service", "name": n, "port": 8000, "weight": w} for n, w in RAISED.items()]
    if place.weights() != RAISED:
        place.admin.patch(place.ref(HTTP_ROUTE), [Operation("replace", "/spec/rules/0/backendRefs", refs)])


def lose_the_lease(place: Place) -> None:
    """Somebody deletes it, and it has to be made again."""
    for one in place.admin.list(LEASE, place.story.namespace):
        about: Any = one["metadata"]
        place.admin.remove(place.ref(LEASE, about["name"]), about["uid"])


def nothing(_: Place) -> None:
    """It is needed all the time."""


def scale(plural: str) -> Provoke:
    """Another rollout, whose candidate is to be scaled up."""

    def provoke(place: Place) -> None:
        name = f"scaled-{plural}"
        document = a_rollout(place.story.namespace, place.story.judged.url, "v12")
        document["metadata"]["name"] = name
        document["spec"]["routes"] = [{"gatewayAPI": {"httpRoute": name, "rule": "chat"}}]
        for one in document["spec"]["versions"]:
            one["backendRef"]["name"] = f"{name}-{one['name']}"
        route = an_http_route(place.story.namespace)
        route["metadata"]["name"] = name
        route["spec"]["rules"][0]["backendRefs"][0]["name"] = f"{name}-v11"
        document["spec"]["versions"][1]["scale"] = {"kind": WORKLOADS[plural], "name": name, "replicas": 2}
        place.server.kubectl.apply(a_workload(WORKLOADS[plural], name, place.story.namespace), route, document)

    return provoke


def a_workload(kind: str, name: str, namespace: str) -> dict[str, Any]:
    labels = {"app": name}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "model", "image": "example.org/m"}]}}
    spec = {"replicas": 0, "selector": {"matchLabels": labels}, "template": template}
    metadata = {"name": name, "namespace": namespace}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": metadata, "spec": spec}


FOLLOWED = ("modelrollouts", "slotemplates", "rolloutrequests", "endpointslices", "httproutes", "gateways",
            "gatewayclasses", "leases")  # fmt: skip
STATUS, ANSWER = Asked("patch", "modelrollouts", "status"), Asked("patch", "rolloutrequests", "status")
NEEDED: dict[tuple[str, str], Provoke] = {
    **{(plural, verb): watch_anew(plural) for plural in FOLLOWED for verb in ("list", "watch")},
    ("modelrollouts", "get"): after_a_conflict(STATUS, touch),
    ("rolloutrequests", "get"): after_a_conflict(ANSWER, ask("abort", "no-such-run")),
    ("httproutes", "get"): after_a_conflict(Asked("patch", "httproutes"), raise_the_candidate),
    ("leases", "get"): after_a_conflict(Asked("patch", "leases"), nothing),
    ("modelrollouts/status", "patch"): touch,
    ("rolloutrequests/status", "patch"): ask("abort", "no-such-run"),
    ("rolloutrequests", "delete"): ask("abort", "no-such-run"),
    ("httproutes", "patch"): raise_the_candidate,
    ("events", "create"): ask("approve"),
    ("leases", "create"): lose_the_lease,
    ("leases", "patch"): nothing,
    **{(f"{plural}/scale", verb): scale(plural) for plural in WORKLOADS for verb in ("get", "patch")},
}
"""What makes the controller use each right."""
ONLY_THE_DOCTOR = {("services", "get"), ("services", "list"), ("gateways", "get"), ("gatewayclasses", "get")}


def as_the_account_sees_it(place: Place) -> list[Check]:
    """What `doctor` finds about rights."""
    scaled = [one for plural, kind in WORKLOADS.items() for one in to_scale(Kind("apps", "v1", plural, kind))]
    asked: list[Right] = [*needed(), *scaled]
    assert {one.where for one in asked} == set(Where)
    with connected(place.server.kubeconfig(USER)) as connection:
        places = doctor_cluster.Places([""], place.story.namespace, "shared")
        found = doctor_cluster.rights(ClusterObjects(connection), asked, places, None)
        return list(found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule[2]}-{rule[1]}")
def test_it_is_named_and_nothing_unsafe_happens(place: Place, rule: Rule) -> None:
    _, resource, verb = rule
    needs = NEEDED.get((resource, verb))
    assert needs or (resource, verb) in ONLY_THE_DOCTOR, "who needs it? Take it out of the chart, or say it above"
    place.logs.clear()
    place.give([one for one in RULES if one != rule])
    try:
        eventually(lambda: is_the_one(rule, as_the_account_sees_it(place)), "named by the doctor")
        if needs:
            eventually(lambda: needs(place) or in_words(rule) in place.told(), "named by the controller")
        assert place.weights() in allowed(resource, verb)
        assert place.phase() == "Progressing"
    finally:
        place.give(RULES)
        place.meddler.heal()
        clear(place)
    eventually(lambda: place.is_quiet() or (resource == "events" and ask("approve")(place)), "well again")


def is_the_one(rule: Rule, found: list[Check]) -> bool:
    """Is it missing, and nothing else?"""
    return len(found) == 1 and in_words(rule) in str(found[0])


def test_answered_requests_are_deleted_in_time(place: Place) -> None:
    for run in ("no-such-run", ""):
        ask("approve", run)(place)
    eventually(lambda: not place.admin.list(ROLLOUT_REQUEST, place.story.namespace), "answered, and deleted")
    eventually(place.is_quiet, "in its stage and well")


def allowed(resource: str, verb: str) -> list[dict[str, int]]:
    """What a person raised can only be taken back by who may read and write it. By itself nothing is ever raised."""
    return [CANARY, RAISED] if (resource, verb) in (("httproutes", "patch"), ("httproutes", "get")) else [CANARY]


def clear(place: Place) -> None:
    """What a test made goes."""
    for one in place.admin.list(MODEL_ROLLOUT, place.story.namespace):
        about: Any = one["metadata"]
        if about["name"] != NAME:
            place.admin.remove(place.ref(MODEL_ROLLOUT, about["name"]), about["uid"])
