"""Asking a metric server over HTTP: credentials from files, TLS, a deadline for the whole answer, a cap on its size."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.auth import AuthBase, HTTPBasicAuth
from urllib3 import disable_warnings
from urllib3.exceptions import HTTPError, InsecureRequestWarning
from urllib3.exceptions import TimeoutError as ReadingTimeoutError

from controller.domain.rollout import MetricServer

LARGEST = 64 * 1024 * 1024
"""Bytes of one answer, unpacked."""
PIECE = 256 * 1024


class AskFailedError(Exception):
    """No answer: says what happened, where, and what to do. `unreachable`: asking again now would fail the same way."""

    def __init__(self, message: str, *, unreachable: bool = False) -> None:
        super().__init__(message)
        self.unreachable = unreachable


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. `kind` is its content type without parameters."""

    status: int
    kind: str
    body: bytes


class HttpDoor:
    """One tick's connection to a server; close it, or use it as a context. Not for several threads at once."""

    def __init__(self, server: MetricServer, largest: int = LARGEST) -> None:
        self._server, self._largest = server, largest
        self._session = requests.Session()
        if server.insecure_skip_verify:
            disable_warnings(InsecureRequestWarning)  # the spec says so; once is enough

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._session.close()

    def ask(
        self, method: str, url: str, form: Mapping[str, str] | None = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request and read the whole answer, whatever its status. Raises AskFailedError."""
        deadline = time.monotonic() + self._server.timeout.total_seconds()
        where = without_secrets(url)
        with _in_plain_words(where, self._server), self._open(method, url, form, headers) as response:
            body = self._read(response, where, deadline)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return Answer(response.status_code, kind, body)

    def _open(
        self, method: str, url: str, form: Mapping[str, str] | None, headers: Mapping[str, str] | None
    ) -> requests.Response:
        server = self._server
        return self._session.request(
            method,
            url,
            data=form,
            headers={**dict(server.headers), **(headers or {})},
            auth=_auth(server),
            timeout=server.timeout.total_seconds(),
            verify=False if server.insecure_skip_verify else server.ca_file or True,
            allow_redirects=False,  # a redirect would carry our headers to somewhere else, and turn POST into GET
            stream=True,
        )

    def _read(self, response: requests.Response, where: str, deadline: float) -> bytes:
        pieces: list[bytes] = []
        size = 0
        while piece := response.raw.read1(PIECE, decode_content=True):
            pieces.append(piece)
            size += len(piece)
            if size > self._largest:
                raise AskFailedError(
                    f"{where}: the answer is larger than {self._largest} bytes; split it, or ask for less"
                )
            if time.monotonic() > deadline:
                raise requests.Timeout
        return b"".join(pieces)


class _Bearer(AuthBase):
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class _NoAuth(AuthBase):
    """Without it, requests would send a password that it finds in ~/.netrc."""

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return request


def without_secrets(url: str) -> str:
    """The URL for people: no user, no password, no query."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _auth(server: MetricServer) -> AuthBase:
    """Read at each use: a rotated secret works without a restart."""
    if server.bearer_file:
        return _Bearer(_secret(server.bearer_file))
    if server.basic_user:
        password = _secret(server.basic_password_file) if server.basic_password_file else ""
        return HTTPBasicAuth(server.basic_user.encode(), password.encode())
    return _NoAuth()


def _secret(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise AskFailedError(
            f"cannot read the secret in {path}: {why}; check that the file is there and ours"
        ) from error


@contextmanager
def _in_plain_words(url: str, server: MetricServer) -> Iterator[None]:
    seconds = server.timeout.total_seconds()
    try:
        yield
    except requests.exceptions.SSLError as error:
        hint = "set caFile to the authority that signed its certificate"
        raise AskFailedError(f"{url}: the certificate was not accepted ({_core(error)}); {hint}") from error
    except (requests.Timeout, ReadingTimeoutError) as error:
        hint = "see why it is slow, or raise the timeout"
        raise AskFailedError(f"{url} gave no whole answer within {seconds:g} s; {hint}", unreachable=True) from error
    except requests.ConnectionError as error:
        hint = "is it up, and is the address right?"
        raise AskFailedError(f"{url} cannot be reached ({_core(error)}); {hint}", unreachable=True) from error
    except (requests.RequestException, HTTPError, OSError, ValueError) as error:
        hint = "check the url and the headers of the metrics server"
        raise AskFailedError(f"{url}: the request or its answer failed ({_core(error)}); {hint}") from error


def _core(error: BaseException) -> str:
    """The innermost cause, without the request, which may hold a secret."""
    while (inner := _inner(error)) is not None:
        error = inner
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return type(error).__name__


def _inner(error: BaseException) -> BaseException | None:
    candidates = (*error.args, getattr(error, "reason", None), error.__cause__)
    return next((one for one in candidates if isinstance(one, BaseException)), None)
