"""What of a spec can be understood when some of it is wrong, so that every mistake is told at once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from controller.spec.finding import Path
from controller.spec.schema import AnalysisBlock, SpecBlock
from controller.spec.schema_metrics import MetricsBlock
from controller.spec.schema_routes import RouteBlock
from controller.spec.schema_slos import SloBlock
from controller.spec.schema_stages import StageBlock
from controller.spec.schema_versions import VersionBlock

Some = TypeVar("Some", bound=BaseModel)
Raw = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Parts:
    """The readable parts of a spec, items by their position in the file. `names` holds every name given, per list."""

    version: str | None = None
    initial_stable: str | None = None
    versions: Mapping[int, VersionBlock] = field(default_factory=dict)
    routes: Mapping[int, RouteBlock] = field(default_factory=dict)
    metrics: MetricsBlock | None = None
    slos: Mapping[int, SloBlock] = field(default_factory=dict)
    stages: Mapping[int, StageBlock] = field(default_factory=dict)
    stage_count: int = 0
    analysis: AnalysisBlock | None = None
    names: Mapping[str, Mapping[int, str]] = field(default_factory=dict)


def whole(spec: SpecBlock) -> Parts:
    """The parts of a spec in which every field is right."""
    lists: Mapping[str, Sequence[VersionBlock | SloBlock | StageBlock]]
    lists = {"versions": spec.versions, "slos": spec.slos, "stages": spec.stages}
    return Parts(
        version=spec.version,
        initial_stable=spec.initial_stable,
        versions=dict(enumerate(spec.versions)),
        routes=dict(enumerate(spec.routes)),
        metrics=spec.metrics,
        slos=dict(enumerate(spec.slos)),
        stages=dict(enumerate(spec.stages)),
        stage_count=len(spec.stages),
        analysis=spec.analysis,
        names={kind: {at: item.name for at, item in enumerate(items)} for kind, items in lists.items()},
    )


def readable(spec: Raw) -> Parts:
    """The parts that can be read of a spec in which something is wrong."""
    stages = _list(spec, "stages")
    return Parts(
        version=_text(spec, "version"),
        initial_stable=_text(spec, "initialStable"),
        versions=_items(spec, "versions", VersionBlock),
        routes=_items(spec, "routes", RouteBlock),
        metrics=_lenient(MetricsBlock, spec.get("metrics")),
        slos=_items(spec, "slos", SloBlock),
        stages=_items(spec, "stages", StageBlock),
        stage_count=len(stages),
        analysis=_lenient(AnalysisBlock, spec.get("analysis", {})),
        names={kind: _names(_list(spec, kind)) for kind in ("versions", "slos", "stages")},
    )


def without(value: object, path: Path) -> object:
    """The same tree without what stands at `path`; the original is left alone."""
    if not path:
        return value
    step, rest = path[0], path[1:]
    if isinstance(value, Mapping) and step in value:
        if rest:
            return {**value, step: without(value[step], rest)}
        return {key: inner for key, inner in value.items() if key != step}
    if isinstance(value, list) and isinstance(step, int) and step < len(value):
        return [*value[:step], *([without(value[step], rest)] if rest else []), *value[step + 1 :]]
    return value


def _lenient(model: type[Some], raw: object) -> Some | None:
    """`raw` as a block; failing that, `raw` without the fields that are wrong; failing that, None."""
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        # From the back, so that removing an item of a list does not move the ones still to be removed.
        for detail in sorted(error.errors(include_url=False), key=lambda one: str(one["loc"]), reverse=True):
            raw = without(raw, detail["loc"])
    try:
        return model.model_validate(raw)
    except ValidationError:
        return None


def _items(spec: Raw, kind: str, model: type[Some]) -> dict[int, Some]:
    read = ((at, _lenient(model, raw)) for at, raw in enumerate(_list(spec, kind)))
    return {at: item for at, item in read if item is not None}


def _list(spec: Raw, kind: str) -> Sequence[object]:
    found = spec.get(kind)
    return found if isinstance(found, list) else []


def _names(items: Sequence[object]) -> dict[int, str]:
    named = ((at, item.get("name")) for at, item in enumerate(items) if isinstance(item, Mapping))
    return {at: name for at, name in named if isinstance(name, str)}


def _text(spec: Raw, key: str) -> str | None:
    found = spec.get(key)
    return found if isinstance(found, str) else None
