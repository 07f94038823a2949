"""What `tidegate run` was told, parsed once."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal

from controller.alerts.settings import ChannelSettings


@dataclass(frozen=True, slots=True)
class GitSettings:
    """One git source. `folder` lies inside the repository; secrets are read from files at use. `poll` in seconds."""

    url: str
    branch: str = "main"
    folder: str = "."
    token_file: str | None = None
    ssh_key_file: str | None = None
    poll: float = 30.0


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """One cluster. Without `kubeconfig` and `context`: the pod's own account. `namespaces` empty: all of them.

    Replicas share the rollouts by `shards` leases of `lease_seconds` in `lease_namespace` (empty: the pod's own);
    0 shards: this process is the only one. `identity` is its name among them (empty: host and process).
    Answered RolloutRequests are deleted after `keep_requests`.
    """

    kubeconfig: Path | None = None
    context: str | None = None
    namespaces: tuple[str, ...] = ()
    shards: int = 4
    identity: str = ""
    lease_seconds: float = 12.0
    lease_namespace: str = ""
    keep_requests: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the daemon needs to know. `database` is a SQLAlchemy URL; empty: SQLite in `state_dir`.

    `template_namespace` has the SLOTemplates that every namespace may use; empty: there is none.
    `database_grace`: seconds that a start waits for a database that cannot be read, before it withdraws candidates.
    `workers` is how many rollouts are passed over at the same time; `http` is `host:port` of /metrics and health.
    """

    folders: tuple[Path, ...] = ()
    repositories: tuple[GitSettings, ...] = ()
    template_namespace: str = "tidegate-templates"
    cluster: ClusterSettings | None = None
    state_dir: Path = Path(".tidegate")
    database: str = ""
    database_grace: float = 10.0
    http: str = "127.0.0.1:9464"
    channels: tuple[tuple[str, ChannelSettings], ...] = ()
    observe: bool = False
    log_format: Literal["auto", "json", "console"] = "auto"
    log_level: str = "info"
    workers: int = 4
    retention_days: int = 396
    labels: tuple[tuple[str, str], ...] = field(default=())

    @property
    def database_url(self) -> str:
        """The URL that is really used."""
        return self.database or f"sqlite:///{(self.state_dir / 'tidegate.db').absolute()}"

    @property
    def socket(self) -> Path:
        """Where people's requests come in."""
        return self.state_dir / "tidegate.sock"
