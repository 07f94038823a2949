"""`tidegate route NAME --stable`: the break-glass, which needs neither daemon nor database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import STATE_DIR, Name, Output, StateDir, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported, working

if TYPE_CHECKING:
    from controller.cli.emergency import Ending, Place

PANEL = "Break glass"


def register(app: typer.Typer) -> None:
    """Add `route`."""
    told = examples(
        "tidegate route support-bot --stable --reason 'v13 insults people'",
        "tidegate route support-bot --stable --config-dir /var/lib/tidegate/envoy/support-bot",
    )
    app.command(epilog=told, rich_help_panel=PANEL)(route)


@reported
def route(
    name: Name,
    stable: Annotated[bool, typer.Option("--stable", help="Send everything to stable.")] = False,
    config_dir: Annotated[
        Path | None, typer.Option("--config-dir", help="The folder that Envoy reads.", show_default=False)
    ] = None,
    rollouts: Annotated[
        list[Path] | None, typer.Option("--rollouts", help="Specs that say where that folder is; can be repeated.")
    ] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why; it is noted beside Envoy's files.")] = "",
    state_dir: StateDir = STATE_DIR,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Send everything to stable at once, without daemon or database."""
    if not stable:
        raise CommandError(f"only one way is built: tidegate route {name} --stable", Code.WRONG_USE)
    from controller.cli import emergency
    from controller.runtime.clock import SystemClock

    place, clock = emergency.the_place(name, config_dir, rollouts or [], state_dir), SystemClock()
    with working(f"sending everything of {place.key} to stable ..."):
        emergency.record(place, None, reason, clock)
        ending = emergency.to_stable(place, clock)
        unrecorded = emergency.record(place, ending, reason, clock)
    if output is OutputFormat.JSON:
        _tell_json(place, ending, unrecorded)
    else:
        _tell(place, ending, unrecorded)
    if ending.trouble is not None:
        raise typer.Exit(int(Code.REFUSED))


def _tell(place: "Place", ending: "Ending", unrecorded: str | None) -> None:
    from controller.cli import emergency

    screen = console()
    if ending.trouble is None and ending.seen is not None:
        screen.print(
            f"{place.key}: {ending.stable} serves everything, verified in Envoy's counters", style="bold green"
        )
        screen.print(f"Envoy holds: {emergency.shares(ending.seen)}")
        if ending.in_flight:
            screen.print(f"{ending.in_flight} answers of other versions are still being finished")
        screen.print(
            "A daemon that runs, or starts, finds this and holds the run: `tidegate resume` or `abort` goes on."
        )
    else:
        screen.print(f"ACT NOW: {place.key} is not confirmed on {ending.stable or 'stable'}", style="bold red")
        screen.print(ending.trouble or "", soft_wrap=True)
        if ending.seen is not None:
            screen.print(f"Envoy holds: {emergency.shares(ending.seen)}")
        for line in emergency.by_hand(place, ending.stable):
            screen.print(line, soft_wrap=True)
    if unrecorded:
        screen.print(unrecorded, style="yellow", soft_wrap=True)


def _tell_json(place: "Place", ending: "Ending", unrecorded: str | None) -> None:
    from controller.cli import emergency

    emit(
        {
            "name": str(place.key),
            "config_dir": place.config_dir,
            "stable": ending.stable,
            "verified": ending.trouble is None,
            "trouble": ending.trouble,
            "envoy_holds": emergency.shares(ending.seen) if ending.seen else None,
            "counts": {v: {"live": c.live, "mirrored": c.mirrored} for v, c in ending.seen.counts.items()}
            if ending.seen
            else {},
            "in_flight": ending.in_flight,
            "by_hand": emergency.by_hand(place, ending.stable) if ending.trouble else [],
            "unrecorded": unrecorded,
        }
    )
