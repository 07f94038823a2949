"""What happens when nothing goes wrong: the measure for every other test here."""

from controller.domain.state import Phase
from tests.faults.rig import Bench, Ground


def test_a_good_candidate_is_promoted(ground: Ground, bench: Bench) -> None:
    assert ground.send(20) == {"v11": 20}
    ground.want("v12")
    bench.until(Phase.COMPLETED)
    bench.settle()
    assert bench.position.stable == "v12"
    assert ground.send(20) == {"v12": 20}
    assert bench.history == [
        "Idle",
        "Pending shadow",
        "Progressing shadow 0+50",
        "Progressing canary 50+0",
        "Progressing full 100+0",
        "Completed",
    ]


def test_a_harmful_candidate_is_rolled_back(ground: Ground, canary: Bench) -> None:
    canary.breach()
    canary.until(Phase.ROLLED_BACK)
    assert canary.history[-3:] == ["Progressing canary 50+0", "RollingBack canary", "RolledBack"]
    assert ground.send(20) == {"v11": 20}
    breach = canary.position.breach
    assert breach is not None
    assert breach.slo == "harm"
    assert breach.verified_at is not None
    canary.house.deliverer.deliver_due()
    told = [text for text in ground.alerts() if "v12 → v11" in text]
    assert len(told) == 1
    assert "No action needed" in told[0]
