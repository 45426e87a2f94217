"""Columns as integer codes: what every metric counts with.

A value's label is the text of the value (``None`` for null), its code the order of its first appearance; -1 is a
field that the record does not have.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Column", "Frame", "encode", "frame_of", "pack"]


@dataclass(frozen=True)
class Column:
    """``codes`` of the rows (integers of 32 or 64 bits; -1 is absent) and the ``labels`` they stand for."""

    codes: NDArray[np.signedinteger[Any]]
    labels: Sequence[str]


@dataclass(frozen=True)
class Frame:
    """Columns of equal length. ``weights`` says how many rows each row stands for; None is one each.

    ``key`` names the columns by whose values the rows are in order, where they are.
    """

    columns: Mapping[str, Column]
    rows: int
    weights: NDArray[np.int64] | None = None
    key: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many records this stands for."""
        return self.rows if self.weights is None else int(self.weights.sum())


def encode(texts: Iterable[str], known: dict[str, int]) -> NDArray[np.int64]:
    """The codes of texts; ``known`` are the codes of earlier ones, and grows."""
    import numpy as np

    return np.array([known.setdefault(text, len(known)) for text in texts], dtype=np.int64)


_ABSENT = object()


def frame_of(records: Iterable[Mapping[str, Any]]) -> Frame:
    """Records as a frame: the fields of all records, in order of appearance."""
    import numpy as np

    rows = list(records)
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {}
    for name in names:
        known: dict[str, int] = {}
        codes = np.empty(len(rows), dtype=np.int64)
        for i, row in enumerate(rows):
            value = row.get(name, _ABSENT)
            codes[i] = -1 if value is _ABSENT else known.setdefault(str(value), len(known))
        columns[name] = Column(codes, list(known))
    return Frame(columns, len(rows))


def pack(columns: Sequence[Column]) -> tuple[NDArray[np.int64], int]:
    """One integer per row that is equal where all columns are, and a bound of these integers (at most 2**62).

    Codes are joined as digits of one number and made dense where the number would grow too large.
    """
    import numpy as np

    packed, size = columns[0].codes.astype(np.int64), len(columns[0].labels) + 1
    packed += 1
    for column in columns[1:]:
        width = len(column.labels) + 1
        if size * width >= 2**62:
            distinct, packed = np.unique(packed, return_inverse=True)
            size = len(distinct)
        packed *= width
        packed += column.codes
        packed += 1
        size *= width
    return packed, size
