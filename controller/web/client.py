"""Asks a running daemon over its Unix socket."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from controller.web.protocol import (
    MOST_REQUEST_BYTES,
    Document,
    ProtocolError,
    SocketPathError,
    checked_path,
    decode,
    encode,
)

CALL_TIMEOUT_SECONDS = 30.0


class DaemonUnavailableError(Exception):
    """No daemon answers; says where it was looked for and what to do."""


class DaemonRefusedError(Exception):
    """The daemon understood and said no; the text is its own."""


def call(
    path: Path, verb: str, args: Mapping[str, object] | None = None, timeout: float = CALL_TIMEOUT_SECONDS
) -> Document:
    """One question, one answer, within `timeout` seconds. Raises DaemonUnavailableError, DaemonRefusedError."""
    with _asked(path, verb, args, timeout) as lines:
        answer = _next(lines, path)
    result = answer.get("result") if answer is not None else None
    if not isinstance(result, dict):
        raise DaemonUnavailableError(f"the daemon at {path} answered `{verb}` with a stream or nothing: same version?")
    return result


def stream(path: Path, verb: str, args: Mapping[str, object] | None = None) -> Iterator[Document]:
    """One question, many answers, until the daemon or the reader ends it. Raises as `call` does."""
    with _asked(path, verb, args, None) as lines:
        while True:
            answer = _next(lines, path)
            if answer is None:
                raise DaemonUnavailableError(
                    f"the daemon at {path} ended in the middle of an answer: is it restarting?"
                )
            if answer.get("end"):
                return
            item = answer.get("item", answer.get("result"))
            if isinstance(item, dict):
                yield item
            if "result" in answer:
                return


@contextmanager
def _asked(path: Path, verb: str, args: Mapping[str, object] | None, timeout: float | None) -> Iterator[BufferedReader]:
    request = {"verb": verb, "args": dict(args or {}), "on_behalf": os.environ.get("SUDO_USER")}
    line = encode(request)
    if len(line) > MOST_REQUEST_BYTES:
        raise DaemonRefusedError(f"the request is too long ({len(line)} bytes of {MOST_REQUEST_BYTES}): shorten it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(CALL_TIMEOUT_SECONDS)
        try:
            connection.connect(checked_path(path))
            connection.settimeout(timeout)
            with connection.makefile("rb") as lines:
                connection.sendall(line)
                yield lines
        except SocketPathError as error:
            raise DaemonUnavailableError(str(error)) from error
        except OSError as error:
            raise DaemonUnavailableError(_why(error, path)) from error


def _next(lines: BufferedReader, path: Path) -> Document | None:
    line = lines.readline()
    if not line:
        return None
    try:
        answer = decode(line)
    except ProtocolError as error:
        raise DaemonUnavailableError(f"what listens on {path} is not Tidegate, or ended in the middle") from error
    if not answer.get("ok"):
        raise DaemonRefusedError(str(answer.get("error", "refused without a reason")))
    return answer


def _why(error: OSError, path: Path) -> str:
    if isinstance(error, FileNotFoundError):
        return f"no daemon listens at {path}: start `tidegate run`, or name its socket with --socket"
    if isinstance(error, ConnectionRefusedError):
        return f"the socket {path} is left from a daemon that ended: start `tidegate run` again"
    if isinstance(error, PermissionError):
        return f"you may not use {path}: ask as the daemon's user, or as a member of the socket's group"
    if isinstance(error, TimeoutError):
        return f"the daemon at {path} did not answer in time: look at its log"
    return f"the daemon at {path} cannot be asked ({error.strerror or error}): is it running?"
