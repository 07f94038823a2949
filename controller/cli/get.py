"""`tidegate get`: all rollouts as a table, one as a tree."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from controller.cli import words
from controller.cli.daemon import View, ask, socket_of
from controller.cli.options import STATE_DIR, OptionalName, Output, Socket, StateDir, examples
from controller.cli.output import OutputFormat, console, emit, reported

if TYPE_CHECKING:
    from rich.table import Table


UNCUT, LEAST, GAP = 1000, 16, 2
TITLES, NARROW = ("NAME", "PHASE", "VERSIONS", "STAGE", "TRAFFIC", "VERDICTS", "SINCE", "WAITS FOR"), 5


def register(app: typer.Typer) -> None:
    """Add `get`."""
    app.command(epilog=examples("tidegate get", "tidegate get support-bot", "tidegate get --output json"))(get)


@reported
def get(
    name: OptionalName = None,
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Show all rollouts as a table, or one as a tree."""
    answer = ask(socket_of(state_dir, socket), "get", {"name": name} if name else {})
    if output is OutputFormat.JSON:
        emit(answer)
    elif name:
        show_one(answer["rollouts"][0])
    else:
        show_all(answer)


def show_one(view: View) -> None:
    """The tree."""
    from controller.cli.tree import rollout_tree

    console().print(rollout_tree(view))


def show_all(answer: dict[str, Any]) -> None:
    """The table, then what is wrong with the sources."""
    screen = console(pipe_width=UNCUT)
    rollouts: Sequence[View] = answer["rollouts"]
    if rollouts:
        screen.print(_table(rollouts, screen.width))
    else:
        screen.print("no rollouts yet: put a file into a folder of the daemon; `tidegate lint FILE` checks it")
    for source in answer["sources"]:
        if source["trouble"]:
            screen.print(f"{source['source']}: {source['trouble']}", style="yellow", soft_wrap=True)
        for problem in source["problems"]:
            screen.print(problem, style="red", soft_wrap=True)


def _table(rollouts: Sequence[View], width: int) -> "Table":
    from rich.table import Table

    from controller.runtime.clock import SystemClock

    now = SystemClock().now()
    rows = [_row(view, now) for view in rollouts]
    needed = [max(len(title), *(len(row[at]) for row in rows)) + GAP for at, title in enumerate(TITLES)]
    # The last column, which is a sentence, gives way first; without room for it only the first ones are shown.
    left = width - sum(needed[:-1])
    shown = len(TITLES) if left >= LEAST else NARROW
    table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, GAP, 0, 0))
    for title in TITLES[:shown]:
        table.add_column(title, no_wrap=True, overflow="ellipsis", max_width=left if title == TITLES[-1] else None)
    for row in rows:
        table.add_row(*row[:shown])
    return table


def _row(view: View, now: datetime) -> tuple[Any, ...]:
    from rich.text import Text

    from controller.cli.line import stage_words, verdict_summary
    from controller.cli.tree import PHASES

    run = view["run"] if view["phase"] not in ("Idle", "Completed") else None
    return (
        words.address(view["name"], view["namespace"]),
        Text(view["phase"] + (f" ({view['held']})" if view["held"] else ""), PHASES.get(view["phase"], "")),
        f"{run['stable']} → {run['candidate']}" if run else view["stable"] or "–",
        stage_words(run) if run else "–",
        share(view) if run else "–",
        verdict_summary(view) or "–",
        words.since(view["since"], now),
        "; ".join(view["problems"] or view["waits_for"]),
    )


def share(view: View) -> str:
    """`25 % / 24.8 %`: wanted and counted by the data plane."""
    traffic = view["traffic"]
    if traffic is None:
        return "–"
    counted = traffic["counted"] or {}
    mirrored = bool(traffic["mirror"])
    wanted = (
        f"{traffic['mirror']} % mirror" if mirrored else "cohort" if traffic["cohort"] else f"{traffic['weight']} %"
    )
    got = counted.get("mirror_share" if mirrored else "share")
    return f"{wanted} / {got:.3g} %" if got is not None else wanted
