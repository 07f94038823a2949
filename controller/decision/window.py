"""`FROM..TO`: the time of a known fault, as a person writes it. Pure."""

from datetime import UTC, datetime

from controller.analysis.rebuild import Window

HOW = "write FROM..TO as ISO 8601 instants with a zone, such as 2026-11-22T10:00Z..2026-11-22T10:40Z"


class BadWindowError(ValueError):
    """What is wrong with it, in a sentence."""


def window_of(text: str, now: datetime) -> Window:
    """Raises BadWindowError for what is no period, is the wrong way round or reaches into the future."""
    first, dots, last = text.partition("..")
    if not dots:
        raise BadWindowError(f"`{text}` is not a period: {HOW}")
    window = Window(_instant(first), _instant(last))
    if window.until <= window.since:
        raise BadWindowError(f"`{text}`: TO must be later than FROM")
    if window.until > now:
        raise BadWindowError(f"`{text}` reaches into the future: a fault that still goes on cannot be left out")
    return window


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise BadWindowError(f"`{text}` is not an instant: {HOW}") from error
    if at.tzinfo is None:
        raise BadWindowError(f"`{text}` has no zone: {HOW}")
    return at.astimezone(UTC)
