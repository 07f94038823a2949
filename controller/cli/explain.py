"""`tidegate explain`: why a rollout is where it is, or why one decision of its journal was taken."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.daemon import View, ask, socket_of
from controller.cli.options import STATE_DIR, Database, Name, Output, Socket, StateDir, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported, working

if TYPE_CHECKING:
    from rich.table import Table


def register(app: typer.Typer) -> None:
    """Add `explain`."""
    told = examples(
        "tidegate explain support-bot",
        "tidegate explain support-bot --verbose",
        "tidegate explain support-bot --decision 41      (the number as `tidegate history` shows it)",
    )
    app.command(epilog=told)(explain)


@reported
def explain(
    name: Name,
    decision: Annotated[
        int | None,
        typer.Option("--decision", min=1, metavar="SEQ", help="This decision of the journal, not the present."),
    ] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also the statistics behind it.")] = False,
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    database: Database = "",
    output: Output = OutputFormat.TEXT,
) -> None:
    """Say why it is where it is, or why a decision was taken: counts, arithmetic, what would flip it.

    A decision is also explained without a daemon, from its database.
    """
    if decision is None:
        answer = ask(socket_of(state_dir, socket), "explain", {"name": name})
    else:
        answer = _decision(name, decision, state_dir, socket, database)
    if output is OutputFormat.JSON:
        emit(answer)
    elif decision is None:
        show(answer, verbose)
    else:
        show_decision(answer, verbose)


def _decision(name: str, seq: int, state_dir: Path, socket: Path | None, database: str) -> dict[str, Any]:
    try:
        return ask(socket_of(state_dir, socket), "explain", {"name": name, "decision": seq})
    except CommandError as error:
        if error.code is not Code.NO_DAEMON:
            raise
        with working("reading the database ..."):
            return from_store(name, seq, state_dir, database, error)


def from_store(name: str, seq: int, state_dir: Path, database: str, why: CommandError) -> dict[str, Any]:
    """The same answer without a daemon. Raises CommandError."""
    from controller.cli.history import reading
    from controller.runtime.views import decision_view, no_decision
    from controller.runtime.why import find

    with reading(name, state_dir, database, why) as (store, key):
        found = find(lambda limit: store.journal(key, limit), seq)
        if found is None:
            raise CommandError(no_decision(key, seq))
        return decision_view(key, found)


def show(answer: View, verbose: bool) -> None:
    """The present: sentences, and the table of evidence."""
    screen = console()
    for line in answer["lines"]:
        screen.print(line, soft_wrap=not screen.is_terminal)
    if verbose and answer["rollout"]["slos"]:
        screen.print()
        screen.print(_evidence(answer["rollout"]))


def show_decision(answer: View, verbose: bool) -> None:
    """What happened, why in sentences, and with `verbose` the numbers as they were kept."""
    from controller.cli import words
    from controller.cli.history import SEVERITIES, who
    from controller.cli.reasons import sentence

    screen = console()
    first = answer["entries"][0]
    screen.print(
        f"{answer['name']} #{answer['decision']}, {words.moment(first['at']):%Y-%m-%d %H:%M:%S} UTC{who(first)}"
    )
    for entry in answer["entries"]:
        screen.print(f"  {sentence(entry)}", style=SEVERITIES.get(entry["severity"], "bold"))
    screen.print()
    for line in answer["lines"]:
        screen.print(line, soft_wrap=not screen.is_terminal)
    if verbose and answer["inputs"]["streams"]:
        from controller.cli.inputs_table import table

        screen.print()
        screen.print(table(answer["inputs"]))


def _evidence(view: View) -> "Table":
    """Evidence of a breach (E), of being good (proof), and where each acts."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 2, 0, 0))
    for title in ("STREAM", "VERDICT", "BAD", "OF", "INTERVAL 95 %", "E", "E OF PROOF", "MORE FOR PROOF"):
        table.add_column(title, justify="left" if title in ("STREAM", "VERDICT") else "right")
    for s in view["slos"]:
        name = f"{s['slo']}/{s['scenario']}" if s["scenario"] else s["slo"]
        name += f" against {s['against']}" if s.get("against", "objective") != "objective" else ""
        interval = f"{s['lower']:.4%} – {s['upper']:.4%}"
        more = "–" if s["proof_needed"] is None else f"{s['proof_needed']:,}"
        counts = (f"{s['bad']:,.0f}", f"{s['total']:,.0f}")
        table.add_row(name, s["verdict"], *counts, interval, f"{s['e']:.4g}", f"{s['proof_e']:.4g}", more)
    for one in view["ledgers"]:
        state = "breach" if one["breached"] else ""
        table.add_row(f"all, to {one['action']}", state, "", "", "", f"{one['e']:.4g}", f"acts at {one['limit']:g}", "")
    return table
