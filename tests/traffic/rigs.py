"""Rigs for the conformance suite: one per router. A router without one fails by its own name."""

import json
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from controller.domain.names import RolloutKey, VersionName
from controller.domain.route import BackendRef, EnvoyRoute, Route, Sticky
from controller.domain.traffic import RouteTable
from controller.ports import RouteBinding
from controller.testing.conformance.traffic_rig import CONVERSATION, TrafficRig
from controller.testing.routers import Fault, MemoryRouter
from controller.traffic.envoy import EnvoyRouter
from controller.traffic.envoy_admin import EnvoyAdmin
from controller.traffic.envoy_process import PROCESS_FILE, stop_envoy
from tests.parts.net import LOOPBACK, free_port, wait_until
from tests.traffic.gateway_rigs import a_gateway_rig
from tests.traffic.models import ModelServer, a_model, ask

V11, V12 = VersionName("v11"), VersionName("v12")
KEY = RolloutKey("assistants", "support-bot")
STICKY = Sticky("header", CONVERSATION)


class EnvoyRig:
    """An Envoy that Tidegate runs in a folder of the test's own, with a real server per version."""

    stable, candidate = V11, V12

    def __init__(self, folder: Path, models: Mapping[VersionName, ModelServer]) -> None:
        self.folder = folder
        self.models = models
        self.port, self.admin_port = free_port(), free_port()
        target = EnvoyRoute(
            admin=f"{LOOPBACK}:{self.admin_port}", config_dir=str(folder), listen=f"{LOOPBACK}:{self.port}"
        )
        backends = {version: model.backend for version, model in models.items()}
        self.binding = RouteBinding(KEY, Route(target, STICKY), backends)
        self.router = EnvoyRouter(self.binding)
        self.admin = EnvoyAdmin(target.admin)

    @property
    def pid(self) -> int:
        return int(json.loads((self.folder / PROCESS_FILE).read_text())["pid"])

    def send(self, requests: int, headers: Mapping[str, str] | None = None) -> Sequence[VersionName]:
        return ask(self.port, requests, headers)

    def reached(self, version: VersionName) -> int:
        return len(self.models[version].heard)

    def in_force(self, table: RouteTable) -> bool:
        return True

    def cut(self) -> None:
        """Envoy stands still: the admin interface takes connections and never answers."""
        os.kill(self.pid, signal.SIGSTOP)

    def mend(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        # Its sockets close a moment before the process itself is over.
        wait_until(lambda: _is_over(pid), 5, "Envoy to be gone")

    def restart(self) -> None:
        self.kill()

    def add_foreign(self) -> None:
        """A virtual host and a cluster of someone else, in the files that we write too."""
        self.edit("cds.json", lambda resources: resources.append(_FOREIGN_CLUSTER))
        self.edit("rds.json", lambda resources: resources[0]["virtual_hosts"].append(_FOREIGN_HOST))
        wait_until(lambda: self.foreign() != (0, 0), 5, "Envoy to take the foreign entries")

    def foreign(self) -> object:
        hosts = (self.admin.routes() or {}).get("virtual_hosts", [])
        clusters = self.admin.clusters()
        strange = [host for host in hosts if not host["name"].startswith("tidegate/")]
        unknown = [cluster for cluster in clusters if not cluster["name"].startswith("tidegate/")]
        return (strange, unknown) if strange and unknown else (0, 0)

    def edit(self, name: str, change: Callable[[list[dict]], object]) -> None:  # type: ignore[type-arg]
        """Someone changes one of the files by hand, with a version of their own."""
        content = json.loads((self.folder / name).read_text())
        change(content["resources"])
        content["version_info"] = f"by-hand-{content['version_info'][-6:]}"
        temporary = self.folder / f".{name}.mine"
        temporary.write_text(json.dumps(content))
        temporary.replace(self.folder / name)

    def stop(self) -> None:
        stop_envoy(str(self.folder))


class MemoryRig:
    """The in-memory router; its data plane is itself."""

    stable, candidate = V11, V12

    def __init__(self) -> None:
        target = EnvoyRoute(admin="127.0.0.1:1", config_dir="/nowhere")
        backends = {version: BackendRef("Host", LOOPBACK, 1) for version in (V11, V12)}
        self.router = MemoryRouter(RouteBinding(KEY, Route(target, STICKY), backends))

    def send(self, requests: int, headers: Mapping[str, str] | None = None) -> Sequence[VersionName]:
        return self.router.send(requests, headers)

    def reached(self, version: VersionName) -> int:
        return self.router.observe().counts[version].total

    def in_force(self, table: RouteTable) -> bool:
        return True

    def cut(self) -> None:
        self.router.fault = Fault.UNREACHABLE

    def mend(self) -> None:
        self.router.fault = None

    def restart(self) -> None:
        self.router.restart()

    def add_foreign(self) -> None:
        """It holds nothing but ours."""

    def foreign(self) -> RouteTable | None:
        return None


def _is_over(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@contextmanager
def an_envoy_rig(**target: str | tuple[str, ...]) -> Iterator[EnvoyRig]:
    """Fresh, its Envoy not yet started; everything gone afterwards. `target` overrides fields of the route."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidegate-envoy-")))
        models = {version: stack.enter_context(a_model(version)) for version in (V11, V12)}
        rig = EnvoyRig(folder, models)
        if target:
            changed = replace(rig.binding.route.target, **target)  # type: ignore[arg-type]
            rig.binding = replace(rig.binding, route=replace(rig.binding.route, target=changed))
            rig.router = EnvoyRouter(rig.binding)
        stack.callback(rig.stop)
        yield rig


@contextmanager
def a_memory_rig() -> Iterator[MemoryRig]:
    yield MemoryRig()


RIGS: Mapping[str, Callable[[], AbstractContextManager[TrafficRig]]] = {
    "envoy": an_envoy_rig,
    "gateway_api": a_gateway_rig,
    "memory": a_memory_rig,
}

_FOREIGN_CLUSTER = {
    "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "name": "somebody-elses",
    "type": "STATIC",
    "connect_timeout": "1.250s",
    "load_assignment": {"cluster_name": "somebody-elses", "endpoints": []},
}
_FOREIGN_HOST = {
    "name": "somebody-elses",
    "domains": ["other.example"],
    "routes": [{"match": {"prefix": "/"}, "direct_response": {"status": 418}}],
    "request_headers_to_add": [{"header": {"key": "x-theirs", "value": "1"}}],
}
