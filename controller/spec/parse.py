"""The door: text of a file -> rollouts, and every problem at once with its file and line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pydantic import ValidationError

from controller.domain.names import RolloutKey
from controller.domain.problem import SpecProblem
from controller.domain.rollout import ModelRollout, Provenance
from controller.spec.build import build
from controller.spec.catalog import with_catalog
from controller.spec.check import check
from controller.spec.complaints import closest, complaints
from controller.spec.expanding import Found, expand, found, told_from_template, uses
from controller.spec.finding import Finding, Path, spell
from controller.spec.parts import readable, whole, without
from controller.spec.place import Place
from controller.spec.schema import API_VERSION, KIND, RolloutDocument
from controller.spec.schema_templates import TEMPLATE_KIND
from controller.spec.templates import Template, Templates, broken_template, read_template
from controller.spec.unbuilt import refused
from controller.spec.yaml_text import YamlDocument, read_documents

LARGEST = 1024 * 1024
KINDS = (KIND, TEMPLATE_KIND)
WRITTEN = ("name", "namespace", "labels")
"""What people write into `metadata`; annotations are left out: tools keep whole documents in them."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A document that uses templates, and those it was last read with."""

    document: YamlDocument
    found: Found


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document. `key` when it could be read, even of a broken one; `rollout` None when there are problems.

    `template` when it is one. `draft` when it uses templates: `resolve` then says what it is with those there are.
    """

    key: RolloutKey | None
    rollout: ModelRollout | None
    provenance: Provenance
    problems: tuple[SpecProblem, ...] = ()
    template: Template | None = None
    draft: Draft | None = None


def parse_text(text: str, file: str) -> tuple[tuple[tuple[ModelRollout, Provenance], ...], tuple[SpecProblem, ...]]:
    """The good rollouts of a file, and all problems of the others. Never raises for bad input."""
    parsed = parse_documents(text, file)
    good = tuple((one.rollout, one.provenance) for one in parsed if one.rollout is not None)
    return good, tuple(problem for one in parsed for problem in one.problems)


def parse_bytes(data: bytes, file: str) -> tuple[Parsed, ...]:
    """Every document of a file's bytes, good or not. Never raises for bad input."""
    if len(data) > LARGEST:
        return (unreadable(file, f"the file is larger than {LARGEST // 1024} KiB", "split it into several files"),)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        return (unreadable(file, "the file is not UTF-8 text", "save it as UTF-8", line),)
    return parse_documents(text, file)


def parse_documents(text: str, file: str) -> tuple[Parsed, ...]:
    """Every document of a file, good or not. Never raises for bad input."""
    documents = read_documents(text)
    own = [_parse(one, file, Templates()) for one in documents if _is_template(one.value)]
    templates = Templates()
    if any(uses(one.value) for one in documents):
        templates = with_catalog(one.template for one in own if one.template is not None)
    return tuple(_parse(document, file, templates) for document in documents)


def resolve(parsed: Iterable[Parsed], templates: Templates) -> tuple[Parsed, ...]:
    """The same documents, those that use templates read with these. Pure, and cheap where nothing changed."""
    return tuple(_resolved(one, templates) for one in parsed)


def _resolved(parsed: Parsed, templates: Templates) -> Parsed:
    draft = parsed.draft
    if draft is None or draft.found == found(draft.document.value, templates):
        return parsed
    again = _parse(draft.document, parsed.provenance.file, templates)
    return replace(again, provenance=parsed.provenance)


def parse_document(value: Mapping[str, object], where: str, templates: Templates | None = None) -> Parsed:
    """A document that was read already, as an API server tells it; `where` names it, as a file's name does.

    What the server keeps beside it (`status`, and all of `metadata` but its name, namespace, labels) is not looked at.
    """
    given = {name: part for name, part in value.items() if name != "status"}
    metadata = given.get("metadata")
    if isinstance(metadata, Mapping):
        given["metadata"] = {name: metadata[name] for name in WRITTEN if name in metadata}
    if templates is None:
        templates = with_catalog(()) if uses(given) else Templates()
    parsed = _parse(YamlDocument(given, Place(0)), where, templates)
    return replace(parsed, provenance=replace(parsed.provenance, line=0))


