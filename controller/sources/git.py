"""A folder in a git repository, polled. The tip is fetched into a bare repository and read without a checkout."""

import posixpath
import random
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from controller.ports import Clock, Specs
from controller.sources.git_command import Git, GitError, GitLogin, Remote
from controller.sources.git_tree import Blob, Commit, commit_of, last_touched, list_files, read_blobs
from controller.sources.last_good import LastGood
from controller.sources.template_shelf import TemplateShelf
from controller.spec.parse import LARGEST, Parsed, parse_bytes, unreadable

TIP = "refs/tidegate/tip"
DEPTH = 50
"""So many commits are fetched: enough to say who last touched a file in most cases."""


class GitSource:
    """Specs from the tip of a branch. A force-push is followed; an unreachable remote changes nothing.

    `url`: https, ssh, or the path of a repository. `folder`: where rollouts lie in it (empty: everywhere). `workdir`:
    a folder of our own for the bare copy. Polled every `interval` give or take a tenth, drawn from `rng`.
    """

    def __init__(
        self,
        url: str,
        branch: str,
        folder: str,
        workdir: Path | str,
        *,
        clock: Clock,
        login: GitLogin | None = None,
        interval: timedelta = timedelta(seconds=30),
        timeout: timedelta = timedelta(seconds=20),
        rng: random.Random | None = None,
    ) -> None:
        """Raises GitError for an address or a branch that cannot be one; nothing is fetched yet."""
        if not re.fullmatch(r"(?!-)(?!.*\.\.)[^\s~^:?*\[\\\x00-\x1f]+", branch):
            raise GitError(f"{branch!r} is not the name of a branch")
        self._branch, self._folder = branch, posixpath.normpath(folder.strip("/") or ".").removeprefix(".")
        self._git = Git(Path(workdir) / "repository.git", Remote.parse(url), login or GitLogin())
        self._stamp = Path(workdir) / "fetched-at"
        self._clock, self._interval, self._timeout = clock, interval, timeout
        self._rng = rng or random.Random()  # noqa: S311 - spreads polls, hides nothing
        self._last_good = LastGood(settle=0.0)  # a commit is whole: what is missing in it is deleted
        self._parsed: dict[str, tuple[Blob, tuple[Parsed, ...]]] = {}
        self._tip: str | None = None
        self._specs: Specs | None = None
        self._revision = 0
        self._polling = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def share(self, shelf: TemplateShelf) -> None:
        """Put templates there, and read them from there, from now on."""
        self._last_good.shelf = shelf

    def read(self) -> Specs:
        """The specs of the newest tip that was fetched. The first call fetches, later ones do not wait for anybody."""
        if self._specs is None:
            self.poll()
        assert self._specs is not None
        if self._revision != self._last_good.shelf.revision and not self._polling.locked():
            with self._polling:
                self._specs = replace(self._updated(), trouble=self._specs.trouble, as_of=self._specs.as_of)
        return self._specs

    def poll(self) -> bool:
        """Fetch now and read what is new. True when the specs or the trouble changed. Never raises for git's faults."""
        with self._polling:
            revision, before, self._specs = self._last_good.shelf.revision, self._specs, self._fetched()
        if before is None or revision != self._last_good.shelf.revision:
            return True
        return (before.rollouts, before.problems, before.trouble) != (
            self._specs.rollouts,
            self._specs.problems,
            self._specs.trouble,
        )

    def watch(self, changed: Callable[[], None]) -> None:
        """Poll in a thread; `changed` is called from it."""
        self._thread = threading.Thread(target=self._run, args=(changed,), name=f"poll {self._git.shown}", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop polling; waits for a fetch on its way, at most its timeout."""
        self._stopped.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout=self._timeout.total_seconds() + 5)

    def next_wait(self) -> float:
        """Seconds until the next poll: the interval give or take a tenth, so that many daemons do not ask at once."""
        return self._interval.total_seconds() * self._rng.uniform(0.9, 1.1)

    def _run(self, changed: Callable[[], None]) -> None:
        while not self._stopped.wait(self.next_wait()):
            if self.poll():
                changed()

    def _fetched(self) -> Specs:
        trouble: str | None = None
        try:
            self._fetch()
        except GitError as error:
            trouble = f"{error}; going on with the commit fetched before"
        try:
            specs = self._read_tip()
        except GitError as error:
            trouble = trouble or f"{error}; going on with the specs known before"
            specs = self._specs or Specs()
        return replace(specs, trouble=trouble, as_of=self._fetched_at())

    def _fetch(self) -> None:
        self._git.prepare()
        refspec = f"+refs/heads/{self._branch}:{TIP}"
        options = ["--quiet", "--no-tags", "--force", "--no-recurse-submodules", f"--depth={DEPTH}"]
        self._git.run("fetch", *options, "--", self._git.url, refspec, timeout=self._timeout.total_seconds())
        try:
            self._stamp.write_text(self._clock.now().isoformat(), encoding="utf-8")
        except OSError as error:
            raise GitError(
                f"cannot write {self._stamp}: {error.strerror}; give a workdir that can be written"
            ) from error

    def _fetched_at(self) -> datetime | None:
        try:
            return datetime.fromisoformat(self._stamp.read_text(encoding="utf-8")).astimezone(UTC)
        except (OSError, ValueError):
            return None

    def _read_tip(self) -> Specs:
        tip = commit_of(self._git, TIP)
        if tip.id == self._tip and self._specs is not None:
            return self._specs
        files = list_files(self._git, tip.id, self._folder)
        fresh = {file: blob for file, blob in files.items() if self._parsed.get(file, (None,))[0] != blob}
        contents = read_blobs(self._git, fresh.values())
        touched = last_touched(self._git, tip, self._folder, self._git.borders()) if fresh else {}
        parsed = {
            file: (blob, self._parse(file, blob, contents, touched.get(file, tip))) for file, blob in fresh.items()
        }
        self._parsed = {file: parsed.get(file) or self._parsed[file] for file in files}
        self._tip = tip.id
        return self._updated()

    def _updated(self) -> Specs:
        specs = self._last_good.update({file: one[1] for file, one in self._parsed.items()}, self._clock.monotonic())
        self._revision = self._last_good.shelf.revision
        return specs

    def _parse(self, file: str, blob: Blob, contents: dict[str, bytes], commit: Commit) -> tuple[Parsed, ...]:
        name = file.encode(errors="surrogateescape").decode(errors="replace")
        if blob.id not in contents:
            text = f"the file is larger than {LARGEST // 1024} KiB"
            return (unreadable(name, text, "split it into several files"),)
        return tuple(_told(one, commit) for one in parse_bytes(contents[blob.id], name))


def _told(parsed: Parsed, commit: Commit) -> Parsed:
    """The same document with the commit it came with."""
    place = replace(parsed.provenance, commit=commit.id, author=commit.author, message=commit.message)
    return replace(parsed, provenance=place)
