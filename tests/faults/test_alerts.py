"""Slack is down for an hour: the rollback does not wait, and the alert arrives afterwards, once."""

from datetime import timedelta

import pytest

from controller.domain.state import Phase
from controller.testing.conformance.alerts import Mood
from tests.faults.rig import Bench, Ground, a_bench


@pytest.mark.parametrize("mood", [Mood.REFUSED, Mood.BROKEN])
def test_slack_is_down_for_an_hour(mood: Mood, ground: Ground, canary: Bench) -> None:
    before = len(ground.alerts())
    ground.slack.feel(mood)
    canary.breach()
    canary.settle()
    assert set(ground.send(20)) == {"v11"}
    assert canary.position.phase is Phase.ROLLED_BACK
    for _ in range(60):
        canary.clock.advance(60)
        canary.house.deliverer.deliver_due()
    assert len(ground.alerts()) == before
    ground.slack.feel(Mood.OK)
    for _ in range(60):
        canary.clock.advance(60)
        canary.house.deliverer.deliver_due()
    told = [text for text in ground.alerts() if "v12 → v11" in text]
    assert len(told) == 1


def test_slack_is_down_and_the_daemon_is_restarted(ground: Ground, canary: Bench) -> None:
    ground.slack.feel(Mood.REFUSED)
    canary.breach()
    canary.settle()
    canary.house.deliverer.deliver_due()
    canary.close()
    ground.slack.feel(Mood.OK)
    with a_bench(ground, canary.clock) as again:
        for _ in range(10):
            again.clock.advance(timedelta(minutes=10))
            again.house.deliverer.deliver_due()
        assert len([text for text in ground.alerts() if "v12 → v11" in text]) == 1
