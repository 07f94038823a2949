"""`tidegate demo`: the product on real traffic, on this machine."""

from typing import Annotated

import typer

from controller.cli.options import Output, examples
from controller.cli.output import Code, CommandError, OutputFormat, reported

INTERRUPTED = 130


def register(app: typer.Typer) -> None:
    """Add `demo`."""
    told = examples("tidegate demo", "tidegate demo --output json", "tidegate demo --keep      (leave it running)")
    app.command(epilog=told)(demo)


@reported
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", min=10, help="Give up on a run after so many seconds.")
    ] = 150.0,
    output: Output = OutputFormat.TEXT,
) -> None:
    """See a good version promoted and a harmful one rolled back, with a real Envoy."""
    from controller.cli.demo_show import shown
    from controller.demo import run
    from controller.demo.processes import ProgramError

    try:
        with shown(output) as show:
            code = run.main(show, keep=keep, limit=seconds)
    except (run.DemoError, ProgramError) as error:
        raise CommandError(str(error), Code.REFUSED) from error
    except KeyboardInterrupt:
        code = INTERRUPTED
    raise typer.Exit(code)
