"""A real etcd with its data in a folder: fast instead of safe, as only tests and demonstrations want it."""

import base64
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

from controller.testing.cluster_parts.patience import LOOPBACK, free_port
from controller.testing.cluster_parts.process import Process
from controller.testing.cluster_parts.programs import PartError, program


class Etcd:
    """One member on free loopback ports. `folder` holds its data and its log; restarts keep data and ports."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._data = folder / "etcd"
        self._port, self._peer = free_port(), free_port()
        self.url = f"http://{LOOPBACK}:{self._port}"
        self._process: Process | None = None

    @property
    def process(self) -> Process:
        """PartError when it was never started."""
        if self._process is None:
            raise PartError("etcd was not started")
        return self._process

    def start(self, timeout: float = 20.0) -> None:
        """Return when it answers; PartError with its log otherwise."""
        self._process = Process("etcd", [program("etcd"), *self._flags()], self._folder / "etcd.log")
        try:
            self._process.wait_ready(self._is_healthy, timeout)
        except BaseException:
            self._process.kill()
            raise

    def stop(self) -> None:
        """Stopping twice, or before it was started, is harmless. It ends at once: nobody keeps this data."""
        if self._process is not None:
            self._process.kill()

    def pause(self) -> None:
        """Freeze it: the API server's writes and uncached reads hang."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def restart(self) -> None:
        """Kill it and start it on the same data."""
        self.stop()
        self.start()

    def snapshot(self, path: Path) -> Path:
        """Write everything it holds now into the file `path` (what `etcdctl snapshot save` does)."""
        ask = urllib.request.Request(f"{self.url}/v3/maintenance/snapshot", b"{}")  # noqa: S310 - our own http URL
        with urllib.request.urlopen(ask, timeout=30) as answer, path.open("wb") as file:  # noqa: S310
            for line in answer:
                file.write(base64.b64decode(json.loads(line)["result"].get("blob", "")))
        return path

    def restore(self, snapshot: Path, *, bump_revision: int = 0) -> None:
        """Go back to `snapshot`; runs again afterwards. Stop the API server before and start it after.

        With `bump_revision` revisions do not go back but ahead by so many, and older ones count as compacted:
        what Kubernetes advises, because informers then list again. With 0 they go back, as after a naive restore.
        """
        self.stop()
        shutil.rmtree(self._data, ignore_errors=True)
        bump = ["--bump-revision", str(bump_revision), "--mark-compacted"] if bump_revision else []
        words = ["snapshot", "restore", str(snapshot), "--data-dir", str(self._data), *self._cluster(), *bump]
        done = subprocess.run([program("etcdutl"), *words], capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise PartError(f"etcdutl could not restore {snapshot}: {done.stderr.strip()[-800:]}")
        self.start()

    def _cluster(self) -> list[str]:
        peer = f"http://{LOOPBACK}:{self._peer}"
        return ["--name=one", f"--initial-cluster=one={peer}", f"--initial-advertise-peer-urls={peer}"]

    def _flags(self) -> list[str]:
        return [
            f"--data-dir={self._data}",
            f"--listen-client-urls={self.url}",
            f"--advertise-client-urls={self.url}",
            f"--listen-peer-urls=http://{LOOPBACK}:{self._peer}",
            *self._cluster(),
            "--unsafe-no-fsync",
            "--log-level=warn",
        ]

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=1) as answer:  # noqa: S310 - our own http URL
                return bool(json.load(answer)["health"] == "true")
        except (OSError, urllib.error.URLError, ValueError):
            return False
