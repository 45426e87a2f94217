"""How many rows a batch holds: as many as were asked for, fewer where rows are wide, so that memory stays flat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["BatchSize"]

_BYTES = 4 * 2**20
_FIRST = 256
_LOOKED_AT = 64


class BatchSize:
    """The next batch's number of rows, learnt from the batches so far.

    ``most`` is the number that was asked for; ``rows`` is what to fetch next. A batch aims at 4 MiB of text and bytes
    and grows at most fourfold from one to the next, so that a stretch of wide rows is met with a small one.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.rows = min(most, _FIRST)

    def saw(self, rows: Sequence[Sequence[Any]]) -> None:
        """Learn from the rows just fetched."""
        step = max(1, len(rows) // _LOOKED_AT)
        looked = rows[::step]
        widest = max((_width(row) for row in looked), default=0)
        fit = _BYTES // (widest + 1)
        self.rows = max(1, min(self.most, self.rows * 4, fit))


def _width(row: Sequence[Any]) -> int:
    return sum(len(value) for value in row if isinstance(value, str | bytes | bytearray | memoryview))
