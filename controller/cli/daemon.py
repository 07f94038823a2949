"""Asks the running daemon, and says what to do when none answers."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.cli.output import Code, CommandError, working
from controller.web import client

View = Mapping[str, Any]
"""The JSON of the daemon, as `controller.runtime.views` makes it."""


def socket_of(state_dir: Path, socket: Path | None) -> Path:
    """Where the daemon listens."""
    return socket or state_dir / "tidegate.sock"


def ask(path: Path, verb: str, args: Mapping[str, object], todo: str = "") -> dict[str, Any]:
    """One answer. `todo` is what else can be done when no daemon answers. Raises CommandError."""
    with _translated(todo), working(f"asking the daemon ({verb}) ..."):
        return client.call(path, verb, args)


def follow(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """The rollout at every change. Raises CommandError when the daemon goes away."""
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
