"""The Envoy router: weights, mirror, header match and sticky conversations from files that we own.

Three siblings say how: `envoy_config` (a split as Envoy's configuration), `envoy_routes` (ours among others', and
read back), `envoy_admin` (what Envoy itself holds and counted). With `listen` we run Envoy (`envoy_process`); without,
we drive one whose bootstrap reads `cds.json` and `rds.json` of `config_dir` and whose listener uses the route
configuration `tidegate`; see docs/how-to/drive-your-own-envoy.md. Then we write neither listener nor bootstrap.

When the files cannot be written, a rollback goes through Envoy's runtime: every split that exposes the candidate has a
route before the others that is off until a runtime key sends everything to stable.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from controller.domain.traffic import Capabilities, RouterUnavailableError, RouteSeen, RouteTable, Split
from controller.ports import RouteBinding
from controller.traffic import envoy_admin, envoy_config, envoy_routes
from controller.traffic.envoy_admin import EnvoyAdmin, Stats
from controller.traffic.envoy_files import ConfigFolder, Json, version_info
from controller.traffic.envoy_names import CLUSTERS_FILE, ROUTE_CONFIG, ROUTES_FILE, owner
from controller.traffic.envoy_process import EnvoyProcess
from controller.traffic.envoy_record import Record
from controller.traffic.envoy_resources import EnvoyResources

T = TypeVar("T")

_PATIENCE = 2.0
# What comes of a file or an answer that someone shaped in another way than we expect.
_MALFORMED = (envoy_routes.ShapeError, KeyError, TypeError, ValueError, AttributeError)


class EnvoyRouter:
    """One rollout's part of one Envoy; other rollouts' and strangers' entries in the same files are preserved.

    Raises RouterUnavailableError for a binding that an Envoy on this machine cannot serve.
    """

    def __init__(self, binding: RouteBinding) -> None:
        self._binding = binding
        self._key = binding.key
        self._target = binding.route.envoy
        self._clusters = _checked(binding, lambda: envoy_config.clusters(binding))
        self._admin = _checked(binding, lambda: EnvoyAdmin(self._target.admin))
        self._folder = ConfigFolder(self._target.config_dir)
        self._resources = EnvoyResources(self._folder, self._admin)
        self._process = EnvoyProcess(self._folder, self._target.admin)

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities()

    def apply(self, split: Split) -> None:
        self._refuse_unlisted(split)
        if split.exposes():
            self._expose(split)
            return
        try:
            self._withdraw(split)
        except RouterUnavailableError as trouble:
            raise self._by_runtime(split, trouble) from trouble

    def observe(self) -> RouteSeen:
        self._heal()
        try:
            return self._seen()
        except _MALFORMED as error:
            raise RouterUnavailableError(
                f"the admin at {self._target.admin} answers what no Envoy that we know says: {error!r}; check that "
                "`admin` is the admin address of an Envoy (tested with 1.40)"
            ) from error

    def _seen(self) -> RouteSeen:
        stats = self._admin.stats(self._key)
        self._check_listener(stats)
        held = self._admin.routes() or {}
        emergency = self._understood(lambda: self._in_emergency(held))
        table = self._understood(lambda: envoy_routes.table_of(held, self._key, emergency=emergency))
        if emergency and table is not None:
            self._make_lasting(table)
        return RouteSeen(
            table=table,
            accepted=emergency or (self._resources.taken(stats) and not self._missing_clusters(held)),
            revision=version_info([repr(table), envoy_routes.routes_of(held, self._key)]),
            epoch=self._admin.epoch(),
            counts={version: envoy_admin.counts(stats, self._key, version) for version in self._binding.backends},
        )

    def _expose(self, split: Split) -> None:
        """The candidate gets something: only by an Envoy that answers, has the clusters, and can be written to."""
        self._require_folder()
        self._ensure_process()
        ended = self._admin.emergency(self._key)
        with self._folder.locked():
            found, (config, others) = self._resources.clusters(), self._resources.routes()
            wanted = self._placed(config, split)
            changed = self._resources.write(CLUSTERS_FILE, self._with_clusters(found, config), anew=ended)
            self._wait(lambda: not self._missing_clusters(wanted), CLUSTERS_FILE)
            # Out of an emergency only when this, and so the next rollback, can be written.
            changed |= self._resources.write(ROUTES_FILE, [wanted, *others], anew=ended)
            Record.of(self._binding, split).write(self._folder)
        if ended:
            self._wait(lambda: self._resources.taken(self._admin.stats()), ROUTES_FILE)
            self._admin.set_emergency(self._key, on=False)
        if not changed:
            self._remind()

    def _withdraw(self, split: Split) -> None:
        """Everything to stable: written first, without asking Envoy for anything."""
        self._require_folder()
        with self._folder.locked():
            found, (config, others) = self._resources.clusters(), self._resources.routes()
            wanted = self._placed(config, split)
            changed = self._resources.write(CLUSTERS_FILE, self._with_clusters(found, config))
            changed |= self._resources.write(ROUTES_FILE, [wanted, *others])
            Record.of(self._binding, split).write(self._folder)
        self._ensure_process()
        if not changed:
            self._remind()

    def _remind(self) -> None:
        with self._folder.locked():
            self._resources.remind()

    def _by_runtime(self, split: Split, trouble: RouterUnavailableError) -> RouterUnavailableError:
        """The files cannot be written and the candidate must go: Envoy's runtime can still send all to stable."""
        try:
            held = self._admin.routes() or {}
            switched = envoy_routes.table_of(held, self._key, emergency=True)
            if not envoy_routes.has_emergency(held, self._key) or switched != split.table():
                return trouble
            self._admin.set_emergency(self._key, on=True)
        except (RouterUnavailableError, *_MALFORMED) as second:
            return RouterUnavailableError(f"{trouble}; nor by Envoy's runtime: {second}")
        return RouterUnavailableError(
            f"{trouble}. Envoy was told through its runtime to send everything to {split.stable}: this holds until "
            "Envoy restarts, so repair the folder first"
        )

    def _make_lasting(self, table: RouteTable) -> None:
        """What was ordered through the runtime ends with Envoy: write it as soon as the folder can be written again."""
        stable = table.sole()
        if stable is not None:
            with contextlib.suppress(RouterUnavailableError):
                self._withdraw(Split(stable))

    def _require_folder(self) -> None:
        if self._target.listen is None and not self._folder.path.is_dir():
            raise RouterUnavailableError(
                f"no folder {self._folder.path}: make it and let your Envoy read {ROUTES_FILE} and {CLUSTERS_FILE} "
                "there, or give `listen` and Tidegate runs an Envoy of its own"
            )

    def _ensure_process(self) -> None:
        listen = self._target.listen
        if listen is not None:
            _checked(self._binding, lambda: self._process.ensure(listen))

    def _heal(self) -> None:
        """Our Envoy runs. When that cannot be seen in the files but it answers, what it says is worth more."""
        try:
            self._ensure_process()
        except RouterUnavailableError:
            if not self._admin.ready():
                raise

    def _check_listener(self, stats: Stats) -> None:
        if self._target.listen is not None:
            self._process.check_listener(self._target.listen, envoy_admin.accepted_listeners(stats))
        elif not envoy_admin.accepted_versions(stats)[0]:
            raise RouterUnavailableError(
                f"the Envoy at {self._target.admin} has no listener that uses the route configuration "
                f"`{ROUTE_CONFIG}`, so nothing it serves is ours: docs/how-to/drive-your-own-envoy.md says what its "
                "bootstrap needs"
            )

    def _placed(self, config: Json, split: Split) -> Json:
        return _checked(
            self._binding,
            lambda: envoy_routes.with_routes(config, self._binding, envoy_config.routes(self._binding, split)),
        )

    def _with_clusters(self, found: Sequence[Json], config: Json) -> list[Json]:
        """Ours anew, others' as they are. What the routes still use stays: removing a cluster cuts its streams."""
        names = {cluster["name"] for cluster in self._clusters}
        used = envoy_routes.referenced(config, self._key) - names
        mine = f"{owner(self._key)}/"
        kept = [one for one in found if not one.get("name", "").startswith(mine) or one["name"] in used]
        return [*kept, *self._clusters]

    def _missing_clusters(self, config: Json) -> list[str]:
        """Clusters of ours that `config` uses and Envoy does not have, or not where the binding says."""
        active = {one["name"]: one.get("load_assignment") for one in self._admin.clusters(self._key)}
        needed = envoy_routes.referenced(config, self._key)
        wanted = [one for one in self._clusters if one["name"] in needed]
        return [one["name"] for one in wanted if active.get(one["name"]) != one["load_assignment"]]

    def _wait(self, taken: Callable[[], bool], name: str) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not taken():
            if time.monotonic() > deadline:
                raise RouterUnavailableError(
                    f"Envoy at {self._target.admin} has not taken {self._folder.path / name} after {_PATIENCE:g} s: "
                    "the candidate gets no more than before; check that Envoy reads that file, that the names of the "
                    "backends resolve, and Envoy's log"
                )
            time.sleep(0.01)

    def _in_emergency(self, held: Json) -> bool:
        return envoy_routes.has_emergency(held, self._key) and self._admin.emergency(self._key)

    def _understood(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except _MALFORMED as error:
            raise RouterUnavailableError(
                f"Envoy at {self._target.admin} holds routes of {self._key} that are no split: {error}; undo that "
                f"change in {self._folder.path / ROUTES_FILE}, or apply a split to overwrite it"
            ) from error

    def _refuse_unlisted(self, split: Split) -> None:
        for version in (split.stable, split.candidate):
            if version is not None and version not in self._binding.backends:
                known = ", ".join(sorted(self._binding.backends)) or "none"
                raise RouterUnavailableError(f"{self._key} has no backend for {version}; listed: {known}")


def _checked(binding: RouteBinding, make: Callable[[], T]) -> T:
    """What `make` gives; a configuration that cannot be is told as the router's trouble, with whose it is."""
    try:
        return make()
    except _MALFORMED as error:
        raise RouterUnavailableError(f"{binding.key}: {error}") from error
