"""Small helpers of the store's tests: files, other processes, other users."""

import os
import pwd
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from controller.domain.record import StoreUnavailableError

ROOT = Path(__file__).parents[2]


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


@contextmanager
def unavailable(match: str, within: float = 8.0) -> Iterator[None]:
    """The block must raise StoreUnavailableError with these words while what hinders it lasts, which it does not end.

    `within` is many times the half second allowed: it tells coming back from hanging, on a busy machine too.
    """
    began = time.monotonic()
    with pytest.raises(StoreUnavailableError, match=match):
        yield
    assert time.monotonic() - began < within


@contextmanager
def writing(path: Path) -> Iterator[sqlite3.Connection]:
    """Somebody else in the middle of a write."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write everywhere: be somebody who may not."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(pwd.getpwnam("nobody").pw_uid)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder that other users can reach, which pytest's are not."""
    with tempfile.TemporaryDirectory(prefix="tidegate-store-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        try:
            yield folder
        finally:
            folder.chmod(0o755)


@contextmanager
def small_disk(size: str = "2m") -> Iterator[Path]:
    """A file system of its own, which is soon full."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small file system needs root")
    with tempfile.TemporaryDirectory(prefix="tidegate-disk-") as name:
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", name], capture_output=True)
        if done.returncode != 0:
            pytest.skip(f"no mounting here: {done.stderr.decode().strip()}")
        try:
            yield Path(name)
        finally:
            subprocess.run(["umount", name], check=True)


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    """Another process of the same program."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(child: subprocess.Popen[str], timeout: float = 60) -> str:
    """What it printed. Raises AssertionError with what it complained about when it failed."""
    try:
        said, complained = child.communicate(timeout=timeout)
    finally:
        child.kill()
    assert child.returncode == 0, complained
    return said.strip()


def until_unavailable(work: Callable[[int], None], limit: int = 5000) -> tuple[int, str]:
    """Call `work` with 1, 2, ... until it raises; how many went well, and what was said."""
    for number in range(1, limit):
        try:
            work(number)
        except StoreUnavailableError as said:
            return number - 1, str(said)
    raise AssertionError(f"{limit} times, and it never failed")
