"""Killed with SIGKILL between every two steps of a pass: the restarted run ends where an undisturbed one ends."""

import signal

import pytest

from controller.domain.state import HeldCause, Phase
from tests.faults.launcher import STEPS
from tests.faults.live import Feeder, a_live
from tests.faults.rig import Bench, Ground, a_bench
from tests.parts.net import wait_until


def killed_itself(ground: Ground, trap: dict[str, str], bad_from: str | None = None) -> None:
    """Run the daemon until its trap springs."""
    with a_live(ground, trap) as live, Feeder(ground) as feeder:
        if bad_from is not None:
            live.until("Progressing", bad_from)
            feeder.bad = 100
        wait_until(lambda: not live.child.alive, 20, f"the trap {trap} to spring")
        assert live.exit_code == -signal.SIGKILL, live.child.log_tail()


def ended_well(bench: Bench) -> bool:
    """As undisturbed, or held: then it says why, and nobody gets more than before."""
    for _ in range(12):
        bench.tick()
        if bench.position.phase in (Phase.COMPLETED, Phase.HELD):
            break
        bench.settle()
    position = bench.position
    if position.phase is Phase.HELD:
        return position.held is HeldCause.EXTERNAL and bool(position.message)
    return position.phase is Phase.COMPLETED and position.stable == "v12"


@pytest.mark.parametrize("after", STEPS)
@pytest.mark.parametrize("on", ["stage_entered", "promoted"])
def test_killed_on_the_way_up(after: str, on: str, ground: Ground) -> None:
    ground.want("v12", interval="200ms", soak="200ms")
    trap = {"after": after, "on": on} | ({"stage": "canary"} if on == "stage_entered" else {})
    killed_itself(ground, trap)
    with a_bench(ground) as bench:
        assert ended_well(bench), bench.history
        bench.settle()
        promotions = [entry for entry in bench.journal() if entry.reason == "promoted"]
        assert len(promotions) <= 1
        served = set(ground.send(20))
        assert served == ({"v12"} if promotions else {"v11"})


@pytest.mark.parametrize("after", STEPS)
def test_killed_on_the_way_back(after: str, ground: Ground) -> None:
    ground.want("v12", interval="200ms", soak="200ms")
    killed_itself(ground, {"after": after, "on": "breached"}, bad_from="shadow")
    with a_bench(ground) as bench:
        bench.bad = 1.0
        bench.until(Phase.ROLLED_BACK, ticks=12)
        assert set(ground.send(20)) == {"v11"}
        assert not bench.exposed()
        reasons = bench.reasons()
        assert reasons.count("rollback_verified") == 1
        assert "promoted" not in reasons
