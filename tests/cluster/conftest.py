"""A real API server for the tests of this folder, and, where traffic is measured, Contour and Envoy in a network.

Servers start when first asked for and live as long as the worker; what a test breaks it starts for itself.
"""

import sys
import time
import uuid
from collections.abc import Iterator

import pytest

from controller.testing.cluster_parts.apiserver import ApiServer, an_api_server
from controller.testing.cluster_parts.contour import Contour, a_contour
from controller.testing.cluster_parts.netns import Netns, NetnsRefusedError


@pytest.fixture(scope="session")
def api_server(request: pytest.FixtureRequest) -> Iterator[ApiServer]:
    """One for the worker. Work in a `namespace` of your own; ask for `own_api_server` to stop or pause it."""
    started = time.monotonic()
    with an_api_server() as server:
        tell(request.config, f"kube-apiserver and etcd ready after {time.monotonic() - started:.1f} s")
        yield server


@pytest.fixture
def own_api_server() -> Iterator[ApiServer]:
    """A fresh one for this test alone, which may break it (ready in about 4 s)."""
    with an_api_server() as server:
        yield server


@pytest.fixture
def namespace(api_server: ApiServer) -> str:
    """The name of a new, empty namespace. It stays: nothing here deletes what is in one."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    api_server.kubectl("create", "namespace", name)
    return name


@pytest.fixture(scope="session")
def netns(request: pytest.FixtureRequest) -> Iterator[Netns]:
    """A network of the worker's own. Its tests are skipped, loudly, where this machine allows none."""
    with _a_network(request.config) as made:
        yield made


@pytest.fixture(scope="module")
def own_netns(request: pytest.FixtureRequest) -> Iterator[Netns]:
    """One for the module alone: two Contours in one network want the same ports."""
    with _a_network(request.config) as made:
        yield made


def _a_network(config: pytest.Config) -> Netns:
    try:
        return Netns()
    except NetnsRefusedError as refused:
        tell(config, f"SKIPPING the tests that measure traffic in a cluster: {refused}")
        pytest.skip(str(refused))


@pytest.fixture(scope="session")
def contour(api_server: ApiServer, netns: Netns) -> Iterator[Contour]:
    """One Gateway for the worker, with the standard definitions. Use hostnames of your own."""
    with a_contour(api_server, netns) as started:
        yield started


def tell(config: pytest.Config, line: str) -> None:
    """Print `line` at once, past pytest's capture: also from a worker, also when everything passes."""
    capture = config.pluginmanager.getplugin("capturemanager")
    assert capture is not None
    with capture.global_and_fixture_disabled():
        print(f"\n[cluster] {line}", file=sys.stderr, flush=True)
