"""Hashes of what a thing means, not of how it was written."""

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass
from datetime import timedelta
from typing import Literal

from controller.domain.names import Digest
from controller.domain.rollout import Stage, Version
from controller.domain.route import Route
from controller.domain.slo import Indicator, JudgePolicy, Margin, Scenarios, Threshold
from controller.spec.schema import SpecBlock
from controller.spec.schema_versions import VersionBlock


def _plain(value: object) -> object:
    if isinstance(value, timedelta):
        return value.total_seconds()
    assert is_dataclass(value), f"{type(value)} has no canonical form"
    return {one.name: getattr(value, one.name) for one in fields(value) if not one.metadata.get("aside")}


@dataclass(frozen=True, slots=True)
class Gathering:
    """How answers become evidence: in which blocks (None: one tick), and what keeping an objective means."""

    block: timedelta | None = None
    semantics: Literal["local", "average"] = "local"


CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain)


def digest_of(value: object) -> str:
    """`sha256:...` of a value's canonical JSON."""
    text = CANONICAL.encode(value)
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


LATER = frozenset({"gateway_api", "scale", "from_template", "eligible", "judge_latency", "absent"})
"""Fields that came after hashes were stored: where they are not given, a spec keeps the hash it had without them."""


def content_hash(spec: SpecBlock) -> str:
    """Hash of everything that a spec says, defaults too: whoever filled them in."""
    return digest_of(_without_later(spec.model_dump()))


def _without_later(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_later(one) for key, one in value.items() if one is not None or key not in LATER}
    return [_without_later(one) for one in value] if isinstance(value, list) else value


def version_digest(version: VersionBlock) -> Digest:
    """Hash of the bundle; of name and backend when there is none."""
    if version.bundle is not None:
        return Digest(digest_of(version.bundle))
    return Digest(digest_of([version.name, version.backend_ref.model_dump()]))


def slo_definition(
    indicator: Indicator,
    max_bad: float | None,
    limits: Threshold | None,
    scenarios: Scenarios | None,
    judge: JudgePolicy,
    margin: Margin | None,
    gathering: Gathering | None,
) -> str:
    """Hash of what evidence depends on."""
    return digest_of([indicator, max_bad, limits, scenarios, judge, margin, gathering])


def run_hash(versions: tuple[Version, ...], route: Route, stages: tuple[Stage, ...]) -> str:
    """Hash of what a run is pinned to: every version's bundle and backend, the route, kinds and weights of stages."""
    bundles = {one.name: [one.digest, one.backend] for one in versions}
    ways = [[one.kind, one.weight, one.mirror, one.headers] for one in stages]
    return digest_of([bundles, route, ways])
