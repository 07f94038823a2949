"""How we reach the API server: credentials, time-outs, one request."""

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from urllib3.exceptions import HTTPError

import controller
from controller.cluster.library import library
from controller.domain.cluster import ClusterError

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
LARGEST = 256 * 1024 * 1024
PIECE = 256 * 1024
"""Bytes of one answer, and of one reading."""


class NoAccessError(ClusterError):
    """There is no usable configuration to reach a cluster with."""


class NoAnswerError(Exception):
    """The request got no whole answer: says why, without secrets."""


@dataclass(frozen=True, slots=True)
class Access:
    """Which cluster, as whom. Neither file nor context: the pod's own account inside a cluster, else kubectl's default.

    `connect_seconds`: until a connection stands. `read_seconds`: until the next bytes of an answer. `whole_seconds`:
    until the whole answer is there.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    connect_seconds: float = 3.0
    read_seconds: float = 10.0
    whole_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, whatever its status. `retry_after` in seconds, where the server asked for patience."""

    status: int
    body: bytes
    retry_after: float | None = None

    def document(self) -> Mapping[str, object]:
        """The body as a JSON object; empty when it is something else."""
        try:
            value = json.loads(self.body)
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


class Response(Protocol):
    """What we use of urllib3's answer."""

    status: int
    headers: Mapping[str, str]

    def read1(self, amount: int, *, decode_content: bool = True) -> bytes:
        """The next bytes; empty at the end."""
        ...

    def close(self) -> None:
        """Hang up."""
        ...

    def release_conn(self) -> None:
        """Give the connection back for the next request."""
        ...


class Connection:
    """One cluster, one account. Safe for several threads."""

    def __init__(self, access: Access, configuration: Any, namespace: str) -> None:
        self.access = access
        self.host = str(configuration.host)
        self.namespace = namespace
        """Our own: the pod's, or the context's."""
        configuration.retries = False  # who asks decides; a hidden retry would triple our time-outs
        configuration.keep_alive = True
        configuration.connection_pool_maxsize = 32
        self._client = library("client").ApiClient(configuration)
        self._client.user_agent = f"tidegate/{controller.__version__}"

    def request(
        self, method: str, path: str, query: Mapping[str, str] | None = None, body: object = None, kind: str = ""
    ) -> Answer:
        """Ask, and read the whole answer. `kind` is the content type of `body`. Raises NoAnswerError."""
        deadline = time.monotonic() + self.access.whole_seconds
        response = self.open(method, path, query, self.access.read_seconds, body, kind)
        with said_plainly():
            try:
                read = _read(response, deadline)
                response.release_conn()
            except BaseException:
                response.close()
                raise
        return Answer(int(response.status), read, _seconds(response.headers.get("Retry-After")))

    def open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        read_seconds: float,
        body: object = None,
        kind: str = "",
    ) -> Response:
        """The answer's head; its body is still to be read, with `read_seconds` between two pieces. NoAnswerError."""
        headers = {"Accept": "application/json", **({"Content-Type": kind} if kind else {})}
        with said_plainly():
            verb, url, sent, _, _ = self._client.param_serialize(
                method, path, query_params=list((query or {}).items()), header_params=headers,
                auth_settings=["BearerToken"],
            )  # fmt: skip
            timeouts = (self.access.connect_seconds, read_seconds)
            answer = self._client.call_api(verb, url, sent, body, _request_timeout=timeouts)
        response: Response = answer.response
        return response

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()


def connect(access: Access) -> Connection:
    """Ready to ask; nothing is asked yet. Raises NoAccessError."""
    configuration = library("client").Configuration()
    try:
        if access.kubeconfig is None and access.context is None and _in_a_pod():
            return Connection(access, _as_the_pod(configuration), _pods_namespace())
        return Connection(access, configuration, _from_file(access, configuration))
    except Exception as error:  # the library and its YAML parser raise what they like for a bad file
        raise NoAccessError(
            f"no usable access to a Kubernetes cluster in {_where(access)} ({error}); "
            "inside a pod it is the service account's, elsewhere give --kubeconfig FILE, and --context NAME"
        ) from error


def _in_a_pod() -> bool:
    return "KUBERNETES_SERVICE_HOST" in os.environ and (ACCOUNT / "token").is_file()


def _as_the_pod(configuration: Any) -> Any:
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    configuration.host = f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
    configuration.ssl_ca_cert = str(ACCOUNT / "ca.crt")

    def read_again(one: Any) -> None:
        """Kubelet replaces the token long before it expires: read it for every request, and keep it if that fails."""
        try:
            token = (ACCOUNT / "token").read_text().strip()
        except OSError:
            return
        if token:
            one.api_key["BearerToken"] = f"Bearer {token}"

    read_again(configuration)
    configuration.refresh_api_key_hook = read_again
    return configuration


def _pods_namespace() -> str:
    return (ACCOUNT / "namespace").read_text().strip()


def _from_file(access: Access, configuration: Any) -> str:
    """Fills `configuration`; the namespace of the context."""
    config = library("config")
    file = str(access.kubeconfig) if access.kubeconfig else None
    config.load_kube_config(file, access.context, client_configuration=configuration, persist_config=False)
    contexts, active = config.list_kube_config_contexts(file)
    chosen = next((one for one in contexts if one["name"] == access.context), active)
    return str(chosen["context"].get("namespace") or "default")


def _where(access: Access) -> str:
    file = str(access.kubeconfig) if access.kubeconfig else "$KUBECONFIG or ~/.kube/config"
    return f"{file}{f', context {access.context}' if access.context else ''}"


def _read(response: Response, deadline: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while piece := response.read1(PIECE, decode_content=True):
        pieces.append(piece)
        size += len(piece)
        if size > LARGEST:
            raise NoAnswerError(f"the answer is larger than {LARGEST} bytes")
        if time.monotonic() > deadline:
            raise NoAnswerError("the answer came too slowly")
    return b"".join(pieces)


def _seconds(text: str | None) -> float | None:
    return float(text) if text and text.isdecimal() else None


@contextmanager
def said_plainly() -> Iterator[None]:
    """What the library and urllib3 raise becomes NoAnswerError, without addresses and headers."""
    try:
        yield
    except (HTTPError, OSError) as error:
        raise NoAnswerError(_plainly(error)) from error
    except (library("client").exceptions.OpenApiException, library("config").ConfigException) as error:
        raise NoAnswerError(_plainly(error)) from error


_WORDS: Mapping[str, str] = {
    "ConnectTimeoutError": "no connection within the time-out",
    "ReadTimeoutError": "no answer within the time-out",
    "TimeoutError": "no answer within the time-out",
    "NewConnectionError": "no connection (refused, or no such host)",
    "NameResolutionError": "its host name is not known",
    "ProtocolError": "the connection broke",
    "IncompleteRead": "the connection broke in the middle of the answer",
    "SSLError": "its certificate was not accepted",
    "ProxyError": "the proxy does not let us through",
}


def _plainly(error: BaseException) -> str:
    name = type(error).__name__
    if name == "ApiException":  # the library wraps TLS errors, with the request in its text
        name = "SSLError"
    return f"{_WORDS.get(name, 'the request failed')} ({name})"


Told = Callable[[str, str, int, float], None]
"""Told of every request: RBAC verb, resource, HTTP status (0: no answer), seconds."""
