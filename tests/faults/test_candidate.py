"""A candidate that loads for long, does not answer, or answers with faults: it waits, says so, and moves no traffic."""

import pytest

from controller.domain.request import Ask
from controller.domain.state import HeldCause, Phase
from controller.runtime import probe
from tests.faults.rig import Bench, Ground


def test_loading_is_not_failing(ground: Ground, bench: Bench) -> None:
    ground.models["v12"].health = 503
    ground.want("v12")
    for _ in range(12):
        bench.tick()
    assert bench.position.phase is Phase.PENDING
    assert bench.position.message == "waiting for v12 to load (loading)"
    assert not bench.exposed()
    ground.models["v12"].health = 200
    bench.until(Phase.COMPLETED)


def test_loading_beyond_its_deadline_is_held(ground: Ground, bench: Bench) -> None:
    ground.models["v12"].health = 503
    ground.want("v12", deadline="1m")
    held = bench.until(Phase.HELD, ticks=20)
    assert held.held is HeldCause.DEADLINE
    assert "v12 was not ready within 0:01:00; no traffic was moved" in held.message
    assert ground.send(10) == {"v11": 10}
    bench.house.deliverer.deliver_due()
    assert any("v12 was not ready" in text for text in ground.alerts())
    ground.models["v12"].health = 200
    bench.ask(Ask.RESUME)
    bench.until(Phase.COMPLETED)


def test_a_candidate_that_is_not_there_is_waited_for(ground: Ground, bench: Bench) -> None:
    ground.models["v12"].stop()
    ground.want("v12")
    bench.tick()
    bench.tick()
    assert bench.position.message == "waiting for v12 to load (unreachable)"
    assert not bench.exposed()


def test_a_candidate_that_takes_the_probe_and_says_nothing(
    ground: Ground, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "SLOW", 0.0)
    ground.models["v12"].chat = None
    ground.want("v12")
    for _ in range(3):
        bench.tick()
    assert bench.position.phase is Phase.PENDING
    assert "the probe request to v12" in bench.position.message
    assert "has no answer" in bench.position.message
    assert not bench.exposed()
    assert "preflight_failed" in bench.reasons()


def test_a_candidate_that_answers_the_probe_with_500(ground: Ground, bench: Bench) -> None:
    ground.models["v12"].chat = 500
    ground.want("v12")
    for _ in range(3):
        bench.tick()
    assert "was answered with 500" in bench.position.message
    assert not bench.exposed()
    ground.models["v12"].chat = 200
    bench.until(Phase.COMPLETED)


def test_a_candidate_without_series_does_not_start(ground: Ground, bench: Bench) -> None:
    text = "\n".join(line for line in ground.judge.text().splitlines() if "v12" not in line)
    ground.page.set(text + "\n")
    ground.want("v12")
    bench.answers = 0
    for _ in range(3):
        bench.clock.advance(5)
        bench.chores.read_sources()
        bench.sample()
        bench.look()
        bench.look()
        ground.page.set(text + "\n")
    assert bench.position.phase is Phase.PENDING
    assert 'has version="v12"' in bench.position.message
    assert "v11" in bench.position.message
    assert not bench.exposed()
