"""Clocks that disagree with ours: what a real Prometheus holds is stamped ahead or behind, and nothing is lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.measure import BlindCause
from controller.domain.state import HeldCause, Phase
from tests.parts.metrics_page import MetricsPage
from tests.parts.prometheus import Prometheus as Server
from tests.runtime.prometheus_rig import TICK, Told, parts
from tests.runtime.rig import a_rig

__all__ = ["parts"]
pytestmark = pytest.mark.xdist_group("prometheus")
PATIENCE = 3 * TICK
"""Three scrapes: older than that is stale."""


@pytest.fixture
def told(parts: tuple[Server, MetricsPage], tmp_path: Path) -> Iterator[Told]:
    """v11 serves; v12 is wanted once a test starts it."""
    server, page = parts
    made = Told(a_rig(tmp_path), server, page)
    yield made
    made.rig.house.persister.close()


def judged(told: Told) -> tuple[float, float]:
    """Bad and total of the candidate, as counted so far."""
    tally = told.known.slos[0].streams[0].all
    return tally.bad, tally.total


def canary(told: Told, skew: float) -> None:
    """v12 in its canary stage, measured by a server whose samples are `skew` seconds beside our clock."""
    told.skew = skew
    told.start()
    for _ in range(8):
        told.tick()
    run = told.rig.held.position.run
    assert run is not None
    assert run.current.name == "canary-10", told.rig.held.position.message


def truth(told: Told) -> tuple[float, float]:
    """Bad and total of the candidate, as its judge counted them."""
    return told.rig.counters.counts["v12"]


@pytest.mark.parametrize(("skew", "unseen"), [(-40.0, 0), (-10.0, 0), (5.0, 1), (20.0, 2)])
def test_within_three_scrapes_every_answer_is_counted_once(told: Told, skew: float, unseen: int) -> None:
    """Behind is seen at once; ahead is seen when our clock has come to it, and not twice."""
    canary(told, skew)
    for _ in range(6):
        told.tick(bad=1)
    bad, total = truth(told)
    assert judged(told) == (bad - unseen, total - 100 * unseen)
    told.skew = 0.0
    told.rig.clock.advance(PATIENCE)
    told.tick()
    assert judged(told) == truth(told)
    assert told.known.slos[0].blind is None


def test_a_breach_is_seen_by_a_server_that_is_behind(told: Told) -> None:
    canary(told, -30.0)
    for _ in range(12):
        told.tick(bad=100)
        if told.rig.held.position.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
            break
    assert told.rig.held.position.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)


def test_beyond_three_scrapes_it_is_blind_and_says_that_clocks_may_disagree(told: Told) -> None:
    canary(told, 0.0)
    told.skew = -PATIENCE - 5
    told.rig.clock.advance(PATIENCE + TICK)
    told.tick(bad=100)
    position, blind = told.rig.held.position, told.known.slos[0].blind
    assert (position.phase, position.held) == (Phase.HELD, HeldCause.BLIND)
    assert blind is not None
    assert blind.cause is BlindCause.STALE
    assert "that the clocks agree" in blind.detail


def test_far_ahead_is_blind_until_our_clock_comes_to_it(told: Told) -> None:
    canary(told, 0.0)
    before, told.skew = judged(told), 90.0
    for _ in range(4):
        told.tick(bad=100)
    position = told.rig.held.position
    assert (position.phase, position.held) == (Phase.HELD, HeldCause.BLIND)
    assert judged(told) == before
    for _ in range(12):
        told.tick(bad=100)
        if told.rig.held.position.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK):
            break
    assert told.rig.held.position.phase in (Phase.ROLLING_BACK, Phase.ROLLED_BACK)


def test_a_clock_that_is_set_right_again_is_counted_through(told: Told) -> None:
    """While the server refuses samples older than what it has, nothing new is seen; then it all is, once."""
    canary(told, 20.0)
    told.skew = -10.0
    told.tick(bad=1, taken=False)
    told.tick(bad=1, taken=False)
    assert judged(told)[0] == 0
    told.tick(bad=1)
    assert judged(told) == truth(told) == (3, 1100)
    told.tick()
    assert judged(told) == truth(told)


def test_our_own_clock_ahead_is_blind_and_loses_nothing(told: Told) -> None:
    canary(told, 0.0)
    bad, total = judged(told)
    told.rig.clock.advance(300)
    told.sample()
    told.rig.passes(1)
    assert told.known.slos[0].blind is not None
    assert judged(told) == (bad, total)
    told.tick()
    assert told.known.slos[0].blind is None
    assert judged(told) == (bad, total + 100)
