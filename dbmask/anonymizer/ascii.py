"""A batch of texts as one array of bytes, and back, without a step of Python for each text.

Characters outside ASCII become one question mark each, so that lengths and places stay; whoever changes bytes says
which texts were changed, and the others come back as they were given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dbmask.errors import MaskError

__all__ = ["Bytes", "Lines", "Rows"]

Rows = npt.NDArray[np.intp]
Bytes = npt.NDArray[np.uint8]


class Lines:
    """Texts, one after the other in ``flat`` (writable bytes, a newline behind each), from ``starts`` on and ``lengths`` long.

    Nulls are empty here. Raises MaskError for what is neither text nor null.
    """

    def __init__(self, values: Sequence[Any], what: str) -> None:
        self.values = values
        count = len(values)
        try:
            joined = _encoded(values)
            clean = joined.count(b"\n") == count
        except TypeError:
            clean = False
        if not clean:
            joined = _encoded([_line(v, what) for v in values])
        self.flat: Bytes = np.frombuffer(joined, np.uint8).copy()
        self.width = len(joined) // count - 1 if count and len(joined) % count == 0 else -1
        if self.width >= 0 and not (self.flat[self.width :: self.width + 1] == 10).all():
            self.width = -1
        if self.width >= 0:
            self.lengths = np.full(count, self.width, np.intp)
            self.starts = np.arange(count, dtype=np.intp) * (self.width + 1)
        else:
            ends = np.flatnonzero(self.flat == 10)
            self.starts = np.concatenate((np.zeros(1, np.intp), ends[:-1] + 1))
            self.lengths = ends - self.starts

    def matrix(self, length: int) -> tuple[Rows | slice, Bytes]:
        """The rows of texts of this length, and their bytes, shape (rows, length); a view where all are of this length."""
        if self.width == length:
            return slice(None), self.flat.reshape(-1, length + 1)[:, :length]
        rows = np.flatnonzero(self.lengths == length)
        return rows, self.flat[self.starts[rows, None] + np.arange(length)]

    def write(self, rows: Rows, column: int, values: Bytes) -> None:
        """Write ``values``, shape (rows, n), into the texts of ``rows`` from their character ``column`` on."""
        if self.width >= 0 and len(rows) == len(self.lengths):
            self.flat.reshape(-1, self.width + 1)[:, column : column + values.shape[1]] = values
        else:
            self.flat[(self.starts[rows] + column)[:, None] + np.arange(values.shape[1])] = values

    def texts(self, changed: npt.NDArray[np.bool_]) -> list[Any]:
        """The texts as they are now where ``changed``, and the values as they were given elsewhere."""
        if not len(self.values):
            return []
        made: list[Any] = self.flat.tobytes().decode("ascii").split("\n")
        made.pop()
        for i in np.flatnonzero(~changed).tolist():
            made[i] = self.values[i]
        return made


def _encoded(values: Sequence[Any]) -> bytes:
    return ("\n".join(values) + "\n").encode("ascii", "replace") if len(values) else b""


def _line(value: Any, what: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str):
        raise MaskError(f"anonymizer: {what} must be text, and a value is {type(value).__name__}")
    return "?" if "\n" in value else value
