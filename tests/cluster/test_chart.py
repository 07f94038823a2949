"""The Helm chart: linted, every rendering checked against the API server's own schemas, and installed for real."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from promql_parser import parse as parse_promql

from controller.cli import rights
from controller.cli.app import app
from controller.runtime.clock import SystemClock
from controller.spec.yaml_text import read_documents
from controller.telemetry.exposition import Telemetry
from controller.testing.cluster_parts import chart
from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from controller.testing.cluster_parts.kubectl import KubectlError
from controller.testing.cluster_parts.programs import PartError, program

pytestmark = pytest.mark.xdist_group("chart")

POSTGRES = {"database": {"existingSecret": "tidegate-db"}}
RENDERINGS: dict[str, dict[str, object]] = {
    "defaults": {},
    "several replicas": {"replicas": 3, **POSTGRES},
    "two namespaces": {"namespaces": ["assistants", "search"], "templateNamespace": "tidegate-templates"},
    "no gateway": {"routers": {"gatewayAPI": False}},
    "scaling": {"scale": {"enabled": True}},
    "alerts": {"alerts": {"slack": {"existingSecret": "slack"}, "webhook": {"existingSecret": "hook"}}},
    "everything": {
        "replicas": 2,
        **POSTGRES,
        "image": {"digest": "sha256:" + "a" * 64},
        "imagePullSecrets": [{"name": "registry"}],
        "secrets": ["prometheus-token"],
        "observe": True,
        "priorityClassName": "system-cluster-critical",
        "podAnnotations": {"a": "b"},
        "podLabels": {"team": "serving"},
        "nodeSelector": {"pool": "control"},
        "tolerations": [{"key": "control", "operator": "Exists"}],
        "networkPolicy": {
            "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}],
            "egress": [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}],
        },
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[ApiServer]:
    with an_api_server() as started:
        yield started


@pytest.fixture(scope="module")
def schemas(server: ApiServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The API server's own schemas, one file a kind, as kubeconform reads them."""
    folder = tmp_path_factory.mktemp("schemas")
    swagger = server.get("/openapi/v2", timeout=30)
    assert isinstance(swagger, dict)
    definitions = swagger["definitions"]
    for definition in definitions.values():
        if "properties" in definition and "x-kubernetes-preserve-unknown-fields" not in definition:
            definition.setdefault("additionalProperties", False)
    definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"] = {"type": ["integer", "string"]}
    whole = json.dumps(definitions)
    for name, definition in definitions.items():
        for known in definition.get("x-kubernetes-group-version-kind", ()):
            file = folder / f"{known['group'] or known['version']}_{known['version']}_{known['kind'].lower()}.json"
            if "List" not in known["kind"] and "Options" not in known["kind"]:
                file.write_text(f'{{"$ref": "#/definitions/{name}", "definitions": {whole}}}')
    return folder


def documents(text: str) -> list[dict[str, Any]]:
    found = [document.value for document in read_documents(text)]
    return [one for one in found if isinstance(one, dict)]


def test_helm_lints_it() -> None:
    assert "0 chart(s) failed" in chart.lint()


@pytest.mark.parametrize("name", RENDERINGS)
def test_every_rendering_fits_the_schemas_of_the_api_server(name: str, schemas: Path, tmp_path: Path) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(chart.render(RENDERINGS[name]))
    place = f"{schemas}/{{{{ .Group }}}}_{{{{ .ResourceAPIVersion }}}}_{{{{ .ResourceKind }}}}.json"
    words = ["-strict", "-summary", "-output", "json", "-schema-location", place]
    # A schema of schemas has references that kubeconform cannot follow; the API server itself takes the CRDs below.
    done = subprocess.run(
        [program("kubeconform"), *words, "-skip", "CustomResourceDefinition", str(rendered)],
        capture_output=True,
        text=True,
        timeout=60,
    )
    told = json.loads(done.stdout)
    wrong = [one for one in told["resources"] if one["status"] not in ("statusValid", "statusSkipped")]
    assert not wrong, "\n".join(f"{one['kind']} {one['name']}: {one['msg']}" for one in wrong)
    assert done.returncode == 0
    assert told["summary"]["valid"] > 10
    assert told["summary"]["invalid"] == told["summary"]["errors"] == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"replicas": 2}, "replicas > 1 needs a database that they share"),
        ({"replicsa": 2}, "replicsa"),
        ({"image": {"digest": "sha256:short"}}, "digest"),
        ({"namespaces": ["Not_A_Name"]}, "namespaces"),
        ({"serviceAccount": {"create": False}}, "name the account in serviceAccount.name"),
    ],
)
def test_values_that_cannot_work_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(PartError, match=re.escape(message)):
        chart.render(values)


