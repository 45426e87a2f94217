"""Work on slices of arrays, on all cores: numpy lets other threads run while it computes.

Slices are small enough for a processor's cache, so that memory holds no temporary arrays of the data's own length.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ROWS", "each", "slices", "sort", "workers"]

ROWS = 1 << 17
"""Rows of a slice."""

_APART = 1 << 20

T = TypeVar("T")
R = TypeVar("R")


def workers() -> int:
    """How many threads compute at once: the cores that this process may use, no more than 8."""
    return min(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1, 8)


def slices(rows: int) -> list[slice]:
    """All of ``rows`` rows, a slice after the other."""
    return [slice(at, min(at + ROWS, rows)) for at in range(0, rows, ROWS)]


def each(function: Callable[[T], R], parts: Iterable[T]) -> list[R]:
    """The function's results of all parts, in their order. What it raises is raised."""
    known = list(parts)
    if len(known) < 2 or workers() < 2:
        return [function(part) for part in known]
    with ThreadPoolExecutor(workers()) as pool:
        return list(pool.map(function, known))


def sort(values: NDArray[np.int64], threads: int | None = None) -> None:
    """Sort in place: split at the median, then both halves at once."""
    threads = workers() if threads is None else threads
    if threads < 2 or len(values) < _APART:
        values.sort()
        return
    middle = len(values) // 2
    values.partition(middle)
    other = Thread(target=sort, args=(values[:middle], threads // 2))
    other.start()
    sort(values[middle:], threads - threads // 2)
    other.join()
