"""One ground and one bench per test; where the test begins is said by the fixture's name."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from controller.domain.state import Phase
from tests.faults.rig import Bench, Ground, a_bench, a_ground, served


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Nobody reads the log of a test that passes, and tracebacks take seconds to draw."""
    with capture_logs():
        yield


@pytest.fixture
def ground() -> Iterator[Ground]:
    with a_ground() as fresh:
        yield fresh


@pytest.fixture
def bench(ground: Ground) -> Iterator[Bench]:
    """v11 serves; nothing is under way."""
    ground.want("v11")
    with a_bench(ground) as made:
        yield served(ground, made)


@pytest.fixture
def canary(ground: Ground, bench: Bench) -> Bench:
    """v12 is in its verified canary stage with half of the traffic, and good so far."""
    ground.want("v12")
    bench.until(Phase.PROGRESSING, "canary")
    return bench


@pytest.fixture
def small_disk(ground: Ground) -> Iterator[Path]:
    """The state folder on a disk of 4 MiB. Needs the right to mount."""
    ground.state_dir.mkdir(mode=0o700, exist_ok=True)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "none", ground.state_dir], check=False)
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a small disk")
    try:
        yield ground.state_dir
    finally:
        subprocess.run(["umount", "-l", ground.state_dir], check=True)
