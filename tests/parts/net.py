"""Ports and patience: what every real part needs. Binds to loopback only."""

import socket
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import TypeVar

LOOPBACK = "127.0.0.1"
T = TypeVar("T")


class TimedOutError(AssertionError):
    """What was waited for did not come in time."""


def free_port() -> int:
    """A loopback port that nobody listens on now. Another process may take it: prefer port 0."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        return int(sock.getsockname()[1])


def wait_until(predicate: Callable[[], T], timeout: float, what: str) -> T:
    """Ask every 20 ms until the answer is truthy, and return it.

    `timeout` is in seconds; `what` completes the sentence "waited 5 s for ...". Raises TimedOutError.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise TimedOutError(f"waited {timeout:g} s for {what}; last answer: {answer!r}")
        time.sleep(0.02)


def status_of(url: str, timeout: float = 2.0) -> int | None:
    """The HTTP status that a GET of `url` gives, or None when nobody answers within `timeout` seconds.

    Certificates are not verified: the question is who is there, not whether to trust them.
    """
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    try:
        with urllib.request.urlopen(url, timeout=timeout, context=anyone) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return None
