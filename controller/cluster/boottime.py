"""A clock that goes on while the machine sleeps: whoever wakes up knows how long he was away."""

import time


def boottime() -> float:
    """Seconds since some fixed instant, suspension included; never set back. For durations only."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
