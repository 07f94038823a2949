"""The one pass, where it meets what nobody foresaw."""

from datetime import timedelta

import pytest

from controller.domain.names import RolloutKey
from controller.domain.state import HeldCause, Phase
from controller.domain.traffic import Split
from controller.runtime import reconcile as module
from controller.runtime.reconcile import reconcile
from controller.testing.routers import Fault
from tests.parts.net import wait_until
from tests.runtime.rig import KEY, Rig


def test_an_unknown_rollout_is_left_alone(rig: Rig) -> None:
    assert reconcile(RolloutKey("no", "body"), rig.house) is None


def test_a_pass_that_fails_is_loud_and_the_next_one_is_as_before(canary: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise AssertionError("Progressing -> Idle is not in TRANSITIONS")

    monkeypatch.setattr(module, "tick", broken)
    assert reconcile(KEY, canary.house) == module.AFTER_A_FAULT
    assert "the guard of default/support-bot is off" in canary.held.trouble
    wait_until(lambda: any("is not guarded" in one.title for one in canary.channel.told), 5, "the alert")
    monkeypatch.undo()
    canary.breach()
    assert canary.held.position.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)
    assert canary.held.trouble == ""


def test_a_router_that_fails_in_an_unforeseen_way_is_unknown(canary: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(canary.router, "observe", broken)
    canary.breach()
    assert canary.held.position.phase is Phase.ROLLING_BACK
    assert canary.router.applied[-1] == Split("v11")  # type: ignore[arg-type]
    assert "ZeroDivisionError" in str(getattr(canary.held.route, "why", ""))


def test_a_route_that_cannot_be_written_is_tried_again(canary: Rig) -> None:
    canary.router.fault = Fault.REJECTS
    canary.breach()
    assert canary.held.position.phase is Phase.ROLLING_BACK
    assert "clear its `fault`" in str(canary.house.health.ready().document)
    canary.router.fault = None
    canary.passes()
    assert canary.held.position.message.startswith("v12 was rolled back")


@pytest.mark.parametrize("hours", [5, -5])
def test_a_jump_of_the_clock_is_no_time(hours: int, canary: Rig) -> None:
    run = canary.held.position.run
    assert run is not None
    assert run.stage_since is not None
    stood = canary.clock.now() - run.stage_since
    canary.clock.jump(timedelta(hours=hours))
    canary.passes(1)
    after = canary.held.position.run
    assert after is not None
    assert after.stage_since is not None
    assert canary.clock.now() - after.stage_since <= stood + timedelta(seconds=1)


def test_a_sampler_that_is_silent_blinds(canary: Rig) -> None:
    for _ in range(8):
        canary.clock.advance(15)
        canary.passes(1)
    assert canary.held.position.held is HeldCause.BLIND
    assert "the sampler hangs" in canary.held.position.message
