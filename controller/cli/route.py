"""`tidegate route NAME --stable`: the break-glass, which needs neither daemon nor database."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import CLUSTER, STATE_DIR, Context, Kubeconfig, Name, Output, StateDir, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported, working

if TYPE_CHECKING:
    from controller.cli.cluster_emergency import RoutePlace
    from controller.cli.desk import Reach
    from controller.cli.emergency import Ending, Place

PANEL = "Break glass"


def register(app: typer.Typer) -> None:
    """Add `route`."""
    told = examples(
        "tidegate route support-bot --stable --reason 'v13 insults people'",
        "tidegate route support-bot --stable --config-dir /var/lib/tidegate/envoy/support-bot",
        "tidegate route prod/chat --stable --kubeconfig admin.yaml   (an HTTPRoute; also: kubectl tidegate route)",
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
        list[Path] | None,
        typer.Option("--rollouts", help="Specs that say where that folder, or HTTPRoute, is; can be repeated."),
    ] = None,
    reason: Annotated[
        str, typer.Option("--reason", help="Why; it is noted beside Envoy's files, or on the route.")
    ] = "",
    cluster: Annotated[
        bool, typer.Option("--cluster", help="The route is an HTTPRoute of a cluster.", rich_help_panel=CLUSTER)
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    version: Annotated[
        str | None,
        typer.Option("--version", help="Which one is stable; default: as status.stable says.", rich_help_panel=CLUSTER),
    ] = None,
    state_dir: StateDir = STATE_DIR,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Send everything to stable at once, without daemon or database."""
    if not stable:
        raise CommandError(f"only one way is built: tidegate route {name} --stable", Code.WRONG_USE)
    asked = cluster or kubeconfig is not None or context is not None
    reach = _reach(name, rollouts or [], kubeconfig, context, asked=asked) if config_dir is None else None
    if reach is not None:
        _in_cluster(name, reach, rollouts or [], version, reason, output)
    else:
        _beside_envoy(name, config_dir, rollouts or [], state_dir, reason, output)


def _reach(
    name: str, paths: list[Path], kubeconfig: Path | None, context: str | None, *, asked: bool
) -> "Reach | None":
    """The cluster, when the route is in one: as asked for, as the plugin says, or as the rollout's file says."""
    from controller.cli.cluster_emergency import in_files
    from controller.cli.desk import REACH
    from controller.cli.reach import reach

    if not asked and REACH.get() is not None:
        return REACH.get()
    if asked or in_files(name, paths) is not None:
        return reach(kubeconfig, context)
    return None


def _in_cluster(
    name: str, reach: "Reach", paths: list[Path], version: str | None, reason: str, output: OutputFormat
) -> None:
    from controller.cli import cluster_emergency, emergency
    from controller.runtime.clock import SystemClock

    place, clock = cluster_emergency.the_route(name, reach, paths, version), SystemClock()
    with working(f"sending everything of {place.key} to {place.stable} ..."):
        who = cluster_emergency.actor(reach.api, emergency.actor())
        unrecorded = cluster_emergency.note(place, reach.api, who, reason, clock)
        ending = cluster_emergency.to_stable(place, reach.api, clock)
        cluster_emergency.tell(place, reach.api, ending, who, reason, clock)
    if unrecorded:
        unrecorded = f"who, when and why could not be noted on the HTTPRoute ({unrecorded}): write it down yourself"
    _finish(place, ending, unrecorded, cluster_emergency.by_hand(place), output)


def _beside_envoy(
    name: str, config_dir: Path | None, paths: list[Path], state_dir: Path, reason: str, output: OutputFormat
) -> None:
    from controller.cli import emergency
    from controller.runtime.clock import SystemClock

    place, clock = emergency.the_place(name, config_dir, paths, state_dir), SystemClock()
    with working(f"sending everything of {place.key} to stable ..."):
        emergency.record(place, None, reason, clock)
        ending = emergency.to_stable(place, clock)
        unrecorded = emergency.record(place, ending, reason, clock)
    _finish(place, ending, unrecorded, emergency.by_hand(place, ending.stable), output)


def _finish(
    place: "Place | RoutePlace", ending: "Ending", unrecorded: str | None, by_hand: list[str], output: OutputFormat
) -> None:
    if output is OutputFormat.JSON:
        _tell_json(place, ending, unrecorded, by_hand)
    else:
        _tell(place, ending, unrecorded, by_hand)
    if ending.trouble is not None:
        raise typer.Exit(int(Code.REFUSED))


def _tell(place: "Place | RoutePlace", ending: "Ending", unrecorded: str | None, by_hand: list[str]) -> None:
    from controller.cli import emergency

    screen = console()
    if ending.trouble is None and ending.seen is not None:
        screen.print(f"{place.key}: {ending.stable} serves everything, {place.proof}", style="bold green")
        screen.print(f"{place.holder}: {emergency.shares(ending.seen)}")
        if ending.in_flight:
            screen.print(f"{ending.in_flight} answers of other versions are still being finished")
        screen.print(
            "A daemon that runs, or starts, finds this and holds the run: `tidegate resume` or `abort` goes on."
        )
    else:
        screen.print(f"ACT NOW: {place.key} is not confirmed on {ending.stable or 'stable'}", style="bold red")
        screen.print(ending.trouble or "", soft_wrap=True)
        if ending.seen is not None:
            screen.print(f"{place.holder}: {emergency.shares(ending.seen)}")
        for line in by_hand:
            screen.print(line, soft_wrap=True)
    if unrecorded:
        screen.print(unrecorded, style="yellow", soft_wrap=True)


def _tell_json(place: "Place | RoutePlace", ending: "Ending", unrecorded: str | None, by_hand: list[str]) -> None:
    from controller.cli import emergency

    holds = emergency.shares(ending.seen) if ending.seen else None
    counts = ending.seen.counts.items() if ending.seen else ()
    emit(
        {
            "name": str(place.key),
            **place.told(),
            "stable": ending.stable,
            "verified": ending.trouble is None,
            "proof": place.proof if ending.trouble is None else None,
            "trouble": ending.trouble,
            **({"envoy_holds": holds} if "config_dir" in place.told() else {}),
            "holds": holds,
            "counts": {v: {"live": c.live, "mirrored": c.mirrored} for v, c in counts},
            "in_flight": ending.in_flight,
            "by_hand": by_hand if ending.trouble else [],
            "unrecorded": unrecorded,
        }
    )
