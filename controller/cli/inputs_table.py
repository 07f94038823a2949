"""The numbers that were kept beside a decision, as a table for those who know statistics."""

from typing import TYPE_CHECKING, Any

from controller.cli import words
from controller.cli.daemon import View

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("STREAM", "AGAINST", "BAD OF", "BETWEEN (95 %)", "LIMIT", "TICKS", "LOG E", "WEIGHT", "LOG PROOF", "VERDICT")
LEFT = ("STREAM", "AGAINST", "VERDICT")
NOTHING = -1e290


def table(inputs: View) -> "Table":
    """One row per stream, and one per ledger with the log E it acts at."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold dim", padding=(0, 1, 0, 0))
    for title in COLUMNS:
        made.add_column(title, justify="left" if title in LEFT else "right", overflow="fold")
    for row in inputs["streams"]:
        made.add_row(*_row(row))
    for one in inputs["ledgers"]:
        told = f"acts at {one['log_limit']:.4g}"
        made.add_row(f"all, to {one['action']}", one["kind"], "", "", "", "", _log(one["log_e"]), told, "", "")
    return made


def _row(row: dict[str, Any]) -> tuple[str, ...]:
    name = f"{row['slo']}/{row['scenario']}" if row["scenario"] else row["slo"]
    verdict = f"{row['verdict']} (named)" if row["guilty"] else row["verdict"]
    if row["value"] is not None:
        limit = "–" if row["objective"] is None else words.number(row["objective"])
        return name, "limit", words.number(row["value"]), "", limit, "", "", "", "", verdict
    between = f"{words.percent(row['lower'])} – {words.percent(row['upper'])}"
    limit = "–" if row["p0"] is None else words.percent(row["p0"])
    weight = "–" if row["share"] is None else f"{row['share']:.3g}"
    counts = f"{words.count(row['bad'])} / {words.count(row['total'])}"
    proof = _log(row["log_proof"]) if row["against"] == "objective" else ""
    return (
        name, row["against"], counts, between, limit, str(row["ticks"]), _log(row["log_e"]), weight, proof, verdict,
    )  # fmt: skip


def _log(value: float) -> str:
    return "–" if value < NOTHING else f"{value:.2f}"
