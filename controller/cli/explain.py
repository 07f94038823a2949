"""`tidegate explain`: why a rollout is where it is, and what would change it."""

from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.daemon import View, ask, socket_of
from controller.cli.options import STATE_DIR, Name, Output, Socket, StateDir, examples
from controller.cli.output import OutputFormat, console, emit, reported

if TYPE_CHECKING:
    from rich.table import Table


def register(app: typer.Typer) -> None:
    """Add `explain`."""
    app.command(epilog=examples("tidegate explain support-bot", "tidegate explain support-bot --verbose"))(explain)


@reported
def explain(
    name: Name,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Also the statistics behind it.")] = False,
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Say why it is where it is: counts, intervals, what would flip it."""
    answer = ask(socket_of(state_dir, socket), "explain", {"name": name})
    if output is OutputFormat.JSON:
        emit(answer)
        return
    screen = console()
    for line in answer["lines"]:
        screen.print(line, soft_wrap=not screen.is_terminal)
    if verbose and answer["rollout"]["slos"]:
        screen.print()
        screen.print(_evidence(answer["rollout"]))


def _evidence(view: View) -> "Table":
    """Evidence of a breach (E), of being good (proof), and where each acts."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 2, 0, 0))
    for title in ("STREAM", "VERDICT", "BAD", "OF", "INTERVAL 95 %", "E", "E OF PROOF", "MORE FOR PROOF"):
        table.add_column(title, justify="left" if title in ("STREAM", "VERDICT") else "right")
    for s in view["slos"]:
        name = f"{s['slo']}/{s['scenario']}" if s["scenario"] else s["slo"]
        interval = f"{s['lower']:.4%} – {s['upper']:.4%}"
        more = "–" if s["proof_needed"] is None else f"{s['proof_needed']:,}"
        counts = (f"{s['bad']:,.0f}", f"{s['total']:,.0f}")
        table.add_row(name, s["verdict"], *counts, interval, f"{s['e']:.4g}", f"{s['proof_e']:.4g}", more)
    for one in view["ledgers"]:
        state = "breach" if one["breached"] else ""
        table.add_row(f"all, to {one['action']}", state, "", "", "", f"{one['e']:.4g}", f"acts at {one['limit']:g}", "")
    return table
