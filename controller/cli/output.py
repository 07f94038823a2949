"""What leaves a command: text for people, one JSON document for machines, and errors that end it with a code."""

import functools
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, NoReturn, ParamSpec

import typer

if TYPE_CHECKING:
    from rich.console import Console

P = ParamSpec("P")
PIPE_WIDTH = 160
"""Columns where there is no terminal and COLUMNS says nothing."""
PATIENCE = 0.7


class OutputFormat(StrEnum):
    """How a command answers."""

    TEXT = "text"
    JSON = "json"


class Code(IntEnum):
    """Exit codes."""

    DONE = 0
    REFUSED = 1
    WRONG_USE = 2
    NO_DAEMON = 3
    READER_GONE = 141


class CommandError(Exception):
    """Ends a command: a sentence that says what happened, where, and what to do, and an exit code."""

    def __init__(self, message: str, code: Code = Code.REFUSED, todo: str = "") -> None:
        super().__init__(message)
        self.message, self.code, self.todo = message, code, todo


def reported(command: Callable[P, None]) -> Callable[P, None]:
    """A command whose CommandError is told on stderr in the format that was asked for."""

    @functools.wraps(command)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()
        except CommandError as error:
            fail(error, kwargs.get("output") is OutputFormat.JSON)
        except BrokenPipeError:
            # The reader went away (`| head`). Neither 0 nor 1: with --until-done these say how a run ended.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(int(Code.READER_GONE)) from None

    return guarded


def fail(error: CommandError, as_json: bool) -> NoReturn:
    """Tell the error on stderr and exit."""
    if as_json:
        told = {"error": error.message, "code": int(error.code), **({"todo": error.todo} if error.todo else {})}
        print(json.dumps(told, ensure_ascii=False), file=sys.stderr)
    else:
        screen = console(stderr=True)
        screen.print("error:", style="bold red", end=" ")
        screen.print(error.message, markup=False, soft_wrap=True)
        if error.todo:
            screen.print(error.todo, markup=False, soft_wrap=True)
    raise typer.Exit(int(error.code))


def emit(document: Mapping[str, object]) -> None:
    """One JSON document on stdout."""
    print(json.dumps(document, ensure_ascii=False, indent=2, default=str))


def emit_line(document: Mapping[str, object]) -> None:
    """One JSON document of many, on a line of its own, at once."""
    print(json.dumps(document, ensure_ascii=False, default=str), flush=True)


def console(stderr: bool = False, pipe_width: int = PIPE_WIDTH) -> "Console":
    """A terminal's colours and width on a terminal only; NO_COLOR is honoured."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() or os.environ.get("COLUMNS") else pipe_width
    return Console(stderr=stderr, highlight=False, width=width, markup=False, emoji=False)


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on stderr for what takes longer than a moment; nothing where there is no terminal."""
    if not sys.stderr.isatty():
        yield
        return
    status = console(stderr=True).status(what)
    timer = threading.Timer(PATIENCE, status.start)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        status.stop()
