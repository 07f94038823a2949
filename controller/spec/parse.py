"""The door: text of a file -> rollouts, and every problem at once with its file and line."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from controller.domain.names import RolloutKey
from controller.domain.problem import SpecProblem
from controller.domain.rollout import ModelRollout, Provenance
from controller.spec.build import build
from controller.spec.check import check
from controller.spec.complaints import closest, complaints
from controller.spec.finding import Finding, Path, spell
from controller.spec.parts import readable, whole, without
from controller.spec.schema import API_VERSION, KIND, RolloutDocument
from controller.spec.unbuilt import refused
from controller.spec.yaml_text import YamlDocument, read_documents

LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document. `key` when it could be read, even of a broken one; `rollout` None when there are problems."""

    key: RolloutKey | None
    rollout: ModelRollout | None
    provenance: Provenance
    problems: tuple[SpecProblem, ...] = ()


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
    return tuple(_parse(document, file) for document in read_documents(text))


def unreadable(file: str, message: str, hint: str = "", line: int = 0) -> Parsed:
    """A file of which nothing can be read."""
    return Parsed(None, None, Provenance(file), (SpecProblem(file, line, "", message, hint),))


def _parse(document: YamlDocument, file: str) -> Parsed:
    provenance = Provenance(file, document.place.line)
    problems = [_problem(finding, line, file) for finding, line in document.findings]
    if document.broken:
        return Parsed(_key(document.value), None, provenance, tuple(problems))
    known = [finding.path for finding, _ in document.findings]
    rollout, findings = _read(document.value, known)
    problems += [_problem(one, document.place.find(one.path).line, file) for one in findings]
    problems.sort(key=lambda one: one.line)
    return Parsed(_key(document.value), None if problems else rollout, provenance, tuple(problems))


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
        meant = closest(kind, [KIND])
        hint = f"did you mean `{meant}`?" if meant else "keep other kinds out of this folder"
        return Finding(("kind",), f"unknown kind `{kind}`; known: {KIND}", hint)
    return None


def _key(value: object) -> RolloutKey | None:
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    if not isinstance(metadata, Mapping) or value.get("kind") not in (KIND, None):  # type: ignore[attr-defined]
        return None
    name, namespace = metadata.get("name"), metadata.get("namespace", "default")
    return RolloutKey(namespace, name) if isinstance(name, str) and isinstance(namespace, str) else None


def _problem(finding: Finding, line: int, file: str) -> SpecProblem:
    return SpecProblem(file, line, spell(finding.path), finding.message, finding.hint)
