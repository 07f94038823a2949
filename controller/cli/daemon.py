"""Asks the running daemon, or who stands in for it, and says what to do when none answers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.cli.desk import DESK, View
from controller.cli.output import Code, CommandError, working
from controller.web import client

__all__ = ["View", "ask", "follow", "socket_of"]


def socket_of(state_dir: Path, socket: Path | None) -> Path:
    """Where the daemon listens."""
    return socket or state_dir / "tidegate.sock"


def ask(path: Path, verb: str, args: Mapping[str, object], todo: str = "") -> dict[str, Any]:
    """One answer. `todo` is what else can be done when no daemon answers. Raises CommandError."""
    desk = DESK.get()
    if desk is not None:
        with working(f"asking the cluster ({verb}) ..."):
            return desk.call(verb, args)
    with _translated(todo), working(f"asking the daemon ({verb}) ..."):
        return client.call(path, verb, args)


def follow(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rollout at every change. Raises CommandError when the daemon goes away."""
    desk = DESK.get()
    if desk is not None:
        yield from desk.stream(name)
        return
    with _translated():
        yield from client.stream(path, "watch", {"name": name})


@contextmanager
def _translated(todo: str = "") -> Iterator[None]:
    try:
        yield
    except client.DaemonRefusedError as error:
        raise CommandError(str(error), Code.REFUSED) from error
    except client.DaemonUnavailableError as error:
        raise CommandError(str(error), Code.NO_DAEMON, todo) from error
