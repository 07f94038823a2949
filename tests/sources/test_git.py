"""A real git repository: commits, reverts, force-pushes, logins, and a remote that is gone."""

import base64
import os
import random
import shutil
import stat
import subprocess
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from controller.domain.observation import SpecSeen
from controller.sources.git import GitSource
from controller.sources.git_command import GitError, GitLogin, mask
from tests.sources.support import HandClock, Repository, eventually, key, place_of, rollout_text, spec_of


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "upstream")


def a_source(tmp_path: Path, url: str, clock: HandClock | None = None, login: GitLogin | None = None) -> GitSource:
    return GitSource(
        url,
        "main",
        "rollouts",
        tmp_path / "work",
        clock=clock or HandClock(),
        login=login,
        timeout=timedelta(seconds=10),
    )


def seen(source: GitSource, name: str = "a") -> SpecSeen:
    source.poll()
    specs = source.read()
    assert specs.trouble is None
    return specs.rollouts[key(name)]


def test_a_revert_of_the_version_line_gives_the_old_spec_back(tmp_path: Path, repository: Repository) -> None:
    source = a_source(tmp_path, str(repository.path))
    repository.commit({"rollouts/a.yaml": rollout_text("a", "v1")}, "a: serve v1", "Ada")
    old = seen(source)
    rolled = repository.commit({"rollouts/a.yaml": rollout_text("a", "v2")}, "a: roll out v2\n\nA longer story.", "Ben")
    new = seen(source)
    assert new.spec is not None
    assert new.spec.version == "v2"
    assert new.provenance is not None
    assert (new.provenance.commit, new.provenance.message) == (rolled, "a: roll out v2")
    repository.git("revert", "--no-edit", "HEAD", env={"GIT_AUTHOR_NAME": "Cleo"})
    back = seen(source)
    assert back.spec == old.spec
    assert back.provenance is not None
    assert back.provenance.commit == repository.git("rev-parse", "HEAD")
    assert back.provenance.author == "Cleo <ada@example.com>"
    assert back.provenance.message == 'Revert "a: roll out v2"'
    assert back.provenance.file == "rollouts/a.yaml"


def test_every_file_knows_the_commit_that_touched_it_last(tmp_path: Path, repository: Repository) -> None:
    first = repository.commit({"rollouts/a.yaml": rollout_text("a")}, "add a")
    second = repository.commit({"rollouts/b.yaml": rollout_text("b")}, "add b")
    repository.commit({"README": "x", "rollouts/.hidden/c.yaml": rollout_text("c")}, "something else")
    source = a_source(tmp_path, str(repository.path))
    specs = source.read()
    commits = {found.name: one.provenance and one.provenance.commit for found, one in specs.rollouts.items()}
    assert commits == {"a": first, "b": second}
    third = repository.commit({"rollouts/b.yaml": rollout_text("b", "v1")}, "b: back to v1")
    assert place_of(seen(source, "a")).commit == first
    assert place_of(seen(source, "b")).commit == third


