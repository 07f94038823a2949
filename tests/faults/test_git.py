"""A story: a rollout in a real repository, committed, and reverted with `git revert`."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.domain.state import Phase
from controller.runtime.settings import GitSettings
from tests.faults.rig import Bench, Ground, a_bench

WHO = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]


class Repository:
    """A working copy with one rollout in it."""

    def __init__(self, ground: Ground, folder: Path) -> None:
        self.ground, self.folder = ground, folder
        self.git("init", "-q", "-b", "main", str(folder))

    def git(self, *words: str) -> str:
        place = [] if words[0] == "init" else ["-C", str(self.folder)]
        done = subprocess.run(["git", *place, *WHO, *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, version: str, message: str) -> str:
        self.ground.options = self.ground.options.but(version=version)
        (self.folder / "support-bot.yaml").write_text(self.ground.options.text())
        self.git("add", "support-bot.yaml")
        self.git("commit", "-q", "-m", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(ground: Ground) -> Repository:
    return Repository(ground, ground.folder / "repository")


@pytest.fixture
def following(ground: Ground, repository: Repository) -> Iterator[Bench]:
    """A daemon that follows the repository; v11 serves. Ticks do not wait for polls: the canary takes half an hour."""
    ground.options = ground.options.but(canary_soak="30m")
    repository.commit("v11", "v11 serves")
    told = GitSettings(str(repository.folder), poll=0.2)
    with a_bench(ground, folders=(), repositories=(told,)) as bench:
        bench.look()
        bench.settle()
        bench.house.specs.watch(bench.chores.read_sources)
        yield bench


def test_a_commit_starts_a_run_and_a_revert_takes_it_back(
    ground: Ground, repository: Repository, following: Bench
) -> None:
    tried = repository.commit("v12", "try v12")
    following.until(Phase.PROGRESSING, "canary", ticks=60)
    assert following.exposed()
    assert following.position.run is not None
    assert following.position.run.provenance.commit == tried
    assert following.position.run.provenance.author
    repository.git("revert", "--no-edit", "HEAD")
    following.until(Phase.IDLE, ticks=60)
    assert not following.exposed()
    assert set(ground.send(20)) == {"v11"}
    assert following.position.rejected == ()
    reasons = following.reasons()
    assert [one for one in reasons if one.startswith("rollback_")] == ["rollback_started", "rollback_verified"]


def test_a_broken_commit_keeps_the_run_and_an_unreachable_remote_says_so(
    ground: Ground, repository: Repository, following: Bench
) -> None:
    repository.commit("v12", "try v12")
    following.until(Phase.PROGRESSING, "canary", ticks=60)
    repository.folder.rename(repository.folder.with_name("moved"))
    for _ in range(60):
        following.tick(0.5, passes=1)
        if following.house.specs.read().trouble:
            break
    assert "going on with the commit fetched before" in str(following.house.specs.read().trouble)
    following.breach()
    following.settle()
    assert set(ground.send(20)) == {"v11"}
