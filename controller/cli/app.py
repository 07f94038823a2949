"""All commands in the order in which people meet them."""

from typing import Annotated

import typer

from controller import __version__
from controller.cli import (
    aa,
    asks,
    backtest,
    demo,
    doctor,
    explain,
    get,
    history,
    lint,
    plan,
    route,
    run,
    simulate,
    templates,
    watch,
)

app = typer.Typer(
    name="tidegate",
    help="Staged rollouts for LLMs that roll back by themselves when harm or hallucination goes over its limit.",
    epilog="A first look: tidegate demo. The daemon: tidegate run --rollouts rollouts/.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"tidegate {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Staged rollouts for LLMs that roll back by themselves when harm or hallucination goes over its limit."""


for _commands in (
    run,
    demo,
    lint,
    templates,
    plan,
    simulate,
    backtest,
    get,
    watch,
    history,
    explain,
    asks,
    aa,
    route,
    doctor,
):
    _commands.register(app)
