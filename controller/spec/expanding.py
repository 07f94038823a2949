"""A rollout that uses templates -> the same rollout with every SLO written out, before anything else is checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from controller.spec.complaints import closest, complaints
from controller.spec.finding import Finding, Path
from controller.spec.schema_templates import FromTemplateBlock
from controller.spec.sentences import TEMPLATE_INDICATOR
from controller.spec.templates import Template, Templates, arguments, filled

FIELD = "fromTemplate"
STAND_IN = {
    "indicator": {
        "ratio": {"bad": {"metric": "a", "match": {"b": ["c"]}}, "total": {"metric": "a", "match": {"b": ["c", "d"]}}}
    },
    "objective": {"max": "1%"},
}
"""In the place of an SLO whose template cannot be used, so that nothing is said of what is not there."""

Raw = Mapping[str, object]
Found = tuple[tuple[Template, ...], ...]
"""For every SLO that uses a template: those that are meant. One, when all is well."""


@dataclass(frozen=True, slots=True)
class Expanded:
    """The rollout written out. `origins`: which SLO came from which template."""

    value: object
    findings: tuple[Finding, ...] = ()
    origins: Mapping[int, Template] = field(default_factory=dict)


def uses(value: object) -> dict[int, object]:
    """What stands in `fromTemplate`, by the position of its SLO."""
    slos = _slos(value)
    return {at: one[FIELD] for at, one in enumerate(slos) if isinstance(one, Mapping) and FIELD in one}


def _slos(value: object) -> list[object]:
    spec = value.get("spec") if isinstance(value, Mapping) else None
    slos = spec.get("slos") if isinstance(spec, Mapping) else None
    return slos if isinstance(slos, list) else []


def found(value: object, templates: Templates) -> Found:
    """The templates meant by every SLO that uses one: while these are the same, so is what the rollout means."""
    own = _namespace(value)
    return tuple(_find(one, templates, own) for one in uses(value).values())


def _find(use: object, templates: Templates, own: str) -> tuple[Template, ...]:
    name, namespace = (use.get("name"), use.get("namespace")) if isinstance(use, Mapping) else (None, None)
    if not isinstance(name, str) or not (namespace is None or isinstance(namespace, str)):
        return ()
    return templates.find(name, namespace, own)


def _namespace(value: object) -> str:
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    namespace = metadata.get("namespace", "default") if isinstance(metadata, Mapping) else "default"
    return namespace if isinstance(namespace, str) else "default"


def expand(value: object, templates: Templates) -> Expanded:
    """Every use of a template replaced by what it stands for; what the rollout itself says of the SLO wins."""
    assert isinstance(value, Mapping)
    slos, findings, origins = list(_slos(value)), list[Finding](), dict[int, Template]()
    for at, use in uses(value).items():
        entry = slos[at]
        assert isinstance(entry, Mapping)
        template, slo, wrong = _one(use, ("spec", "slos", at), templates, _namespace(value))
        own = {key: inner for key, inner in entry.items() if key != FIELD}
        if "indicator" in own:
            wrong.append(Finding(("spec", "slos", at, "indicator"), *TEMPLATE_INDICATOR))
        if wrong or template is None:
            slos[at] = {"name": own.get("name", "slo"), **STAND_IN}
        else:
            slos[at], origins[at] = {**slo, **own}, template
        findings += wrong
    spec = value["spec"]
    assert isinstance(spec, Mapping)
    return Expanded({**value, "spec": {**spec, "slos": slos}}, tuple(findings), origins)


def _one(
    use: object, path: Path, templates: Templates, own: str
) -> tuple[Template | None, dict[str, object], list[Finding]]:
    where: Path = (*path, FIELD)
    try:
        block = FromTemplateBlock.model_validate(use)
    except ValidationError as error:
        return None, {}, complaints(error, FromTemplateBlock, where)
    meant = templates.find(block.name, block.namespace, own)
    if len(meant) != 1 or meant[0].broken:
        return None, {}, [_unusable(block, meant, where) if meant else _unknown(block, where, templates, own)]
    template = meant[0]
    values, wrong = arguments(template, block, where)
    return template, {} if wrong else filled(template, values), wrong


def _unusable(block: FromTemplateBlock, meant: tuple[Template, ...], path: Path) -> Finding:
    if len(meant) > 1:
        namespaces = ", ".join(one.key.namespace for one in meant)
        message = f"there is an SLOTemplate `{block.name}` in more than one namespace: {namespaces}"
        return Finding((*path, "name"), message, "say which by `namespace`")
    place = meant[0].provenance
    return Finding((*path, "name"), f"{meant[0]} has mistakes", f"put them right first: {place.file}:{place.line}")


def _unknown(block: FromTemplateBlock, path: Path, templates: Templates, own: str) -> Finding:
    names = templates.names(block.namespace, own)
    short = {name.partition("/")[2]: name for name in names}
    meant = closest(block.name, short)
    there = ", ".join(names) or "none"
    hint = f"did you mean `{meant}`? There are: {there}" if meant else f"there are: {there}"
    where = f" in the namespace {block.namespace}" if block.namespace else ""
    return Finding((*path, "name"), f"there is no SLOTemplate `{block.name}`{where}", hint)


def told_from_template(finding: Finding, value: object, origins: Mapping[int, Template]) -> tuple[Finding, Path]:
    """Say of a mistake that stands in a template where it stands; and the place of its use, for the line."""
    at = finding.path[2] if finding.path[:2] == ("spec", "slos") and len(finding.path) > 2 else None
    template = origins.get(at) if isinstance(at, int) else None
    if template is None or (len(finding.path) > 3 and _stands(value, finding.path)):
        return finding, finding.path
    line = template.line(finding.path[3:])
    spot = f"{template.provenance.file}:{line}" if line else template.provenance.file
    told = replace(finding, message=f"{finding.message}; it comes from {template}, {spot}")
    return told, (*finding.path[:3], FIELD)


def _stands(value: object, path: Path) -> bool:
    """Is there something at the path, in the rollout as it was written?"""
    for step in path:
        try:
            value = value[step]  # type: ignore[index]  # what cannot be indexed raises TypeError
        except (KeyError, IndexError, TypeError):
            return False
    return True
