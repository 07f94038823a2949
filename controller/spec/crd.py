"""The CustomResourceDefinitions of our kinds."""

from collections.abc import Iterator, Sequence

from controller.spec.admission import RULES as ADMISSION
from controller.spec.cel import RULES, Cel
from controller.spec.crd_request import REQUEST_KIND, request_spec, request_status
from controller.spec.crd_status import status
from controller.spec.openapi import Schema, inlined, structural
from controller.spec.schema import GROUP, KIND, RolloutDocument
from controller.spec.schema_templates import TEMPLATE_KIND, TemplateDocument
from controller.spec.yaml_text import write_document

HEADER = "# Generated from controller/spec by `make schema`. Do not edit.\n"
Column = tuple[str, str, str, str]
READY = '.status.conditions[?(@.type=="Ready")]'
COLUMNS: tuple[Column, ...] = (
    ("Version", "string", ".spec.version", "The version that should serve"),
    ("Phase", "string", ".status.phase", "Where the rollout is"),
    ("Stable", "string", ".status.stable", "The version that serves"),
    ("Candidate", "string", ".status.candidate", "The version being rolled out"),
    ("Stage", "string", ".status.stage", "The stage it stands on"),
    ("Weight", "integer", ".status.traffic.desired.weight", "Percent of live requests that the candidate should get"),
    ("Verified", "integer", ".status.traffic.verified.weight", "Percent that the route was last proven to give it"),
    ("Ready", "string", f"{READY}.status", "Is traffic where it belongs, and nothing under way?"),
)
WIDE: tuple[Column, ...] = (
    ("Reason", "string", f"{READY}.reason", "Why it is ready or not"),
    ("Message", "string", ".status.message", "What it waits for, or what is wrong"),
)
TEMPLATE_COLUMNS: tuple[Column, ...] = (("Description", "string", ".spec.description", "What the SLO measures"),)
REQUEST_COLUMNS: tuple[Column, ...] = (
    ("Rollout", "string", ".spec.rollout", "Of which rollout something is asked"),
    ("Action", "string", ".spec.action", "What is asked"),
    ("State", "string", ".status.state", "What became of it"),
    ("By", "string", ".spec.requestedBy", "Who asks"),
)
REQUEST_WIDE: tuple[Column, ...] = (
    ("Reason", "string", ".spec.reason", "Why"),
    ("Message", "string", ".status.message", "What was done, or why it was refused"),
)


def crd() -> str:
    """All definitions, one document each."""
    return HEADER + "---\n".join(write_document(one) for one in definitions())


def definitions() -> Iterator[Schema]:
    """Every definition."""
    names: Schema = {"plural": "modelrollouts", "singular": "modelrollout", "shortNames": ["mro"]}
    yield definition(KIND, names, _rollout(), COLUMNS, WIDE)
    names = {"plural": "slotemplates", "singular": "slotemplate", "shortNames": ["slot"]}
    yield definition(TEMPLATE_KIND, names, _template(), TEMPLATE_COLUMNS)
    names = {"plural": "rolloutrequests", "singular": "rolloutrequest", "shortNames": ["mrr"]}
    request = resource("What a person asks of a rollout.", request_spec(), request_status())
    yield definition(REQUEST_KIND, names, request, REQUEST_COLUMNS, REQUEST_WIDE)


def definition(
    kind: str,
    names: Schema,
    schema: Schema,
    columns: Sequence[Column],
    wide: Sequence[Column] = (),
) -> Schema:
    """One kind of our group, with a status that is written apart."""
    version: Schema = {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [
            *(_column(one) for one in columns),
            _column(("Age", "date", ".metadata.creationTimestamp", "When it was made")),
            *(_column(one) | {"priority": 1} for one in wide),
        ],
        "schema": {"openAPIV3Schema": schema},
    }
    called: Schema = {"kind": kind, "listKind": f"{kind}List", "categories": ["all", "tidegate"]}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{names['plural']}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": called | names,
            "scope": "Namespaced",
            "versions": [version],
        },
    }


def _column(column: Column) -> Schema:
    name, kind, path, text = column
    return {"name": name, "type": kind, "jsonPath": path, "description": text}


def resource(description: str, spec: object, told: Schema | None = None) -> Schema:
    """The whole resource. The API server owns apiVersion, kind and metadata."""
    return {
        "type": "object",
        "description": description,
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": spec,
            **({"status": told} if told else {}),
        },
    }


def _rollout() -> Schema:
    schema = structural(inlined(RolloutDocument.model_json_schema(by_alias=True)))
    properties = schema["properties"]
    assert isinstance(properties, dict)
    whole = resource(str(schema["description"]), properties["spec"], status())
    for path, rules in ADMISSION.items():
        attach(whole, path, rules)
    return whole


def _template() -> Schema:
    schema = structural(inlined(TemplateDocument.model_json_schema(by_alias=True)))
    properties = schema["properties"]
    assert isinstance(properties, dict)
    return resource(str(schema["description"]), properties["spec"])


def attach(schema: Schema, path: str, rules: Sequence[Cel]) -> None:
    """Add rules to what stands at a path. KeyError where there is nothing."""
    here = schema
    for step in path.replace("[]", ".[]").split(".") if path else ():
        inner = here["items"] if step == "[]" else here["properties"][step]  # type: ignore[index] # a mapping
        assert isinstance(inner, dict)
        here = inner
    known = here.get(RULES, [])
    assert isinstance(known, list)
    here[RULES] = known + [rule.as_schema() for rule in rules]
