"""The table of the page, between two marks; everything else on it is written by people."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.table import Row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "performance-kubernetes.md"
BEGIN, END = "<!-- measured: begin (make bench-kubernetes ARGS=--write-page) -->", "<!-- measured: end -->"
MET = {True: "yes", False: "**no**", None: ""}
QUIET = 0.5
"""Load average below which the machine had nothing else to do before the start."""


def write(facts: Mapping[str, object], rows: Sequence[Row], page: Path = PAGE) -> None:
    """Put the rows into the page. Raises ValueError when its marks are gone."""
    text = page.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page}: the lines {BEGIN!r} and {END!r} say where the table goes")
    page.write_text(f"{before}{BEGIN}\n\n{table(facts, rows)}\n\n{END}{after}", encoding="utf-8")


def table(facts: Mapping[str, object], rows: Sequence[Row]) -> str:
    """Markdown."""
    known = "; ".join(f"{name}: {value}" for name, value in facts.items())
    notes = list(dict.fromkeys(row.note for row in rows if row.note))
    lines = [_line(row, notes) for row in rows]
    told = [f"[{number}] {note}.\n" for number, note in enumerate(notes, start=1)]
    head = ["| rollouts | what | measured | goal | met |", "| --- | --- | --- | --- | --- |"]
    return "\n".join([f"Measured {_load(facts)}. {known}.", "", *head, *lines, "", *told]).rstrip()


def _line(row: Row, notes: Sequence[str]) -> str:
    noted = f" [{notes.index(row.note) + 1}]" if row.note else ""
    return f"| {row.bench} | {row.what.strip()}{noted} | {row.measured} | {row.goal} | {MET[row.met]} |"


def _load(facts: Mapping[str, object]) -> str:
    load = str(facts.get("load before", ""))
    first = load.partition(",")[0]
    quiet = first.replace(".", "", 1).isdigit() and float(first) < QUIET
    day = time.strftime("%Y-%m-%d", time.gmtime())
    return f"{day} on a machine that was {'quiet' if quiet else 'busy with other work, too'} (load {first} before)"
