"""Processes that share rollouts on a real API server: killed, stopped, frozen, and woken up."""

import ast
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from controller.testing.cluster_parts.apiserver import ApiServer
from tests.cluster import clients
from tests.cluster.replica import LEASE_SECONDS, RENEW_SECONDS

SHARDS = 2
SLOW = 2.0
"""Seconds that a busy machine may add."""


class Process:
    """One replica. `history` has what it held, and since when (seconds since boot)."""

    def __init__(self, server: ApiServer, namespace: str, name: str) -> None:
        self._name = name
        self.history: list[tuple[float, list[int]]] = []
        words = [sys.executable, "-m", "tests.cluster.replica", str(server.kubeconfig("admin")), namespace, name]
        self._popen = subprocess.Popen([*words, str(SHARDS)], stdout=subprocess.PIPE, text=True)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def held(self) -> list[int]:
        return self.history[-1][1] if self.history else []

    def send(self, number: signal.Signals) -> float:
        """When it was sent."""
        os.kill(self._popen.pid, number)
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def end(self) -> None:
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGCONT)
            self._popen.kill()
        self._popen.wait(10)
        self._reader.join(10)
        assert self._popen.stdout is not None
        self._popen.stdout.close()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            print(f"{self._name}: {line}", end="")  # shown by pytest when a test fails
            since, _, held = line.partition(" ")
            if held.startswith("[") and since.replace(".", "").isdecimal():
                self.history.append((float(since), ast.literal_eval(held)))


def until(holds: Callable[[], object]) -> None:
    """Processes take their time to start on a busy machine."""
    clients.until(holds, 60)


Start = Callable[[str], Process]


@pytest.fixture
def start(api_server: ApiServer, namespace: str) -> Iterator[Start]:
    processes: list[Process] = []

    def one(name: str) -> Process:
        processes.append(Process(api_server, namespace, name))
        return processes[-1]

    yield one
    for process in processes:
        process.end()


def _two(start: Start) -> tuple[Process, Process]:
    first = start("a")
    until(lambda: len(first.held) == SHARDS)
    second = start("b")
    until(lambda: len(first.held) == len(second.held) == 1)
    return first, second


def test_what_a_killed_process_held_is_taken_over_within_the_lease(start: Start) -> None:
    first, second = _two(start)
    killed = first.send(signal.SIGKILL)
    until(lambda: len(second.held) == SHARDS)
    took = second.history[-1][0] - killed
    assert LEASE_SECONDS - RENEW_SECONDS - 0.5 < took < LEASE_SECONDS + SLOW


def test_what_a_process_lets_go_at_its_end_is_taken_at_once(start: Start) -> None:
    first, second = _two(start)
    asked = first.send(signal.SIGTERM)
    until(lambda: len(second.held) == SHARDS)
    assert second.history[-1][0] - asked < SLOW


def test_a_frozen_process_that_wakes_up_holds_nothing(start: Start) -> None:
    first, second = _two(start)
    first.send(signal.SIGSTOP)
    until(lambda: len(second.held) == SHARDS)
    before = len(first.history)
    woken = first.send(signal.SIGCONT)
    until(lambda: len(first.history) > before)
    since, held = first.history[before]
    assert held == []
    assert since - woken < SLOW
    until(lambda: len(first.held) == len(second.held) == 1)


def test_a_restarted_api_server_ends_nobodys_shards_for_long(own_api_server: ApiServer) -> None:
    own_api_server.kubectl("create", "namespace", "shared")
    first, second = Process(own_api_server, "shared", "a"), Process(own_api_server, "shared", "b")
    try:
        until(lambda: len(first.held) == len(second.held) == 1)
        own_api_server.restart()
        until(lambda: len(first.held) == len(second.held) == 1)
        own_api_server.pause()
        until(lambda: first.held == second.held == [])
        own_api_server.resume()
        until(lambda: sorted(first.held + second.held) == [0, 1])
    finally:
        first.end()
        second.end()
