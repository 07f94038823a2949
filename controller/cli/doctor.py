"""`tidegate doctor`: looks at everything a controller needs, and says what to do about what is missing."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from controller.cli.options import CLUSTER, STATE_DIR, Context, Kubeconfig, Output, Socket, StateDir, examples
from controller.cli.output import Code, CommandError, OutputFormat, console, emit, reported, working

if TYPE_CHECKING:
    from controller.cli.checks import Check, Checks
    from controller.cli.desk import Reach
    from controller.cli.doctor_cluster import Account

MARKS = {
    "ok": ("ok", "green"),
    "note": ("note", "cyan"),
    "unknown": ("?", "yellow"),
    "problem": ("PROBLEM", "bold red"),
}


def register(app: typer.Typer) -> None:
    """Add `doctor`."""
    told = examples(
        "tidegate doctor                                     (the daemon of this machine)",
        "tidegate doctor --rollouts rollouts/                (and what those files name)",
        "tidegate doctor --kubeconfig admin.yaml --account tidegate/tidegate",
        "tidegate doctor --cluster                           (in the controller's pod: with its own rights)",
    )
    app.command(epilog=told)(doctor)


@reported
def doctor(
    rollouts: Annotated[
        list[Path] | None, typer.Option("--rollouts", help="Rollout files to look at, too; can be repeated.")
    ] = None,
    cluster: Annotated[
        bool, typer.Option("--cluster", help="Look at a cluster instead of a daemon.", rich_help_panel=CLUSTER)
    ] = False,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            envvar="TIDEGATE_NAMESPACES",
            help="Where rollouts are; can be repeated. Default: all namespaces.",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    templates: Annotated[
        str,
        typer.Option(
            "--template-namespace",
            envvar="TIDEGATE_TEMPLATE_NAMESPACE",
            help="Where shared SLOTemplates are, as the controller is told; empty: nowhere.",
            rich_help_panel=CLUSTER,
        ),
    ] = "tidegate-templates",
    account: Annotated[
        str,
        typer.Option(
            "--account",
            metavar="NAMESPACE/NAME",
            help="Whose rights: the controller's service account. Default: your own.",
            rich_help_panel=CLUSTER,
        ),
    ] = "",
    state_dir: StateDir = STATE_DIR,
    socket: Socket = None,
    output: Output = OutputFormat.TEXT,
) -> None:
    """Look at everything that is needed, and say what to do about what is missing."""
    from controller.cli.daemon import socket_of

    for path in rollouts or ():
        if not path.exists():
            raise CommandError(f"--rollouts {path} does not exist", Code.WRONG_USE)
    reach = _reach(kubeconfig, context, asked=cluster or kubeconfig is not None or context is not None)
    with working("looking ..."):
        if reach is not None:
            found = list(_in_cluster(reach, _namespaces(namespace, reach), templates, account, rollouts or []))
        else:
            found = list(_here(socket_of(state_dir, socket), rollouts or []))
    _told(found, output)


def _reach(kubeconfig: Path | None, context: str | None, *, asked: bool) -> "Reach | None":
    from controller.cli.desk import REACH
    from controller.cli.reach import reach

    return reach(kubeconfig, context) if asked else REACH.get()


def _namespaces(given: list[str] | None, reach: "Reach") -> list[str]:
    """As said; with the plugin, whose `-n` it takes itself, that of kubectl."""
    from controller.cli.desk import REACH

    plugin = [] if REACH.get() is None or reach.everywhere else [reach.namespace]
    return given or plugin or [""]


def _in_cluster(reach: "Reach", namespaces: Sequence[str], templates: str, account: str, paths: list[Path]) -> "Checks":
    from controller.cli import doctor_cluster, doctor_machine, doctor_routes, rights
    from controller.cli.checks import Finding, unseen
    from controller.domain.cluster import ClusterError

    who = _account(account)
    first = doctor_cluster.api_server(reach)
    yield first
    if first.finding is Finding.PROBLEM:
        return
    yield from doctor_cluster.kinds(reach.api, namespaces[0])
    try:
        known = doctor_routes.rollouts(reach.api, namespaces)
    except ClusterError as error:
        known = []
        yield unseen("rollouts", str(error))
    scaled, unknown = doctor_routes.scaled(reach.kinds, known)
    yield from unknown
    asked = [*rights.needed(), *(one for kind in scaled for one in rights.to_scale(kind))]
    places = doctor_cluster.Places(namespaces, doctor_cluster.own_namespace(reach, who), templates)
    yield from doctor_cluster.rights(reach.api, asked, places, who)
    yield from doctor_routes.classes(reach.api)
    for one in known:
        yield from doctor_routes.of_rollout(reach.api, one)
    files, checks = doctor_machine.read(paths)
    yield from checks
    yield from doctor_machine.metric_servers([*files, *(one.spec for one in known if one.spec is not None)])


def _account(text: str) -> "Account | None":
    from controller.cli.doctor_cluster import Account

    namespace, slash, name = text.partition("/")
    if text and not (namespace and slash and name):
        raise CommandError(f"--account {text}: give it as NAMESPACE/NAME", Code.WRONG_USE)
    return Account(namespace, name) if text else None


def _here(path: Path, paths: list[Path]) -> "Checks":
    from controller.cli import doctor_machine

    yield from doctor_machine.of_daemon(path)
    found, checks = doctor_machine.read(paths)
    yield from checks
    yield from doctor_machine.envoys(found)
    yield from doctor_machine.metric_servers(found)


def _told(found: "list[Check]", output: OutputFormat) -> None:
    from controller.cli.checks import Finding

    problems = sum(one.finding is Finding.PROBLEM for one in found)
    if output is OutputFormat.JSON:
        listed = [{"finding": c.finding.value, "about": c.about, "said": c.said, "todo": c.todo} for c in found]
        emit({"problems": problems, "checks": listed})
    else:
        _print(found, problems)
    if problems:
        raise typer.Exit(int(Code.REFUSED))


def _print(found: "list[Check]", problems: int) -> None:
    from rich.text import Text

    screen = console()
    for one in found:
        mark, style = MARKS[one.finding.value]
        screen.print(Text.assemble((f"{mark:<8}", style), (f"{one.about}: ", "bold"), one.said), soft_wrap=True)
        for line in one.todo.splitlines():
            screen.print(f"        {line}", soft_wrap=True)
    screen.print(
        f"{problems} problems" if problems else "nothing is wrong", style="bold red" if problems else "bold green"
    )
