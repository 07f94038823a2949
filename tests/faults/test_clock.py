"""The wall clock jumps: no promotion by a jump, no rollback by a jump, no crash, and the ticks go on."""

from datetime import UTC, datetime, timedelta

import pytest

from controller.domain.state import HeldCause, Phase
from controller.runtime.scheduler import Ticker
from controller.testing.clock import ManualClock
from tests.faults.rig import Bench, Ground, a_bench, served
from tests.parts.net import wait_until

HOUR = timedelta(hours=1)
YEAR = timedelta(days=365)


@pytest.mark.parametrize("by", [HOUR, timedelta(days=400), -HOUR, timedelta(seconds=-20)])
def test_a_jump_completes_no_stage(by: timedelta, ground: Ground, bench: Bench) -> None:
    ground.want("v12", soak="60s")
    bench.until(Phase.PROGRESSING, "canary")
    bench.tick()
    bench.clock.jump(by)
    for _ in range(6):
        bench.tick()
        assert bench.position.run is not None
        assert bench.position.run.current.name == "canary", bench.history
    bench.until(Phase.COMPLETED, ticks=60)


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_jump_does_not_make_it_blind_or_late(by: timedelta, ground: Ground, canary: Bench) -> None:
    canary.clock.jump(by)
    canary.until(Phase.COMPLETED)
    assert {"blind", "withdrawn", "held", "not_verified"}.isdisjoint(canary.reasons())


@pytest.mark.parametrize("by", [HOUR, -HOUR])
def test_a_jump_hides_no_breach(by: timedelta, ground: Ground, canary: Bench) -> None:
    canary.clock.jump(by)
    canary.breach()
    canary.clock.jump(by)
    canary.until(Phase.ROLLED_BACK)
    assert set(ground.send(20)) == {"v11"}


def test_a_jump_while_blind_withdraws_no_earlier(ground: Ground, canary: Bench) -> None:
    ground.page.fail()
    assert canary.tick().held is HeldCause.BLIND
    canary.clock.jump(HOUR)
    canary.tick()
    assert canary.exposed()
    for _ in range(12):
        canary.tick()
    canary.settle()
    assert not canary.exposed()


def test_a_jump_does_not_verify_zero(ground: Ground, canary: Bench) -> None:
    """A second without requests is a second of steady time."""
    canary.breach()
    wait_until(lambda: (mark := canary.look().traffic) and mark.accepted_at, 5, "the split to be taken")
    canary.clock.jump(HOUR)
    canary.look()
    mark = canary.position.traffic
    assert mark is not None
    assert mark.verified_at is None
    canary.until(Phase.ROLLED_BACK)


def test_a_jump_does_not_end_the_loading(ground: Ground, bench: Bench) -> None:
    ground.models["v12"].health = 503
    ground.want("v12")
    bench.tick()
    bench.clock.jump(HOUR)
    bench.tick()
    assert bench.position.phase is Phase.PENDING


@pytest.fixture
def stopped(ground: Ground) -> ManualClock:
    """A daemon that was stopped while its candidate stood on a canary stage of a minute; its clock."""
    ground.want("v11")
    with a_bench(ground) as first:
        served(ground, first)
        ground.want("v12", canary_soak="60s")
        first.until(Phase.PROGRESSING, "canary")
        first.tick()
        return first.clock


@pytest.mark.parametrize("by", [timedelta(0), HOUR, YEAR, -HOUR, -YEAR])
def test_a_jump_while_the_daemon_is_down_completes_no_stage(
    by: timedelta, ground: Ground, stopped: ManualClock
) -> None:
    stopped.jump(by)
    with a_bench(ground, stopped) as again:
        for _ in range(6):
            again.tick()
            run = again.position.run
            assert run is not None
            assert (run.current.name, run.stage_since is not None) == ("canary", True), again.history
        again.until(Phase.COMPLETED)
        assert {"withdrawn", "not_verified", "rollback_started"}.isdisjoint(again.reasons())


@pytest.mark.parametrize("by", [YEAR, -YEAR])
def test_a_jump_while_the_daemon_is_down_hides_no_breach(by: timedelta, ground: Ground, stopped: ManualClock) -> None:
    """What was counted when is remembered: a clock that was set back must not keep new answers from being counted."""
    stopped.jump(by)
    with a_bench(ground, stopped) as again:
        again.breach()
        again.until(Phase.ROLLED_BACK)
        assert set(ground.send(20)) == {"v11"}


def test_time_in_which_the_process_slept_completes_no_stage(ground: Ground, bench: Bench) -> None:
    """Steady time goes on while a process is stopped, and nobody looked."""
    ground.want("v12", canary_soak="60s")
    bench.until(Phase.PROGRESSING, "canary")
    bench.tick()
    bench.clock.advance(HOUR.total_seconds())
    for _ in range(6):
        bench.tick()
        assert bench.position.run is not None
        assert bench.position.run.current.name == "canary", bench.history


def test_ticks_go_on_when_the_clock_is_set_back() -> None:
    clock = ManualClock(datetime(2030, 1, 1, tzinfo=UTC))
    ticker = Ticker(clock)
    ticker.start()
    try:
        ticker.every("sample", HOUR, lambda: None, at_once=False)
        far = ticker.due("sample")
        clock.advance(10)
        ticker.check_clock()
        assert ticker.due("sample") == far
        clock.jump(-2 * HOUR)
        ticker.check_clock()
        due = ticker.due("sample")
        assert far is not None
        assert due != far
    finally:
        ticker.stop()
