"""What `tidegate doctor` found out, one thing at a time."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class Finding(StrEnum):
    """`unknown`: it could not be looked at from here. `note`: nothing is wrong, and there is something to know."""

    OK = "ok"
    NOTE = "note"
    UNKNOWN = "unknown"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Check:
    """`about` is what was looked at; `todo` what to do, one line or a piece of YAML to paste."""

    finding: Finding
    about: str
    said: str
    todo: str = ""


Checks = Iterator[Check]


def fine(about: str, said: str) -> Check:
    """Nothing to do."""
    return Check(Finding.OK, about, said)


def wrong(about: str, said: str, todo: str = "") -> Check:
    """Something does not work, or will not."""
    return Check(Finding.PROBLEM, about, said, todo)


def unseen(about: str, said: str, todo: str = "") -> Check:
    """It could not be looked at."""
    return Check(Finding.UNKNOWN, about, said, todo)


def note(about: str, said: str, todo: str = "") -> Check:
    """Good to know."""
    return Check(Finding.NOTE, about, said, todo)
