"""Free ports, and waiting with an end."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

from controller.testing.cluster_parts.programs import PartError

LOOPBACK = "127.0.0.1"
T = TypeVar("T")


class TooLateError(PartError):
    """What was waited for did not come in time."""


def free_port() -> int:
    """A loopback port that nobody listens on now; another process may take it before its user does."""
    with socket.socket() as sock:
        sock.bind((LOOPBACK, 0))
        return int(sock.getsockname()[1])


def wait_until(question: Callable[[], T], timeout: float, what: str) -> T:
    """Ask every 30 ms until the answer is truthy, and return it.

    `timeout` is in seconds; `what` completes the sentence "waited 5 s for ...". Raises TooLateError.
    """
    deadline = time.monotonic() + timeout
    while not (answer := question()):
        if time.monotonic() > deadline:
            raise TooLateError(f"waited {timeout:g} s for {what}; last answer: {answer!r}")
        time.sleep(0.03)
    return answer
