"""A call comes back in time, with its answer, its error, or the news that it is late."""

import threading

import pytest

from controller.store.deadline import RESTS, THREAD, Deadline, TooLateError


def test_hands_over_what_is_returned_and_what_is_raised() -> None:
    deadline = Deadline(1)
    assert deadline.call(5, lambda: 42) == 42
    with pytest.raises(ZeroDivisionError):
        deadline.call(5, lambda: 1 / 0)
    with pytest.raises(TimeoutError, match="of its own"):
        deadline.call(5, raise_a_timeout)


def raise_a_timeout() -> None:
    raise TimeoutError("of its own")


def test_does_not_wait_for_what_hangs_and_never_lets_too_much_hang() -> None:
    deadline, heal = Deadline(2), threading.Event()
    for _ in range(2):
        with pytest.raises(TooLateError, match=r"no answer in 0\.05 s"):
            deadline.call(0.05, heal.wait)
    with pytest.raises(TooLateError, match=r"no turn in 0\.05 s: earlier calls hang"):
        deadline.call(0.05, heal.wait)
    heal.set()
    assert deadline.call(5, lambda: "again")


def test_a_thread_that_cannot_start_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    deadline = Deadline(1)

    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as broken:
        broken.setattr(threading.Thread, "start", start)
        with pytest.raises(TooLateError, match="no thread to be had"):
            deadline.call(5, lambda: 42)
    assert deadline.call(5, lambda: 42) == 42


def test_a_thread_is_used_again_and_goes_when_nobody_wants_it() -> None:
    deadline = Deadline(1)
    first, second = (deadline.call(5, threading.current_thread) for _ in range(2))
    assert first is second
    assert first.name in (THREAD, RESTS)
    deadline.close()
    first.join(5)
    assert not first.is_alive()
    assert deadline.call(5, lambda: "once more") == "once more"
    deadline.close()


def test_a_call_inside_another_one_needs_no_thread_of_its_own() -> None:
    outer, inner = Deadline(1), Deadline(1)
    here, there = outer.call(5, lambda: (threading.current_thread(), inner.call(5, threading.current_thread)))
    assert here is there
    here, there = outer.call(5, lambda: (threading.current_thread(), inner.call(1, threading.current_thread)))
    assert here is not there, "it has to be back sooner than the outer one"
    outer.close()
    inner.close()


def test_what_hangs_in_a_call_inside_another_one_is_given_up_with_it() -> None:
    outer, inner, heal = Deadline(1), Deadline(1), threading.Event()
    with pytest.raises(TooLateError, match=r"no answer in 0\.05 s"):
        outer.call(0.05, lambda: inner.call(0.05, heal.wait))
    assert inner.call(5, lambda: "free"), "the inner one lost nothing"
    heal.set()
