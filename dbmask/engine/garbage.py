"""Python's search for cycles, made seldom while rows pass by.

A batch is tens of thousands of tuples and strings, none of them in a cycle. At the interpreter's own thresholds the
collector looks at them over and over: of a clone with a text column it took a third of the time.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["seldom_collected"]

_THRESHOLDS = (50_000, 20, 100)
_lock = threading.Lock()
_before: list[tuple[int, int, int]] = []


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Within it, and as long as any thread is within it, cycles are looked for seldom; then as before."""
    with _lock:
        _before.append(gc.get_threshold())
        gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        with _lock:
            # Whoever leaves last puts back what the first one found.
            if len(_before) > 1:
                _before.pop()
            else:
                gc.set_threshold(*_before.pop())
