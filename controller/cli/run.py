"""`tidegate run`: options into settings, then the daemon."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from controller.cli.options import CLUSTER, STATE_DIR, Database, StateDir, examples
from controller.cli.output import Code, CommandError, reported

if TYPE_CHECKING:
    from controller.alerts.settings import ChannelSettings
    from controller.runtime.settings import GitSettings, Settings

GIT, ALERTS, LOGS = "From git", "Alerts", "Logs"
LEVELS = ("debug", "info", "warning", "error", "critical")


def register(app: typer.Typer) -> None:
    """Add `run`."""
    told = examples(
        "tidegate run --rollouts rollouts/",
        "tidegate run --rollouts rollouts/ --slack-webhook-file /etc/tidegate/slack-url",
        "tidegate run --git https://git.example.com/models.git --git-folder rollouts --git-token-file token",
        "tidegate run --cluster                           (in a pod; elsewhere with --kubeconfig FILE)",
        "tidegate run --rollouts rollouts/ --observe      (judge and tell, move nothing)",
    )
    app.command(epilog=told)(run)


@reported
def run(
    rollouts: Annotated[
        list[Path] | None,
        typer.Option("--rollouts", envvar="TIDEGATE_ROLLOUTS", help="A folder of rollout files; can be repeated."),
    ] = None,
    git: Annotated[
        str | None,
        typer.Option("--git", envvar="TIDEGATE_GIT", help="URL or path of a repository.", rich_help_panel=GIT),
    ] = None,
    git_branch: Annotated[
        str, typer.Option(envvar="TIDEGATE_GIT_BRANCH", help="The branch that says what runs.", rich_help_panel=GIT)
    ] = "main",
    git_folder: Annotated[
        str, typer.Option(envvar="TIDEGATE_GIT_FOLDER", help="The folder in it.", rich_help_panel=GIT)
    ] = ".",
    git_token_file: Annotated[
        Path | None,
        typer.Option(envvar="TIDEGATE_GIT_TOKEN_FILE", help="A file with an HTTPS token.", rich_help_panel=GIT),
    ] = None,
    git_ssh_key_file: Annotated[
        Path | None,
        typer.Option(envvar="TIDEGATE_GIT_SSH_KEY_FILE", help="A file with an SSH key.", rich_help_panel=GIT),
    ] = None,
    git_poll: Annotated[
        float,
        typer.Option(envvar="TIDEGATE_GIT_POLL", min=1.0, help="Seconds between two looks.", rich_help_panel=GIT),
    ] = 30.0,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster", envvar="TIDEGATE_CLUSTER", help="ModelRollouts of a cluster.", rich_help_panel=CLUSTER
        ),
    ] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(envvar="TIDEGATE_KUBECONFIG", help="Not in a pod: how to reach it.", rich_help_panel=CLUSTER),
    ] = None,
    context: Annotated[
        str | None, typer.Option(envvar="TIDEGATE_CONTEXT", help="One of its contexts.", rich_help_panel=CLUSTER)
    ] = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option(
            "--namespace",
            envvar="TIDEGATE_NAMESPACES",
            help="Only this one; can be repeated. Default: all.",
            rich_help_panel=CLUSTER,
        ),
    ] = None,
    shards: Annotated[
        int,
        typer.Option(
            envvar="TIDEGATE_SHARDS",
            min=0,
            max=64,
            help="Leases by which replicas share the rollouts; 0: one process alone.",
            rich_help_panel=CLUSTER,
        ),
    ] = 4,
    identity: Annotated[
        str,
        typer.Option(
            envvar="TIDEGATE_IDENTITY",
            help="Its name among replicas; default: host and process.",
            rich_help_panel=CLUSTER,
        ),
    ] = "",
    lease_seconds: Annotated[
        float,
        typer.Option(
            envvar="TIDEGATE_LEASE_SECONDS",
            min=3.0,
            help="A dead replica's rollouts are taken over after so long.",
            rich_help_panel=CLUSTER,
        ),
    ] = 12.0,
    lease_namespace: Annotated[
        str,
        typer.Option(
            envvar="TIDEGATE_LEASE_NAMESPACE", help="Where the leases are; default: its own.", rich_help_panel=CLUSTER
        ),
    ] = "",
    keep_requests: Annotated[
        float,
        typer.Option(
            envvar="TIDEGATE_KEEP_REQUESTS",
            min=0.1,
            help="Days after which answered RolloutRequests are deleted; the journal keeps what was asked.",
            rich_help_panel=CLUSTER,
        ),
    ] = 7.0,
    template_namespace: Annotated[
        str,
        typer.Option(
            envvar="TIDEGATE_TEMPLATE_NAMESPACE",
            help="The namespace whose SLOTemplates every rollout may use; empty: none.",
        ),
    ] = "tidegate-templates",
    state_dir: StateDir = STATE_DIR,
    database: Database = "",
    database_grace: Annotated[
        float,
        typer.Option(
            envvar="TIDEGATE_DATABASE_GRACE",
            min=0.0,
            help="Seconds that a start waits for an unreadable database, before it withdraws every candidate.",
        ),
    ] = 10.0,
    http: Annotated[
        str, typer.Option("--http", envvar="TIDEGATE_HTTP", help="Where /metrics, /healthz and /readyz are served.")
    ] = "127.0.0.1:9464",
    slack_webhook_file: Annotated[
        Path | None,
        typer.Option(
            envvar="TIDEGATE_SLACK_WEBHOOK_FILE", help="A file with Slack's webhook URL.", rich_help_panel=ALERTS
        ),
    ] = None,
    webhook_file: Annotated[
        Path | None,
        typer.Option(
            envvar="TIDEGATE_WEBHOOK_FILE", help="A file with the URL of a JSON webhook.", rich_help_panel=ALERTS
        ),
    ] = None,
    observe: Annotated[
        bool, typer.Option("--observe", envvar="TIDEGATE_OBSERVE", help="Judge and tell, but move no traffic.")
    ] = False,
    log: Annotated[
        Literal["auto", "json", "console"],
        typer.Option("--log", envvar="TIDEGATE_LOG", help="auto: console on a terminal.", rich_help_panel=LOGS),
    ] = "auto",
    log_level: Annotated[
        Literal["debug", "info", "warning", "error", "critical"],
        typer.Option(envvar="TIDEGATE_LOG_LEVEL", help="The least that is logged.", rich_help_panel=LOGS),
    ] = "info",
) -> None:
    """Run the daemon: watch rollouts, judge, move traffic, roll back."""
    folders = tuple(rollouts or ())
    if not folders and git is None and not cluster:
        raise CommandError(
            "there is nothing to roll out: give --rollouts FOLDER or --git URL, or --cluster", Code.WRONG_USE
        )
    if " " in identity:
        raise CommandError(f"--identity {identity!r}: a name without spaces", Code.WRONG_USE)
    _check_folders(folders)
    files = {
        "--kubeconfig": kubeconfig,
        "--git-token-file": git_token_file,
        "--git-ssh-key-file": git_ssh_key_file,
        "--slack-webhook-file": slack_webhook_file,
        "--webhook-file": webhook_file,
    }
    _check_files(files)
    repositories = (
        () if git is None else (_git(git, git_branch, git_folder, git_token_file, git_ssh_key_file, git_poll),)
    )
    from controller.runtime.settings import ClusterSettings, Settings

    named = tuple(namespace or ())
    more = (shards, identity, lease_seconds, lease_namespace, timedelta(days=keep_requests))
    settings = Settings(
        folders=folders,
        repositories=repositories,
        cluster=ClusterSettings(kubeconfig, context, named, *more) if cluster else None,
        template_namespace=template_namespace,
        state_dir=state_dir,
        database=database,
        database_grace=database_grace,
        http=http,
        channels=_channels(slack_webhook_file, webhook_file),
        observe=observe,
        log_format=log,
        log_level=log_level,
    )
    _serve(settings)


def _serve(settings: "Settings") -> None:
    from controller.domain.cluster import ClusterError
    from controller.domain.record import StoreUnavailableError
    from controller.runtime import daemon
    from controller.runtime.lock import AlreadyRunningError
    from controller.store.spool import SpoolUnavailableError
    from controller.web.http import ListenError
    from controller.web.protocol import SocketPathError
    from controller.web.socket import SocketInUseError

    try:
        daemon.run(settings)
    except (AlreadyRunningError, SocketInUseError) as error:
        todo = f"Each daemon has a --state-dir of its own; this one is {settings.state_dir}."
        raise CommandError(str(error), Code.WRONG_USE, todo) from error
    except (ClusterError, StoreUnavailableError, SpoolUnavailableError, ListenError, SocketPathError) as error:
        raise CommandError(str(error), Code.WRONG_USE) from error
    except OSError as error:
        raise CommandError(f"cannot start: {error}", Code.WRONG_USE) from error


def _git(url: str, branch: str, folder: str, token: Path | None, key: Path | None, poll: float) -> "GitSettings":
    from controller.runtime.settings import GitSettings

    return GitSettings(url, branch, folder, str(token) if token else None, str(key) if key else None, poll)


def _channels(slack: Path | None, webhook: Path | None) -> "tuple[tuple[str, ChannelSettings], ...]":
    from controller.alerts.settings import ChannelSettings

    given = (("slack", slack), ("webhook", webhook))
    return tuple((kind, ChannelSettings(str(path))) for kind, path in given if path is not None)


def _check_folders(folders: tuple[Path, ...]) -> None:
    for folder in folders:
        if not folder.is_dir():
            what = "is no folder" if folder.exists() else "does not exist"
            raise CommandError(f"--rollouts {folder} {what}: make it, or name another", Code.WRONG_USE)


def _check_files(files: dict[str, Path | None]) -> None:
    for option, path in files.items():
        if path is not None and not path.is_file():
            raise CommandError(f"{option} {path}: there is no such file", Code.WRONG_USE)