def test_beyond_the_fetched_history_the_tip_is_named(
    tmp_path: Path, repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.sources.git.DEPTH", 2)
    repository.commit({"rollouts/a.yaml": rollout_text("a")}, "add a")
    for number in range(3):
        tip = repository.commit({"note": str(number)}, f"note {number}")
    place = seen(a_source(tmp_path, repository.path.as_uri())).provenance
    assert place is not None
    assert (place.commit, place.message) == (tip, "note 2")


def test_a_broken_commit_keeps_the_last_good_spec_and_its_neighbours(tmp_path: Path, repository: Repository) -> None:
    source = a_source(tmp_path, str(repository.path))
    good = repository.commit({"rollouts/a.yaml": rollout_text("a"), "rollouts/b.yaml": rollout_text("b")}, "good")
    before = seen(source)
    repository.commit({"rollouts/a.yaml": "spec: [\n", "rollouts/b.yaml": rollout_text("b", "v1")}, "broken")
    broken = seen(source)
    assert broken.spec == before.spec
    assert broken.provenance is not None
    assert broken.provenance.commit == good
    assert broken.problems[0].file == "rollouts/a.yaml"
    neighbour = seen(source, "b").spec
    assert neighbour is not None
    assert neighbour.version == "v1"


def test_a_deleted_file_is_told_at_once(tmp_path: Path, repository: Repository) -> None:
    source = a_source(tmp_path, str(repository.path))
    repository.commit({"rollouts/a.yaml": rollout_text("a"), "rollouts/b.yaml": rollout_text("b")}, "two")
    before = seen(source)
    repository.commit({"rollouts/a.yaml": None}, "one")
    gone = seen(source)
    assert gone.deleted
    assert gone.spec == before.spec


def test_a_folder_that_is_gone_deletes_nothing(tmp_path: Path, repository: Repository) -> None:
    source = a_source(tmp_path, str(repository.path))
    repository.commit({"rollouts/a.yaml": rollout_text("a")}, "one")
    before = seen(source)
    repository.commit({"rollouts/a.yaml": None, "elsewhere/a.yaml": rollout_text("a")}, "moved")
    source.poll()
    specs = source.read()
    assert specs.rollouts == {key("a"): before}
    assert specs.trouble is not None
    assert "rollouts" in specs.trouble


def test_a_force_push_is_followed(tmp_path: Path, repository: Repository) -> None:
    source = a_source(tmp_path, str(repository.path))
    first = repository.commit({"rollouts/a.yaml": rollout_text("a", "v1")}, "v1")
    repository.commit({"rollouts/a.yaml": rollout_text("a", "v2")}, "v2")
    assert spec_of(seen(source)).version == "v2"
    repository.git("reset", "--hard", "--quiet", first)
    now = seen(source)
    assert spec_of(now).version == "v1"
    assert place_of(now).commit == first


def test_an_unreachable_remote_changes_nothing_and_says_how_old_it_is(tmp_path: Path, repository: Repository) -> None:
    clock = HandClock()
    source = a_source(tmp_path, str(repository.path), clock)
    repository.commit({"rollouts/a.yaml": rollout_text("a")}, "one")
    before, fetched_at = source.read(), clock.now()
    assert before.as_of == fetched_at
    repository.path.rename(tmp_path / "gone")
    clock.sleep(3600)
    assert source.poll()
    assert not source.poll()
    lost = source.read()
    assert lost.rollouts == before.rollouts
    assert lost.as_of == fetched_at
    assert lost.trouble is not None
    assert str(repository.path) in lost.trouble
    again = a_source(tmp_path, str(repository.path), clock).read()
    assert again.rollouts == before.rollouts, "a restarted daemon goes on with the copy it has"
    assert again.as_of == fetched_at
    (tmp_path / "gone").rename(repository.path)
    assert source.poll()
    assert source.read().trouble is None


def test_a_first_start_without_a_remote_has_nothing_and_says_so(tmp_path: Path) -> None:
    specs = a_source(tmp_path, str(tmp_path / "nowhere")).read()
    assert not specs.rollouts
    assert specs.trouble is not None
    assert specs.as_of is None


def test_a_missing_branch_is_trouble(tmp_path: Path, repository: Repository) -> None:
    repository.commit({"rollouts/a.yaml": rollout_text("a")}, "one")
    source = GitSource(str(repository.path), "prod", "rollouts", tmp_path / "work", clock=HandClock())
    trouble = source.read().trouble
    assert trouble is not None
    assert "prod" in trouble


def test_git_that_is_missing_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    trouble = a_source(tmp_path, "x").read().trouble
    assert trouble is not None
    assert "`git` is not on PATH; install git" in trouble


def test_locks_of_a_killed_git_are_taken_away(tmp_path: Path, repository: Repository) -> None:
    repository.commit({"rollouts/a.yaml": rollout_text("a", "v1")}, "one")
    source = a_source(tmp_path, repository.path.as_uri())
    source.read()
    for lock in ("shallow.lock", "refs/tidegate/tip.lock"):
        (tmp_path / "work" / "repository.git" / lock).touch()
    repository.commit({"rollouts/a.yaml": rollout_text("a", "v2")}, "two")
    assert spec_of(seen(source)).version == "v2"


def test_the_whole_repository_can_be_the_folder(tmp_path: Path, repository: Repository) -> None:
    repository.commit({"a.yaml": rollout_text("a"), "x/b.yaml": rollout_text("b")}, "one")
    for number, folder in enumerate(("", ".", "/")):
        source = GitSource(str(repository.path), "main", folder, tmp_path / str(number), clock=HandClock())
        specs = source.read()
        assert specs.trouble is None
        assert sorted(one.name for one in specs.rollouts) == ["a", "b"]


def test_odd_file_names_and_large_files(tmp_path: Path, repository: Repository) -> None:
    odd = "rollouts/ä b\n'c.yaml"
    repository.commit({odd: rollout_text("a"), "rollouts/big.yaml": "#" * 2_000_000}, "odd")
    specs = a_source(tmp_path, str(repository.path)).read()
    place = specs.rollouts[key("a")].provenance
    assert place is not None
    assert place.file == odd
    assert "larger than 1024 KiB" in str(specs.problems[0])


def test_the_poller_tells_of_new_commits(tmp_path: Path, repository: Repository) -> None:
    repository.commit({"rollouts/a.yaml": rollout_text("a", "v1")}, "one")
    source = GitSource(
        str(repository.path),
        "main",
        "rollouts",
        tmp_path / "work",
        clock=HandClock(),
        interval=timedelta(seconds=0.05),
    )
    source.read()
    changed = threading.Event()
    source.watch(changed.set)
    try:
        repository.commit({"rollouts/a.yaml": rollout_text("a", "v2")}, "two")
        eventually(changed.is_set)
        assert spec_of(source.read().rollouts[key("a")]).version == "v2"
    finally:
        source.close()


def test_polls_are_spread_by_the_seed(tmp_path: Path) -> None:
    waits = [
        [
            GitSource("x", "main", "", tmp_path, clock=HandClock(), rng=rng).next_wait()
            for rng in [random.Random(seed)] * 3
        ]
        for seed in (1, 1, 2)
    ]
    assert waits[0] == waits[1] != waits[2]
    assert all(27 <= wait <= 33 for row in waits for wait in row)
    assert len(set(waits[0])) == 3


@pytest.mark.parametrize("url", ["", "--upload-pack=evil", "a b", "x\ny"])
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(GitError, match="is not the address"):
        a_source(tmp_path, url)


@pytest.mark.parametrize("branch", ["", "-x", "a b", "a..b", "a:b", "a\nb"])
def test_what_is_no_branch_is_refused(tmp_path: Path, branch: str) -> None:
    with pytest.raises(GitError, match="is not the name of a branch"):
        GitSource("x", branch, "", tmp_path, clock=HandClock())


def test_a_helper_in_the_address_is_not_run(tmp_path: Path) -> None:
    source = a_source(tmp_path, f"ext::touch%20{tmp_path}/evil")
    assert source.read().trouble is not None
    assert not (tmp_path / "evil").exists()


class GitServer(BaseHTTPRequestHandler):
    """git's own http-backend behind a user name and a password."""

    root: ClassVar[Path]
    wanted: ClassVar[str]
    refused: ClassVar[int] = 0

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        if self.headers.get("Authorization") != "Basic " + base64.b64encode(self.wanted.encode()).decode():
            type(self).refused += 1
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        env = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        answer = subprocess.run(["git", "http-backend"], env=env, input=body, capture_output=True, check=True).stdout
        head, _, content = answer.partition(b"\r\n\r\n")
        self.send_response(200)
        for line in head.decode().splitlines():
            name, _, value = line.partition(": ")
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name in the standard library
        pass


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    GitServer.root, GitServer.wanted, GitServer.refused = tmp_path, "x-access-token:s3cret-token", 0
    with ThreadingHTTPServer(("127.0.0.1", 0), GitServer) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"127.0.0.1:{http.server_address[1]}"
        http.shutdown()
        thread.join()


def test_a_token_from_a_file_logs_in_and_can_be_changed(tmp_path: Path, repository: Repository, server: str) -> None:
    repository.commit({"rollouts/a.yaml": rollout_text("a")}, "one")
    token = tmp_path / "token"
    token.write_text("wrong-token\n")
    source = a_source(tmp_path, f"http://{server}/upstream/.git", login=GitLogin(token_file=token))
    trouble = source.read().trouble
    assert trouble is not None
    assert "wrong-token" not in trouble
    token.write_text("s3cret-token\n")
    assert seen(source).spec is not None


def test_credentials_in_an_address_log_in_and_are_never_shown(
    tmp_path: Path, repository: Repository, server: str
) -> None:
    repository.commit({"rollouts/a.yaml": rollout_text("a")}, "one")
    GitServer.wanted = "ada:p@ss"
    source = a_source(tmp_path, f"http://ada:p%40ss@{server}/upstream/.git")
    assert seen(source).spec is not None
    GitServer.wanted = "ada:other"
    source.poll()
    trouble = source.read().trouble
    assert trouble is not None
    assert "p@ss" not in trouble
    assert "p%40ss" not in trouble
    kept = [path for path in (tmp_path / "work").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"p@ss" in path.read_bytes() or b"p%40ss" in path.read_bytes()]


def test_secrets_are_in_no_argument_list(
    tmp_path: Path, repository: Repository, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit({"rollouts/a.yaml": rollout_text("a")}, "one")
    spy, log = tmp_path / "bin", tmp_path / "arguments"
    spy.mkdir()
    (spy / "git").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexec {shutil.which("git")} "$@"\n')
    (spy / "git").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{spy}:{os.environ['PATH']}")
    GitServer.wanted = "ada:s3cret"
    assert seen(a_source(tmp_path, f"http://ada:s3cret@{server}/upstream/.git")).spec is not None
    assert "fetch" in log.read_text()
    assert "s3cret" not in log.read_text()


def test_an_ssh_key_is_used_without_asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spy, log = tmp_path / "bin", tmp_path / "arguments"
    spy.mkdir()
    (spy / "ssh").write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> {log}\nexit 255\n')
    (spy / "ssh").chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{spy}:{os.environ['PATH']}")
    login = GitLogin(ssh_key_file=Path("/keys/id"), known_hosts_file=Path("/keys/hosts"))
    assert a_source(tmp_path, "git@example.com:team/rollouts.git", login=login).read().trouble is not None
    said = log.read_text()
    for option in ("BatchMode=yes", "StrictHostKeyChecking=yes", "-i /keys/id", "UserKnownHostsFile=/keys/hosts"):
        assert option in said
    relaxed = GitLogin(accept_new=True)
    a_source(tmp_path, "git@example.com:team/rollouts.git", login=relaxed).read()
    assert "StrictHostKeyChecking=accept-new" in log.read_text()


def test_a_remote_that_never_answers_is_given_up(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as silent:
        address = f"http://127.0.0.1:{silent.server_address[1]}/x"
        source = GitSource(address, "main", "", tmp_path / "work", clock=HandClock(), timeout=timedelta(seconds=0.5))
        trouble = source.read().trouble
    assert trouble is not None
    assert "gave no answer in 0.5 s" in trouble


def test_addresses_are_masked() -> None:
    assert mask("fatal: http://me:pw@host/x failed, ssh://git@host/y too") == (
        "fatal: http://***@host/x failed, ssh://***@host/y too"
    )
