"""Every route that a candidate may have traffic on, when the database cannot say: from records, spool and specs."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from controller.domain.names import RolloutKey, VersionName
from controller.domain.record import TickRecord
from controller.domain.rollout import Mode, ModelRollout
from controller.domain.route import EnvoyRoute, Route
from controller.domain.traffic import RouterUnavailableError, RouteTable
from controller.ports import RouteBinding, Specs
from controller.runtime.config_dirs import below, in_specs
from controller.traffic.breakglass import known_rollouts
from controller.traffic.envoy_files import ConfigFolder
from controller.traffic.envoy_record import Record

log = structlog.get_logger("vigil")


@dataclass(frozen=True, slots=True)
class KnownRoute:
    """One route. `stable` None: neither a record nor the spool says it. `observed`: nothing may be written.

    `candidate` is the one that gets, or may get, traffic; None: by what is recorded, nobody does.
    """

    binding: RouteBinding
    stable: VersionName | None
    candidate: VersionName | None
    spec: ModelRollout | None = None
    observed: bool = False

    @property
    def key(self) -> RolloutKey:
        return self.binding.key

    def stable_in(self, table: RouteTable) -> VersionName | None:
        """What is stable: as recorded, else the only version that serves, else `initialStable` if it still serves."""
        if self.stable is not None or self.spec is None:
            return self.stable
        sole, initial = table.sole(), self.spec.initial_stable
        if sole is not None and self.spec.find(sole) is not None:
            return sole
        asked_for = initial is None or initial == self.spec.version
        return None if asked_for or initial is None or not table.share(initial) else initial


Place = tuple[RolloutKey, str]


def known_routes(
    specs: Specs, spooled: Iterable[TickRecord], folders: Sequence[Path], state_dir: Path, *, observe: bool
) -> dict[Place, KnownRoute]:
    """By rollout and place. What was spooled is newer than the record beside Envoy, and the spec comes last."""
    wanted = {key: seen.spec for key, seen in specs.rollouts.items() if seen.spec is not None}
    newest = {record.key: record for record in spooled}
    found = {(one.key, _place(one.binding.route)): one for one in _recorded(wanted, newest, folders, state_dir)}
    found = {place: _by_spool(one, newest.get(one.key)) for place, one in found.items()}
    for one in (*_spooled(newest), *_specified(wanted)):
        if all(key != one.key for key, _ in found):
            found[one.key, _place(one.binding.route)] = one
    return {place: _with_spec(one, wanted.get(one.key), observe) for place, one in found.items()}


def _recorded(
    wanted: Mapping[RolloutKey, ModelRollout],
    newest: Mapping[RolloutKey, TickRecord],
    folders: Sequence[Path],
    state_dir: Path,
) -> Iterator[KnownRoute]:
    specs = [*wanted.values(), *(record.position.run.spec for record in newest.values() if record.position.run)]
    targets = (spec.route.target for spec in specs)
    named = [Path(target.config_dir) for target in targets if isinstance(target, EnvoyRoute)]
    for folder in dict.fromkeys(path.absolute() for path in (*named, *_looked_up(folders, state_dir))):
        for key in known_rollouts(str(folder)):
            one = _read(folder, key)
            if one is not None:
                yield one


def _looked_up(folders: Sequence[Path], state_dir: Path) -> list[Path]:
    try:
        return [*(path for folder in folders for path in in_specs(folder)), *below(state_dir)]
    except OSError as error:
        log.warning("not_looked_through", trouble=str(error))
        return []


def _read(folder: Path, key: RolloutKey) -> KnownRoute | None:
    try:
        record = Record.read(ConfigFolder(str(folder)), key)
    except RouterUnavailableError as error:
        log.error("record_unreadable", rollout=str(key), trouble=str(error))
        return None
    binding = record.binding
    target = replace(binding.route.envoy, config_dir=str(folder))
    return KnownRoute(replace(binding, route=replace(binding.route, target=target)), record.stable, record.candidate)


def _by_spool(one: KnownRoute, spooled: TickRecord | None) -> KnownRoute:
    """A decision of the last life that may not have been carried out: whom it calls stable is stable."""
    split = spooled.position.split() if spooled else None
    if split is None or split.stable not in one.binding.backends:
        return one
    before = one.stable if one.stable != split.stable else None
    return replace(one, stable=split.stable, candidate=split.candidate or one.candidate or before)


def _spooled(newest: Mapping[RolloutKey, TickRecord]) -> Iterator[KnownRoute]:
    for key, record in newest.items():
        run, split = record.position.run, record.position.split()
        if run is not None and split is not None:
            yield KnownRoute(_binding(key, run.spec), split.stable, split.candidate or run.candidate)


def _specified(wanted: Mapping[RolloutKey, ModelRollout]) -> Iterator[KnownRoute]:
    for key, spec in wanted.items():
        yield KnownRoute(_binding(key, spec), None, spec.version)


def _with_spec(one: KnownRoute, spec: ModelRollout | None, observe: bool) -> KnownRoute:
    return replace(one, spec=spec, observed=observe or (spec is not None and spec.mode is Mode.OBSERVE))


def _binding(key: RolloutKey, spec: ModelRollout) -> RouteBinding:
    return RouteBinding(key, spec.route, {version.name: version.backend for version in spec.versions})


def _place(route: Route) -> str:
    target = route.target
    return target.config_dir if isinstance(target, EnvoyRoute) else target.place
