"""What keeps the process small may be called anywhere, and any number of times."""

import ctypes
import gc

import pytest

from controller.runtime.footprint import few_heaps, settled


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    few_heaps()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    few_heaps()


def test_what_is_there_at_the_start_is_not_looked_through_again() -> None:
    before = gc.get_threshold()
    settled()
    try:
        assert gc.get_freeze_count() > 0
        assert gc.isenabled()
        assert gc.get_threshold() > before
    finally:
        gc.unfreeze()
        gc.set_threshold(*before)
