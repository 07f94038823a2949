"""Our routes among those of others: put in, and read back as a table. Pure.

A route is ours by its name, `tidegate/NAMESPACE/NAME/...`; in the virtual host of that name a nameless one is ours too
(someone else rewrote it by hand). Everything else is foreign and stays as it is.
"""

from collections.abc import Iterable
from typing import Any

from controller.domain.names import RolloutKey, VersionName
from controller.domain.traffic import Headers, RouteTable
from controller.ports import RouteBinding
from controller.traffic.envoy_names import emergency_key, owner, version_of

Json = dict[str, Any]


class ShapeError(Exception):
    """What is there cannot be understood as a split, or ours cannot be put there; says what was found."""


def with_routes(config: Json, binding: RouteBinding, routes: list[Json]) -> Json:
    """`config` with these as the rollout's only routes. Raises ShapeError when the hosts or prefix are taken."""
    hosts = list(binding.route.envoy.hosts)
    kept = [_without(host, binding.key) for host in config.get("virtual_hosts", [])]
    home = next((host for host in kept if set(host.get("domains", [])) == set(hosts)), None)
    if home is None:
        _refuse_overlap(kept, hosts, owner(binding.key))
        home = {"name": owner(binding.key), "domains": hosts, "routes": []}
        kept.append(home)
    _refuse_same_prefix(home, binding)
    place = _place(home["routes"], binding.route.envoy.prefix)
    home["routes"] = [*home["routes"][:place], *routes, *home["routes"][place:]]
    used = [host for host in kept if host.get("name") != owner(binding.key) or host["routes"]]
    return {**config, "virtual_hosts": used}


def table_of(config: Json, key: RolloutKey, *, emergency: bool = False) -> RouteTable | None:
    """The rollout's table in `config`, None when it has no route. `emergency`: the emergency route is switched on.

    Raises ShapeError when its routes say something that no split can say.
    """
    found = routes_of(config, key)
    if not found:
        return None
    if emergency and (switched := [route for route in found if _is_emergency(route, key)]):
        return RouteTable(shares=_shares(switched[0], key))
    ordinary = [route for route in found if not _is_emergency(route, key)]
    main = [route for route in ordinary if not route.get("match", {}).get("headers")]
    cohorts = [route for route in ordinary if route.get("match", {}).get("headers")]
    if len(main) != 1:
        raise ShapeError(f"{len(main)} routes of {key} without header matches instead of one")
    return RouteTable(
        shares=_shares(main[0], key),
        mirrors=_mirrors(ordinary, key),
        cohorts=tuple(sorted((_only(route, key), _headers(route)) for route in cohorts)),
    )


def has_emergency(config: Json, key: RolloutKey) -> bool:
    """Is there an emergency route that a runtime key can switch on?"""
    return any(_is_emergency(route, key) for route in routes_of(config, key))


def routes_of(config: Json, key: RolloutKey) -> list[Json]:
    """The rollout's routes in `config`, in their order."""
    return [route for host in config.get("virtual_hosts", []) for route in _ours(host, key)]


def referenced(config: Json, key: RolloutKey) -> frozenset[str]:
    """The names of the clusters that the rollout's routes send requests to."""
    actions = [route.get("route", {}) for route in routes_of(config, key)]
    mirrors = (policy.get("cluster", "") for action in actions for policy in action.get("request_mirror_policies", []))
    return frozenset([*mirrors, *(name for action in actions for name, _ in _targets(action))])


def _ours(host: Json, key: RolloutKey) -> list[Json]:
    ours = host.get("name") == owner(key)
    named = f"{owner(key)}/"
    routes = host.get("routes", [])
    return [r for r in routes if r.get("name", "").startswith(named) or (ours and not r.get("name"))]


def _without(host: Json, key: RolloutKey) -> Json:
    ours = _ours(host, key)
    return {**host, "routes": [route for route in host.get("routes", []) if route not in ours]}


