"""A call comes back in time, with its answer, its error, or the news that it is late."""

import threading

import pytest

from controller.store.deadline import Deadline, TooLateError


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
