"""Alive: passes are made. Ready: everything was seen once."""

from datetime import timedelta

from controller.telemetry.health import Health
from controller.testing.clock import ManualClock


def test_alive_as_long_as_passes_are_made() -> None:
    clock = ManualClock()
    health = Health(clock, timedelta(seconds=15))
    assert health.alive().good
    clock.advance(74)
    health.passed()
    clock.advance(75)
    assert health.alive().good
    clock.advance(1)
    assert not health.alive().good
    assert health.alive().document["status"] == "not ok"
    health.passed()
    assert health.alive().good


def test_a_wrong_wall_clock_kills_no_daemon() -> None:
    clock = ManualClock()
    health = Health(clock, timedelta(seconds=2))
    clock.jump(timedelta(days=1))
    assert health.alive().good


def test_ready_after_the_first_pass_of_every_source() -> None:
    health = Health(ManualClock(), timedelta(seconds=15), ["rollouts", "git"])
    assert health.ready().document["waiting_for"] == ["git", "rollouts"]
    health.first_pass("git")
    assert not health.ready().good
    health.first_pass("rollouts")
    health.first_pass("rollouts")
    assert health.ready().good


def test_trouble_is_shown_since_when_and_does_not_restart_the_guard() -> None:
    clock = ManualClock()
    health = Health(clock, timedelta(seconds=15))
    began = clock.now().isoformat()
    health.trouble("store", "disk full")
    clock.advance(30)
    health.passed()
    health.trouble("store", "disk still full")
    health.ok("envoy")
    alive = health.alive()
    assert alive.good
    assert alive.document["components"] == {
        "envoy": {"ok": True, "message": "", "since": clock.now().isoformat()},
        "store": {"ok": False, "message": "disk still full", "since": began},
    }
