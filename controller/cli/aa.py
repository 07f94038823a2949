"""`tidegate aa`: is the comparison with stable trusted, why, and how does a rollout get there?"""

from pathlib import Path
from typing import Annotated, Any

import typer

from controller.cli import words
from controller.cli.asks import asked
from controller.cli.daemon import View, ask, socket_of
from controller.cli.options import STATE_DIR, Output, Socket, StateDir, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported

MOST = 1000
TRUST = ("trusted", "trust_revoked")


def register(app: typer.Typer) -> None:
    """Add `aa`."""
    told = examples(
        "tidegate aa",
        "tidegate aa support-bot.yaml --write",
        "tidegate aa support-bot --revoke --reason 'the judge was replaced'",
    )
    app.command(epilog=told)(aa)


@reported
def aa(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME|FILE]", help="The rollout; with --write, the rollout file.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Print what to add to FILE for an A/A run.")] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Withdraw the trust: it holds again.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="With --revoke: why; recorded with your name.")] = "",
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Say whether the comparison with stable may roll back, and prove it by an A/A run."""
    if write and revoke:
        raise CommandError("say either --write or --revoke", Code.WRONG_USE)
    path = socket_of(state_dir, socket)
    if write:
        _write(name, output)
    elif revoke:
        if name is None:
            raise CommandError("say which rollout: tidegate aa NAME --revoke --reason '...'", Code.WRONG_USE)
        asked("revoke", name, reason, path, output, command="aa --revoke")
    else:
        _show([_state(view, path) for view in ask(path, "get", {"name": name} if name else {})["rollouts"]], output)


def _write(file: str | None, output: OutputFormat) -> None:
    from controller.cli.twin import fragments

    if file is None:
        raise CommandError("say which file: tidegate aa FILE --write", Code.WRONG_USE)
    text = fragments(Path(file))
    if output is OutputFormat.JSON:
        emit({"file": file, "add": text})
    else:
        typer.echo(text, nl=False)


def _state(view: View, path: Path) -> dict[str, Any]:
    """One rollout's trust, and what it rests on as the journal tells it."""
    name = f"{view['namespace']}/{view['name']}"
    entries = ask(path, "history", {"name": name, "limit": MOST})["entries"]
    last = next((one for one in entries if one["reason"] in TRUST), None)
    facts = {"at": last["at"], "by": last["actor"], **last["facts"]} if last else {}
    return {"name": view["name"], "namespace": view["namespace"], "trusted": view["trusted"], "last": facts}


def _show(states: list[dict[str, Any]], output: OutputFormat) -> None:
    if output is OutputFormat.JSON:
        emit({"rollouts": states})
        return
    for state in states:
        style = "green" if state["trusted"] else "yellow"
        console().print(
            f"{words.address(state['name'], state['namespace'])}: {_line(state)}", style=style, soft_wrap=True
        )
    if not all(state["trusted"] for state in states):
        console().print(
            "To prove it calm: tidegate aa FILE --write prints what to add to the rollout file.", soft_wrap=True
        )
    if not states:
        console().print("no rollouts yet")


def _line(state: dict[str, Any]) -> str:
    facts = state["last"]
    if state["trusted"]:
        saw = f" ({_saw(facts)})" if "answers" in facts else ""
        return f"trusted{saw}: a version that is worse than stable is rolled back"
    withdrawn = f"; withdrawn by {facts['by']}: {facts['said']}" if "said" in facts else ""
    withdrawn = f"; it was, until {facts['at']}: {facts['why']}" if "why" in facts else withdrawn
    return f"not trusted: a version that is worse than stable is held, not rolled back{withdrawn}"


def _saw(facts: dict[str, Any]) -> str:
    return (
        f"since {facts['at']}, run {facts['run']}: {words.count(facts['answers'])} answers of either version in "
        f"{words.span(facts['seconds'])}, evidence of a difference at most {facts['peak_e']:g}, alarming is 20"
    )