def unreadable(file: str, message: str, hint: str = "", line: int = 0) -> Parsed:
    """A file of which nothing can be read."""
    return Parsed(None, None, Provenance(file), (SpecProblem(file, line, "", message, hint),))


def _is_template(value: object) -> bool:
    return isinstance(value, Mapping) and value.get("kind") == TEMPLATE_KIND


def _parse(document: YamlDocument, file: str, templates: Templates) -> Parsed:
    provenance = Provenance(file, document.place.line)
    problems = [_problem(finding, line, file) for finding, line in document.findings]
    if document.broken:
        template = broken_template(document.value, provenance) if _is_template(document.value) else None
        return Parsed(_key(document.value), None, provenance, tuple(problems), template)
    if _is_template(document.value):
        return _template(document, provenance, problems)
    value, origins, draft = document.value, dict[int, Template](), None
    known, findings = [finding.path for finding, _ in document.findings], list[Finding]()
    if uses(value):
        draft, expanded = Draft(document, found(value, templates)), expand(value, templates)
        value, origins, findings = expanded.value, dict(expanded.origins), list(expanded.findings)
    rollout, more = _read(value, known)
    told = [(one, one.path) for one in findings]
    told += [told_from_template(one, document.value, origins) for one in more]
    problems += [_problem(one, document.place.find(path).line, file) for one, path in told]
    problems.sort(key=lambda one: one.line)
    return Parsed(_key(document.value), None if problems else rollout, provenance, tuple(problems), draft=draft)


def _template(document: YamlDocument, provenance: Provenance, problems: list[SpecProblem]) -> Parsed:
    assert isinstance(document.value, Mapping)
    template, findings = read_template(document.value, document.place, provenance)
    problems += [_problem(one, document.place.find(one.path).line, provenance.file) for one in findings]
    problems.sort(key=lambda one: one.line)
    if problems and template is not None:
        template = replace(template, broken=True)
    return Parsed(None, None, provenance, tuple(problems), template=template)


def _read(value: object, known: list[Path]) -> tuple[ModelRollout | None, list[Finding]]:
    """The rollout, or what is wrong with it beyond what is `known` already."""
    kind = _kind_problem(value)
    if kind is not None:
        return None, [kind]
    refusals = list(refused(value))
    for one in refusals:
        value = without(value, one.path)
    rollout, findings = _checked(value, [*known, *(one.path for one in refusals)])
    return rollout, findings + refusals


def _checked(value: object, known: list[Path]) -> tuple[ModelRollout | None, list[Finding]]:
    assert isinstance(value, Mapping)
    try:
        document = RolloutDocument.model_validate(value)
    except ValidationError as error:
        shape = _news(complaints(error), known)
        spec = value.get("spec")
        more = check(readable(spec)) if isinstance(spec, Mapping) else ()
        return None, shape + _news(more, [*known, *(one.path for one in shape)])
    findings = _news(check(whole(document.spec)), known)
    return (None if findings or known else build(document)), findings


def _news(findings: Iterable[Finding], known: list[Path]) -> list[Finding]:
    """Findings that do not merely follow from a mistake at their place or below it."""
    return [one for one in findings if not any(path[: len(one.path)] == one.path for path in known)]


def _kind_problem(value: object) -> Finding | None:
    if not isinstance(value, Mapping):
        return Finding((), f"a document must be a block of fields, starting with apiVersion: {API_VERSION}")
    kind = value.get("kind")
    if isinstance(kind, str) and kind != KIND:
        meant = closest(kind, KINDS)
        hint = f"did you mean `{meant}`?" if meant else "keep other kinds out of this folder"
        return Finding(("kind",), f"unknown kind `{kind}`; known: {', '.join(KINDS)}", hint)
    return None


def _key(value: object) -> RolloutKey | None:
    value = value if isinstance(value, Mapping) else {}
    metadata = value.get("metadata")
    if not isinstance(metadata, Mapping) or value.get("kind") not in (KIND, None):
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace", "default")
    return RolloutKey(namespace, name) if isinstance(name, str) and isinstance(namespace, str) else None


def _problem(finding: Finding, line: int, file: str) -> SpecProblem:
    return SpecProblem(file, line, spell(finding.path), finding.message, finding.hint)
