"""Opening what may not open: tried again, given up, and ended at once by what no waiting mends."""

import threading
from collections.abc import Callable, Iterator

import pytest

from controller.domain.record import StoreSettingsError, StoreUnavailableError
from controller.runtime import opening
from controller.runtime.house import House
from controller.runtime.opening import Opening
from tests.parts.net import wait_until
from tests.runtime.rig import Rig


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opening, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(opening, "LONGEST_PAUSE", 0.02)


def tries(*ends: BaseException | House) -> Callable[[], House]:
    left: Iterator[BaseException | House] = iter(ends)

    def one() -> House:
        end = next(left)
        if isinstance(end, House):
            return end
        raise end

    return one


def test_it_is_tried_until_it_opens(rig: Rig) -> None:
    made = Opening(tries(StoreUnavailableError("locked"), ValueError("a mistake of ours"), rig.house))
    assert made.over.wait(5)
    assert made.house is rig.house
    assert made.fault is None
    assert "not foreseen (ValueError)" in made.trouble


def test_wrong_settings_end_it() -> None:
    made = Opening(tries(StoreSettingsError("no such driver")))
    assert made.over.wait(5)
    assert isinstance(made.fault, StoreSettingsError)


def test_a_house_that_opens_too_late_is_closed_again(rig: Rig) -> None:
    go = threading.Event()

    def late() -> House:
        go.wait(5)
        return rig.house

    made = Opening(late)
    made.give_up()
    go.set()
    wait_until(rig.house.stopping.is_set, 5, "the house to be closed")
    assert made.house is None
