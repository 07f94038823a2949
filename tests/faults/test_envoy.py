"""The data plane dies, does not answer, cannot be written, or is changed by someone else."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.names import VersionName
from controller.domain.request import Ask
from controller.domain.state import HeldCause, Phase
from tests.faults.rig import Bench, Ground
from tests.parts.net import wait_until


@pytest.fixture
def read_only(ground: Ground) -> Iterator[Path]:
    """Not by permissions, which do not bind root: what every write goes through is a folder."""
    spare = ground.envoy_dir / ".spare"
    yield spare
    if spare.is_dir():
        spare.rmdir()


def share(bench: Bench) -> int | None:
    """What Envoy itself holds for the candidate; None while it does not answer."""
    seen = bench.route()
    return seen.table.share(VersionName("v12")) if seen and seen.table else None


def lock_folder(spare: Path) -> None:
    spare.unlink(missing_ok=True)
    spare.mkdir()


def test_a_killed_envoy_comes_back_and_the_run_goes_on(ground: Ground, canary: Bench) -> None:
    ground.signal_envoy(signal.SIGKILL)
    wait_until(lambda: canary.route() is not None, 8, "Envoy to be back")
    assert canary.exposed()
    canary.until(Phase.COMPLETED)
    assert ground.send(20) == {"v12": 20}


def test_a_breach_on_a_killed_envoy_is_rolled_back(ground: Ground, canary: Bench) -> None:
    ground.signal_envoy(signal.SIGKILL)
    canary.bad = 0.5
    canary.until(Phase.ROLLED_BACK)
    assert set(ground.send(20)) == {"v11"}


def test_a_breach_while_the_admin_does_not_answer(ground: Ground, canary: Bench) -> None:
    canary.bad = 1.0
    canary.tick()
    ground.signal_envoy(signal.SIGSTOP)
    try:
        canary.breach()
        canary.clock.advance(31)
        canary.look()
        canary.house.deliverer.deliver_due()
        assert canary.position.phase is Phase.ROLLING_BACK
        assert any("ACT NOW" in text and "not confirmed" in text for text in ground.alerts())
    finally:
        ground.signal_envoy(signal.SIGCONT)
    canary.until(Phase.ROLLED_BACK)
    assert set(ground.send(20)) == {"v11"}


def test_nothing_goes_up_while_the_admin_does_not_answer(ground: Ground, canary: Bench) -> None:
    ground.signal_envoy(signal.SIGSTOP)
    try:
        for _ in range(2):
            canary.tick(seconds=10, passes=1)
    finally:
        ground.signal_envoy(signal.SIGCONT)
    assert share(canary) == 50
    canary.until(Phase.COMPLETED)


def test_a_breach_with_a_folder_that_cannot_be_written(ground: Ground, canary: Bench, read_only: Path) -> None:
    lock_folder(read_only)
    canary.breach()
    canary.settle()
    assert set(ground.send(20)) == {"v11"}
    component = canary.house.health.ready().document["components"]
    assert "repair the folder" in str(component)
    read_only.rmdir()
    canary.until(Phase.ROLLED_BACK)
    assert set(ground.send(20)) == {"v11"}


def test_nothing_goes_up_with_a_folder_that_cannot_be_written(ground: Ground, canary: Bench, read_only: Path) -> None:
    lock_folder(read_only)
    for _ in range(4):
        canary.tick()
    assert canary.position.phase is Phase.PROGRESSING
    assert share(canary) == 50
    assert "cannot write" in str(canary.house.health.ready().document)
    canary.clock.advance(30)
    canary.look()
    assert "not_verified" in canary.reasons()
    read_only.rmdir()
    canary.until(Phase.COMPLETED)


def test_more_for_the_candidate_by_hand_is_taken_back(ground: Ground, canary: Bench) -> None:
    ground.edit_route({"v11": 10, "v12": 90})
    wait_until(lambda: share(canary) == 90, 5, "the edit")
    canary.tick()
    canary.settle()
    assert share(canary) == 50
    assert "drift_corrected" in canary.reasons()
    assert canary.position.phase is Phase.PROGRESSING


def test_less_for_the_candidate_by_hand_is_adopted_and_held(ground: Ground, canary: Bench) -> None:
    ground.edit_route({"v11": 90, "v12": 10})
    wait_until(lambda: share(canary) == 10, 5, "the edit")
    held = canary.tick()
    assert (held.phase, held.held) == (Phase.HELD, HeldCause.EXTERNAL)
    assert "someone else lowered the traffic" in held.message
    for _ in range(5):
        canary.tick()
    assert share(canary) == 10
    canary.ask(Ask.RESUME)
    canary.until(Phase.COMPLETED)


def test_held_by_hand_is_still_guarded(ground: Ground, canary: Bench) -> None:
    ground.edit_route({"v11": 90, "v12": 10})
    wait_until(lambda: share(canary) == 10, 5, "the edit")
    canary.tick()
    canary.bad = 0.5
    canary.until(Phase.ROLLED_BACK)
    assert set(ground.send(20)) == {"v11"}


def test_an_envoy_that_is_killed_all_the_time_never_promotes(ground: Ground, canary: Bench) -> None:
    for _ in range(4):
        ground.signal_envoy(signal.SIGKILL)
        canary.tick(passes=1)
    canary.until(Phase.COMPLETED)
    assert ground.send(10) == {"v12": 10}
