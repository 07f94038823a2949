"""The clock that tests move by hand."""

from datetime import datetime, timedelta

import pytest

from controller.testing.clock import START, ManualClock


def test_moves_only_when_told_to() -> None:
    clock = ManualClock()
    assert (clock.now(), clock.monotonic()) == (START, 0.0)
    clock.sleep(2.5)
    clock.advance(timedelta(minutes=1))
    assert (clock.now(), clock.monotonic()) == (START + timedelta(seconds=62.5), 62.5)


def test_a_jump_is_not_noticed_by_monotonic_time() -> None:
    clock = ManualClock()
    clock.jump(timedelta(hours=-1))
    assert (clock.now(), clock.monotonic()) == (START - timedelta(hours=1), 0.0)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="use jump"):
        ManualClock().advance(-1)
    with pytest.raises(ValueError, match="no time zone"):
        ManualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the mistake
