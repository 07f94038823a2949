"""The CRD and the JSON Schema are what the models say, and Kubernetes can take them."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from controller.domain.cluster import MODEL_ROLLOUT, ROLLOUT_REQUEST, SLO_TEMPLATE
from controller.domain.request import Ask
from controller.spec.crd import crd
from controller.spec.fields import IN_WORDS
from controller.spec.generate import files, json_schema, main
from controller.spec.schema import RolloutDocument
from tests.spec.test_parse import FIVE_MISTAKES
from tests.spec.texts import FULL, MINIMAL

Node = dict[str, Any]
WORDS = {
    *("type", "description", "properties", "required", "items", "additionalProperties", "enum", "pattern", "minimum"),
    *("maximum", "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-preserve-unknown-fields"),
    *("x-kubernetes-validations", "default", "format"),
}


def test_the_committed_files_are_the_generated_ones() -> None:
    assert main(["--check"]) == 0, "run `make schema`"
    assert all(path.exists() for path in files())


def _resource() -> Node:
    schema: Node = _definition()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


def _definition(kind: str = "ModelRollout") -> Node:
    found: Node = next(one for one in yaml.safe_load_all(crd()) if one["spec"]["names"]["kind"] == kind)
    return found


def _nodes(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    yield path, node
    for name, inner in node.get("properties", {}).items():
        yield from _nodes(inner, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if isinstance(node.get(word), dict):
            yield from _nodes(node[word], f"{path}[]")


def test_the_schema_is_structural() -> None:
    for path, node in _nodes(_resource()):
        assert isinstance(node.get("type"), str), path
        assert set(node) <= WORDS, path
        assert not ({"properties", "additionalProperties"} <= set(node)), path
        if node["type"] == "array":
            assert node["maxItems"] > 0, path
            assert node["items"]["type"], path
        if node.get("x-kubernetes-list-type") == "map":
            assert set(node["x-kubernetes-list-map-keys"]) <= set(node["items"]["required"]), path


def test_lists_of_named_things_merge_by_name() -> None:
    spec = _resource()["properties"]["spec"]["properties"]
    assert [name for name, node in spec.items() if node.get("x-kubernetes-list-type") == "map"] == [
        "versions",
        "slos",
        "stages",
    ]


def test_every_field_says_what_it_means() -> None:
    silent = [path for path, node in _nodes(_resource()["properties"]["spec"], "spec") if not path.endswith("[]")]
    nodes = dict(_nodes(_resource()["properties"]["spec"], "spec"))
    assert not [path for path in silent if path != "spec" and not nodes[path].get("description")]


def test_maps_keep_their_values() -> None:
    nodes = dict(_nodes(_resource()["properties"]["spec"], "spec"))
    assert nodes["spec.versions[].bundle"]["additionalProperties"]["type"] == "string"
    match = nodes["spec.slos[].indicator.ratio.bad.match"]
    assert match["additionalProperties"]["type"] == "array"
    assert nodes["spec.metrics.prometheus.headers"]["additionalProperties"]["type"] == "string"


def test_names_of_the_resource() -> None:
    definition = _definition()
    assert definition["metadata"]["name"] == "modelrollouts.tidegate.dev"
    assert definition["spec"]["names"]["shortNames"] == ["mro"]
    assert definition["spec"]["names"]["categories"] == ["all", "tidegate"]
    assert definition["spec"]["versions"][0]["subresources"] == {"status": {}}
    status = _resource()["properties"]["status"]
    assert status["x-kubernetes-preserve-unknown-fields"] is True
    assert status["properties"]["conditions"]["x-kubernetes-list-map-keys"] == ["type"]


def test_every_text_and_list_has_a_bound() -> None:
    """What a rule of the API server may cost is reckoned from the longest text and list there can be."""
    for path, node in _nodes(_resource()["properties"]["spec"], "spec"):
        if node["type"] == "string" and "enum" not in node:
            assert node.get("maxLength"), path
        if "additionalProperties" in node:
            assert node["maxProperties"], path


def test_defaults_stand_outside_of_lists() -> None:
    """An item of a list in which the API server wrote something would differ from git for ever."""
    given = {path for path, node in _nodes(_resource()["properties"]["spec"], "spec") if "default" in node}
    assert {"spec.mode", "spec.onBlind", "spec.onBlind.after", "spec.analysis.interval"} <= given
    assert not [path for path in given if "[]" in path]


def test_rules_and_patterns_say_what_lint_says() -> None:
    nodes = dict(_nodes(_resource()["properties"]["spec"], "spec"))
    for path, node in nodes.items():
        for rule in node.get("x-kubernetes-validations", []):
            assert ("message" in rule) != ("messageExpression" in rule), path
        if node.get("pattern") in IN_WORDS:
            told = [rule.get("messageExpression", "") for rule in node["x-kubernetes-validations"]]
            assert any(IN_WORDS[node["pattern"]][0] in one for one in told), path


def test_the_other_kinds() -> None:
    request = _definition("RolloutRequest")["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    assert request["spec"]["properties"]["action"]["enum"] == list(Ask)
    assert {"rule": "self == oldSelf", "message": "a request stays as it was made (make another one)"} in request[
        "spec"
    ]["x-kubernetes-validations"]
    assert _definition("SLOTemplate")["spec"]["names"]["plural"] == "slotemplates"


def test_the_kinds_are_called_as_the_cluster_room_calls_them() -> None:
    for kind in (MODEL_ROLLOUT, SLO_TEMPLATE, ROLLOUT_REQUEST):
        definition = _definition(kind.name)
        assert definition["metadata"]["name"] == kind.resource
        assert definition["spec"]["versions"][0]["name"] == kind.version


@pytest.mark.parametrize("text", [MINIMAL, FULL])
def test_the_json_schema_takes_what_the_parser_takes(text: str) -> None:
    schema = json.loads(json_schema())
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(text), schema, jsonschema.Draft202012Validator)
    # What a default says must be something that could have been written.
    assert RolloutDocument.model_validate(yaml.safe_load(text))


def test_the_json_schema_refuses_unknown_fields() -> None:
    schema = json.loads(json_schema())
    errors = list(jsonschema.Draft202012Validator(schema).iter_errors(yaml.safe_load(FIVE_MISTAKES)))
    assert any("weigth" in error.message for error in errors)


def test_defaults_of_the_json_schema_are_valid() -> None:
    schema = json.loads(json_schema())
    for path, node in _nodes(schema):
        if "default" in node:
            validator = jsonschema.Draft202012Validator(node)
            assert not list(validator.iter_errors(node["default"])), path