def _refuse_overlap(hosts: Iterable[Json], wanted: list[str], name: str) -> None:
    for host in hosts:
        shared = sorted(set(host.get("domains", [])) & set(wanted))
        if shared and host.get("name") == name and not host["routes"]:
            host["domains"] = []
        elif shared:
            raise ShapeError(
                f"hosts {', '.join(shared)} already belong to the virtual host {host.get('name')}; Envoy allows a host "
                "in one virtual host only: give this rollout the same list of hosts or other hosts"
            )


def _refuse_same_prefix(host: Json, binding: RouteBinding) -> None:
    prefix = binding.route.envoy.prefix
    for route in host["routes"]:
        name = route.get("name", "")
        if name.startswith("tidegate/") and route.get("match", {}).get("prefix") == prefix:
            raise ShapeError(
                f"{name} already has hosts {host['domains']} with prefix {prefix}: two rollouts, one route"
            )


def _place(routes: list[Json], prefix: str) -> int:
    """Before the first plain route that would take our requests; after all that are more specific."""
    for index, route in enumerate(routes):
        match = route.get("match", {})
        if "prefix" in match and prefix.startswith(match["prefix"]) and not match.get("headers"):
            return index
    return len(routes)


def _is_emergency(route: Json, key: RolloutKey) -> bool:
    return bool(route.get("match", {}).get("runtime_fraction", {}).get("runtime_key") == emergency_key(key))


def _targets(action: Json) -> list[tuple[str, int]]:
    if "cluster" in action:
        return [(action["cluster"], 100)]
    clusters = action.get("weighted_clusters", {}).get("clusters", [])
    return [(cluster.get("name", ""), int(cluster.get("weight", 0))) for cluster in clusters]


def _shares(route: Json, key: RolloutKey) -> tuple[tuple[VersionName, int], ...]:
    targets = [(name, weight) for name, weight in _targets(route.get("route", {})) if weight]
    whole = sum(weight for _, weight in targets)
    if not whole:
        raise ShapeError(f"route {route.get('name') or '(nameless)'} sends requests to no cluster")
    shares: dict[VersionName, float] = {}
    for name, weight in targets:
        version = _version(name, key)
        shares[version] = shares.get(version, 0) + 100 * weight / whole
    return tuple(sorted((version, _percent(share)) for version, share in shares.items()))


def _mirrors(routes: Iterable[Json], key: RolloutKey) -> tuple[tuple[VersionName, int], ...]:
    found: dict[VersionName, int] = {}
    for route in routes:
        for policy in route.get("route", {}).get("request_mirror_policies", []):
            version = _version(policy.get("cluster", ""), key)
            found[version] = max(found.get(version, 0), _fraction(policy))
    return tuple(sorted((version, percent) for version, percent in found.items() if percent))


def _only(route: Json, key: RolloutKey) -> VersionName:
    shares = _shares(route, key)
    if len(shares) != 1:
        raise ShapeError(f"header rule {route.get('name') or '(nameless)'} sends requests to several versions")
    return shares[0][0]


def _headers(route: Json) -> Headers:
    found = []
    for header in route["match"]["headers"]:
        exact = header.get("string_match", {}).get("exact", header.get("exact_match"))
        if exact is None or header.get("invert_match"):
            raise ShapeError(f"header rule {route.get('name') or '(nameless)'} does not match one exact value")
        found.append((str(header["name"]), str(exact)))
    return tuple(found)


def _fraction(policy: Json) -> int:
    if "runtime_fraction" not in policy:
        return 100
    value = policy["runtime_fraction"].get("default_value", {})
    per = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}[value.get("denominator", "HUNDRED")]
    return _percent(100 * value.get("numerator", 0) / per)


def _percent(share: float) -> int:
    """Whole percent; a share that exists is never rounded to none."""
    return max(1, round(share)) if share > 0 else 0


def _version(cluster: str, key: RolloutKey) -> VersionName:
    version = version_of(key, cluster)
    if version is None:
        raise ShapeError(f"a route of {key} sends requests to the cluster `{cluster}`, which is no version of it")
    return version
