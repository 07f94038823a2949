"""A file per rollout beside Envoy's: enough to put everything on stable without daemon, database or spec."""

from dataclasses import dataclass
from typing import Any

from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef, EnvoyRoute, Route, Sticky
from controller.domain.traffic import RouterUnavailableError, Split
from controller.ports import RouteBinding
from controller.traffic.envoy_files import ConfigFolder
from controller.traffic.envoy_names import record_file, record_key

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """The binding of a rollout and the roles of its last split."""

    binding: RouteBinding
    stable: VersionName
    candidate: VersionName | None

    @classmethod
    def of(cls, binding: RouteBinding, split: Split) -> "Record":
        """What to remember of a split that was written."""
        return cls(binding, split.stable, split.candidate)

    @classmethod
    def read(cls, folder: ConfigFolder, key: RolloutKey) -> "Record":
        """Raises RouterUnavailableError, which lists the rollouts there are, when there is none of that name."""
        try:
            found = folder.read(record_file(key))
            if found is not None:
                return _parsed(key, found)
        except (ValueError, KeyError, TypeError) as error:
            raise RouterUnavailableError(f"{folder.path / record_file(key)} is damaged: {error!r}") from error
        known = ", ".join(str(one) for one in recorded(folder)) or "none"
        raise RouterUnavailableError(f"no route of {key} in {folder.path}; rollouts with a route there: {known}")

    def write(self, folder: ConfigFolder) -> None:
        """Only when it says something new. Raises RouterUnavailableError."""
        content = _rendered(self)
        try:
            same = folder.read(record_file(self.binding.key)) == content
        except ValueError:
            same = False
        if not same:
            folder.replace(record_file(self.binding.key), content)


def recorded(folder: ConfigFolder) -> tuple[RolloutKey, ...]:
    """The rollouts that have a route in this folder."""
    return tuple(sorted(record_key(path.name) for path in folder.path.glob("tidegate.*.json")))


def _rendered(record: Record) -> Json:
    target, sticky = record.binding.route.envoy, record.binding.route.sticky
    return {
        "rollout": str(record.binding.key),
        "stable": record.stable,
        "candidate": record.candidate,
        "backends": {
            version: {"kind": backend.kind, "name": backend.name, "port": backend.port}
            for version, backend in sorted(record.binding.backends.items())
        },
        "route": {
            "admin": target.admin,
            "listen": target.listen,
            "hosts": list(target.hosts),
            "prefix": target.prefix,
        },
        "sticky": {"by": sticky.by, "name": sticky.name} if sticky else None,
        "config_dir": target.config_dir,
    }


def _parsed(key: RolloutKey, found: Json) -> Record:
    route = found["route"]
    target = EnvoyRoute(
        admin=route["admin"],
        config_dir=found["config_dir"],
        listen=route["listen"],
        hosts=tuple(route["hosts"]),
        prefix=route["prefix"],
    )
    sticky = Sticky(**found["sticky"]) if found["sticky"] else None
    backends = {VersionName(version): BackendRef(**backend) for version, backend in found["backends"].items()}
    candidate = VersionName(found["candidate"]) if found["candidate"] else None
    return Record(RouteBinding(key, Route(target, sticky), backends), VersionName(found["stable"]), candidate)
