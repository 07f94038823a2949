"""A real Prometheus on a free loopback port, scraping what a test tells it to."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.parts.net import LOOPBACK, free_port, status_of
from tests.parts.process import Child
from tests.parts.tools import go_tool


def scrape_job(name: str, targets: Sequence[str], **more: object) -> dict[str, object]:
    """One entry of `scrape_configs`: targets are "host:port", scraped every second unless `more` differs."""
    return {
        "job_name": name,
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "static_configs": [{"targets": list(targets)}],
        **more,
    }


class Prometheus:
    """A server with its data in `folder`. `restart` keeps both; `web_config` is basic auth or TLS."""

    def __init__(
        self,
        folder: Path,
        jobs: Sequence[Mapping[str, object]] = (),
        *,
        web_config: Mapping[str, object] | None = None,
    ) -> None:
        self.folder = folder
        self.port = free_port()
        self._web_config = web_config
        secure = bool(web_config and "tls_server_config" in web_config)
        self.url = f"{'https' if secure else 'http'}://{LOOPBACK}:{self.port}"
        self._child: Child | None = None
        self.configure(jobs)

    @property
    def child(self) -> Child:
        assert self._child is not None, "Prometheus was not started"
        return self._child

    def configure(self, jobs: Sequence[Mapping[str, object]]) -> None:
        """Write the scrape configuration; a running server reads it after `restart`."""
        config = {"global": {"scrape_interval": "1s"}, "scrape_configs": [dict(job) for job in jobs]}
        (self.folder / "prometheus.yml").write_text(yaml.safe_dump(config))

    def start(self, timeout: float = 30.0) -> None:
        self._child = Child([go_tool("prometheus"), *self._flags()], self.folder / "prometheus.log")
        try:
            self._child.wait_ready(self._is_ready, timeout)
        except BaseException:
            self._child.stop()
            raise

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()

    def restart(self) -> None:
        self.stop()
        self.start()

    def _flags(self) -> list[str]:
        flags = [
            f"--config.file={self.folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self.port}",
            "--web.enable-lifecycle",
            "--log.level=warn",
        ]
        if self._web_config is not None:
            path = self.folder / "web.yml"
            path.write_text(yaml.safe_dump(dict(self._web_config)))
            flags.append(f"--web.config.file={path}")
        return flags

    def _is_ready(self) -> bool:
        # 401 is an answer too: it asks for a password that is the test's business.
        return status_of(f"{self.url}/-/ready") in {200, 401}


@contextmanager
def a_prometheus(
    jobs: Sequence[Mapping[str, object]] = (), *, web_config: Mapping[str, object] | None = None
) -> Iterator[Prometheus]:
    """Started and ready inside the `with`, gone with its data afterwards."""
    with tempfile.TemporaryDirectory(prefix="tidegate-prometheus-") as folder:
        server = Prometheus(Path(folder), jobs, web_config=web_config)
        server.start()
        try:
            yield server
        finally:
            server.stop()
