"""What the route was before: kept in an annotation of the HTTPRoute while the candidate gets anything. Pure.

The weight that people wrote for stable is overwritten during a run. Kept beside it, on the object itself, it survives
the controller and its database. A GitOps tool leaves annotations alone that it does not manage.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from controller.domain.traffic import Headers
from controller.traffic.gateway_api_names import Json, Names, refs_of

_MALFORMED = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError)
"""What comes of an annotation that somebody wrote in another way."""


@dataclass(frozen=True, slots=True)
class Memory:
    """`backends`: our entries of the rule and where they stood. `filters`: did the rule have any filter?

    `cohort`: the headers of our header rule, which has no name where the API server keeps none. `prepared`: what we
    did before the first request.
    """

    backends: tuple[tuple[int, Json], ...] = ()
    filters: bool = False
    cohort: Headers = field(default=())
    prepared: "Prepared | None" = None

    def text(self) -> str:
        """As the annotation says it."""
        told: Json = {"backends": [list(one) for one in self.backends], "filters": self.filters}
        told["cohort"] = [list(one) for one in self.cohort]
        if self.prepared:
            told["prepared"] = asdict(self.prepared)
        return json.dumps(told, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Prepared:
    """`version` has a target of ours with weight 0.

    `tool`: the GitOps manager that had written the rule before that, for as long as the route is of this `generation`.
    """

    version: str
    tool: str = ""
    generation: int = 0


def snapshot(rule: Mapping[str, Any], names: Names) -> Memory:
    """What is ours in the rule now."""
    ours = tuple((at, ref) for at, ref in enumerate(refs_of(rule)) if names.version(ref) is not None)
    return Memory(ours, "filters" in rule)


def remembered(document: Mapping[str, Any], annotation: str) -> Memory | None:
    """What the route says of itself, or None: nothing, or nothing that can be read."""
    text = annotations_of(document).get(annotation)
    if text is None:
        return None
    try:
        told = json.loads(text)
        backends = tuple((int(at), dict(ref)) for at, ref in told["backends"])
        cohort = tuple((str(name), str(value)) for name, value in told["cohort"])
        if any(not isinstance(ref.get("name"), str) for _, ref in backends):
            return None
        return Memory(backends, bool(told["filters"]), cohort, _prepared(told.get("prepared")))
    except _MALFORMED:
        return None


def _prepared(told: Any) -> Prepared | None:
    try:
        return Prepared(str(told["version"]), str(told["tool"]), int(told["generation"])) if told else None
    except _MALFORMED:
        return None


def put_back(foreign: Sequence[Json], memory: Memory, names: Names) -> list[Json]:
    """The entries of others as they are now, ours where they stood; what is not ours any more is left out."""
    refs = list(foreign)
    for at, ref in memory.backends:
        if names.version(ref) is not None:
            refs.insert(min(max(at, 0), len(refs)), dict(ref))
    return refs


def annotations_of(document: Mapping[str, Any]) -> Mapping[str, str]:
    """The annotations of an object."""
    return (document.get("metadata") or {}).get("annotations") or {}
