"""`tidegate demo`: the product on real traffic, on this machine."""

from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import Output, examples
from controller.cli.output import Code, CommandError, OutputFormat, reported

if TYPE_CHECKING:
    from controller.demo.watching import Show

INTERRUPTED = 130
NO_NETWORK = (
    "Kubernetes takes no loopback addresses for backends, so this needs a network namespace. Run it as root, allow "
    "user namespaces (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0), give "
    "a container SYS_ADMIN, or use `make demo`, which needs none."
)
NO_PARTS = "`make demo-kubernetes`, in a checkout, builds the servers that it needs."


def register(app: typer.Typer) -> None:
    """Add `demo`."""
    told = examples(
        "tidegate demo",
        "tidegate demo --output json",
        "tidegate demo --keep      (leave it running)",
        "make demo-kubernetes      (the same on a Kubernetes API server, with Contour and Envoy)",
    )
    app.command(epilog=told)(demo)


@reported
def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave everything running until Ctrl-C.")] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", min=10, help="Give up on a run after so many seconds.")
    ] = 150.0,
    kubernetes: Annotated[
        bool, typer.Option("--kubernetes", help="On an API server of its own; `make demo-kubernetes` builds it.")
    ] = False,
    output: Output = OutputFormat.TEXT,
) -> None:
    """See a good version promoted and a harmful one rolled back, with a real Envoy."""
    from controller.cli.demo_show import shown
    from controller.demo.processes import ProgramError
    from controller.demo.watching import DemoError

    try:
        with shown(output) as show:
            code = (_on_kubernetes if kubernetes else _on_this_machine)(show, keep, seconds)
    except (DemoError, ProgramError) as error:
        raise CommandError(str(error), Code.REFUSED) from error
    except KeyboardInterrupt:
        code = INTERRUPTED
    raise typer.Exit(code)


def _on_this_machine(show: "Show", keep: bool, limit: float) -> int:
    from controller.demo import run

    return run.main(show, keep=keep, limit=limit)


def _on_kubernetes(show: "Show", keep: bool, limit: float) -> int:
    from controller.demo.cluster import run
    from controller.testing.cluster_parts.netns import NetnsRefusedError
    from controller.testing.cluster_parts.programs import PartError

    try:
        return run.main(show, keep=keep, limit=limit)
    except NetnsRefusedError as error:
        raise CommandError(str(error), Code.WRONG_USE, NO_NETWORK) from error
    except PartError as error:
        raise CommandError(str(error), Code.REFUSED, NO_PARTS) from error
