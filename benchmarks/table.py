"""The rows of the benchmark's table, as text or as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    """One line: what was measured, the goal if there is one, and whether it was met. `values` are the raw numbers."""

    bench: str
    what: str
    measured: str
    goal: str = ""
    met: bool | None = None
    note: str = ""
    values: Mapping[str, object] = field(default_factory=dict)


HEAD = ("", "what", "measured", "goal", "met")
MET = {True: "yes", False: "NO", None: ""}


def as_text(facts: Mapping[str, object], rows: Sequence[Row]) -> str:
    """The machine, the table, and the notes below it."""
    lines = [f"{name:<15}{value}" for name, value in facts.items()]
    notes = list(dict.fromkeys(row.note for row in rows if row.note))
    cells = [HEAD, *((row.bench, _noted(row, notes), row.measured, row.goal, MET[row.met]) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEAD))]
    table = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    table.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", *table, "", *(f"[{n}] {note}" for n, note in enumerate(notes, start=1))])


def _noted(row: Row, notes: Sequence[str]) -> str:
    return f"{row.what} [{notes.index(row.note) + 1}]" if row.note else row.what


def as_json(facts: Mapping[str, object], rows: Sequence[Row]) -> str:
    """The same for machines."""
    return json.dumps({"machine": dict(facts), "rows": [asdict(row) for row in rows]}, indent=1)


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile, `share` in 0..1."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, max(0, -(-len(ranked) * round(share * 1000) // 1000) - 1))]
