"""When everything else is down: put all of a rollout's traffic on stable, from the files beside Envoy alone.

Takes the same lock as the router, so that a running daemon and a person never write over each other.
"""

import time
from dataclasses import replace

from controller.domain.names import RolloutKey, VersionName
from controller.domain.traffic import RouterUnavailableError, RouteSeen, RouteTable, Split
from controller.ports import RouteBinding
from controller.traffic.envoy import EnvoyRouter
from controller.traffic.envoy_files import ConfigFolder
from controller.traffic.envoy_record import Record, recorded

_PATIENCE = 3.0
JOURNAL = "breakglass.jsonl"
"""Beside Envoy's files: who used this, when and why; written by the command line, read by the daemon."""


def everything_to_stable(config_dir: str, key: RolloutKey) -> RouteSeen:
    """Send everything to the version that was stable in the last split written, and return what Envoy then holds.

    Waits up to 3 s for Envoy to take it: look at `accepted` and `table` of the answer. Raises RouterUnavailableError
    when nothing is known of that rollout, when neither the files nor Envoy's runtime could be changed, or when the
    files were written and Envoy does not answer.
    """
    binding, stable = _last(config_dir, key)
    router = EnvoyRouter(binding)
    wanted = RouteTable(shares=((stable, 100),))
    try:
        router.apply(Split(stable))
    except RouterUnavailableError:
        seen = router.observe()
        if seen.table != wanted:
            raise
        return seen
    return _settled(router, wanted)


def stable_of(config_dir: str, key: RolloutKey) -> VersionName:
    """The version that `everything_to_stable` would choose. Raises RouterUnavailableError."""
    return _last(config_dir, key)[1]


def known_rollouts(config_dir: str) -> tuple[RolloutKey, ...]:
    """The rollouts that have a route in this folder."""
    return recorded(ConfigFolder(config_dir))


def _last(config_dir: str, key: RolloutKey) -> tuple[RouteBinding, VersionName]:
    record = Record.read(ConfigFolder(config_dir), key)
    binding = record.binding
    # The folder may have been moved, or be mounted elsewhere for this person.
    target = replace(binding.route.envoy, config_dir=config_dir)
    return replace(binding, route=replace(binding.route, target=target)), record.stable


def _settled(router: EnvoyRouter, wanted: RouteTable) -> RouteSeen:
    deadline = time.monotonic() + _PATIENCE
    while True:
        late = time.monotonic() > deadline
        try:
            seen = router.observe()
            if (seen.accepted and seen.table == wanted) or late:
                return seen
        except RouterUnavailableError as error:
            if late:
                raise RouterUnavailableError(
                    f"the files now send everything to {wanted.sole()}, and Envoy takes them as soon as it runs, but "
                    f"that it did cannot be seen: {error}"
                ) from error
        time.sleep(0.02)
