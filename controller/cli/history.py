"""`tidegate history`: the journal of a rollout as a timeline, from the daemon or straight from its database."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from controller.cli.daemon import ask, socket_of
from controller.cli.options import STATE_DIR, Database, Name, Output, Socket, StateDir, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported, working

if TYPE_CHECKING:
    from controller.domain.names import RolloutKey
    from controller.store.store import SqlStore

SEVERITIES = {"page": "bold red", "warn": "yellow", "info": "cyan"}


def register(app: typer.Typer) -> None:
    """Add `history`."""
    told = examples(
        "tidegate history support-bot",
        "tidegate history support-bot --limit 10 --output json",
        "tidegate history support-bot --database postgresql+psycopg://...      (without a daemon)",
    )
    app.command(epilog=told)(history)


@reported
def history(
    name: Name,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many entries.")] = 50,
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    database: Database = "",
    output: Output = OutputFormat.TEXT,
) -> None:
    """Show what happened, when, why, and who asked. `#12` is the number for `tidegate explain NAME --decision 12`."""
    try:
        answer = ask(socket_of(state_dir, socket), "history", {"name": name, "limit": limit})
    except CommandError as error:
        if error.code is not Code.NO_DAEMON:
            raise
        with working("reading the database ..."):
            answer = from_store(name, limit, state_dir, database, error)
    if output is OutputFormat.JSON:
        emit(answer)
    else:
        show(answer)


def from_store(name: str, limit: int, state_dir: Path, database: str, why: CommandError) -> dict[str, Any]:
    """The same answer without a daemon. Raises CommandError."""
    from controller.runtime.views import entry_view

    with reading(name, state_dir, database, why) as (store, key):
        return {"name": str(key), "entries": [entry_view(entry) for entry in store.journal(key, limit)]}


@contextmanager
def reading(name: str, state_dir: Path, database: str, why: CommandError) -> "Iterator[tuple[SqlStore, RolloutKey]]":
    """The daemon's database and the rollout's whole name; `why` says that no daemon answers. Raises CommandError."""
    from controller.domain.record import StoreUnavailableError
    from controller.store.store import open_store

    file = state_dir / "tidegate.db"
    if not database and not file.is_file():
        raise CommandError(
            f"{why.message}; and there is no database at {file}",
            Code.NO_DAEMON,
            "Name the daemon's folder with --state-dir, or its database with --database.",
        )
    try:
        with open_store(database or f"sqlite:///{file.absolute()}") as store:
            yield store, _find(store, name)
    except StoreUnavailableError as error:
        raise CommandError(str(error), Code.NO_DAEMON) from error


def _find(store: "SqlStore", name: str) -> "RolloutKey":
    from controller.domain.names import RolloutKey

    known = [one.key for one in store.load()]
    matches = [key for key in known if key == RolloutKey.parse(name)] or [key for key in known if key.name == name]
    if len(matches) == 1:
        return matches[0]
    what = "several rollouts are named" if matches else "there is no rollout"
    raise CommandError(f"{what} `{name}`; known: {', '.join(str(key) for key in known) or 'none'}")


def show(answer: dict[str, Any]) -> None:
    """Oldest first: what was last stands last, next to the prompt."""
    from rich.table import Table
    from rich.text import Text

    from controller.cli import words
    from controller.cli.reasons import sentence

    screen = console()
    if not answer["entries"]:
        screen.print(f"{answer['name']}: nothing has happened yet")
        return
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(no_wrap=True, style="dim", justify="right")
    table.add_column(overflow="fold")
    day = ""
    for entry in reversed(answer["entries"]):
        at = words.moment(entry["at"])
        if f"{at:%Y-%m-%d}" != day:
            day = f"{at:%Y-%m-%d}"
            table.add_row(Text(day, "bold"), "", Text(f"{answer['name']} (UTC)", "dim"))
        line = Text(sentence(entry), SEVERITIES.get(entry["severity"], ""))
        table.add_row(f"{at:%H:%M:%S}", f"#{entry['seq']}", line.append(who(entry), "dim"))
    screen.print(table)


def who(entry: Mapping[str, Any]) -> str:
    """Who asked, the run, the commit: `  [by ana, support-bot-3]`; empty when nothing of it is known."""
    commit = f"commit {entry['commit'][:12]}" if entry["commit"] else ""
    told = [part for part in (f"by {entry['actor']}" if entry["actor"] else "", entry["run"] or "", commit) if part]
    return f"  [{', '.join(told)}]" if told else ""
