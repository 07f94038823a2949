"""Counts in JSON lines, one tick per line, as frames of a replay; everything that is wrong with them at once."""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from math import inf
from typing import Any

from controller.cli.output import Code, CommandError
from controller.cli.pieces import Memory, Pieces, cut
from controller.decision.replay import STREAM_OF, Frame, Stream
from controller.domain.measure import Measurement
from controller.domain.names import SloName, VersionName
from controller.domain.rollout import ModelRollout
from controller.domain.slo import Slo

SHOWN = 50
"""Bad lines that are told; how many more there are is said."""
REMEMBERED = 100_000
MOST = 1e300
NUMBERS = ("bad", "total", "errors")
TWICE = "the same SLO, version and scenario is counted twice"
EXAMPLE = (
    '{"at": "2026-11-22T10:00:00Z", '
    '"counts": [{"slo": "harm", "version": "v12", "scenario": null, "bad": 1, "total": 120}]}'
)


class _WrongError(ValueError):
    """What is wrong with a line."""


def read_counts(lines: Iterable[str | bytes], rollout: ModelRollout, name: str) -> list[Frame]:
    """All frames of a file. Raises CommandError that names every bad line."""
    reader = _Reader(rollout)
    frames: list[Frame] = []
    problems: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            frames.append(reader.frame(line))
        except _WrongError as wrong:
            problems.append(f"{name}:{number}: {wrong}")
    if problems:
        more = f"\nand {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
        raise CommandError("\n".join(problems[:SHOWN]) + more, Code.WRONG_USE, f"A line is one tick: {EXAMPLE}")
    if not frames:
        raise CommandError(f"{name}: there is no line in it", Code.WRONG_USE, f"A line is one tick: {EXAMPLE}")
    return frames


