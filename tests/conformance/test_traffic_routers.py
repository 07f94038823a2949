"""Every router keeps every promise. A router without a rig fails here by its own name."""

from collections.abc import Callable

import pytest

from controller.testing.conformance.traffic import PROMISES
from controller.testing.conformance.traffic_rig import TrafficRig
from controller.traffic import ROUTERS
from tests.traffic.rigs import RIGS


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("name", [*ROUTERS, "memory"])
def test_keeps_the_promise(name: str, promise: Callable[[TrafficRig], None]) -> None:
    assert name in RIGS, f"router {name} has no rig in tests/traffic/rigs.py: add one"
    with RIGS[name]() as rig:
        promise(rig)