def test_the_pod_has_no_rights_on_its_machine() -> None:
    (deployment,) = [one for one in documents(chart.render()) if one["kind"] == "Deployment"]
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def rules(values: dict[str, object]) -> set[tuple[str, str, str]]:
    """Everything the controller may do: (group, resource, verb)."""
    return {
        (group, resource, verb)
        for one in documents(chart.render(values, "--show-only", "templates/rbac.yaml"))
        for rule in one.get("rules", ())
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_rights_follow_what_is_in_use() -> None:
    usual = rules({})
    assert ("gateway.networking.k8s.io", "httproutes", "patch") in usual
    assert rules({"routers": {"gatewayAPI": False}}) == {
        one for one in usual if one[0] not in ("gateway.networking.k8s.io", "", "discovery.k8s.io")
    }
    assert rules({"scale": {"enabled": True}}) - usual == {
        ("apps", f"{kind}/scale", verb) for kind in ("deployments", "statefulsets") for verb in ("get", "patch")
    }


def test_the_doctor_asks_for_the_rights_that_the_chart_gives() -> None:
    given = rules({})
    asked = {(one.kind.group, f"{one.kind.plural}/{one.part}" if one.part else one.kind.plural, one.verb)
             for one in rights.needed()}  # fmt: skip
    assert asked == given


def test_every_variable_of_the_pod_is_one_that_the_command_reads() -> None:
    known = {variable for one in typer.main.get_command(app).commands["run"].params  # type: ignore[attr-defined]
             for variable in ([one.envvar] if isinstance(one.envvar, str) else one.envvar or ())}  # fmt: skip
    for values in RENDERINGS.values():
        (deployment,) = [one for one in documents(chart.render(values)) if one["kind"] == "Deployment"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        named = {one["name"] for one in container["env"] if one["name"].startswith("TIDEGATE_")}
        assert named <= known, named - known
        assert container["args"] == ["run", "--cluster"]


def test_nothing_is_allowed_by_a_star_or_on_secrets() -> None:
    for group, resource, verb in rules({"scale": {"enabled": True}}):
        assert "*" not in (group, resource, verb)
        assert resource not in ("secrets", "configmaps", "pods")
        assert verb not in ("deletecollection", "update", "escalate", "bind", "impersonate")
        assert verb != "delete" or (group, resource) == ("tidegate.dev", "rolloutrequests")


def test_with_named_namespaces_only_gateways_and_their_classes_are_read_everywhere() -> None:
    rendered = documents(chart.render({"namespaces": ["assistants"]}, "--show-only", "templates/rbac.yaml"))
    (everywhere,) = [one for one in rendered if one["kind"] == "ClusterRole"]
    assert [rule["resources"] for rule in everywhere["rules"]] == [["gateways", "gatewayclasses"]]
    assert [one["metadata"]["namespace"] for one in rendered if one["kind"] == "Role"] == ["assistants", "tidegate"]


def test_it_installs_upgrades_and_keeps_the_rollouts_when_it_goes(server: ApiServer) -> None:
    chart.install(server)
    chart.install(server, values={"observe": True})
    assert server.kubectl.get("deployment", "tidegate", "tidegate")["spec"]["template"]["spec"]["containers"][0]["args"]
    assert {one["metadata"]["name"] for one in server.kubectl.items("crd")} >= {
        f"{plural}.tidegate.dev" for plural in ("modelrollouts", "slotemplates", "rolloutrequests")
    }
    server.kubectl.established("crd/modelrollouts.tidegate.dev", seconds=10)
    server.kubectl("create", "namespace", "assistants")
    server.kubectl("apply", "-f", str(chart.CHART.parents[1] / "rollouts" / "kubernetes.yaml"))
    chart.uninstall(server)
    assert server.kubectl.get("modelrollout", "chat", "assistants")["spec"]["version"] == "v12"
    with pytest.raises(KubectlError, match="not found"):
        server.kubectl.get("deployment", "tidegate", "tidegate")


def test_its_copies_are_what_the_models_say() -> None:
    manifests = chart.CHART.parents[1] / "manifests"
    for name in ("crd.yaml", "admission.yaml"):
        assert (chart.CHART / "files" / name).read_text() == (manifests / name).read_text(), "run `make schema`"


def test_the_manifests_are_the_chart_with_its_defaults() -> None:
    folder = chart.CHART.parents[1] / "manifests"
    rendered = chart.render({"crds": {"create": False}, "admission": {"create": False}})
    assert documents((folder / "controller.yaml").read_text()) == documents(rendered), "run `make manifests`"


def test_kustomize_builds_the_manifests(server: ApiServer) -> None:
    built = documents(server.kubectl("kustomize", str(chart.CHART.parents[1] / "manifests")))
    kinds = [one["kind"] for one in built]
    assert kinds.count("CustomResourceDefinition") == 3
    assert {"Namespace", "Deployment", "ServiceAccount", "ClusterRole", "ValidatingAdmissionPolicy"} <= set(kinds)


def alerts() -> list[dict[str, Any]]:
    """From the file that the template shows: collecting tests needs no Helm."""
    (rule,) = documents((chart.CHART / "files" / "rules.yaml").read_text().replace("TIDEGATE_JOB", "tidegate"))
    return [alert for group in rule["groups"] for alert in group["rules"]]


def test_the_alerts_are_in_the_chart_when_asked_for() -> None:
    words = ("--show-only", "templates/prometheusrule.yaml")
    (rule,) = documents(chart.render({"prometheusRule": {"enabled": True}}, *words))
    assert [alert for group in rule["spec"]["groups"] for alert in group["rules"]] == alerts()


@pytest.mark.parametrize("alert", alerts(), ids=lambda one: one["alert"])
def test_every_alert_asks_for_metrics_that_exist(alert: dict[str, Any]) -> None:
    parse_promql(alert["expr"])
    exported = set(re.findall(r"^# TYPE (\S+)", Telemetry(SystemClock(), "0", "0").render().decode(), re.MULTILINE))
    rollouts = {"tidegate_candidate_weight_verified", "tidegate_rollouts", "tidegate_source_age_seconds"}
    for name in re.findall(r"tidegate_\w+", alert["expr"]):
        base = re.sub(r"_(bucket|count|sum)$", "", name)
        assert base in exported | rollouts or name in exported, name
    assert alert["labels"]["severity"] in ("critical", "warning")
    assert alert["annotations"]["summary"].endswith(".")
