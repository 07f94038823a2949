"""Every field of a rollout file, from the pydantic models; and what is refused because it is not built."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from controller.spec import fields as kinds
from controller.spec.openapi import inlined
from controller.spec.schema import RolloutDocument
from controller.spec.unbuilt import UNBUILT
from docs.blocks.markdown import code, table

Schema = Mapping[str, Any]
PATTERNS = {
    kinds.NAME: "name",
    kinds.SLUG: "name",
    kinds.PERCENT: "percent",
    kinds.DURATION: "duration",
    kinds.FACTOR: "number in quotes",
    kinds.LABEL: "label name",
    kinds.METRIC: "metric name",
    kinds.HEADER: "header name",
    kinds.URL: "URL",
    kinds.LISTEN: "host:port",
    kinds.HTTP_PATH: "path",
    kinds.HOST: "host name",
    kinds.NODE: "address or DNS name",
    kinds.OBJECT: "name of an object",
    kinds.KIND_NAME: "kind",
    kinds.GROUP_VERSION: "API version",
}
"""Pattern in the schema -> what people call it."""
REFUSED = tuple(UNBUILT)
TITLES = ("metadata", "spec", "spec.versions", "spec.routes", "spec.metrics", "spec.slos", "spec.stages")
"""A section of its own for each; everything else stands in the table of what holds it."""


def fields() -> str:
    """One section per block, one row per field."""
    rows = list(walk())
    return "\n\n".join(f"### `{title}`\n\n{_section(title, rows)}" for title in TITLES)


def _section(title: str, rows: list[tuple[str, Schema, bool]]) -> str:
    mine = [row for row in rows if home(row[0]) == title]
    return table(
        ("field", "type", "default", "meaning"),
        (
            (code(_short(path, title)), _type(one), _default(one, needed), _told(path, one))
            for path, one, needed in mine
        ),
    )


def home(path: str) -> str:
    """The longest title that the field lies below; the field that opens a section stands in the one above."""
    below = [title for title in TITLES if path.startswith((f"{title}.", f"{title}[]."))]
    return max(below, key=len, default="")


def _short(path: str, title: str) -> str:
    return path.removeprefix(title).removeprefix("[]").removeprefix(".")


def walk() -> Iterator[tuple[str, Schema, bool]]:
    """Every field: its path, its schema, whether it must be given."""
    yield from _walk(inlined(RolloutDocument.model_json_schema(by_alias=True)), "")


def _walk(schema: Schema, path: str) -> Iterator[tuple[str, Schema, bool]]:
    for name, one in schema.get("properties", {}).items():
        here, needed = f"{path}.{name}" if path else name, name in schema.get("required", [])
        yield here, one, needed
        yield from _walk(_inside(one), f"{here}[]" if _is_list(one) else here)


def _is_list(schema: Schema) -> bool:
    return _plain(schema).get("type") == "array"


def _inside(schema: Schema) -> Schema:
    plain = _plain(schema)
    inner: Schema = plain.get("items", {}) if plain.get("type") == "array" else plain
    return inner


def _plain(schema: Schema) -> Schema:
    """Without the `or null` of a field that may be left out."""
    choices = [one for one in schema.get("anyOf", []) if one.get("type") != "null"]
    return choices[0] if choices else schema


def _type(schema: Schema) -> str:
    plain = _plain(schema)
    if "const" in plain:
        return code(str(plain["const"]))
    if "enum" in plain:
        return ", ".join(code(str(one)) for one in plain["enum"])
    if plain.get("type") == "array":
        return f"list of {_type(plain['items'])}"
    if plain.get("type") == "object":
        return "block" if plain.get("properties") or plain.get("additionalProperties") is False else "map"
    if plain.get("type") == "string":
        return PATTERNS.get(plain.get("pattern", ""), "text")
    return _range(plain)


def _range(plain: Schema) -> str:
    low, high = plain.get("minimum"), plain.get("maximum")
    name = str(plain.get("type", "value"))
    if low is not None and high is not None:
        return f"{name} {low} to {high}"
    return f"{name}, at least {low}" if low is not None else name


def _default(schema: Schema, needed: bool) -> str:
    if needed:
        return "required"
    value = schema.get("default")
    if value is None or isinstance(value, dict | list):
        return ""
    return code(value if isinstance(value, str) else json.dumps(value))


def _told(path: str, schema: Schema) -> str:
    return f"Not built yet: refused. {_meaning(schema)}" if path.startswith(REFUSED) else _meaning(schema)


def _meaning(schema: Schema) -> str:
    return str(schema.get("description", _plain(schema).get("description", "")))


def not_built() -> str:
    """What the schema's future holds and this version refuses."""
    return table(("field", "what `lint` says", "instead"), ((code(path), *told) for path, told in UNBUILT.items()))
