"""Break-glass: everything to stable from the files beside Envoy alone, verified in Envoy's own counters."""

import getpass
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from controller.cli.output import Code, CommandError
from controller.domain.names import RolloutKey, VersionName
from controller.domain.traffic import RouterUnavailableError, RouteSeen, RouteTable
from controller.ports import Clock, TrafficRouter
from controller.runtime.config_dirs import below, in_specs
from controller.traffic import breakglass, router_for
from controller.traffic.envoy_files import ConfigFolder
from controller.traffic.envoy_names import ROUTES_FILE, Role, cluster_name, emergency_key, owner
from controller.traffic.envoy_record import Record

QUIET_SECONDS, PATIENCE_SECONDS, STEP_SECONDS = 1.0, 8.0, 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """A rollout's route: its key and the folder that Envoy reads."""

    key: RolloutKey
    config_dir: str

    proof = "verified in Envoy's counters"
    holder = "Envoy holds"

    def told(self) -> dict[str, object]:
        """For machines."""
        return {"config_dir": self.config_dir}


@dataclass(frozen=True, slots=True)
class Ending:
    """What came of it. `trouble` is why it is not verified; None when it is."""

    stable: VersionName | None
    seen: RouteSeen | None
    trouble: str | None

    @property
    def in_flight(self) -> int:
        """Answers that other versions still stream to users."""
        return (
            sum(counts.active for version, counts in self.seen.counts.items() if version != self.stable)
            if self.seen
            else 0
        )


def places(name: str, config_dir: Path | None, rollouts: list[Path], state_dir: Path) -> Iterator[Place]:
    """Every route of that name: in the folder given, else in those the specs name, else below the state folder."""
    if config_dir is not None:
        folders = [config_dir]
    else:
        folders = [path for folder in rollouts for path in in_specs(folder)] or below(state_dir)
    for folder in dict.fromkeys(path.absolute() for path in folders):
        keys = breakglass.known_rollouts(str(folder))
        exact = [key for key in keys if key == RolloutKey.parse(name)]
        yield from (Place(key, str(folder)) for key in exact or [key for key in keys if key.name == name])


def the_place(name: str, config_dir: Path | None, rollouts: list[Path], state_dir: Path) -> Place:
    """The one route of that name. Raises CommandError that says where was looked and what to give."""
    found = list(places(name, config_dir, rollouts, state_dir))
    if len(found) == 1:
        return found[0]
    where = config_dir or (", ".join(map(str, rollouts)) if rollouts else state_dir)
    if found:
        which = ", ".join(f"{one.key} in {one.config_dir}" for one in found)
        raise CommandError(
            f"several routes are named `{name}`: {which}", Code.WRONG_USE, "Give NAMESPACE/NAME or --config-dir."
        )
    raise CommandError(
        f"no route of `{name}` was found by looking at {where}",
        Code.REFUSED,
        "ACT NOW: give the folder that Envoy reads (it holds rds.json) with --config-dir, or change rds.json by hand. "
        "An HTTPRoute of a cluster: --cluster in a pod, --kubeconfig FILE elsewhere, or `kubectl tidegate route`.",
    )


def to_stable(place: Place, clock: Clock) -> Ending:
    """Send everything to stable and watch Envoy's counters until nothing else was counted for a second."""
    try:
        stable = breakglass.stable_of(place.config_dir, place.key)
    except RouterUnavailableError as error:
        return Ending(None, None, str(error))
    try:
        seen = breakglass.everything_to_stable(place.config_dir, place.key)
        return _verified(_router(place), stable, seen, clock)
    except RouterUnavailableError as error:
        return Ending(stable, None, str(error))


def _router(place: Place) -> TrafficRouter:
    binding = Record.read(ConfigFolder(place.config_dir), place.key).binding
    target = replace(binding.route.envoy, config_dir=place.config_dir)
    return router_for(replace(binding, route=replace(binding.route, target=target)))


def _verified(router: TrafficRouter, stable: VersionName, seen: RouteSeen, clock: Clock) -> Ending:
    wanted = RouteTable(shares=((stable, 100),))
    deadline = clock.monotonic() + PATIENCE_SECONDS
    counted, quiet_since = _others(seen, stable), clock.monotonic()
    while clock.monotonic() < deadline:
        clock.sleep(STEP_SECONDS)
        seen = router.observe()
        now = _others(seen, stable)
        if now != counted or not seen.accepted or seen.table != wanted:
            counted, quiet_since = now, clock.monotonic()
        elif clock.monotonic() - quiet_since >= QUIET_SECONDS:
            return Ending(stable, seen, None)
    return Ending(stable, seen, _why(seen, wanted, stable))


def _others(seen: RouteSeen, stable: VersionName) -> int:
    return sum(counts.total for version, counts in seen.counts.items() if version != stable)


def _why(seen: RouteSeen, wanted: RouteTable, stable: VersionName) -> str:
    if not seen.accepted:
        return "Envoy does not report the configuration that was written"
    if seen.table != wanted:
        return f"Envoy holds another split: {shares(seen)}"
    return f"Envoy still counts requests for versions other than {stable}"


def shares(seen: RouteSeen) -> str:
    """What Envoy holds, in words."""
    if seen.table is None:
        return "no route of this rollout"
    told = [f"{share} % to {version}" for version, share in seen.table.shares]
    told += [f"{share} % mirrored to {version}" for version, share in seen.table.mirrors]
    return ", ".join([*told, *(f"a cohort to {version}" for version, _ in seen.table.cohorts)])


def by_hand(place: Place, stable: VersionName | None) -> list[str]:
    """What a person can do without Tidegate: one command, or two lines of Envoy's file."""
    name = cluster_name(place.key, stable or VersionName("STABLE-VERSION"), Role.LIVE)
    told = [
        f"In {place.config_dir}/{ROUTES_FILE} (copy it, edit, `mv` it over), in every route of `{owner(place.key)}`:",
        f'  "weighted_clusters": {{"clusters": [{{"name": "{name}", "weight": 100}}]}}',
        '  and remove "request_mirror_policies"; then change "version_info" to any new text.',
    ]
    try:
        admin = Record.read(ConfigFolder(place.config_dir), place.key).binding.route.envoy.admin
    except RouterUnavailableError:
        return told
    return [
        *told,
        "Or, until Envoy restarts:",
        f"  curl -X POST 'http://{admin}/runtime_modify?{emergency_key(place.key)}=100'",
    ]


def record(place: Place, ending: Ending | None, reason: str, clock: Clock) -> str | None:
    """Note who, when and why beside Envoy's files, before (`ending` None) and after. Returns why that failed, or None.

    The note before is what a running daemon finds when it meets the lowered traffic.
    """
    entry = {
        "at": clock.now().isoformat(),
        "rollout": str(place.key),
        "actor": actor(),
        "reason": reason,
        "stable": ending.stable if ending else None,
        "verified": ending.trouble is None if ending else None,
        "trouble": ending.trouble if ending else None,
    }
    file = Path(place.config_dir) / breakglass.JOURNAL
    try:
        handle = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o644)
        with os.fdopen(handle, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
    except OSError as error:
        return f"{file} could not be written ({error.strerror}): note down yourself who did this, when and why"
    return None


def actor() -> str:
    """Who runs this, and for whom."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"uid {os.getuid()}"
    behind = os.environ.get("SUDO_USER")
    return f"{behind} (as {user})" if behind and behind != user else user
