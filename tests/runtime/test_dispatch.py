"""Which rollout is due: one pass at a time for each, nobody waits for another, and a fault ends nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from controller.domain.names import RolloutKey
from controller.runtime import dispatch
from controller.runtime.clock import SystemClock
from controller.runtime.dispatch import AHEAD, Dispatcher
from controller.testing.clock import ManualClock
from tests.parts.net import wait_until

A, B = RolloutKey("n", "a"), RolloutKey("n", "b")
Pass = Callable[[RolloutKey], timedelta | None]


@contextmanager
def running(one_pass: Pass, workers: int = 2) -> Iterator[Dispatcher]:
    late: list[float] = []
    made = Dispatcher(SystemClock(), one_pass, workers, late.append)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def test_it_is_passed_over_again_when_it_said_so() -> None:
    seen: list[RolloutKey] = []
    enough = threading.Event()

    def one_pass(key: RolloutKey) -> timedelta | None:
        seen.append(key)
        if len(seen) == 3:
            enough.set()
            return None
        return timedelta(milliseconds=5)

    with running(one_pass) as dispatcher:
        dispatcher.wake(A)
        assert enough.wait(5)
    assert seen == [A, A, A]


def test_one_pass_at_a_time_and_the_others_go_on() -> None:
    inside, most, seen_b = [0], [0], threading.Event()
    go = threading.Event()

    def one_pass(key: RolloutKey) -> timedelta | None:
        if key == B:
            seen_b.set()
            return None
        inside[0] += 1
        most[0] = max(most[0], inside[0])
        go.wait(5)
        inside[0] -= 1
        return None

    with running(one_pass, workers=2) as dispatcher:
        dispatcher.wake(A)
        wait_until(lambda: inside[0] == 1, 5, "the pass of A")
        dispatcher.wake(A)
        dispatcher.wake(B, timedelta(milliseconds=10))
        assert seen_b.wait(5)
        go.set()
        wait_until(lambda: inside[0] == 0, 5, "A to end")
    assert most[0] == 1


def test_an_earlier_wake_stands() -> None:
    seen = threading.Event()

    def one_pass(_key: RolloutKey) -> timedelta | None:
        seen.set()
        return None

    with running(one_pass) as dispatcher:
        dispatcher.wake(A, timedelta(hours=1))
        dispatcher.wake(A)
        dispatcher.wake(A, timedelta(hours=1))
        assert seen.wait(5)


def test_who_is_hastened_goes_before_what_became_due_a_moment_ago() -> None:
    clock, seen, late = ManualClock(), list[RolloutKey](), list[float]()
    done = threading.Event()
    keys = [RolloutKey("n", name) for name in ("old", "tick 1", "tick 2", "asked", "moved")]
    old, first, second, asked, moved = keys

    def one_pass(key: RolloutKey) -> timedelta | None:
        seen.append(key)
        if len(seen) == len(keys):
            done.set()
        return None

    made = Dispatcher(clock, one_pass, 1, late.append)
    made.wake(old)
    clock.advance(AHEAD + 0.5)
    for key in (first, asked, second):
        made.wake(key)
    clock.advance(0.25)
    made.hasten(asked)
    made.hasten(moved)
    made.wake(moved)
    made.start()
    assert done.wait(5)
    made.stop()
    assert seen == [old, asked, moved, first, second], "but not before who waits for long"
    assert late == [AHEAD + 0.75, 0, 0, 0.25, 0.25], "how late it is is told without that"


def test_who_is_hastened_while_its_pass_is_under_way_is_next() -> None:
    seen, inside, go, done = list[RolloutKey](), threading.Event(), threading.Event(), threading.Event()

    def one_pass(key: RolloutKey) -> timedelta | None:
        seen.append(key)
        if len(seen) == 1:
            inside.set()
            go.wait(5)
        if len(seen) == 3:
            done.set()
        return None

    with running(one_pass, workers=1) as dispatcher:
        dispatcher.wake(A)
        assert inside.wait(5)
        dispatcher.wake(B)
        dispatcher.hasten(A)
        go.set()
        assert done.wait(5)
    assert seen == [A, A, B]


def test_a_pass_that_fails_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "AFTER_A_FAULT", timedelta(milliseconds=5))
    tries, done = [0], threading.Event()

    def one_pass(_key: RolloutKey) -> timedelta | None:
        tries[0] += 1
        if tries[0] == 1:
            raise ValueError("a mistake")
        done.set()
        return None

    with running(one_pass) as dispatcher:
        dispatcher.wake(A)
        assert done.wait(5)


def test_a_stop_does_not_wait_for_ever() -> None:
    go, began = threading.Event(), threading.Event()

    def one_pass(_key: RolloutKey) -> timedelta | None:
        began.set()
        go.wait(10)
        return None

    dispatcher = Dispatcher(SystemClock(), one_pass, 1, lambda _late: None)
    dispatcher.start()
    dispatcher.wake(A)
    assert began.wait(5)
    assert not dispatcher.stop(patience=0.05)
    go.set()
    assert dispatcher.stop(patience=5)


def test_a_stop_before_a_start_is_harmless() -> None:
    assert Dispatcher(SystemClock(), lambda _key: None, 1, lambda _late: None).stop()


def test_passes_that_compute_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "STUCK", 60.0)
    inside, most, done = [0], [0], [0]
    lock, all_done = threading.Lock(), threading.Event()

    def one_pass(_key: RolloutKey) -> timedelta | None:
        with lock:
            inside[0] += 1
            most[0] = max(most[0], inside[0])
        threading.Event().wait(0.002)
        with lock:
            inside[0] -= 1
            done[0] += 1
            if done[0] == 40:
                all_done.set()
        return None

    with running(one_pass, workers=4) as dispatcher:
        for number in range(40):
            dispatcher.wake(RolloutKey("n", f"r{number}"))
        assert all_done.wait(10)
    assert most[0] == 1


def test_passes_that_wait_for_something_hold_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as there are workers but one may hang: the others all get their pass, again and again."""
    monkeypatch.setattr(dispatch, "STUCK", 0.005)
    go, passes = threading.Event(), dict.fromkeys((f"r{number}" for number in range(20)), 0)

    def one_pass(key: RolloutKey) -> timedelta | None:
        if key.name.startswith("hangs"):
            go.wait(20)
            return None
        passes[key.name] += 1
        return timedelta(milliseconds=1) if passes[key.name] < 5 else None

    with running(one_pass, workers=4) as dispatcher:
        for number in range(3):
            dispatcher.wake(RolloutKey("n", f"hangs{number}"))
        for name in passes:
            dispatcher.wake(RolloutKey("n", name), timedelta(milliseconds=5))
        wait_until(lambda: set(passes.values()) == {5}, 10, "five passes of each")
        go.set()
