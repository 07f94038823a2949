"""The rule of an HTTPRoute that is ours to move, and the split that it holds. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.domain.names import VersionName
from controller.domain.route import GatewayApiRoute
from controller.domain.traffic import Headers, RouteTable
from controller.traffic.gateway_api_names import Json, Names, ShapeError, filters_of, mirrored, refs_of, weight


@dataclass(frozen=True, slots=True)
class Found:
    """`at`: the index of our rule. `cohort_at`: of the header rule that we put beside it, None without one."""

    rules: Sequence[Json]
    at: int
    cohort_at: int | None

    @property
    def rule(self) -> Json:
        """The rule whose backends are weighted."""
        return self.rules[self.at]

    @property
    def cohort(self) -> Json | None:
        """Our header rule."""
        return None if self.cohort_at is None else self.rules[self.cohort_at]


def find(document: Mapping[str, Any], target: GatewayApiRoute, names: Names, name: str, headers: Headers) -> Found:
    """Our rule, and our header rule by its `name`, or by the `headers` that we remember. Raises ShapeError."""
    rules: list[Json] = list(document["spec"].get("rules") or ())
    named = next((at for at, rule in enumerate(rules) if rule.get("name") == name), None)
    alike = [at for at, rule in enumerate(rules) if named is None and _is_cohort(rule, headers, names)]
    skipped = set(alike) if named is None else {named}
    at = _ours(rules, target, names, skipped)
    before = [one for one in alike if one < at] or alike
    return Found(rules, at, named if named is not None else max(before, default=None))


def _ours(rules: Sequence[Json], target: GatewayApiRoute, names: Names, skipped: set[int]) -> int:
    if target.rule is not None:
        return _by_name(rules, target)
    with_ours = [
        at
        for at, rule in enumerate(rules)
        if at not in skipped and any(names.version(ref) is not None for ref in refs_of(rule))
    ]
    if len(with_ours) == 1:
        return with_ours[0]
    if not with_ours:
        there = "; ".join(f"{_called(rule, at)} has {_backends(rule)}" for at, rule in enumerate(rules)) or "no rules"
        raise ShapeError(f"no rule of {target.place} has a backend of this rollout: {names.told()}; there is: {there}")
    which = ", ".join(_called(rules[at], at) for at in with_ours)
    raise ShapeError(
        f"several rules of {target.place} have backends of this rollout ({which}): say which one moves with "
        "`routes[].gatewayAPI.rule`"
    )


def _by_name(rules: Sequence[Json], target: GatewayApiRoute) -> int:
    for at, rule in enumerate(rules):
        if rule.get("name") == target.rule:
            return at
    there = ", ".join(rule["name"] for rule in rules if rule.get("name"))
    if there:
        raise ShapeError(f"{target.place} has no rule named `{target.rule}`; there are: {there}")
    raise ShapeError(
        f"{target.place} has no rule named `{target.rule}`: none of its {len(rules)} rules has a name. A cluster whose "
        "Gateway API is older than 1.4 (standard channel) drops names: leave `rule` away there"
    )


def _is_cohort(rule: Mapping[str, Any], headers: Headers, names: Names) -> bool:
    refs, matches = refs_of(rule), rule.get("matches") or ()
    alone = len(refs) == 1 and names.version(refs[0]) is not None
    return bool(headers) and alone and bool(matches) and all(set(headers) <= set(_exact(one)) for one in matches)


def table_of(found: Found, names: Names) -> RouteTable | None:
    """Who gets what, of what our versions get together; None when the rule sends nothing to any of them.

    Raises ShapeError when the rule sends everything to others, or our header rule is no header rule.
    """
    weights: dict[VersionName, int] = {}
    for ref in refs_of(found.rule):
        version = names.version(ref)
        if version is not None and weight(ref):
            weights[version] = weights.get(version, 0) + weight(ref)
    mirrors = _mirrors(found.rule, names)
    cohorts = _cohorts(found, names)
    if not (weights or mirrors or cohorts):
        if foreign_weight(found.rule, names):
            raise ShapeError(
                f"{_called(found.rule, found.at)} sends everything to {_backends(found.rule)}, and nothing to a "
                f"backend of this rollout: {names.told()}; put stable's there"
            )
        return None
    return RouteTable(_percents(weights), mirrors, cohorts)


def foreign_weight(rule: Mapping[str, Any], names: Names) -> int:
    """The weight of backends that are none of our versions."""
    return sum(weight(ref) for ref in refs_of(rule) if names.version(ref) is None)


def foreign_backends(rule: Mapping[str, Any], names: Names) -> str:
    """Those backends by name, for messages."""
    return ", ".join(str(ref["name"]) for ref in refs_of(rule) if names.version(ref) is None and weight(ref))


def _percents(weights: Mapping[VersionName, int]) -> tuple[tuple[VersionName, int], ...]:
    """Whole percents that sum to 100; a share that exists is never rounded to none."""
    whole = sum(weights.values())
    shares = {version: max(1, round(100 * one / whole)) for version, one in weights.items()}
    if shares:
        most = max(shares, key=lambda version: shares[version])
        shares[most] += 100 - sum(shares.values())
    return tuple(sorted(shares.items()))


def _mirrors(rule: Mapping[str, Any], names: Names) -> tuple[tuple[VersionName, int], ...]:
    found: dict[VersionName, int] = {}
    backends = (item for ref in refs_of(rule) for item in filters_of(ref))
    for item in (*filters_of(rule), *backends):
        version = mirrored(item, names)
        if version is not None:
            found[version] = min(100, found.get(version, 0) + _percent(item["requestMirror"]))
    return tuple(sorted((version, percent) for version, percent in found.items() if percent))


def _percent(mirror: Mapping[str, Any]) -> int:
    """What part is copied, in whole percents rounded up; without a word it is all."""
    if mirror.get("percent") is not None:
        return int(mirror["percent"])
    part = mirror.get("fraction")
    if part is None:
        return 100
    per = int(part.get("denominator") or 100)
    return -(-100 * int(part["numerator"]) // per)


def _cohorts(found: Found, names: Names) -> tuple[tuple[VersionName, Headers], ...]:
    rule = found.cohort
    if rule is None:
        return ()
    versions = {names.version(ref) for ref in refs_of(rule) if weight(ref)}
    matches, ours = rule.get("matches") or [{}], found.rule.get("matches") or [{}]
    extra = {_without(_exact(one), ours) for one in matches}
    if not versions:
        return ()
    version = versions.pop()
    if versions or version is None or len(extra) != 1 or not next(iter(extra)):
        raise ShapeError(f"{_called(rule, found.cohort_at or 0)} is not our header rule any more: somebody changed it")
    return ((version, extra.pop()),)


def _without(headers: Headers, matches: Iterable[Mapping[str, Any]]) -> Headers:
    """The headers that not every match of our rule asks for, too."""
    common = set.intersection(*(set(_exact(one)) for one in matches))
    return tuple(one for one in headers if one not in common)


def _exact(match: Mapping[str, Any]) -> Headers:
    found = [one for one in match.get("headers") or () if one.get("type", "Exact") == "Exact"]
    return tuple((str(one["name"]), str(one["value"])) for one in found)


def _called(rule: Mapping[str, Any], at: int) -> str:
    return f"rule `{rule['name']}`" if rule.get("name") else f"rule {at + 1}"


def _backends(rule: Mapping[str, Any]) -> str:
    told = (f"{ref.get('kind', 'Service')} {ref['name']}:{ref.get('port', '')}".rstrip(":") for ref in refs_of(rule))
    return ", ".join(told) or "no backends"
