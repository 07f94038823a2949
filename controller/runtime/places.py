"""Which rollout owns which requests of a data plane, so that two never want the same: refused before any is applied."""

from dataclasses import dataclass, field

from controller.domain.names import RolloutKey
from controller.domain.route import EnvoyRoute, GatewayApiRoute


@dataclass(slots=True)
class _Home:
    """One list of hosts on one Envoy, as first claimed, and who has which prefix of it."""

    hosts: frozenset[str]
    first: RolloutKey
    prefixes: dict[str, RolloutKey] = field(default_factory=dict)


class Places:
    """Claims in the order in which they are made: the earlier one wins."""

    def __init__(self) -> None:
        self._homes: dict[tuple[str, str, str], _Home] = {}
        self._rules: dict[str, dict[str | None, RolloutKey]] = {}

    def claim(self, key: RolloutKey, target: EnvoyRoute | GatewayApiRoute) -> str | None:
        """Take the place for `key`; or why another rollout has it, and then nothing is taken."""
        return self._listener(key, target) if isinstance(target, EnvoyRoute) else self._rule(key, target)

    def _rule(self, key: RolloutKey, target: GatewayApiRoute) -> str | None:
        """A rollout that names no rule may mean any of them: it shares its HTTPRoute with nobody."""
        taken = self._rules.setdefault(target.place, {})
        for rule, owner in taken.items():
            meets = rule == target.rule or rule is None or target.rule is None
            if owner != key and meets:
                return _taken_rule(owner, target, rule)
        taken.setdefault(target.rule, key)
        return None

    def _listener(self, key: RolloutKey, target: EnvoyRoute) -> str | None:
        refusal = self._refusal(key, target)
        if refusal is None:
            hosts = frozenset(target.hosts)
            fresh = _Home(hosts, key)
            for host in hosts:
                self._homes.setdefault(_place(target, host), fresh).prefixes.setdefault(target.prefix, key)
        return refusal

    def _refusal(self, key: RolloutKey, target: EnvoyRoute) -> str | None:
        for host in target.hosts:
            home = self._homes.get(_place(target, host))
            if home is None:
                continue
            if home.hosts != frozenset(target.hosts):
                return _overlap(home, target, host)
            if home.prefixes.get(target.prefix, key) != key:
                return _taken(home.prefixes[target.prefix], target, host)
        return None


def _place(target: EnvoyRoute, host: str) -> tuple[str, str, str]:
    """Host names are the same in capitals."""
    return target.router, target.admin, host.lower()


def _taken(owner: RolloutKey, target: EnvoyRoute, host: str) -> str:
    where = f"{target.router} at {target.admin}, host `{host}`, prefix `{target.prefix}`"
    return f"the route ({where}) already belongs to rollout {owner}; give this one a route of its own"


def _taken_rule(owner: RolloutKey, target: GatewayApiRoute, rule: str | None) -> str:
    theirs = f"rule `{rule}` of {target.place}" if rule else f"{target.place} (no rule named, so all of it)"
    return f"{theirs} already belongs to rollout {owner}; name another rule in both (`routes[].gatewayAPI.rule`)"


def _overlap(home: _Home, target: EnvoyRoute, host: str) -> str:
    where = f"host `{host}` of {target.router} at {target.admin}"
    theirs = ", ".join(sorted(home.hosts))
    return (
        f"{where} already belongs to rollout {home.first} in another list of hosts ({theirs}), and Envoy allows a host "
        "in one list only; give this rollout exactly that list with a prefix of its own, or other hosts"
    )
