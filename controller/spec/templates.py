"""SLOTemplates: read, looked up, filled in. A template is an SLO with `{{args.NAME}}` in its texts."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import ValidationError

from controller.domain.rollout import Provenance
from controller.spec.complaints import closest, complaints
from controller.spec.fields import IN_WORDS, LABEL
from controller.spec.finding import Finding, Path
from controller.spec.place import Place
from controller.spec.scalars import plain_value
from controller.spec.schema_templates import FromTemplateBlock, ParameterBlock, TemplateDocument
from controller.spec.template_promql import filled_query, query_problem

MARK = re.compile(r"\{\{\s*args\.([a-zA-Z_][a-zA-Z0-9_]*)\s*\}\}")
ANY_MARK = re.compile(r"\{\{.*?\}\}")
SHARED_NAMESPACE = "tidegate-templates"
"""Where templates lie that every namespace may use, unless the settings say another."""
CATALOG = "catalog"
"""Stands for a namespace: what comes with Tidegate."""

Raw = Mapping[str, object]


@dataclass(frozen=True, slots=True, order=True)
class TemplateKey:
    """Which template."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True)
class Template:
    """One template. `slo` is raw: what a rollout would hold, with marks for the arguments.

    `broken`: its text has mistakes. It keeps its name, so that nothing else is used in its place.
    """

    key: TemplateKey
    parameters: tuple[ParameterBlock, ...]
    slo: Raw
    provenance: Provenance
    description: str = ""
    broken: bool = False
    place: Place = field(default_factory=lambda: Place(0), compare=False)

    def line(self, path: Path) -> int:
        """The line of a place in its SLO; 0 when it has no lines."""
        return self.place.find(("spec", "slo", *path)).line

    def __str__(self) -> str:
        return f"the SLOTemplate {self.key}"


@dataclass(frozen=True, slots=True)
class Templates:
    """All templates that rollouts can use, those of the catalog under the namespace `catalog`."""

    known: Mapping[TemplateKey, Template] = field(default_factory=dict)
    shared: str = SHARED_NAMESPACE

    def find(self, name: str, namespace: str | None, own: str) -> tuple[Template, ...]:
        """All that are meant: without a namespace those of the rollout's own, the shared one, and the catalog.

        None of these wins over another: when the one is lost, the other must not take its place unseen.
        """
        found = (self.known.get(TemplateKey(place, name)) for place in self._places(namespace, own))
        return tuple(one for one in found if one is not None)

    def names(self, namespace: str | None, own: str) -> Sequence[str]:
        """What could have been named there."""
        places = self._places(namespace, own)
        return [str(key) for key in sorted(self.known) if key.namespace in places]

    def _places(self, namespace: str | None, own: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((own, self.shared, CATALOG))) if namespace is None else (namespace,)


def together(templates: Iterable[Template], shared: str = SHARED_NAMESPACE) -> Templates:
    """Templates by their keys. Of two with one key the first counts; that there are two is told elsewhere."""
    known: dict[TemplateKey, Template] = {}
    for one in templates:
        known.setdefault(one.key, one)
    return Templates(known, shared)


def read_template(value: Raw, place: Place, provenance: Provenance) -> tuple[Template | None, list[Finding]]:
    """A document of kind SLOTemplate, and everything that is wrong with it; None when it has no name."""
    try:
        document = TemplateDocument.model_validate(value)
    except ValidationError as error:
        return broken_template(value, provenance), complaints(error, TemplateDocument)
    metadata, spec = document.metadata, document.spec
    template = Template(
        TemplateKey(metadata.namespace, metadata.name),
        tuple(spec.parameters),
        spec.slo,
        provenance,
        spec.description or "",
        place=place,
    )
    findings = list(_check(template))
    return (replace(template, broken=True) if findings else template), findings


def broken_template(value: object, provenance: Provenance) -> Template | None:
    """What holds the name of a template that cannot be used."""
    metadata = value.get("metadata") if isinstance(value, Mapping) else None
    known: Raw = metadata if isinstance(metadata, Mapping) else {}
    name, namespace = known.get("name"), known.get("namespace", "default")
    if not isinstance(name, str) or not isinstance(namespace, str):
        return None
    return Template(TemplateKey(namespace, name), (), {}, provenance, broken=True)


