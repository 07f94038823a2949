"""What people ask of a run: `abort`, `retry`, `pause`, `resume`, `approve`, `review`; each with a recorded reason."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from controller.cli.daemon import ask, socket_of
from controller.cli.line import phase_words, traffic_words
from controller.cli.options import STATE_DIR, Name, Output, Reason, Socket, StateDir, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported
from controller.cli.told import waits

PANEL = "A run, by hand"


def register(app: typer.Typer) -> None:
    """Add the six."""
    why = {
        "abort": "'wrong prompt shipped'",
        "retry": "'judge was repaired'",
        "pause": "'launch event until 18:00'",
        "resume": "'launch event is over'",
        "approve": "'read 50 transcripts'",
        "review": "'a joke, not an instruction' --dismiss",
    }
    commands: Mapping[str, Callable[..., None]] = {
        "abort": abort,
        "retry": retry,
        "pause": _plain("pause", "Stop the advance; the guard goes on and may still roll back."),
        "resume": _plain("resume", "Let a paused or held run go on."),
        "approve": _plain("approve", "Agree that the run may enter its next stage."),
        "review": review,
    }
    for name, command in commands.items():
        told = examples(f"tidegate {name} support-bot --reason {why[name]}")
        app.command(name, epilog=told, rich_help_panel=PANEL)(command)


def _plain(verb: str, help_text: str) -> Callable[..., None]:
    """A command that asks for `verb` and takes no more than a reason."""

    @reported
    def command(
        name: Name,
        reason: Reason,
        state_dir: StateDir = STATE_DIR,
        socket: Socket = None,
        output: Output = OutputFormat.TEXT,
    ) -> None:
        asked(verb, name, reason, socket_of(state_dir, socket), output)

    command.__doc__ = help_text
    return command


@reported
def abort(
    name: Name,
    reason: Reason,
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """End the run: everything back to stable, verified."""
    todo = f"To move the traffic without a daemon: tidegate route {name} --stable --reason '...'"
    asked("abort", name, reason, socket_of(state_dir, socket), output, todo)


@reported
def retry(
    name: Name,
    reason: Reason,
    exclude: Annotated[
        str,
        typer.Option(
            "--exclude",
            metavar="FROM..TO",
            help="Leave out what was judged in the time of a known fault: two ISO 8601 instants with a zone.",
        ),
    ] = "",
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Try a version again that was rolled back or aborted."""
    if exclude:
        _checked(exclude)
    asked("retry", name, reason, socket_of(state_dir, socket), output, argument=exclude)


def _checked(exclude: str) -> None:
    """What is no period is said before anybody is asked."""
    from controller.decision.window import BadWindowError, window_of
    from controller.runtime.clock import SystemClock

    try:
        window_of(exclude, SystemClock().now())
    except BadWindowError as bad:
        raise CommandError(f"--exclude: {bad}", Code.WRONG_USE) from bad


@reported
def review(
    name: Name,
    reason: Reason,
    confirm: Annotated[bool, typer.Option("--confirm", help="It is bad: roll back.")] = False,
    dismiss: Annotated[bool, typer.Option("--dismiss", help="It is not: let the run go on.")] = False,
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Say what a finding in a zero-tolerance scenario was, after looking at it."""
    if confirm == dismiss:
        raise CommandError("say either --confirm or --dismiss", Code.WRONG_USE)
    argument = "confirm" if confirm else "dismiss"
    asked("review", name, reason, socket_of(state_dir, socket), output, argument=argument)


def asked(
    verb: str,
    name: str,
    reason: str,
    path: Path,
    output: OutputFormat,
    todo: str = "",
    argument: str = "",
    command: str = "",
) -> None:
    """Ask the daemon and tell its answer. `command` is how people call the verb when it is not its name."""
    if not reason.strip():
        raise CommandError(f"say why: tidegate {command or verb} {name} --reason '...'", Code.WRONG_USE)
    answer = ask(
        path,
        verb,
        {"name": name, "reason": reason, **({"argument": argument} if argument else {})},
        todo or "Start the daemon with `tidegate run` first.",
    )
    if output is OutputFormat.JSON:
        emit(answer)
        return
    view, screen = answer["rollout"], console()
    screen.print(f"{verb}: done", style="green")
    screen.print(f"{view['name']} is now {phase_words(view)}", soft_wrap=True)
    if view["traffic"]:
        verified = "verified" if view["traffic"]["verified"] else "not verified yet: `tidegate watch` shows when"
        screen.print(f"{traffic_words(view)}; {verified}", soft_wrap=True)
    for text in waits(view):
        screen.print(f"it waits for: {text}" if view["phase"] == "Progressing" else text, soft_wrap=True)
