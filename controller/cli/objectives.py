"""The objectives of a run as a table: limit, rate with its interval as a bar, counts, verdict."""

from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

from controller.cli import words
from controller.cli.daemon import View

VERDICTS = {"pass": "green", "breach": "bold red", "inconclusive": "cyan", "blind": "yellow"}
NARROW_BAR, WIDE_BAR = 15, 25


def objectives(view: View, wide: bool) -> Table:
    """One row per SLO, and per scenario that has something to tell."""
    table = Table(
        box=None, show_edge=False, pad_edge=False, padding=(0, 1 if not wide else 2, 0, 0), header_style="dim"
    )
    table.add_column("objective", overflow="fold")
    table.add_column("limit", no_wrap=True, justify="right")
    table.add_column("0 … limit … 2×", no_wrap=True)
    table.add_column("bad of", no_wrap=True, justify="right")
    table.add_column("rate", no_wrap=True, justify="right")
    if wide:
        table.add_column("95 % interval", no_wrap=True)
        table.add_column("stable", no_wrap=True, justify="right")
    table.add_column("verdict", no_wrap=True)
    for s in rows(view):
        table.add_row(*_row(s, wide))
    return table


def rows(view: View) -> Iterator[View]:
    """Every pooled stream; a scenario only when it was bad, is guilty, or cannot be measured."""
    blind = {s["slo"] for s in view["slos"] if s["scenario"] is None and s["verdict"] == "blind"}
    for s in view["slos"]:
        own_blindness = s["verdict"] == "blind" and s["slo"] not in blind
        if s["scenario"] is None or s["bad"] > 0 or s["guilty"] or own_blindness:
            yield s


def blind_notes(view: View) -> list[str]:
    """Why something cannot be measured, each cause once."""
    notes = [f"{s['slo']} is blind: {s['why']}" for s in view["slos"] if s["verdict"] == "blind" and s["why"]]
    return list(dict.fromkeys(notes))


def _row(s: View, wide: bool) -> tuple[Text, ...]:
    beside = {"stable": " vs stable", "change": " turned"}.get(s.get("against", "objective"), "")
    name = Text((f"└ {s['scenario']}" if s["scenario"] else s["slo"]) + beside, "bold red" if s["guilty"] else "")
    limit, counts, rate = _numbers(s)
    cells = [name, Text(limit), bar(s, WIDE_BAR if wide else NARROW_BAR), Text(counts), Text(rate)]
    if wide:
        cells += [Text(_interval(s), "dim"), Text(_stable(s), "dim")]
    return (*cells, _verdict(s))


def _numbers(s: View) -> tuple[str, str, str]:
    if _is_value(s):
        limit = "" if s["objective"] is None else f"{words.number(s['objective'])}"
        return limit, "", "" if s["value"] is None else words.number(s["value"])
    counts = f"{words.count(s['bad'])}/{words.count(s['total'])}"
    rate = words.percent(s["bad"] / s["total"]) if s["total"] else "–"
    return words.percent(s["objective"]), counts, rate


def _is_value(s: View) -> bool:
    return s["value"] is not None or s["objective"] is None


def _interval(s: View) -> str:
    if _is_value(s) or not s["total"]:
        return ""
    return f"{words.percent(s['lower'])} to {words.percent(s['upper'])}"


def _stable(s: View) -> str:
    if s["stable_value"] is not None:
        return words.number(s["stable_value"])
    return words.percent(s["stable_bad"] / s["stable_total"]) if s["stable_total"] else ""


def _verdict(s: View) -> Text:
    text = Text(s["verdict"], VERDICTS.get(s["verdict"], ""))
    if s["proven"] and s["verdict"] != "breach":
        text.append(" ✓", "green")
    if s["on_breach"] != "rollback":
        text.append(f" ({s['on_breach']}s)" if s["on_breach"] != "hold" else " (holds)", "dim")
    return text


def bar(s: View, width: int) -> Text:
    """The interval from 0 to twice the limit, the limit in the middle; an arrow where it goes on."""
    if _is_value(s) or not s["objective"]:
        return Text(" " * width)
    middle, scale = width // 2, 2 * s["objective"]
    cells = [("│", "bold") if at == middle else ("╌", "dim") for at in range(width)]
    if not s["total"]:
        return _joined(cells)
    low, high = _cell(s["lower"], scale, width), _cell(s["upper"], scale, width)
    colour = VERDICTS.get(s["verdict"], "")
    for at in range(low, min(high, width - 1) + 1):
        cells[at] = ("┿" if at == middle else "━", colour)
    if s["upper"] > scale:
        cells[width - 1] = ("▶", colour)
    rate = _cell(s["bad"] / s["total"], scale, width)
    if rate < width:
        cells[rate] = ("●", f"bold {colour}".replace("bold bold", "bold"))
    return _joined(cells)


def _cell(rate: float, scale: float, width: int) -> int:
    """Where a rate falls; `width` when it is beyond the right end."""
    return width if rate > scale else min(width - 1, int(rate / scale * width))


def _joined(cells: list[tuple[str, str]]) -> Text:
    return Text.assemble(*cells)
