"""Keeps the process small: few heaps for the C library, and no search for garbage in what stays for ever."""

import ctypes
import gc
from contextlib import suppress

ARENAS = 2
THRESHOLDS = 5_000, 20, 50
"""New objects, and young and middle collections, between two of each kind.

What a tick makes goes by itself when the next one comes: a snapshot of a large fleet, looked through for cycles again
and again, stopped every pass for 0.3 s.
"""
_M_ARENA_MAX = -8  # malloc.h of the GNU C library


def few_heaps() -> None:
    """Before threads start: the C library gives each a heap of its own, up to eight per core, and none is given back.

    Python holds its lock around most of what allocates, so that two do. Does nothing where there is another C library.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, ARENAS)


def settled() -> None:
    """After the start: what stays is not looked through for garbage again, and what goes by itself seldom."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
