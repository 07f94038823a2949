"""`cds.json` and `rds.json`: what is in them, ours and others', written and compared with what Envoy took."""

from collections.abc import Sequence

from controller.domain.traffic import RouterUnavailableError
from controller.traffic import envoy_admin, envoy_config
from controller.traffic.envoy_admin import EnvoyAdmin, Stats
from controller.traffic.envoy_files import ConfigFolder, Json, Stamp, version_info
from controller.traffic.envoy_names import CLUSTERS_FILE, ROUTES_FILE


class EnvoyResources:
    """The two files of one folder, and the Envoy that reads them."""

    def __init__(self, folder: ConfigFolder, admin: EnvoyAdmin) -> None:
        self._folder = folder
        self._admin = admin
        self._versions: dict[str, tuple[Stamp, str | None]] = {}

    def clusters(self) -> list[Json]:
        """All clusters in the file. Raises RouterUnavailableError."""
        return self._base(CLUSTERS_FILE)

    def routes(self) -> tuple[Json, list[Json]]:
        """The route configuration that we write into (a new one if need be), and those of others."""
        configs = self._base(ROUTES_FILE)
        fresh = envoy_config.route_config()
        mine = next((one for one in configs if one.get("name") == fresh["name"]), fresh)
        return mine, [one for one in configs if one is not mine]

    def write(self, name: str, resources: Sequence[Json], *, anew: bool = False) -> bool:
        """Replace a file; unless `anew`, only when it says something else. Was it? Raises RouterUnavailableError."""
        content = {"version_info": version_info(resources), "resources": list(resources)}
        if not anew and self._readable(name) == content:
            return False
        self._folder.replace(name, content)
        return True

    def remind(self) -> None:
        """Replace a file by itself when Envoy answers that it has another version: it may have missed the change."""
        try:
            held = envoy_admin.accepted_versions(self._admin.stats())
        except RouterUnavailableError:
            return
        for name, versions in zip((ROUTES_FILE, CLUSTERS_FILE), held, strict=True):
            content = self._readable(name)
            if content is not None and versions and versions != {str(content.get("version_info"))}:
                self._folder.replace(name, content)

    def taken(self, stats: Stats) -> bool:
        """Does Envoy itself name the versions that both files have?"""
        written = [self._version(name) for name in (ROUTES_FILE, CLUSTERS_FILE)]
        held = envoy_admin.accepted_versions(stats)
        return all(version is not None and names == {version} for version, names in zip(written, held, strict=True))

    def _base(self, name: str) -> list[Json]:
        """The file's resources; when it is gone or garbage, what Envoy still holds, so that others lose nothing."""
        found = self._readable(name)
        if found is not None and isinstance(found.get("resources"), list):
            return [one for one in found["resources"] if isinstance(one, dict)]
        try:
            return self._held(name)
        except RouterUnavailableError as error:
            if not (self._folder.path / name).exists():
                return []
            raise RouterUnavailableError(
                f"{self._folder.path / name} is damaged and Envoy cannot be asked what it held: {error}; repair the "
                "file, or move it away if it held nothing of yours"
            ) from error

    def _held(self, name: str) -> list[Json]:
        if name == CLUSTERS_FILE:
            return self._admin.clusters()
        held = self._admin.routes()
        return [{"@type": envoy_config.route_config()["@type"], **held}] if held else []

    def _readable(self, name: str) -> Json | None:
        try:
            return self._folder.read(name)
        except ValueError:
            return None

    def _version(self, name: str) -> str | None:
        """Read anew only when the file is another one: to parse it takes most of a look at a route."""
        stamp = self._folder.stamp(name)
        known = self._versions.get(name)
        if known is not None and stamp is not None and known[0] == stamp:
            return known[1]
        try:
            found = self._readable(name)
        except RouterUnavailableError:
            return None
        version = str(found["version_info"]) if found and "version_info" in found else None
        if stamp is not None:
            self._versions[name] = (stamp, version)
        return version
