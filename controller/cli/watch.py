"""`tidegate watch`: the live tree on a terminal, one line per change in a pipe."""

from collections.abc import Iterator
from typing import Annotated

import typer

from controller.cli.daemon import View, follow, socket_of
from controller.cli.options import STATE_DIR, Name, Output, Socket, StateDir, examples
from controller.cli.output import Code, OutputFormat, console, emit_line, reported


def register(app: typer.Typer) -> None:
    """Add `watch`."""
    told = examples(
        "tidegate watch support-bot",
        "tidegate watch support-bot --until-done && deploy-next",
        "tidegate watch support-bot --output json | jq .phase",
    )
    app.command(epilog=told)(watch)


@reported
def watch(
    name: Name,
    until_done: Annotated[
        bool, typer.Option("--until-done", help="End with the run: 0 when promoted, 1 when rolled back.")
    ] = False,
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Follow one rollout live."""
    views = _until(follow(socket_of(state_dir, socket), name), until_done)
    last = _as_json(views) if output is OutputFormat.JSON else _as_tree(views) if _live() else _as_lines(views)
    if until_done and last is not None and outcome(last) is Code.REFUSED:
        raise typer.Exit(int(Code.REFUSED))


def _live() -> bool:
    return console().is_terminal


def _until(views: Iterator[View], until_done: bool) -> Iterator[View]:
    for view in views:
        yield view
        if until_done and outcome(view) is not None:
            return


def outcome(view: View) -> Code | None:
    """0 when the version asked for serves, 1 when it was rolled back, None while it is under way."""
    run = view["run"]
    if view["phase"] in ("Completed", "Idle"):
        return Code.DONE if view["version"] in (None, view["stable"]) else None
    if view["phase"] == "RolledBack" and run is not None and run["candidate"] == view["version"]:
        return Code.REFUSED
    return None


def _as_json(views: Iterator[View]) -> View | None:
    last = None
    for last in views:
        emit_line(last)
    return last


def _as_lines(views: Iterator[View]) -> View | None:
    from controller.cli.line import rollout_line, signature
    from controller.runtime.clock import SystemClock

    clock, told, last = SystemClock(), None, None
    for last in views:
        if signature(last) != told:
            told = signature(last)
            print(f"{clock.now():%H:%M:%S} {rollout_line(last)}", flush=True)
    return last


def _as_tree(views: Iterator[View]) -> View | None:
    from rich.live import Live

    from controller.cli.tree import rollout_tree

    last = None
    with Live(console=console(), auto_refresh=False) as live:
        for last in views:
            live.update(rollout_tree(last), refresh=True)
    return last
