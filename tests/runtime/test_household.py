"""The parts beside the passes: ticks, probes, the lock, who listens to which metrics, instants that move."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from controller.analysis import streams
from controller.domain.names import RolloutKey
from controller.domain.observation import Unknown
from controller.domain.route import BackendRef
from controller.domain.state import Phase
from controller.domain.traffic import RouterUnavailableError, RouteSeen
from controller.runtime import probe
from controller.runtime.book import Held
from controller.runtime.clock import SystemClock
from controller.runtime.jumps import moved, moved_evidence
from controller.runtime.lock import AlreadyRunningError, StateLock
from controller.runtime.probe import Probe, Probed
from controller.runtime.routers import Routers
from controller.runtime.scheduler import Ticker
from controller.testing.builders import a_position, a_run, a_version
from tests.faults.parts import Model
from tests.parts.net import LOOPBACK, wait_until
from tests.runtime.rig import KEY, Rig


@pytest.fixture
def ticker() -> Iterator[Ticker]:
    made = Ticker(SystemClock())
    made.start()
    yield made
    made.stop()


@pytest.fixture
def model() -> Iterator[Model]:
    made = Model("v12")
    yield made
    made.stop()


def _wait(event: threading.Event) -> None:
    event.wait(10)


def test_a_job_that_hangs_holds_up_no_other(ticker: Ticker) -> None:
    go, ticks = threading.Event(), [0]

    def count() -> None:
        ticks[0] += 1

    ticker.every("hangs", timedelta(milliseconds=50), lambda: _wait(go))
    ticker.every("counts", timedelta(milliseconds=50), count)
    wait_until(lambda: ticks[0] >= 3, 5, "the other job to tick on")
    go.set()


def test_a_job_that_fails_ticks_on(ticker: Ticker) -> None:
    tries = [0]

    def fails() -> None:
        tries[0] += 1
        raise ValueError("a mistake")

    ticker.every("fails", timedelta(milliseconds=30), fails)
    wait_until(lambda: tries[0] >= 2, 5, "a second try")


def test_another_interval_replaces_a_job_and_drop_ends_it(ticker: Ticker) -> None:
    ticker.every("job", timedelta(hours=1), lambda: None, at_once=False)
    far = ticker.due("job")
    ticker.every("job", timedelta(hours=1), lambda: None, at_once=False)
    assert ticker.due("job") == far
    ticker.every("job", timedelta(minutes=1), lambda: None, at_once=False)
    assert ticker.due("job") != far
    ticker.drop("job")
    ticker.drop("job")
    assert "job" not in ticker.names()


def test_one_daemon_per_folder(tmp_path: Path) -> None:
    first, second = StateLock(tmp_path), StateLock(tmp_path)
    first.take()
    with pytest.raises(AlreadyRunningError, match="another daemon works in"):
        second.take()
    first.release()
    second.take()
    second.release()
    second.release()


def version(model: Model):  # type: ignore[no-untyped-def]  # the builder's type
    return a_version("v12", backend=BackendRef("Host", LOOPBACK, model.server_port))


def test_a_version_that_says_nothing_holds_nobody_up(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    model.chat = None
    asked, began = Probe(), time.monotonic()
    assert asked.ask("run-1", version(model)) is None
    assert time.monotonic() - began < 1.0
    monkeypatch.setattr(probe, "SLOW", 0.0)
    told = asked.ask("run-1", version(model))
    assert told is not None
    assert "has no answer after" in str(told.problem)


def test_one_good_answer_is_enough_for_a_run(model: Model) -> None:
    asked = Probe()
    assert wait_until(lambda: asked.ask("run-1", version(model)), 5, "an answer") == Probed()
    model.chat = 500
    assert asked.ask("run-1", version(model)) == Probed()
    told = wait_until(lambda: asked.ask("run-2", version(model)), 5, "an answer")
    assert "was answered with 500" in str(told)


def test_only_a_run_under_way_is_listened_to(canary: Rig) -> None:
    server = canary.held.position.run.spec.metrics  # type: ignore[union-attr]
    assert canary.house.watch.listeners(server) == (KEY,)
    canary.breach()
    canary.passes()
    assert canary.held.position.phase is Phase.ROLLED_BACK
    assert canary.house.watch.listeners(server) == ()
    assert canary.house.watch.stations() == {}


@pytest.mark.parametrize("hours", [3, -3])
def test_every_instant_moves_with_the_clock(hours: int) -> None:
    by, before = timedelta(hours=hours), a_position(Phase.PROGRESSING)
    after = moved(before, by)
    assert moved(after, -by) == before
    assert before.run is not None
    assert after.run is not None
    assert before.run.stage_since is not None
    assert after.run.stage_since == before.run.stage_since + by
    assert after.since == before.since + by


def test_samples_of_our_own_clock_move_back_and_never_forwards() -> None:
    run = a_run()
    evidence = streams.fresh(run.spec, run.digest)
    evidence = type(evidence)(evidence.digest, evidence.slos, {"a": (1000.0, 5.0)})
    hour = timedelta(hours=1)
    assert moved_evidence(evidence, -hour, own_samples=True).series == {"a": (-2600.0, 5.0)}
    assert moved_evidence(evidence, hour, own_samples=True).series == {"a": (1000.0, 5.0)}
    assert moved_evidence(evidence, -hour, own_samples=False).series == {"a": (1000.0, 5.0)}


def test_a_data_plane_that_hangs_is_not_waited_for_by_everybody(canary: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [0]

    def hangs() -> RouteSeen:
        looks[0] += 1
        canary.clock.advance(3)
        raise RouterUnavailableError("no answer")

    monkeypatch.setattr(canary.router, "observe", hangs)
    routers = Routers(lambda _binding: canary.router, canary.clock.monotonic)
    other = Held(RolloutKey("default", "other"), canary.held.position)
    assert isinstance(routers.look(canary.held), Unknown)
    assert isinstance(routers.look(other), Unknown)
    assert looks == [1]
    canary.clock.advance(3)
    assert isinstance(routers.look(other), Unknown)
    assert looks == [2]
    monkeypatch.undo()
    assert isinstance(routers.look(other), RouteSeen)
    assert isinstance(routers.look(canary.held), RouteSeen)
