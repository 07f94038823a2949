"""Options and arguments that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

from controller.cli.output import OutputFormat

Output = Annotated[OutputFormat, typer.Option("--output", "-o", help="Text for people, or JSON for machines.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="The rollout: NAME or NAMESPACE/NAME.")]
OptionalName = Annotated[str | None, typer.Argument(metavar="[NAME]", help="The rollout; left out: all of them.")]
StateDir = Annotated[
    Path, typer.Option("--state-dir", envvar="TIDEGATE_STATE_DIR", help="The daemon's folder of state and socket.")
]
Socket = Annotated[
    Path | None, typer.Option("--socket", envvar="TIDEGATE_SOCKET", help="The daemon's socket, when it lies elsewhere.")
]
Database = Annotated[
    str,
    typer.Option("--database", envvar="TIDEGATE_DATABASE", help="A SQLAlchemy URL; left out: SQLite in --state-dir."),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is recorded with your name.")]
CLUSTER = "From a cluster"
Kubeconfig = Annotated[
    Path | None, typer.Option("--kubeconfig", help="How to reach it; implies --cluster.", rich_help_panel=CLUSTER)
]
Context = Annotated[str | None, typer.Option("--context", help="One of its contexts.", rich_help_panel=CLUSTER)]
STATE_DIR = Path(".tidegate")


def examples(*lines: str) -> str:
    """The end of a command's help: examples, one per line."""
    return "\n\n".join(["Examples:", *(f"  {line}" for line in lines)])
