"""Pydantic's errors in plain words."""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from controller.spec.fields import IN_WORDS
from controller.spec.finding import Finding, Path
from controller.spec.schema import RolloutDocument
from controller.spec.schema_routes import ROUTERS, RouteBlock
from controller.spec.sentences import ROUTER_HINT

TYPES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a block of `key: value` lines",
    "model_type": "a block of fields",
    "model_attributes_type": "a block of fields",
}


def complaints(error: ValidationError, root: type[BaseModel] = RolloutDocument, at: Path = ()) -> list[Finding]:
    """Everything a validation found, each at its path below `at`. A missing field whose typo is named is left out."""
    details = error.errors(include_url=False)
    findings: list[Finding] = []
    meant: set[Path] = set()
    for detail in details:
        if detail["type"] == "extra_forbidden":
            finding, field = _unknown(detail, root, at)
            findings.append(finding)
            meant.add((*at, *detail["loc"][:-1], field))
    others = (one for one in details if one["type"] != "extra_forbidden")
    named = (one for one in others if not (one["type"] == "missing" and (*at, *one["loc"]) in meant))
    return findings + [_known(one, root, at) for one in named]


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or an empty text."""
    by_small = {one.lower(): one for one in known}
    found = difflib.get_close_matches(word.lower(), list(by_small), n=1, cutoff=0.65)
    return by_small[found[0]] if found else ""


def fields_at(root: type[BaseModel], loc: Path) -> Mapping[str, FieldInfo]:
    """The fields (by their names in the file) of the block at `loc`; empty where there is no block."""
    here: object = root
    for step in loc:
        model = _model_in(here)
        if isinstance(step, int) or model is None:
            continue
        field = _by_alias(model).get(step)
        if field is None:
            return {}
        here = field.annotation
    model = _model_in(here)
    return _by_alias(model) if model else {}


def _model_in(annotation: object) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _model_in(one))), None)


def _by_alias(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _unknown(detail: ErrorDetails, root: type[BaseModel], at: Path) -> tuple[Finding, str]:
    *parents, key = detail["loc"]
    path: Path = (*at, *detail["loc"])
    known = fields_at(root, tuple(parents))
    meant = closest(str(key), known)
    if path[:2] == ("spec", "routes") and len(path) == 4 and meant != "stickyBy":
        return _unknown_router(path, str(key)), ""
    hint = f"did you mean `{meant}`?" if meant else f"known here: {', '.join(known)}" if known else ""
    return Finding(path, f"`{key}` is not a field here", hint), meant


def _unknown_router(path: Path, key: str) -> Finding:
    meant = closest(key, (*ROUTERS, *_by_alias(RouteBlock)))
    hint = f"did you mean `{meant}`?" if meant else ROUTER_HINT
    return Finding(path, f"unknown router `{key}`; known: {', '.join(ROUTERS.values())}", hint)


def _known(detail: ErrorDetails, root: type[BaseModel], at: Path) -> Finding:
    loc = tuple(step for step in detail["loc"] if step != "[key]")
    path: Path = (*at, *loc)
    if detail["type"] == "missing":
        field = fields_at(root, loc[:-1]).get(str(loc[-1]))
        return Finding(path, f"`{loc[-1]}` is missing", _first_sentence(field))
    return Finding(path, *_message(detail))


def _first_sentence(field: FieldInfo | None) -> str:
    text = (field.description or "") if field else ""
    return text.split(". ")[0].rstrip(".")


def _message(detail: ErrorDetails) -> tuple[str, str]:
    kind, context, given = detail["type"], detail.get("ctx", {}), detail["input"]
    if kind == "tidegate":
        return str(context["message"]), str(context["hint"])
    if kind in TYPES:
        return f"must be {TYPES[kind]}, not {_shown(given)}", _type_hint(kind, given)
    if kind == "string_pattern_mismatch":
        message, hint = IN_WORDS.get(str(context["pattern"]), ("is not valid here", ""))
        return f"{_shown(given)} {message}", hint
    return _bounds(kind, context, given) or (_lowered(detail["msg"]), "")


def _bounds(kind: str, context: Mapping[str, Any], given: object) -> tuple[str, str] | None:
    if kind == "literal_error":
        known = str(context["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        meant = closest(given, known) if isinstance(given, str) else ""
        return (
            f"{_shown(given)} is not known here; known: {', '.join(known)}",
            f"did you mean `{meant}`?" if meant else "",
        )
    if kind == "greater_than_equal":
        return f"{_shown(given)} is too small", f"at least {context['ge']}"
    if kind == "less_than_equal":
        return f"{_shown(given)} is too large", f"at most {context['le']}"
    if kind in ("too_short", "too_long"):
        bound = f"at least {context['min_length']}" if kind == "too_short" else f"at most {context['max_length']}"
        return f"has {context['actual_length']} entries", f"needs {bound}" if kind == "too_short" else bound
    if kind == "string_too_long":
        return "the text is too long", f"at most {context['max_length']} characters"
    return ("must be a finite number", "") if kind == "finite_number" else None


def _type_hint(kind: str, given: object) -> str:
    if kind == "string_type" and isinstance(given, (int, float)):
        return f'put quotes around it: "{str(given).lower() if isinstance(given, bool) else given}"'
    if kind == "list_type" and isinstance(given, str):
        return f"write [{given[:40]}]"
    return "use a whole number without a fraction" if kind == "int_from_float" else ""


def _shown(given: object) -> str:
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, str):
        return f'"{given}"' if len(given) <= 60 else f'"{given[:57]}..."'
    if isinstance(given, (int, float)):
        return str(given)
    return "a list" if isinstance(given, (list, tuple)) else "a block of fields"


def _lowered(text: str) -> str:
    return text[:1].lower() + text[1:]
