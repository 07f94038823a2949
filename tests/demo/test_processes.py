"""Start, wait, stop: whatever happens, nothing is left behind and failures say why."""

import os
import signal
import sys
from pathlib import Path

import psutil
import pytest

from controller.demo import programs as start
from controller.demo.processes import Processes, Program, ProgramError, Running
from controller.demo.talk import ask
from tests.demo.rigs import port_of
from tests.parts.net import wait_until

STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
time.sleep(600)
"""


def test_leaves_nothing_behind_even_of_a_stubborn_family(logs: Path) -> None:
    with Processes(logs) as processes:
        slack = processes.start(start.slack_receiver())
        port = port_of(slack)
        program = Program("stubborn", [sys.executable, "-c", STUBBORN], health=None, grace=0.5)
        stubborn = processes.start(program, wait=False)
        wait_until(lambda: stubborn.log.read_text().strip(), 10, "the grandchild's pid")
        grandchild = int(stubborn.log.read_text())
        assert psutil.pid_exists(grandchild)
    for pid in (slack.pid, stubborn.pid, grandchild):
        assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    assert stubborn.exit_code() == -signal.SIGKILL
    assert slack.exit_code() == 0
    assert ask(port, "GET", "/health").status == 0


def test_stops_everything_when_the_block_fails(logs: Path) -> None:
    started: list[Running] = []

    def fail_with_a_program_running() -> None:
        with Processes(logs) as processes:
            started.append(processes.start(start.slack_receiver()))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_with_a_program_running()
    assert started[0].exit_code() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupt_stops_everything(logs: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    started: list[Running] = []

    def be_interrupted() -> None:
        with Processes(logs) as processes:
            started.append(processes.start(start.slack_receiver()))
            os.kill(os.getpid(), number)
            wait_until(lambda: False, 5, "the interrupt")

    with pytest.raises(KeyboardInterrupt):
        be_interrupted()
    assert started[0].exit_code() == 0
    assert signal.getsignal(number) is before


def test_a_program_that_ends_early_is_reported_with_its_log(programs: Processes) -> None:
    program = Program("broken", [sys.executable, "-c", "raise SystemExit('no such weights')"])
    with pytest.raises(ProgramError, match=r"broken ended with code 1 .* no such weights"):
        programs.start(program)
    assert programs.ended() == {"broken": 1}


def test_a_program_that_is_never_ready_is_reported(programs: Processes) -> None:
    program = Program("slow", [sys.executable, "-c", "import time; time.sleep(60)"], deadline=0.3)
    with pytest.raises(ProgramError, match=r"slow was not ready after 0\.3 s"):
        programs.start(program)
    with pytest.raises(ProgramError, match="does not listen yet"):
        programs["slow"].url()


def test_a_name_runs_once_and_can_be_started_again(programs: Processes) -> None:
    programs.start(start.slack_receiver())
    with pytest.raises(ProgramError, match="runs already"):
        programs.start(start.slack_receiver())
    assert programs.stop("slack_receiver") == 0
    assert ask(port_of(programs.start(start.slack_receiver())), "GET", "/health").status == 200


def test_serves_on_loopback_only(programs: Processes) -> None:
    slack = programs.start(start.slack_receiver())
    listening = [c for c in psutil.Process(slack.pid).net_connections("inet") if c.status == psutil.CONN_LISTEN]
    assert [c.laddr.ip for c in listening] == ["127.0.0.1"]
