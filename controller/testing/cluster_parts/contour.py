"""Contour as the control plane of one Gateway, and its Envoy, both in a network namespace beside the API server.

with Netns() as netns, a_contour(server, netns) as contour:
    server.kubectl.apply(*backend("v1", "default", netns.address(11), 8000), http_route(...))
    contour.get("/", host="chat.test")       # goes through Envoy
"""

import http.client
import json
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.testing.cluster_parts import resources
from controller.testing.cluster_parts.apiserver import ApiServer
from controller.testing.cluster_parts.crds import Channel, install_contour, install_gateway_api
from controller.testing.cluster_parts.netns import Netns
from controller.testing.cluster_parts.patience import wait_until
from controller.testing.cluster_parts.process import Process
from controller.testing.cluster_parts.programs import PartError, program, wheel_program

NAMESPACE, NAME, CLASS = "gateways", "gate", "contour"
XDS_PORT, METRICS_PORT, ENVOY_HTTP = 8001, 8003, 8080
# It asks for versions of these that the definitions do not serve any more, and would wait for them for ever.
WITHOUT = ("tlsroutes", "tcproutes", "backendtlspolicies")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back through Envoy."""

    status: int
    body: str


class Contour:
    """Serves the Gateway `gateways/gate` of class `contour`. At `address`:`port` inside, at `url` from out here."""

    gateway = f"{NAMESPACE}/{NAME}"
    port = ENVOY_HTTP

    def __init__(self, server: ApiServer, netns: Netns, folder: Path, *, channel: Channel = "standard") -> None:
        self._server, self._netns, self._folder, self._channel = server, netns, folder, channel
        self.address = netns.address(1)
        self.admin_socket = folder / "admin.sock"
        self._contour: Process | None = None
        self._envoy: Process | None = None
        self._forwards = [netns.reach(self.address, ENVOY_HTTP)]
        self.url = self._forwards[0].url

    @property
    def contour(self) -> Process:
        """The control plane: freeze it, and routes are accepted that Envoy does not follow."""
        return _started(self._contour, "contour")

    @property
    def envoy(self) -> Process:
        """The data plane."""
        return _started(self._envoy, "envoy")

    def start(self, timeout: float = 60.0) -> None:
        """Install the definitions and the Gateway, start both; return when the Gateway is `Programmed`."""
        self._install()
        self._forwards.append(self._netns.expose(self._server.port))
        try:
            self.start_contour()
            self.start_envoy(timeout)
            wait_until(self.is_programmed, timeout, "the Gateway to be Programmed")
        except BaseException:
            self.stop()
            raise

    def start_contour(self) -> None:
        """Start the control plane, for the first time or after `contour.kill()`."""
        config = self._folder / "contour.yaml"
        config.write_text(json.dumps({"gateway": {"gatewayRef": {"namespace": NAMESPACE, "name": NAME}}}))
        flags = [
            f"--config-path={config}",
            f"--kubeconfig={self._server.kubeconfig()}",
            "--insecure",
            "--disable-leader-election",
            "--xds-address=127.0.0.1",
            f"--xds-port={XDS_PORT}",
            "--http-address=127.0.0.1",
            f"--http-port={METRICS_PORT}",
            "--health-address=127.0.0.1",
            f"--health-port={METRICS_PORT}",
            f"--ingress-status-address={self.address}",
            *(f"--disable-feature={name}" for name in WITHOUT),
        ]
        self._contour = self._netns.start(
            "contour", [program("contour"), "serve", *flags], self._folder / "contour.log"
        )
        self._contour.wait_ready(lambda: self._listens(XDS_PORT), 30)

    def start_envoy(self, timeout: float = 30.0) -> None:
        """Start the data plane, for the first time or after `envoy.kill()`."""
        bootstrap = self._folder / "envoy.json"
        where = ["--xds-address=127.0.0.1", f"--xds-port={XDS_PORT}", f"--admin-address={self.admin_socket}"]
        done = subprocess.run(
            [program("contour"), "bootstrap", bootstrap, *where], capture_output=True, text=True, timeout=30
        )
        if done.returncode:
            raise PartError(f"contour bootstrap: {done.stderr.strip()[-800:]}")
        node = ["--service-cluster", "contour", "--service-node", "envoy"]
        flags = [*node, "--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
        self._envoy = self._netns.start(
            "envoy", [wheel_program("envoy"), "-c", bootstrap, *flags], self._folder / "envoy.log"
        )
        self._envoy.wait_ready(self._envoy_is_live, timeout)

    def stop(self) -> None:
        """End both and close the ways to them; harmless when they do not run."""
        for process in (self._envoy, self._contour):
            if process is not None:
                process.kill()
        for forward in self._forwards:
            forward.stop()

    def is_programmed(self) -> bool:
        """Whether the Gateway says so of itself."""
        status = self._server.kubectl.get("gateway", NAME, NAMESPACE).get("status", {})
        return any(one["type"] == "Programmed" and one["status"] == "True" for one in status.get("conditions", []))

    def get(self, path: str = "/", *, host: str, headers: dict[str, str] | None = None, timeout: float = 5.0) -> Answer:
        """One request through Envoy on a connection of its own. Raises OSError when nobody listens."""
        connection = http.client.HTTPConnection(self.address, self.port, timeout=timeout)
        connection.sock = self._netns.connect(self.address, self.port, timeout)
        try:
            connection.request("GET", path, headers={"Host": host, "Connection": "close", **(headers or {})})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(errors="replace"))
        finally:
            connection.close()

    def try_get(self, path: str = "/", *, host: str) -> Answer | None:
        """As `get`, but None while Envoy does not listen: it opens its port with the first route it is given."""
        try:
            return self.get(path, host=host, timeout=2)
        except (OSError, http.client.HTTPException):
            return None

    def wait_served(self, *, host: str, by: str | None = None, timeout: float = 20.0) -> None:
        """Return when a request to `host` is answered with 200, and with the body `by`. TooLateError otherwise."""

        def served() -> bool:
            answer = self.try_get(host=host)
            return answer is not None and answer.status == 200 and by in (None, answer.body)

        wait_until(served, timeout, f"Envoy to serve {host}{f' from {by}' if by else ''}")

    def admin(self, path: str) -> str:
        """What a page of Envoy's admin says, such as `/clusters` or `/config_dump`."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(5)
            sock.connect(str(self.admin_socket))
            connection = http.client.HTTPConnection("envoy")
            connection.sock = sock
            connection.request("GET", path, headers={"Connection": "close"})
            return connection.getresponse().read().decode()

    def _install(self) -> None:
        kubectl = self._server.kubectl
        install_gateway_api(kubectl, self._channel)
        install_contour(kubectl)
        kubectl.apply(
            resources.namespace(NAMESPACE),
            resources.gateway_class(CLASS),
            resources.gateway(NAME, NAMESPACE, gateway_class=CLASS),
        )

    def _listens(self, port: int) -> bool:
        try:
            self._netns.connect("127.0.0.1", port, 1).close()
        except OSError:
            return False
        return True

    def _envoy_is_live(self) -> bool:
        try:
            return self.admin("/ready").strip() == "LIVE"
        except OSError:
            return False


@contextmanager
def a_contour(server: ApiServer, netns: Netns, *, channel: Channel = "standard") -> Iterator[Contour]:
    """Its Gateway is `Programmed` inside the `with`; both programs are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tidegate-contour-") as folder:
        contour = Contour(server, netns, Path(folder), channel=channel)
        contour.start()
        try:
            yield contour
        finally:
            contour.stop()


def _started(process: Process | None, name: str) -> Process:
    if process is None:
        raise PartError(f"{name} was not started")
    return process
