"""Every command in the pages exists with its options; the cheap ones are run, the others are listed with a reason."""

import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.docs.pages import ROOT, Block, blocks

TUTORIAL = "docs/tutorials/first-rollout.md"
"""Run as a whole by test_tutorial."""

NEEDS_A_DAEMON = "asks a running daemon; run in the tests of the command line"
CHANGES_THE_MACHINE = "changes the machine it runs on"
NOT_RUN = {
    "make": "the verbs of the Makefile: they run the tests, or the demo",
    "tidegate run": "the daemon; run in the tutorial",
    "tidegate get": NEEDS_A_DAEMON,
    "tidegate watch": NEEDS_A_DAEMON,
    "tidegate explain": NEEDS_A_DAEMON,
    "tidegate history": NEEDS_A_DAEMON,
    "tidegate abort": NEEDS_A_DAEMON,
    "tidegate resume": NEEDS_A_DAEMON,
    "tidegate retry": NEEDS_A_DAEMON,
    "tidegate aa": NEEDS_A_DAEMON,
    "tidegate doctor": "looks at the reader's own; run in the tests of the command line and of the cluster",
    "tidegate route": "moves a route; run in the tests of the command line and of break glass",
    "tidegate backtest": "reads a history of the reader's; run in the tests of the command line",
    "kubectl": "asks a cluster of the reader; run in the tests of the cluster",
    "systemctl": CHANGES_THE_MACHINE,
    "install": CHANGES_THE_MACHINE,
    "curl": "asks a server of the reader",
}
RUN = (
    "tidegate lint",
    "tidegate plan",
    "tidegate simulate",
    "tidegate templates",
    "tidegate --help",
    "tidegate --version",
)


def lines(block: Block) -> Iterator[str]:
    """The commands of a block, continued lines joined."""
    for line in block.text.replace("\\\n", " ").splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            yield " ".join(line.split())


COMMANDS = [(str(block), line) for block in blocks("bash", "console") for line in lines(block)]
OTHERS = [(where, line) for where, line in COMMANDS if not where.startswith(TUTORIAL)]


def commands() -> dict[str, Any]:
    """The application's commands by name."""
    root: Any = typer.main.get_command(__import__("controller.cli.app", fromlist=["app"]).app)
    return dict(root.commands)


@pytest.mark.parametrize(("where", "line"), [one for one in COMMANDS if "tidegate " in one[1]])
def test_the_command_and_its_options_exist(where: str, line: str) -> None:
    words = shlex.split(line.split("2>")[0].split("|")[0].split(">")[0].removeprefix("until "))
    if words[0] != "tidegate":
        return
    known = commands()
    assert words[1] in known, f"{where}: there is no command `{words[1]}`"
    options = {option for parameter in known[words[1]].params for option in parameter.opts}
    given = {word.split("=")[0] for word in words[2:] if word.startswith("--")}
    assert given <= options, f"{where}: {given - options}"


@pytest.mark.parametrize(("where", "line"), OTHERS)
def test_it_is_run_or_there_is_a_reason(where: str, line: str) -> None:
    assert line.startswith(RUN) or any(line.startswith(f"{one} ") for one in NOT_RUN), f"{where}: {line}"


@pytest.mark.parametrize("line", sorted({line for _, line in OTHERS if line.startswith(RUN)}))
def test_it_runs(line: str) -> None:
    words = [sys.executable, "-m", "controller", *shlex.split(line)[1:]]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_reason_is_stale() -> None:
    assert [one for one in NOT_RUN if not any(line.startswith(f"{one} ") for _, line in OTHERS)] == []


def test_the_verbs_of_the_makefile_exist() -> None:
    makefile = Path(ROOT / "Makefile").read_text()
    verbs = {line.split()[1] for _, line in COMMANDS if line.startswith("make ")}
    assert verbs
    assert [verb for verb in sorted(verbs) if f"\n{verb}:" not in makefile] == []
