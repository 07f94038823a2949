"""The demo's programs, started for one test and gone after it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.demo.processes import Processes


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    return tmp_path / "logs"


@pytest.fixture
def programs(logs: Path) -> Iterator[Processes]:
    """Start with it; it stops everything and fails the test when something is left."""
    with Processes(logs) as processes:
        yield processes
