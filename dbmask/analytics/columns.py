"""Columns as integer codes: what every metric counts with.

A value's label is the text of the value (``None`` for null), its code the order of its first appearance; -1 is a
field that the record does not have.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Column", "Frame", "Numbers", "encode", "frame_of", "numbers_of", "pack", "to_number"]


@dataclass(frozen=True)
class Column:
    """``codes`` of the rows (integers of 32 or 64 bits; -1 is absent) and the ``labels`` they stand for."""

    codes: NDArray[np.signedinteger[Any]]
    labels: Sequence[str]


@dataclass(frozen=True)
class Frame:
    """Columns of equal length. ``weights`` says how many rows each row stands for; None is one each."""

    columns: Mapping[str, Column]
    rows: int
    weights: NDArray[np.int64] | None = None

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


@dataclass(frozen=True)
class Numbers:
    """A column by number: ``ranks[code]`` is the place among the distinct numbers, whose texts are ``labels``; -1 is none.

    Equal numbers are one, spelled as their first label; the last of ``ranks`` is what -1, an absent value, reads.
    """

    ranks: NDArray[np.int32]
    labels: Sequence[str]


def numbers_of(labels: Sequence[str]) -> Numbers | None:
    """Labels by number, empty ones absent; None if they are not numeric.

    Numeric: at least one value, and all non-empty ones spell finite numbers.
    """
    import numpy as np

    filled = np.array([i for i, label in enumerate(labels) if label != ""], dtype=np.int64)
    if not len(filled):
        return None
    texts = [labels[i] for i in filled.tolist()] if len(filled) < len(labels) else labels
    try:
        numbers = np.array(list(map(float, texts)))
    except ValueError:
        return None
    # "1_000" is a number to Python alone.
    if not np.isfinite(numbers).all() or "_" in "".join(texts):
        return None
    order = np.argsort(numbers, kind="stable")
    ascending = numbers[order]
    fresh = np.empty(len(order), dtype=bool)
    fresh[0] = True
    np.not_equal(ascending[1:], ascending[:-1], out=fresh[1:])
    ranks = np.full(len(labels) + 1, -1, dtype=np.int32)
    ranks[filled[order]] = np.cumsum(fresh) - 1
    return Numbers(ranks, [texts[i] for i in order[fresh].tolist()])


def to_number(text: str) -> float | None:
    """The finite number that a text spells, else None."""
    try:
        value = float(text)
    except ValueError:
        return None
    # "1_000" is a number to Python alone.
    return value if math.isfinite(value) and "_" not in text else None