class _Reader:
    """Remembers what it has made: the same few counts come again and again, and a month has millions of them."""

    def __init__(self, rollout: ModelRollout) -> None:
        self._interval = rollout.interval
        self._slos: dict[str, Slo] = {slo.name: slo for slo in rollout.slos}
        self._versions = [version.name for version in rollout.versions]
        self._made: dict[tuple[object, ...], Measurement] = {}
        self._memory = Memory(self._measurement)
        self._streams: list[Stream] = []
        self._last: datetime | None = None

    def frame(self, line: str | bytes) -> Frame:
        """One line. Raises _WrongError."""
        pieces = cut(line)
        return (pieces and self._again(pieces)) or self._read(line, pieces)

    def _again(self, pieces: Pieces) -> Frame | None:
        """The frame, when everything in it was there before; None when the line must be read, or is wrong."""
        at = instant(pieces.at)
        if at is None or (self._last is not None and at <= self._last):
            return None
        ticks = self._ticks(at)
        found = self._memory.recall(pieces.counts, ticks)
        if found is None or self._is_twice(found):
            return None
        self._last = at
        return Frame(at, tuple(found), ticks)

    def _is_twice(self, found: list[Measurement]) -> bool:
        """Is a stream counted twice? Most lines list the same ones as the line before."""
        streams = list(map(STREAM_OF, found))
        if streams == self._streams:
            return False
        if len(set(streams)) < len(streams):
            return True
        self._streams = streams
        return False

    def _ticks(self, at: datetime) -> int:
        return 1 if self._last is None else max(1, round((at - self._last) / self._interval))

    def _read(self, line: str | bytes, pieces: Pieces | None) -> Frame:
        try:
            document = json.loads(line)
        except ValueError as error:
            raise _WrongError(f"this is not JSON: {error}") from error
        if not isinstance(document, dict) or not document.keys() <= {"at", "counts"}:
            raise _WrongError("a line is an object with `at` and `counts`, and nothing else")
        at = instant(document.get("at"))
        if at is None:
            raise _WrongError(f"`at` is {document.get('at')!r}; write an instant with its zone: 2026-11-22T10:00:00Z")
        if self._last is not None and at <= self._last:
            raise _WrongError(f"{text_of(at)} is not after the tick before it, {text_of(self._last)}; sort the lines")
        ticks = self._ticks(at)
        self._last = at
        counts = document.get("counts", [])
        if not isinstance(counts, list):
            raise _WrongError("`counts` must be a list")
        frame = Frame(at, self._measurements(counts, ticks), ticks)
        if pieces is not None:
            self._memory.remember(pieces.counts, frame.measured, ticks)
        return frame

    def _measurements(self, counts: list[Any], ticks: int) -> tuple[Measurement, ...]:
        made = self._made
        try:
            found = [made[(ticks, *one, *one.values())] for one in counts]
        except (AttributeError, KeyError, TypeError):
            found = self._looked_at(counts, ticks)
        if self._is_twice(found):
            raise _WrongError(TWICE)
        return tuple(found)

    def _looked_at(self, counts: list[Any], ticks: int) -> list[Measurement]:
        """Each by itself, and all that is wrong with them."""
        found, wrong = [], []
        for place, one in enumerate(counts):
            try:
                found.append(self._measurement(one, ticks))
            except _WrongError as error:
                wrong.append(f"counts[{place}]: {error}")
        if len(set(map(STREAM_OF, found))) < len(found):
            wrong.append(TWICE)
        if wrong:
            raise _WrongError("; ".join(wrong))
        return found

    def _measurement(self, one: Any, ticks: int) -> Measurement:
        try:
            key = (ticks, *one, *one.values())
            known = self._made.get(key)
        except (AttributeError, TypeError):
            known, key = None, ()
        if known is not None:
            return known
        made = self._checked(one, ticks)
        if len(self._made) >= REMEMBERED:
            self._made.clear()
        self._made[key] = made
        return made

    def _checked(self, one: Any, ticks: int) -> Measurement:
        if not isinstance(one, dict):
            raise _WrongError("write an object: slo, version, scenario, bad, total")
        slo, version, scenario = one.get("slo"), one.get("version"), one.get("scenario")
        unknown = sorted(one.keys() - {"slo", "version", "scenario", "value", *NUMBERS})
        if unknown:
            raise _WrongError(
                f"unknown: {', '.join(unknown)}; known: slo, version, scenario, bad, total, errors, value"
            )
        if not isinstance(slo, str) or slo not in self._slos:
            raise _WrongError(f"there is no SLO {slo!r}; known: {', '.join(self._slos)}")
        if version not in self._versions:
            raise _WrongError(f"there is no version {version!r}; known: {', '.join(self._versions)}")
        known = self._slos[slo]
        if scenario is not None and (known.scenarios is None or not isinstance(scenario, str)):
            raise _WrongError(f"the SLO {slo} has no scenarios; write null, not {scenario!r}")
        value = None
        if known.threshold is not None:
            value = _number(one, "value", -inf)
        bad, total, errors = (_number(one, name, 0.0) for name in NUMBERS)
        return Measurement(SloName(slo), VersionName(version), scenario, bad, total, errors, ticks, value)


def _number(one: Mapping[str, Any], name: str, least: float) -> float:
    """A finite number; 0 where it may be left out."""
    found = one.get(name, 0.0 if name == "errors" or "value" in one else None)
    if isinstance(found, bool) or not isinstance(found, int | float) or not least <= found <= MOST:
        raise _WrongError(f"`{name}` is {found!r}; write a number{'' if least < 0 else ' that is not negative'}")
    return float(found)


def instant(text: object) -> datetime | None:
    """An ISO 8601 instant with its zone, in UTC; None for anything else."""
    try:
        found = datetime.fromisoformat(text)  # type: ignore[arg-type]  # a wrong type raises TypeError
    except (ValueError, TypeError):
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def text_of(at: datetime) -> str:
    """The instant as it stands in a line: `2026-11-22T10:00:00Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
