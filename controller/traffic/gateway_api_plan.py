"""A split as the entries of a rule: what our part of the HTTPRoute should be, given what it is. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from controller.domain.names import VersionName
from controller.domain.traffic import RouteTable, Split
from controller.traffic.gateway_api_memory import Memory, Prepared, put_back, snapshot
from controller.traffic.gateway_api_names import Json, Names, ShapeError, filters_of, mirrored, refs_of, weight
from controller.traffic.gateway_api_rules import Found, foreign_backends, foreign_weight


@dataclass(frozen=True, slots=True)
class Wanted:
    """Our rule, our header rule, and what the route shall remember; None: none."""

    rule: Json
    cohort: Json | None
    memory: Memory | None


def wanted(
    found: Found, names: Names, split: Split, memory: Memory | None, table: RouteTable | None, cohort_name: str | None
) -> Wanted:
    """What `split` makes of the rule whose present split is `table` (None also when it cannot be understood).

    `cohort_name`: how our header rule is called; None where the API server keeps no names of rules.

    Without the candidate the rule is as `memory` has it, promoted or not: stable's entry with the weight that people
    gave it. Raises ShapeError for a split that this rule cannot have; none that only takes away is ever refused.
    """
    candidate = split.candidate if split.exposes() else None
    _refuse_foreign(found.rule, names, candidate)
    memory = _before(found.rule, names, split, memory, table)
    foreign = [ref for ref in refs_of(found.rule) if names.version(ref) is None]
    home = _all_to(put_back(foreign, memory, names), split.stable, names)
    rule = dict(found.rule)
    if candidate is None:
        rule["backendRefs"] = home
        return Wanted(_with_filters(rule, names, None, memory), None, None)
    rule["backendRefs"] = _shared(home, split, candidate, names)
    cohort = _header_rule(found, names, split, candidate, cohort_name) if split.cohort else None
    mirror = _mirror(split, candidate, names, home) if split.mirror else None
    return Wanted(
        _with_filters(rule, names, mirror, memory), cohort, replace(memory, cohort=split.cohort, prepared=None)
    )


def prepared(
    found: Found,
    names: Names,
    split: Split,
    memory: Memory | None,
    table: RouteTable | None,
    cohort_name: str | None,
    how: Prepared,
) -> Wanted:
    """The rule as it is, where it names the candidate; elsewhere with a target for it that gets nothing yet.

    Raises ShapeError where `wanted` would: nothing is prepared for a split that this rule cannot have.
    """
    assert split.candidate is not None
    wanted(found, names, split, memory, table, cohort_name)
    if _is_named(found.rule, names, split.candidate):
        return Wanted(found.rule, found.cohort, memory)
    refs = refs_of(found.rule)
    at = next((at for at, ref in enumerate(refs) if names.version(ref) == split.stable), len(refs) - 1)
    refs.insert(at + 1, {**names.ref(split.candidate, refs), "weight": 0})
    before = _before(found.rule, names, split, memory, table)
    cohort = memory.cohort if memory else ()
    return Wanted({**found.rule, "backendRefs": refs}, found.cohort, replace(before, cohort=cohort, prepared=how))


def _is_named(rule: Json, names: Names, version: VersionName) -> bool:
    """Does a target or a mirror of the rule name it?"""
    refs = refs_of(rule)
    items = [item for one in (rule, *refs) for item in filters_of(one)]
    return version in {*(names.version(ref) for ref in refs), *(mirrored(item, names) for item in items)}


def left_over(found: Found, names: Names, memory: Memory | None) -> bool:
    """Has the rule a target that we prepared and that gets nothing, or is our header rule there without weight?"""
    idle = found.cohort is not None and not any(weight(ref) for ref in refs_of(found.cohort))
    return idle or any(_is_prepared(ref, names, memory) for ref in refs_of(found.rule))


def _is_prepared(ref: Json, names: Names, memory: Memory | None) -> bool:
    how = memory.prepared if memory else None
    return how is not None and names.version(ref) == how.version and not weight(ref)


def _is_full(rule: Mapping[str, Any], names: Names, memory: Memory, candidate: VersionName) -> bool:
    """Is it what we made of `memory` to give `candidate` everything, and nobody changed it since?"""
    stable = next((names.version(ref) for _, ref in memory.backends if weight(ref)), None)
    if stable is None or stable == candidate:
        return False
    foreign = [ref for ref in refs_of(rule) if names.version(ref) is None]
    home = _all_to(put_back(foreign, memory, names), stable, names)
    return refs_of(rule) == _all_to_candidate(home, stable, candidate, names)


def _refuse_foreign(rule: Mapping[str, Any], names: Names, candidate: VersionName | None) -> None:
    ours = [version for ref in refs_of(rule) if (version := names.version(ref)) is not None]
    if candidate is not None and len(set(ours)) < len(ours):
        raise ShapeError(f"the rule has a backend of this rollout twice ({', '.join(ours)}): leave it once")
    if foreign_weight(rule, names) and (candidate is not None or not ours):
        raise ShapeError(
            f"the rule also sends requests to {foreign_backends(rule, names)}, which are no versions of this rollout, "
            "so a percentage of it would mean nothing: take them out, or give them weight 0"
        )


def _before(
    rule: Mapping[str, Any], names: Names, split: Split, memory: Memory | None, table: RouteTable | None
) -> Memory:
    """What a rollback puts back. A rule that stable has for itself is as people want it: that is remembered anew."""
    sole = table.sole() if table else None
    if memory is None:
        memory = snapshot(rule, names)
    elif sole == split.stable and not _is_full(rule, names, memory, split.stable):
        kept = [ref for ref in refs_of(rule) if not _is_prepared(ref, names, memory)]
        memory = snapshot({**rule, "backendRefs": kept}, names)
    served = {names.version(ref) for _, ref in memory.backends if weight(ref)} - {None}
    return _forgotten(memory, split.stable, names) if len(served) > 1 else memory


def _forgotten(memory: Memory, stable: VersionName, names: Names) -> Memory:
    """In the middle of a run without knowing how it was: stable alone, as if its weight had never been written."""
    kept = []
    for at, ref in memory.backends:
        if names.version(ref) == stable:
            kept.append((at, {**ref, "weight": 1}))
        elif not weight(ref):
            kept.append((at, ref))
    return replace(memory, backends=tuple(kept), filters=False)


def _all_to(refs: Sequence[Json], version: VersionName, names: Names) -> list[Json]:
    """Of what our versions have, `version` gets all: the weight that one of them had, in its place."""
    refs = [dict(ref) for ref in refs]
    of = [names.version(ref) for ref in refs]
    lead = next((at for at, who in enumerate(of) if who is not None and weight(refs[at])), None)
    mine = next((at for at, who in enumerate(of) if who == version), None)
    if mine is None and lead is None:
        return [*refs, {**names.ref(version, refs), "weight": 1}]
    if mine is None:
        assert lead is not None
        refs[lead] = {**names.ref(version, refs), "weight": weight(refs[lead])}
    elif lead is None:
        refs[mine]["weight"] = 1
    elif lead != mine:
        refs[mine]["weight"], refs[lead]["weight"] = weight(refs[lead]), weight(refs[mine])
    return refs


def _shared(home: Sequence[Json], split: Split, candidate: VersionName, names: Names) -> list[Json]:
    """Stable and candidate by weight. At 0 the candidate is as people wrote it (mostly not at all).

    At 100 stable stays with weight 0, so that every gateway knows where to go back to.
    """
    if not split.weight:
        return list(home)
    if split.weight == 100:
        return _all_to_candidate(home, split.stable, candidate, names)
    refs = []
    for ref in home:
        if names.version(ref) == split.stable:
            refs.append({**ref, "weight": 100 - split.weight})
        elif names.version(ref) == candidate:
            refs.append({**ref, "weight": split.weight})
        else:
            refs.append(ref)
    if not any(names.version(ref) == candidate for ref in refs):
        beside = next(at for at, ref in enumerate(refs) if names.version(ref) == split.stable)
        refs.insert(beside + 1, {**names.ref(candidate, refs), "weight": split.weight})
    return refs


def _all_to_candidate(home: Sequence[Json], stable: VersionName, candidate: VersionName, names: Names) -> list[Json]:
    refs = _all_to(home, candidate, names)
    there = stable in [names.version(ref) for ref in refs]
    return refs if there else [*refs, {**names.ref(stable, refs), "weight": 0}]


def _mirror(split: Split, candidate: VersionName, names: Names, beside: Sequence[Json]) -> Json:
    """All is said without a percentage, which not every gateway knows."""
    part = {} if split.mirror == 100 else {"percent": split.mirror}
    return {"type": "RequestMirror", "requestMirror": {"backendRef": names.ref(candidate, beside), **part}}


def _with_filters(rule: Json, names: Names, mirror: Json | None, memory: Memory) -> Json:
    found = filters_of(rule)
    kept = [item for item in found if mirrored(item, names) is None]
    place = next((at for at, item in enumerate(found) if item not in kept), len(kept))
    filters = [*kept[:place], mirror, *kept[place:]] if mirror else kept
    if filters or (memory.filters and "filters" in rule):
        return {**rule, "filters": filters}
    return {name: value for name, value in rule.items() if name != "filters"}


def _header_rule(found: Found, names: Names, split: Split, candidate: VersionName, called: str | None) -> Json:
    """Our rule once more, for requests with the headers, and all of it to the candidate."""
    kept = [item for item in filters_of(found.rule) if mirrored(item, names) is None]
    rule = {name: value for name, value in found.rule.items() if name not in ("name", "filters", "sessionPersistence")}
    if called is not None:
        rule["name"] = called
    if kept:
        rule["filters"] = kept
    rule["matches"] = [_with_headers(match, split) for match in found.rule.get("matches") or [{}]]
    rule["backendRefs"] = [{**names.ref(candidate, refs_of(found.rule)), "weight": 1}]
    return rule


def _with_headers(match: Mapping[str, Any], split: Split) -> Json:
    asked = list(match.get("headers") or ())
    names = {str(one["name"]).lower() for one in asked}
    for name, _ in split.cohort:
        if name.lower() in names:
            raise ShapeError(f"the rule matches the header {name} itself, so it cannot choose a cohort by it")
    ours = [{"type": "Exact", "name": name, "value": value} for name, value in split.cohort]
    return {**match, "headers": [*asked, *ours]}
