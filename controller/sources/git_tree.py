"""What one commit holds: the rollout files of a folder, and who last touched each."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from controller.sources.directory import is_rollout_file
from controller.sources.git_command import Git, GitError
from controller.spec.parse import LARGEST

COMMAND_SECONDS = 20.0
REGULAR_FILES = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit: its hash, its author and the first line of its message."""

    id: str
    author: str
    message: str


@dataclass(frozen=True, slots=True)
class Blob:
    """A file of the tip: the hash of its content, and its size in bytes."""

    id: str
    size: int


def list_files(git: Git, tip: str, folder: str) -> dict[str, Blob]:
    """The rollout files below `folder` (empty: everywhere) in a commit. Raises GitError when the folder is missing."""
    where = f"{tip}:{folder}" if folder else tip
    output = git.run("ls-tree", "-r", "-z", "-l", where, timeout=COMMAND_SECONDS).decode(errors="surrogateescape")
    found: dict[str, Blob] = {}
    for line in filter(None, output.split("\0")):
        facts, _, name = line.partition("\t")
        mode, _, blob, size = facts.split()
        hidden = any(part.startswith(".") for part in name.split("/"))
        if mode in REGULAR_FILES and not hidden and is_rollout_file(name.rpartition("/")[2]):
            found[f"{folder}/{name}" if folder else name] = Blob(blob, int(size))
    return found


def read_blobs(git: Git, blobs: Iterable[Blob]) -> dict[str, bytes]:
    """The contents of the blobs that are not too large, by hash. Raises GitError."""
    wanted = sorted({blob.id for blob in blobs if blob.size <= LARGEST})
    if not wanted:
        return {}
    output = git.run("cat-file", "--batch", timeout=COMMAND_SECONDS, stdin="\n".join(wanted).encode() + b"\n")
    contents: dict[str, bytes] = {}
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        header = output[at:end].split()
        if len(header) != 3:
            raise GitError(f"git lost an object of {git.shown}: {output[at:end].decode(errors='replace')}")
        size = int(header[2])
        contents[header[0].decode()] = output[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
    return contents


def commit_of(git: Git, tip: str) -> Commit:
    """The commit itself. Raises GitError."""
    output = git.run("log", "-1", "--no-show-signature", "--format=%H%x1f%an <%ae>%x1f%s", tip, timeout=COMMAND_SECONDS)
    id_, author, message, *_ = [*output.decode(errors="replace").strip("\n").split("\x1f"), "", ""]
    return Commit(id_, author, message)


def last_touched(git: Git, tip: Commit, folder: str, borders: frozenset[str]) -> Mapping[str, Commit]:
    """File -> the newest commit that touched it, as far back as the shallow history goes. Raises GitError.

    `borders` are commits whose parents were not fetched: they seem to touch everything, so they are left out.
    """
    form = "--format=%x1e%H%x1f%an <%ae>%x1f%s%x1f"
    scope = ["--", folder] if folder else []
    log = [
        "log",
        "--no-show-signature",
        "--name-only",
        "-z",
        "--no-renames",
        "-m",
        "--first-parent",
        form,
        tip.id,
        *scope,
    ]
    output = git.run(*log, timeout=COMMAND_SECONDS).decode(errors="surrogateescape")
    found: dict[str, Commit] = {}
    for entry in filter(None, output.split("\x1e")):
        id_, author, message, names, *_ = [*entry.split("\x1f", 3), "", "", ""]
        if id_ not in borders:
            for name in filter(None, re.split(r"[\0\n]+", names)):
                found.setdefault(name, Commit(id_, author, message))
    return found
