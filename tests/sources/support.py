"""Real folders, real git repositories, and a clock that a test moves."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.domain.names import RolloutKey
from controller.domain.observation import SpecSeen
from controller.domain.rollout import ModelRollout, Provenance
from tests.spec.texts import MINIMAL

GIT_ENV = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def rollout_text(name: str, version: str = "v2") -> str:
    """A good rollout of that name."""
    return MINIMAL.replace("name: minimal", f"name: {name}").replace("version: v2  ", f"version: {version}  ")


def key(name: str) -> RolloutKey:
    return RolloutKey("default", name)


def spec_of(seen: SpecSeen) -> ModelRollout:
    """The spec there must be."""
    assert seen.spec is not None
    return seen.spec


def place_of(seen: SpecSeen) -> Provenance:
    """The place there must be."""
    assert seen.provenance is not None
    return seen.provenance


def eventually(holds: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something holds; fail when it does not in time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.02)


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self.at.timestamp()

    def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class Repository:
    """A real git repository with a work tree."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str, env: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.path,
            env={**os.environ, **GIT_ENV, **(env or {})},
            capture_output=True,
            check=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, files: Mapping[str, str | None], message: str, author: str = "Ada") -> str:
        """Write the files (None removes one) and commit them; the commit's hash."""
        for name, text in files.items():
            path = self.path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text, encoding="utf-8")
        self.git("add", "--all")
        self.git("commit", "--quiet", "-m", message, env={"GIT_AUTHOR_NAME": author})
        return self.git("rev-parse", "HEAD")
