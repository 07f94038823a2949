"""A real kube-apiserver with an etcd of its own, for one machine: no nodes, no controllers, real admission and RBAC.

with an_api_server() as server:
    server.kubectl("get", "namespaces")
    subprocess.run(["tidegate", "run", ...], env={"KUBECONFIG": str(server.kubeconfig("alice"))})
"""

import json
import ssl
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from controller.testing.cluster_parts.certificates import key_pair
from controller.testing.cluster_parts.etcd import Etcd
from controller.testing.cluster_parts.kubectl import Kubectl
from controller.testing.cluster_parts.patience import LOOPBACK, free_port
from controller.testing.cluster_parts.process import Process
from controller.testing.cluster_parts.programs import PartError, program
from controller.testing.cluster_parts.users import ADMIN, User, the_usual, write_kubeconfig, write_tokens


class ApiServer:
    """Listens on a free loopback port; `folder` has its data, logs and kubeconfigs. Restarts keep port and data."""

    def __init__(self, folder: Path, *, users: Sequence[User] | None = None, flags: Sequence[str] = ()) -> None:
        self.folder = folder
        self.etcd = Etcd(folder)
        self.port = free_port()
        self.url = f"https://{LOOPBACK}:{self.port}"
        self._users = {user.name: user for user in users or the_usual()}
        self._more_flags = tuple(flags)
        serving = key_pair(folder / "serving")
        self.ca_file = serving.cert
        self._serving_key = serving.key
        self._accounts = key_pair(folder / "accounts")
        self._tokens = write_tokens(tuple(self._users.values()), folder / "tokens.csv")
        self._trust = ssl.create_default_context(cafile=self.ca_file)
        self._process: Process | None = None
        self.kubectl = Kubectl(self.kubeconfig(ADMIN))

    @property
    def process(self) -> Process:
        """PartError when it was never started."""
        if self._process is None:
            raise PartError("kube-apiserver was not started")
        return self._process

    @property
    def token(self) -> str:
        """The bearer token of `admin`, who may do everything."""
        return self.token_of(ADMIN)

    @property
    def accounts_key(self) -> Path:
        """The key that signs the tokens of service accounts (the controller manager wants it)."""
        return self._accounts.key

    def token_of(self, user: str) -> str:
        """The bearer token of one of its users. PartError for a name it does not know."""
        if user not in self._users:
            raise PartError(f"no user {user!r}; there are: {', '.join(self._users)}")
        return self._users[user].token

    def kubeconfig(self, user: str = ADMIN) -> Path:
        """The kubeconfig file of one of its users."""
        return self.kubeconfig_for(user, self.token_of(user))

    def kubeconfig_for(self, name: str, token: str, *, server: str | None = None) -> Path:
        """A kubeconfig file for any token, such as a service account's, and any address of this server."""
        path = self.folder / "kubeconfigs" / f"{name.replace(':', '_').replace('/', '_')}.yaml"
        return write_kubeconfig(path, server=server or self.url, ca_file=self.ca_file, token=token, name=name)

    def as_user(self, user: str) -> Kubectl:
        """A `kubectl` that asks as this user."""
        return Kubectl(self.kubeconfig(user))

    def get(self, path: str, *, user: str = ADMIN, timeout: float = 5.0) -> object:
        """What a GET of `path` answers, as JSON or text. Raises HTTPError for a refusal, OSError when it is away."""
        with urllib.request.urlopen(self._request(path, user), timeout=timeout, context=self._trust) as answer:  # noqa: S310
            body = bytes(answer.read())
            return json.loads(body) if "json" in answer.headers["Content-Type"] else body.decode()

    def start(self, timeout: float = 60.0) -> None:
        """Start etcd and the API server; return when both are ready. PartError with the log otherwise."""
        self.etcd.start()
        try:
            self.start_alone(timeout)
        except BaseException:
            self.etcd.stop()
            raise

    def start_alone(self, timeout: float = 60.0) -> None:
        """Start the API server on an etcd that runs."""
        self._process = Process("kube-apiserver", [program("kube-apiserver"), *self._flags()], self.log)
        try:
            self._process.wait_ready(self.is_ready, timeout)
        except BaseException:
            self._process.kill()
            raise

    @property
    def log(self) -> Path:
        return self.folder / "kube-apiserver.log"

    def is_ready(self) -> bool:
        """Whether it answers `/readyz` with ok now."""
        try:
            return self.get("/readyz", timeout=2) == "ok"
        except urllib.error.HTTPError as error:
            error.close()
        except OSError:
            pass
        return False

    def stop_alone(self) -> None:
        """Kill the API server; etcd goes on. Harmless when it does not run."""
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """End both. Stopping twice is harmless."""
        self.stop_alone()
        self.etcd.stop()

    def restart(self, timeout: float = 60.0) -> None:
        """Kill the API server and start it again on the same port and data: every watch breaks."""
        self.stop_alone()
        self.start_alone(timeout)

    def pause(self) -> None:
        """Freeze it: connections stay open and nothing answers (a half-open watch)."""
        self.process.pause()

    def resume(self) -> None:
        self.process.resume()

    def restore(self, snapshot: Path, *, bump_revision: int = 0) -> None:
        """Take the cluster back to an `etcd.snapshot`; see `Etcd.restore`."""
        self.stop_alone()
        self.etcd.restore(snapshot, bump_revision=bump_revision)
        self.start_alone()

    def _request(self, path: str, user: str) -> urllib.request.Request:
        headers = {"Authorization": f"Bearer {self.token_of(user)}"}
        return urllib.request.Request(self.url + path, headers=headers)  # noqa: S310 - our own https URL

    def _flags(self) -> list[str]:
        return [
            f"--etcd-servers={self.etcd.url}",
            f"--bind-address={LOOPBACK}",
            f"--secure-port={self.port}",
            f"--tls-cert-file={self.ca_file}",
            f"--tls-private-key-file={self._serving_key}",
            # Nobody is to find it by the `kubernetes` Service: the address only has to be no loopback one.
            "--advertise-address=10.77.0.254",
            "--endpoint-reconciler-type=none",
            f"--service-account-issuer={self.url}",
            f"--service-account-key-file={self._accounts.cert}",
            f"--service-account-signing-key-file={self._accounts.key}",
            f"--token-auth-file={self._tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.96.0.0/16",
            # Nobody makes the `default` accounts that this plug-in asks for; Pods are to be accepted all the same.
            "--disable-admission-plugins=ServiceAccount",
            "--allow-privileged=true",
            *self._more_flags,
        ]


@contextmanager
def an_api_server(*, users: Sequence[User] | None = None, flags: Sequence[str] = ()) -> Iterator[ApiServer]:
    """Ready inside the `with`, gone with its data afterwards."""
    with tempfile.TemporaryDirectory(prefix="tidegate-apiserver-") as folder:
        server = ApiServer(Path(folder), users=users, flags=flags)
        server.start()
        try:
            yield server
        finally:
            server.stop()
