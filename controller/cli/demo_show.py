"""How the demo is shown: a live tree on a terminal, a line per change in a pipe, one JSON object for machines."""

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from controller.cli.line import rollout_line, signature
from controller.cli.output import OutputFormat
from controller.cli.tree import rollout_tree
from controller.demo.watching import Show

REDRAW_PER_SECOND = 4
COUNTED = "that Envoy counts"
"""Whose counts the shares are, when the result does not say."""


class PipeShow:
    """No colour, no control codes: what happens, one line each, on `stream`."""

    def __init__(self, console: Console) -> None:
        self._console, self._start = console, time.monotonic()
        self._last: tuple[object, ...] = ()

    def _say(self, text: str) -> None:
        self._console.print(f"{time.monotonic() - self._start:6.1f} s  {text}", soft_wrap=True, markup=False)

    def note(self, text: str) -> None:
        """One thing that happens now."""
        self._say(text)

    def view(self, view: Mapping[str, object]) -> None:
        """A line when something newsworthy changed."""
        now = signature(dict(view))
        if now != self._last:
            self._last = now
            self._say(rollout_line(dict(view)))

    def alert(self, payload: Mapping[str, object]) -> None:
        """The alert's words."""
        for line in alert_lines(payload):
            self._say(line)

    def result(self, result: Mapping[str, object]) -> None:
        """How it ended, as sentences."""
        for line in result_lines(result):
            self._say(line)


class JsonShow(PipeShow):
    """Progress goes to standard error; the last line of standard output is the result."""

    def __init__(self) -> None:
        super().__init__(Console(stderr=True, highlight=False))

    def result(self, result: Mapping[str, object]) -> None:
        """One object on one line."""
        sys.stdout.write(json.dumps(result, default=str) + "\n")
        sys.stdout.flush()


class LiveShow:
    """The tree, redrawn; notes and alerts scroll by above it."""

    def __init__(self, console: Console) -> None:
        self._console, self._start = console, time.monotonic()
        self._live = Live(console=console, refresh_per_second=REDRAW_PER_SECOND, transient=True)

    def __enter__(self) -> "LiveShow":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def note(self, text: str) -> None:
        """One thing that happens now."""
        told = Text(f"{time.monotonic() - self._start:6.1f} s  ", style="dim").append(text, style="default")
        self._live.console.print(told)

    def view(self, view: Mapping[str, object]) -> None:
        """The rollout as it is now."""
        self._live.update(Group(Rule(style="dim"), rollout_tree(dict(view))))

    def alert(self, payload: Mapping[str, object]) -> None:
        """The alert, as Slack got it."""
        self._live.console.print(Panel("\n".join(alert_lines(payload)), title="Slack received", border_style="cyan"))

    def result(self, result: Mapping[str, object]) -> None:
        """A table of the runs."""
        self._live.update(Text(""))
        self._live.console.print(_table(result))


@contextmanager
def shown(output: OutputFormat) -> Iterator[Show]:
    """The way to show it that fits: JSON when asked for, a live tree on a terminal, lines in a pipe."""
    console = Console(highlight=False)
    if output is OutputFormat.JSON:
        yield JsonShow()
    elif console.is_terminal:
        with LiveShow(console) as live:
            yield live
    else:
        yield PipeShow(Console(highlight=False, width=200))


def alert_lines(payload: Mapping[str, object]) -> list[str]:
    """The words of a Slack message, first line first."""
    message = payload.get("payload", payload)
    if not isinstance(message, dict):
        return []
    found = [str(message.get("text", ""))]
    for attachment in message.get("attachments", []):
        found += [str(block["text"]["text"]) for block in attachment.get("blocks", []) if "text" in block]
    return found


def result_lines(result: Mapping[str, object]) -> list[str]:
    """Each run in one sentence."""
    runs = result.get("runs")
    counted = str(result.get("counted", COUNTED))
    return [_sentence(run, counted) for run in runs] if isinstance(runs, list) else []


def _sentence(run: Mapping[str, object], counted: str) -> str:
    share = f"{run['version']} has {run['candidate_share_verified']} % of the requests {counted}"
    if run["outcome"] == "promoted":
        return f"{run['version']} was promoted: {share}"
    return (
        f"{run['version']} was rolled back: {share}; breach to verified zero took"
        f" {run['breach_to_zero_seconds']} s; users got {run['bad_answers_served']} bad answers"
    )


def _table(result: Mapping[str, object]) -> Table:
    table = Table(title=f"What happened, by the requests {result.get('counted', COUNTED)}")
    for name in ("version", "outcome", "share now", "requests served", "bad answers served", "breach → zero"):
        table.add_column(name)
    runs = result.get("runs")
    for run in runs if isinstance(runs, list) else []:
        seconds = run["breach_to_zero_seconds"]
        table.add_row(
            str(run["version"]),
            "[green]promoted[/]" if run["outcome"] == "promoted" else "[red]rolled back[/]",
            f"{run['candidate_share_verified']} %",
            str(run["requests_served"]),
            str(run["bad_answers_served"]),
            f"{seconds} s" if seconds is not None else "",
        )
    return table
