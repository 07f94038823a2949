"""What `tidegate run` was told, parsed once."""

from dataclasses import dataclass, field
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
class Settings:
    """Everything the daemon needs to know. `database` is a SQLAlchemy URL; empty: SQLite in `state_dir`.

    `workers` is how many rollouts are passed over at the same time; `http` is `host:port` of /metrics and health.
    """

    folders: tuple[Path, ...] = ()
    repositories: tuple[GitSettings, ...] = ()
    state_dir: Path = Path(".tidegate")
    database: str = ""
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
