"""Lines of counts cut up at their braces: the same few objects come again and again, and need not be read again.

The inside of a flat object means the same wherever it stands. A line that is a usual frame around known insides is
therefore known as a whole; for everything else there is the JSON parser.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from controller.domain.measure import Measurement

REMEMBERED = 100_000
MOST_GAPS = 16
"""Lengths of gaps between two lines for which objects are remembered."""
FEW = 8
"""So many unknown objects are read one by one; more are read faster as a whole line."""
Read = Callable[[Any, int], Measurement]
"""What an object means in a line that covers so many ticks. Raises ValueError."""


class _Style(NamedTuple):
    """A usual way to write a line: what stands before its instant, between that and the counts, and between those."""

    head: str
    middle: str
    between: str


STYLES = (_Style('{"at": "', '", "counts": [{', "}, {"), _Style('{"at":"', '","counts":[{', "},{"))
TAIL = "}]}"


class Pieces(NamedTuple):
    """The text of a line's instant, and the inside of each object in its `counts`."""

    at: str
    counts: Sequence[str]


def cut(line: str | bytes) -> Pieces | None:
    """The pieces of a line in a usual style; None for any other."""
    try:
        text = (line.decode() if isinstance(line, bytes) else line).rstrip("\r\n")
    except UnicodeDecodeError:
        return None
    for head, middle, between in STYLES:
        if text.startswith(head) and text.endswith(TAIL):
            at, found, counts = text[len(head) : -len(TAIL)].partition(middle)
            return Pieces(at, counts.split(between)) if found and '"' not in at and "\\" not in at else None
    return None


class Memory:
    """What pieces mean, for each number of ticks that a line may cover."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._known: dict[int, dict[str, Measurement]] = {}

    def recall(self, pieces: Sequence[str], ticks: int) -> list[Measurement] | None:
        """What they mean; None where too much is unknown, or something may not be an object."""
        known = self._of(ticks)
        try:
            return [known[piece] for piece in pieces]
        except KeyError:
            return [known[piece] for piece in pieces] if self._learned(pieces, known, ticks) else None

    def remember(self, pieces: Sequence[str], found: Sequence[Measurement], ticks: int) -> None:
        """What the parser made of a line. Nothing is learned where pieces may not be objects."""
        if len(pieces) == len(found) and not _braces("".join(pieces)):
            self._of(ticks).update(zip(pieces, found, strict=True))

    def _learned(self, pieces: Sequence[str], known: dict[str, Measurement], ticks: int) -> bool:
        new = [piece for piece in pieces if piece not in known]
        if len(new) > FEW or any(map(_braces, new)):
            return False
        try:
            known.update([(piece, self._read(json.loads(f"{{{piece}}}"), ticks)) for piece in new])
        except ValueError:
            return False
        return True

    def _of(self, ticks: int) -> dict[str, Measurement]:
        known = self._known.get(ticks)
        if known is None or len(known) > REMEMBERED:
            if len(self._known) >= MOST_GAPS:
                self._known.clear()
            known = self._known[ticks] = {}
        return known


def _braces(text: str) -> bool:
    """With a brace inside it may be two objects, or an object in an object, or half of a text."""
    return "{" in text or "}" in text
