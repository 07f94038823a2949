"""JSON Schema of the models -> the structural schema Kubernetes wants: no references, one type per field."""

from collections.abc import Mapping

from controller.spec.admission import of_text
from controller.spec.cel import RULES
from controller.spec.fields import LONGEST_TEXT

Schema = dict[str, object]
DROPPED = frozenset({"const", "default", "additionalProperties", "patternProperties", "propertyNames"})
"""Left out of a structural schema, or said in other words."""


def inlined(schema: Mapping[str, object], definitions: Mapping[str, Schema] | None = None) -> Schema:
    """The schema with every reference replaced by what it stands for, and `X or nothing` by X."""
    known = definitions if definitions is not None else _definitions(schema)
    node = _resolved(schema, known)
    return {word: _inner(word, value, known) for word, value in node.items() if word != "$defs" and word != "title"}


def plain(schema: Mapping[str, object]) -> Schema:
    """An inlined schema without the rules that only an API server reads."""
    node: Schema = {}
    for word, value in schema.items():
        if word == "properties" and isinstance(value, dict):
            node[word] = {name: plain(field) for name, field in value.items()}
        elif word in ("items", "additionalProperties") and isinstance(value, dict):
            node[word] = plain(value)
        elif word == "patternProperties" and isinstance(value, dict):
            node[word] = {pattern: plain(one) for pattern, one in value.items()}
        elif word != RULES:
            node[word] = value
    return node


def structural(schema: Mapping[str, object], *, in_list: bool = False) -> Schema:
    """An inlined schema in the words of a CustomResourceDefinition.

    Defaults are kept where they stand in no list: what a tool applies from git is compared list by list, and an item
    in which the API server had written something would differ for ever.
    """
    node = {word: value for word, value in schema.items() if word not in DROPPED}
    if "const" in schema:
        node["enum"] = [schema["const"]]
    properties, items, others = schema.get("properties"), schema.get("items"), _of_any_key(schema)
    if isinstance(properties, dict):
        node["properties"] = {name: structural(field, in_list=in_list) for name, field in properties.items()}
    if isinstance(items, dict):
        node["items"] = structural(items, in_list=True)
    if isinstance(others, dict):
        node["additionalProperties"] = structural(others, in_list=True)
    if schema.get("type") == "array":
        _as_list(node)
    default = schema.get("default")
    if isinstance(default, (str, int, bool)):
        node["description"] = f"{schema.get('description', '')} Default: {_as_text(default)}."
    if not in_list and default not in (None, {}) and not isinstance(default, list):
        node["default"] = default
    if schema.get("type") == "string":
        _as_text_field(node)
    return node


def _as_text_field(node: Schema) -> None:
    """How long it can be, which rules cost the more the longer it is; and what is said when its pattern is missed."""
    pattern = str(node.get("pattern", ""))
    if "enum" not in node:
        node.setdefault("maxLength", LONGEST_TEXT.get(pattern))
    if rules := [one.as_schema() for one in of_text(pattern)]:
        known = node.get(RULES, [])
        assert isinstance(known, list)
        node[RULES] = rules + known


def _of_any_key(schema: Mapping[str, object]) -> object:
    """What a map holds. Its keys' pattern is checked by the controller: a structural schema cannot say it."""
    patterns = schema.get("patternProperties")
    return next(iter(patterns.values())) if isinstance(patterns, dict) else schema.get("additionalProperties")


def _as_text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _definitions(schema: Mapping[str, object]) -> Mapping[str, Schema]:
    found = schema.get("$defs", {})
    assert isinstance(found, dict)
    return found


def _resolved(schema: Mapping[str, object], known: Mapping[str, Schema]) -> Schema:
    """One node with its reference followed and its `or null` removed; what stands beside them wins."""
    node = dict(schema)
    choices = node.pop("anyOf", None)
    if isinstance(choices, list):
        node = {**_resolved(next(one for one in choices if one.get("type") != "null"), known), **node}
        if node.get("default", 0) is None:
            del node["default"]
    reference = node.pop("$ref", None)
    if isinstance(reference, str):
        node = {**_resolved(known[reference.rpartition("/")[2]], known), **node}
    return node


def _inner(word: str, value: object, known: Mapping[str, Schema]) -> object:
    if word == "properties" and isinstance(value, dict):
        return {name: inlined(field, known) for name, field in value.items()}
    if word in ("items", "additionalProperties") and isinstance(value, dict):
        return inlined(value, known)
    return _without_nulls(value) if word == "default" else value


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else value


def _as_list(node: Schema) -> None:
    """Lists of named things merge by name; the others are replaced whole."""
    named = "x-kubernetes-list-map-keys" in node
    node.setdefault("x-kubernetes-list-type", "map" if named else "atomic")
