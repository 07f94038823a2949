"""`kubectl tidegate`: the same commands, speaking to the resources of a cluster as the person who asks.

kubectl's own options are understood anywhere on the line, as its users expect; the rest is the command.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from controller.cli.output import Code, CommandError, fail

NAMES = {"-n": "namespace", "--namespace": "namespace", "--kubeconfig": "kubeconfig", "--context": "context"}
EVERYWHERE = ("-A", "--all-namespaces")
OFFLINE = frozenset({"lint", "plan", "simulate", "backtest", "demo", "run", "templates"})
"""Commands that ask nobody: they are the same without a cluster."""


@dataclass(slots=True)
class Line:
    """A command line, taken apart."""

    rest: list[str] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    everywhere: bool = False

    @property
    def asks(self) -> bool:
        """Does this command ask anybody?"""
        command = next((word for word in self.rest if not word.startswith("-")), None)
        return command is not None and command not in OFFLINE and not {"-h", "--help"} & set(self.rest)


def taken_apart(words: Sequence[str]) -> Line:
    """kubectl's options and the others. Raises CommandError for an option without its value."""
    line, left = Line(), iter(words)
    for word in left:
        name, equals, value = word.partition("=")
        if word in EVERYWHERE:
            line.everywhere = True
        elif name in NAMES and equals:
            line.given[NAMES[name]] = value
        elif word in NAMES:
            line.given[NAMES[word]] = _next(left, word)
        else:
            line.rest.append(word)
    return line


def _next(left: Iterator[str], option: str) -> str:
    value = next(left, None)
    if value is None:
        raise CommandError(f"{option} needs a value", Code.WRONG_USE)
    return value


def prepare(words: Sequence[str]) -> list[str]:
    """Open the cluster's desk when the command asks anybody; returns what is left for the command line itself."""
    from controller.cli.cluster_desk import ClusterDesk
    from controller.cli.desk import DESK, REACH
    from controller.cli.reach import reach
    from controller.runtime.clock import SystemClock

    line = taken_apart(words)
    if line.asks:
        kubeconfig, given = line.given.get("kubeconfig"), line.given.get("namespace", "")
        found = reach(Path(kubeconfig) if kubeconfig else None, line.given.get("context"), given, line.everywhere)
        DESK.set(ClusterDesk(found.api, SystemClock(), found.namespace, line.everywhere))
        REACH.set(found)
    return line.rest


def prepared(words: Sequence[str]) -> list[str]:
    """`prepare`, with its errors told in the format that was asked for. Raises typer.Exit."""
    try:
        return prepare(words)
    except CommandError as error:
        fail(error, "json" in words)
