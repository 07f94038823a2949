"""The one door to the `git` command: never asks anybody, keeps secrets out of argument lists and messages.

Needs git on PATH (tried with 2.39). Everything is read from a bare repository of our own; there is no checkout.
"""

import contextlib
import os
import re
import shlex
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

ASKPASS = """#!/bin/sh
# Answers git's questions from what its starter put into the environment; the token is read from its file each time.
case "$1" in
  Username*) printf '%s\\n' "${TIDEGATE_GIT_USER:-x-access-token}" ;;
  *) if [ -n "$TIDEGATE_GIT_TOKEN_FILE" ]
     then cat "$TIDEGATE_GIT_TOKEN_FILE"
     else printf '%s\\n' "$TIDEGATE_GIT_PASSWORD"
     fi ;;
esac
"""
QUIET = (
    *("-c", "gc.autoDetach=false"),
    *("-c", "maintenance.autoDetach=false"),
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "credential.helper="),
    *("-c", "http.lowSpeedLimit=1"),
    *("-c", "http.lowSpeedTime=15"),
)
"""Nothing runs behind our back, no helper asks anybody, and a silent server is given up."""
LOCKS = ("shallow.lock", "packed-refs.lock", "HEAD.lock", "config.lock", "refs/tidegate/tip.lock")
"""What a killed git leaves behind. The repository is ours alone and one command runs at a time: nobody holds them."""
INHERITED = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_CONFIG")


class GitError(Exception):
    """A git command did not succeed; the message is masked and says what to do."""


@dataclass(frozen=True, slots=True)
class GitLogin:
    """How to log in: a token's file for https, or a key's file for ssh. `accept_new`: trust a host at first sight."""

    token_file: Path | None = None
    ssh_key_file: Path | None = None
    known_hosts_file: Path | None = None
    accept_new: bool = False


@dataclass(frozen=True, slots=True)
class Remote:
    """A remote without secrets in it, and the secrets that stood in its URL."""

    url: str
    user: str | None = None
    password: str | None = None

    @classmethod
    def parse(cls, url: str) -> "Remote":
        """Take credentials out of an http(s) URL. Raises GitError for something that is no address."""
        if not url or url.startswith("-") or any(char.isspace() or ord(char) < 32 for char in url):
            raise GitError(f"{mask(url)!r} is not the address of a git repository")
        if not re.match(r"https?://", url):
            return cls(url)
        parts = urlsplit(url)
        bare = urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
        return cls(bare, unquote(parts.username or "") or None, unquote(parts.password or "") or None)


class Git:
    """Runs git in one bare repository."""

    def __init__(self, repository: Path, remote: Remote, login: GitLogin) -> None:
        self._repository, self._remote, self._login = repository, remote, login
        self._askpass = repository.parent / f".{repository.name}.askpass"

    def prepare(self) -> None:
        """Make the bare repository when it is missing. Raises GitError."""
        try:
            self._repository.parent.mkdir(parents=True, exist_ok=True)
            self._askpass.write_text(ASKPASS, encoding="utf-8")
            self._askpass.chmod(0o700)
        except OSError as error:
            raise GitError(
                f"cannot write {self._askpass}: {error.strerror}; give a workdir that can be written"
            ) from error
        for lock in LOCKS:
            (self._repository / lock).unlink(missing_ok=True)
        if not (self._repository / "HEAD").exists():
            self.run("init", "--bare", "--quiet", str(self._repository), timeout=20, inside=False)

    def run(self, *arguments: str, timeout: float, stdin: bytes = b"", inside: bool = True) -> bytes:
        """The output of one git command. Raises GitError: missing git, failure, or no answer in `timeout` seconds."""
        place = (f"--git-dir={self._repository}",) if inside else ()
        command = ["git", *QUIET, *place, *arguments]
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment(),
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise GitError("the command `git` is not on PATH; install git") from error
        except OSError as error:
            raise GitError(f"cannot start `git`: {error.strerror}") from error
        with process:
            return self._outcome(process, arguments[0], stdin, timeout)

    def _outcome(self, process: "subprocess.Popen[bytes]", verb: str, stdin: bytes, timeout: float) -> bytes:
        try:
            output, errors = process.communicate(stdin, timeout)
        except subprocess.TimeoutExpired as error:
            _end(process)
            raise GitError(f"git {verb} of {self.shown} gave no answer in {timeout:g} s") from error
        if process.returncode:
            raise GitError(f"git {verb} of {self.shown} failed: {self._masked(errors)}")
        return output

    @property
    def url(self) -> str:
        """The remote's address, without credentials."""
        return self._remote.url

    def borders(self) -> frozenset[str]:
        """Commits whose parents were not fetched."""
        try:
            return frozenset((self._repository / "shallow").read_text(encoding="ascii").split())
        except OSError:
            return frozenset()

    @property
    def shown(self) -> str:
        """The remote's address as it may be shown."""
        return mask(self._remote.url)

    def _masked(self, errors: bytes) -> str:
        text = " ".join(errors.decode(errors="replace").split())[-600:] or "no message"
        for secret in self._secrets():
            text = text.replace(secret, "***")
        return mask(text)

    def _secrets(self) -> Sequence[str]:
        found = [self._remote.password] if self._remote.password else []
        try:
            token = self._login.token_file.read_text(encoding="utf-8").strip() if self._login.token_file else ""
        except (OSError, UnicodeDecodeError):
            token = ""
        return [*found, *([token] if token else [])]

    def _environment(self) -> Mapping[str, str]:
        env = {key: value for key, value in os.environ.items() if key not in INHERITED}
        env |= {
            "LC_ALL": "C",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": str(self._askpass),
            "SSH_ASKPASS_REQUIRE": "never",
            "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
            "GIT_SSH_COMMAND": self._ssh(),
            "TIDEGATE_GIT_TOKEN_FILE": str(self._login.token_file or ""),
        }
        if self._remote.user:
            env["TIDEGATE_GIT_USER"] = self._remote.user
        if self._remote.password:
            env["TIDEGATE_GIT_PASSWORD"] = self._remote.password
        return env

    def _ssh(self) -> str:
        login = self._login
        options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10"]
        options += ["-o", f"StrictHostKeyChecking={'accept-new' if login.accept_new else 'yes'}"]
        if login.ssh_key_file:
            options += ["-i", str(login.ssh_key_file), "-o", "IdentitiesOnly=yes"]
        if login.known_hosts_file:
            options += ["-o", f"UserKnownHostsFile={login.known_hosts_file}"]
        return shlex.join(["ssh", *options])


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the whole group, or git's transport helper goes on. Asked first: git then takes its lock files away."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=2)
            return


def mask(text: str) -> str:
    """The text with the credentials of every URL in it hidden."""
    return re.sub(r"(\w+://)[^/\s@]*@", r"\1***@", text)
