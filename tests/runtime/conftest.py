"""One rig per test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller.domain.state import Phase
from tests.runtime.rig import Rig, a_rig


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Nobody reads the log of a test that passes, and tracebacks take seconds to draw."""
    with capture_logs():
        yield


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """v11 is stable, adopted and verified."""
    made = a_rig(tmp_path)
    made.want(version="v11")
    made.passes()
    yield made
    made.house.persister.close()


@pytest.fixture
def canary(rig: Rig) -> Rig:
    """v12 is in its verified canary stage."""
    rig.want(version="v12")
    for _ in range(20):
        rig.tick()
        run = rig.held.position.run
        if run is not None and run.current.name.startswith("canary") and run.stage_since is not None:
            break
    assert rig.held.position.phase is Phase.PROGRESSING, rig.held.position.message
    return rig
