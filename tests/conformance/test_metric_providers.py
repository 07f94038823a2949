"""The same promises, kept in memory, by reading pages, and by a real Prometheus."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from controller.metrics import PROVIDERS
from controller.testing.conformance.metrics import PROMISES, MetricRig
from tests.metrics.rigs import RIGS


@pytest.fixture(scope="module", params=list(RIGS))
def server(request: pytest.FixtureRequest) -> Iterator[MetricRig]:
    with RIGS[request.param]() as rig:
        yield rig


@pytest.fixture
def rig(server: MetricRig, request: pytest.FixtureRequest) -> MetricRig:
    """The names differ from test to test: a Prometheus still shows what was there a minute ago."""
    return replace(server, prefix=f"{server.prefix}_{abs(hash(request.node.name))}")


@pytest.mark.xdist_group("prometheus")
@pytest.mark.parametrize("promise", PROMISES.values(), ids=PROMISES.keys())
def test_keeps_the_promise_of_a_metric_provider(promise: Callable[[MetricRig], None], rig: MetricRig) -> None:
    promise(rig)


def test_every_provider_has_a_rig() -> None:
    assert set(PROVIDERS) <= set(RIGS)
