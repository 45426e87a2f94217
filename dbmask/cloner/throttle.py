"""Reading no faster than one is asked to."""

from __future__ import annotations

import time

from dbmask.spi import Progress

__all__ = ["throttled"]


def throttled(progress: Progress, rate: float | None) -> Progress:
    """``progress``, which waits where more than ``rate`` rows a second have passed through it.

    The reader waits with it: rows flow from the source only as they are taken.
    """
    if not rate:
        return progress
    began = time.monotonic()
    total = 0

    def slow(rows: int) -> None:
        nonlocal total
        progress(rows)
        total += rows
        ahead = total / rate - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)

    return slow
