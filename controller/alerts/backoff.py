"""How long to wait before an alert is tried again. Pure."""

from collections.abc import Callable
from datetime import timedelta

FIRST_SECONDS, CAP_SECONDS, LONGEST_WISH_SECONDS = 2.0, 300.0, 3600.0


def wait(attempts: int, retry_after: float | None, jitter: Callable[[], float]) -> timedelta:
    """2 s, 4 s, 8 s ... up to 5 min, of which `jitter` (0..1) spreads the upper half; never before `retry_after`.

    `attempts` are those before this one. A receiver's wish counts up to one hour.
    """
    full = min(CAP_SECONDS, FIRST_SECONDS * 2.0 ** min(attempts, 16))
    seconds = full * (0.5 + 0.5 * jitter())
    return timedelta(seconds=max(seconds, min(retry_after or 0.0, LONGEST_WISH_SECONDS)))
