"""The CRD and the JSON Schema are what the models say, and Kubernetes can take them."""

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import yaml

from controller.spec.generate import crd, files, json_schema, main
from controller.spec.schema import RolloutDocument
from tests.spec.test_parse import FIVE_MISTAKES
from tests.spec.texts import FULL, MINIMAL

Node = dict[str, Any]
WORDS = {
    *("type", "description", "properties", "required", "items", "additionalProperties", "enum", "pattern", "minimum"),
    *("maximum", "minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"),
    *("x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-preserve-unknown-fields"),
}


def test_the_committed_files_are_the_generated_ones() -> None:
    assert main(["--check"]) == 0, "run `make schema`"
    assert all(path.exists() for path in files())


def _resource() -> Node:
    schema: Node = yaml.safe_load(crd())["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    return schema


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
    definition = yaml.safe_load(crd())
    assert definition["metadata"]["name"] == "modelrollouts.tidegate.dev"
    assert definition["spec"]["names"]["shortNames"] == ["mro"]
    assert definition["spec"]["versions"][0]["subresources"] == {"status": {}}
    status = _resource()["properties"]["status"]
    assert status["x-kubernetes-preserve-unknown-fields"] is True


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
