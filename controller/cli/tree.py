"""One rollout as a person sees it: the live tree, and one line for pipes. Takes the JSON of `runtime.views`."""

from collections.abc import Iterator

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from controller.cli import words
from controller.cli.daemon import View
from controller.cli.line import rollout_line, traffic_words
from controller.cli.objectives import blind_notes, objectives
from controller.cli.told import breach_lines, waits

__all__ = ["PHASES", "rollout_line", "rollout_tree"]

PHASES = {
    "Idle": "dim",
    "Pending": "blue",
    "Progressing": "cyan",
    "Held": "yellow",
    "Paused": "yellow",
    "AwaitingApproval": "magenta",
    "RollingBack": "bold red",
    "RolledBack": "red",
    "Completed": "green",
    "Stalled": "bold red",
}
"""How each phase is coloured."""
WAITING = ("Pending", "Progressing", "AwaitingApproval")
GUIDE = "dim"
WIDE = 104


def rollout_tree(view: View) -> RenderableType:
    """Stages, traffic as counted, objectives with intervals, what it waits for, and why it was rolled back."""
    return _Rollout(view)


class _Rollout:
    """Drawn when the width is known."""

    def __init__(self, view: View) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        view = self._view
        tree = Tree(headline(view), guide_style=GUIDE)
        for node in _nodes(view, options.max_width >= WIDE):
            tree.add(node)
        yield tree


def _nodes(view: View, wide: bool) -> Iterator[RenderableType]:
    if view["run"]:
        yield Group(*_stages(view))
    if view["traffic"]:
        yield _labelled("traffic", _traffic(view))
    if view["slos"]:
        notes = [Text(note, "yellow") for note in blind_notes(view)]
        yield Group(objectives(view, wide), *notes)
    if view["breach"]:
        yield _labelled("why", Group(*(Text(line) for line in breach_lines(view))), "red")
    missing = waits(view)
    if missing:
        yield _labelled("waits" if view["phase"] in WAITING else "note", Group(*(Text(line) for line in missing)))
    if view["problems"]:
        yield _labelled("spec", Group(*(Text(line) for line in view["problems"])), "bold red")


def headline(view: View) -> Text:
    """Name, phase, which version goes where."""
    phase, run = view["phase"], view["run"]
    text = Text().append(words.address(view["name"], view["namespace"]), "bold")
    text.append("  ").append(phase, PHASES.get(phase, ""))
    if view["held"]:
        text.append(f" ({view['held']})", "yellow")
    if run is None:
        return text.append(f"  {view['stable'] or 'no version'} serves", "")
    if phase == "Completed":
        text.append(f"  {view['stable']} is stable", "green").append(
            f", was {view['former']}" if view["former"] else ""
        )
    else:
        text.append(f"  {run['stable']} → {run['candidate']}", "bold")
    if run["mode"] == "observe":
        text.append("  observe: moves nothing", "yellow")
    if run["commit"]:
        author = f" by {run['author']}" if run["author"] else ""
        text.append(f"  {run['commit'][:8]}{author}", "dim")
    return text


def _labelled(label: str, body: RenderableType, style: str = "") -> Table:
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True, style=style or "dim", min_width=7)
    grid.add_column(overflow="fold")
    grid.add_row(label, body)
    return grid


def _stages(view: View) -> Iterator[Text]:
    run = view["run"]
    width = max(len(name) for name in run["stages"])
    for number, name in enumerate(run["stages"], start=1):
        mark, style, detail = _stage(view, number)
        line = Text(f"{mark} ", style).append(name.ljust(width), style)
        yield line.append(f"  {detail}", "" if detail else "dim") if detail else line


def _stage(view: View, number: int) -> tuple[str, str, str]:
    run, phase = view["run"], view["phase"]
    if phase == "Completed" or number < run["stage_number"]:
        return "✓", "green", ""
    if number > run["stage_number"] or phase == "Pending":
        return "○", "dim", ""
    if phase in ("RollingBack", "RolledBack"):
        return "✗", "red", "rolled back" if phase == "RolledBack" else "rolling back"
    if run["withdrawn"]:
        return "◌", "yellow", "withdrawn: no traffic, comes back when it can be measured"
    return "▶", "bold cyan" if phase == "Progressing" else "bold yellow", _progress(run)


def _progress(run: View) -> str:
    if run["stage_since"] is None:
        return "waiting for its traffic to be verified"
    told = f"{words.span(run['stage_seconds'])} of at least {words.span(run['min_seconds'])}"
    need = run["approvals"]["need"]
    return f"{told}, {len(run['approvals']['have'])} of {need} approvals" if need else told


def _traffic(view: View) -> Text:
    text = Text(traffic_words(view))
    traffic = view["traffic"]
    if traffic["route_problem"]:
        return text.append(f"; the route cannot be read: {traffic['route_problem']}", "red")
    if traffic["verified"]:
        return text.append(" ✓ verified", "green")
    return text.append(" … not verified yet", "yellow")
