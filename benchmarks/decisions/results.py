"""What the benchmark found: tables, checks against the acceptance bands, and curves; as text, JSON and Markdown."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from benchmarks.decisions.peers import NEVER, Stops
from benchmarks.decisions.traces import Trace


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a head; `says` is the plain reading below the title."""

    name: str
    title: str
    says: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Check:
    """One acceptance band and what was measured."""

    what: str
    expected: str
    band: str
    measured: str
    inside: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """A line of a figure; a None breaks it."""

    label: str
    points: tuple[tuple[float, float | None], ...]


@dataclass(frozen=True, slots=True)
class Figure:
    """A line chart: written to docs/images/decisions-NAME.svg."""

    name: str
    title: str
    across: str
    up: str
    curves: tuple[Curve, ...]
    log_up: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """What one experiment found."""

    tables: tuple[Table, ...] = ()
    checks: tuple[Check, ...] = ()
    figures: tuple[Figure, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Size:
    """How many runs: at a null, at a breach, of slow rules, and of runs of 30 days."""

    null: int
    breach: int
    slow: int
    month: int


FULL = Size(10_000, 4000, 400, 2000)
QUICK = Size(2000, 800, 25, 200)


def share(stops: Stops) -> float:
    """The share of the runs that were rolled back."""
    return float((stops != NEVER).mean())


def delay(stops: Stops, after: int = 0) -> float:
    """The median ticks to the rollback, over all runs; infinite when fewer than half were rolled back."""
    middle = float(np.median(np.where(stops == NEVER, np.inf, stops - after)))
    return middle if math.isfinite(middle) else math.inf


def served(stops: Stops, trace: Trace) -> float:
    """The mean of judged bad answers until the rollback, or to the end."""
    last = np.minimum(stops, trace.bad.shape[0]) - 1
    return float(np.take_along_axis(trace.bad.cumsum(0), last[None, :], 0).mean())


def per_cent(value: float) -> str:
    """A share for people; never a bare 0 or 100 when it is neither."""
    if 0 < value < 0.0005:
        return "<0.1 %"
    return f"{100 * value:.1f} %" if 0 < value < 0.9995 else f"{100 * value:.0f} %"


def minutes(stops: Stops, tick: float = 1.0, after: int = 0) -> str:
    """The median delay in minutes, and the share that was rolled back where it is not all."""
    found, middle = share(stops), delay(stops, after)
    told = "-" if math.isinf(middle) else number(middle * tick)
    return told if found > 0.995 else f"{told} ({100 * found:.0f} %)"


def number(value: float) -> str:
    """Three digits, without an exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def near(what: str, expected: float, slack: float, measured: float, unit: str = "min") -> Check:
    """A value that must lie within `slack` of what is expected."""
    inside = abs(measured - expected) <= slack + 1e-9
    return Check(what, f"{expected:g} {unit}", f"± {slack:.3g} {unit}", f"{measured:.4g} {unit}", inside)


def within(what: str, expected: float, band: tuple[float, float], measured: float) -> Check:
    """A share that must lie in a band."""
    low, high = band
    told = f"<= {per_cent(high)}" if low <= 0 else f"{per_cent(low)} to {per_cent(high)}"
    return Check(what, per_cent(expected), told, per_cent(measured), low <= measured <= high)


def around(expected: float, slack: float = 0.012, most: float = 0.05) -> tuple[float, float]:
    """The band of a false-rollback share: within `slack` of what is expected, never above `most`."""
    return max(0.0, expected - slack), min(most, expected + slack)


def merged(parts: Sequence[Part]) -> Part:
    """All of it."""
    return Part(
        tuple(table for part in parts for table in part.tables),
        tuple(check for part in parts for check in part.checks),
        tuple(figure for part in parts for figure in part.figures),
    )


CHECKS_HEAD = ("check", "expected", "band", "measured", "inside?")


def check_rows(checks: Sequence[Check]) -> tuple[tuple[str, ...], ...]:
    """The acceptance bands as rows."""
    return tuple((c.what, c.expected, c.band, c.measured, "yes" if c.inside else "**NO**") for c in checks)


def as_text(part: Part) -> str:
    """For a terminal."""
    blocks = [f"{table.title}\n{table.says}\n\n{_aligned(table.head, table.rows)}" for table in part.tables]
    missed = sum(not check.inside for check in part.checks)
    told = f"Acceptance bands: {len(part.checks) - missed} of {len(part.checks)} inside"
    return "\n\n".join([*blocks, f"{told}\n\n{_aligned(CHECKS_HEAD, check_rows(part.checks))}"])


def _aligned(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(line[i]) for line in (head, *rows)) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(line, widths, strict=True)).rstrip() for line in (head, *rows)
    )


def as_json(part: Part, facts: Mapping[str, object]) -> str:
    """For machines; an infinite delay is null."""
    return json.dumps({"facts": dict(facts), **asdict(part)}, indent=1, ensure_ascii=False)


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