def _check(template: Template) -> Iterator[Finding]:
    names = [one.name for one in template.parameters]
    for at, one in enumerate(template.parameters):
        path: Path = ("spec", "parameters", at)
        if one.name in names[:at]:
            yield Finding((*path, "name"), f"`{one.name}` is given twice", "keep one of them")
        if one.default is not None:
            yield from _wrong_value(one, one.default, (*path, "default"))
    for field_name in ("name", "fromTemplate"):
        if field_name in template.slo:
            yield Finding(("spec", "slo", field_name), "has no place in a template", "the rollout says it")
    if "indicator" not in template.slo:
        yield Finding(("spec", "slo"), "`indicator` is missing", "what is measured: ratio, latency or promql")
    used = set[str]()
    for path, text in texts(template.slo):
        used.update(MARK.findall(text))
        yield from _check_text(template, ("spec", "slo", *path), text, names)
    for at, name in enumerate(names):
        if name not in used:
            yield Finding(("spec", "parameters", at, "name"), f"`{name}` is used nowhere", f"write {{{{args.{name}}}}}")


def _check_text(template: Template, path: Path, text: str, names: Sequence[str]) -> Iterator[Finding]:
    for name in MARK.findall(text):
        if name not in names:
            yield Finding(path, f"`{{{{args.{name}}}}}` is not one of the parameters", _listed(name, names))
    if path[-1] == "promql":
        bare = {one.name for one in template.parameters if one.type != "text"}
        problem = query_problem(text, bare)
        if problem is not None:
            yield Finding(path, *problem)


def _listed(word: str, names: Sequence[str]) -> str:
    meant = closest(word, names)
    return f"did you mean `{meant}`?" if meant else f"there are: {', '.join(names)}" if names else "there are none"


def texts(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Every text below a value, keys too, with its path."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield path, key
            yield from texts(inner, (*path, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from texts(inner, (*path, at))


def arguments(template: Template, use: FromTemplateBlock, path: Path) -> tuple[Mapping[str, str], list[Finding]]:
    """The value of every parameter, and what is wrong with what was given. `path` is that of `fromTemplate`."""
    known = {one.name: one for one in template.parameters}
    findings = [
        Finding((*path, "arguments", name), f"`{name}` is not a parameter of {template}", _listed(name, list(known)))
        for name in use.arguments
        if name not in known
    ]
    values: dict[str, str] = {}
    for name, one in known.items():
        value = use.arguments.get(name, one.default)
        if value is None:
            findings.append(Finding(path, f"{template} needs the argument `{name}`", one.description))
        else:
            values[name] = value
            findings += _wrong_value(one, value, (*path, "arguments", name))
    return values, findings


def _wrong_value(parameter: ParameterBlock, value: str, path: Path) -> Iterator[Finding]:
    if parameter.type == "number" and not isinstance(plain_value(value or "~"), (int, float)):
        yield Finding(path, f'"{value}" is not a number, and `{parameter.name}` must be one', "write for example 0.02")
    elif parameter.type == "label" and not re.fullmatch(LABEL, value):
        yield Finding(
            path, f'"{value}" is not the name of a label, and `{parameter.name}` must be one', IN_WORDS[LABEL][1]
        )
    elif ANY_MARK.search(value):
        yield Finding(path, "an argument cannot hold a placeholder", "write the value")


def filled(template: Template, values: Mapping[str, str]) -> dict[str, object]:
    """The SLO with every argument in its place: in PromQL escaped, so that it stays inside of its quotes."""
    numbers = {one.name for one in template.parameters if one.type == "number"}
    bare = {one.name for one in template.parameters if one.type != "text"}
    found = _filled(template.slo, values, numbers, bare)
    assert isinstance(found, dict)
    return found


def _filled(value: object, values: Mapping[str, str], numbers: set[str], bare: set[str], key: str = "") -> object:
    if isinstance(value, str):
        whole = MARK.fullmatch(value)
        if whole and whole[1] in numbers:
            return plain_value(values[whole[1]])
        return filled_query(value, values, bare) if key == "promql" else _put(value, values)
    if isinstance(value, Mapping):
        return {_put(one, values): _filled(inner, values, numbers, bare, one) for one, inner in value.items()}
    return [_filled(one, values, numbers, bare) for one in value] if isinstance(value, list) else value


def _put(text: str, values: Mapping[str, str]) -> str:
    return MARK.sub(lambda found: values[found[1]], text)
