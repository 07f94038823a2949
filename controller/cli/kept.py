"""What a daemon measured during a run, from its database, as frames of a replay."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from controller.cli.output import Code, CommandError
from controller.decision.replay import Frame
from controller.domain.measure import Measurement
from controller.domain.names import VersionName
from controller.domain.record import JournalEntry, StoreUnavailableError
from controller.domain.rollout import ModelRollout

if TYPE_CHECKING:
    from controller.store.store import SqlStore

EVERYTHING = 1_000_000
END = datetime(9999, 1, 1, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def from_journal(
    rollout: ModelRollout, run: str | None, state_dir: Path, database: str
) -> tuple[VersionName, list[Frame]]:
    """The version that was stable in a run (None: the last one), and what was measured in it. Raises CommandError."""
    from controller.store.store import open_store

    file = state_dir / "tidegate.db"
    if not database and not file.is_file():
        hint = "Name the daemon's folder with --state-dir, or its database with --database."
        raise CommandError(f"there is no database at {file}", Code.WRONG_USE, hint)
    try:
        with open_store(database or f"sqlite:///{file.absolute()}") as store:
            return _read(store, rollout, run)
    except StoreUnavailableError as error:
        raise CommandError(str(error)) from error


def _read(store: "SqlStore", rollout: ModelRollout, run: str | None) -> tuple[VersionName, list[Frame]]:
    starts = [one for one in reversed(store.journal(rollout.key, EVERYTHING)) if one.reason == "run_started"]
    began = _start_of(starts, rollout, run)
    later = [one.at - INSTANT for one in starts if one.at > began.at]
    rows = store.measurements(rollout.key, began.at, min(later, default=END))
    stable = VersionName(str(began.facts["stable"]))
    frames = list(_frames(rows, rollout, (stable, VersionName(str(began.facts["candidate"])))))
    if not frames:
        raise CommandError(f"nothing is kept of what was measured in {began.run}; measurements are kept for 13 months")
    return stable, frames


def _start_of(starts: Sequence[JournalEntry], rollout: ModelRollout, run: str | None) -> JournalEntry:
    found = [one for one in starts if run in (None, one.run)]
    if not found:
        known = ", ".join(str(one.run) for one in starts) or "none"
        raise CommandError(f"{rollout.key} has no run {run or 'yet'}; known: {known}", Code.WRONG_USE)
    return found[-1]


def _frames(
    rows: Iterator[tuple[datetime, tuple[Measurement, ...]]], rollout: ModelRollout, ran: Sequence[VersionName]
) -> Iterator[Frame]:
    """Ticks in order of time: one that was taken while the clock was set back is left out."""
    unknown = [name for name in ran if rollout.find(name) is None]
    if unknown:
        known = ", ".join(version.name for version in rollout.versions)
        raise CommandError(f"the run was of {unknown[0]}, which the file does not list; known: {known}", Code.WRONG_USE)
    last: datetime | None = None
    for at, measured in rows:
        if last is None or at > last:
            ticks = 1 if last is None else max(1, round((at - last) / rollout.interval))
            yield Frame(at, measured, ticks)
            last = at
