"""Fingerprints of many values at a time: 64 bits of each, under a key of this process, so that no value is held.

They are Python's own hashes of texts (SipHash, keyed at random when the process starts); values are equal where their
canonical texts are, whatever types the two databases give them in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonical_text

if TYPE_CHECKING:
    import numpy as np

    Prints = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["Membership", "distinct", "key_prints", "value_prints"]

_FEW_TEXTS = (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.UUID)
"""Kinds whose values have one canonical text wherever Python calls them equal."""


def value_prints(values: Sequence[Any], type_: ColumnType) -> Prints:
    """One fingerprint for each value of a column; 0 for NULL and for what is empty."""
    import numpy as np

    if type_.kind is Kind.BYTES:
        return np.fromiter((0 if v is None else hash(bytes(v)) for v in values), np.int64, len(values))
    text = canonical_text(type_.kind, type_.padded)
    if text is canonical_text(Kind.TEXT) and set(map(type, values)) == {str}:
        return np.fromiter(map(hash, values), np.int64, len(values))
    if type_.kind in _FEW_TEXTS:
        try:
            known = {v: hash(text(v)) for v in set(values) if v is not None}
        except TypeError:  # a signalling NaN has no hash
            pass
        else:
            known[None] = 0
            return np.fromiter(map(known.__getitem__, values), np.int64, len(values))
    return np.fromiter((0 if v is None else hash(text(v)) for v in values), np.int64, len(values))


def key_prints(columns: Sequence[Sequence[Any]], types: Sequence[ColumnType]) -> Prints:
    """One fingerprint for each row's key."""
    import numpy as np

    if len(columns) == 1:
        return value_prints(columns[0], types[0])
    texts = [canonical_text(t.kind, t.padded) for t in types]
    made = (hash(tuple([t(v) for t, v in zip(texts, row, strict=True)])) for row in zip(*columns, strict=True))
    return np.fromiter(made, np.int64, len(columns[0]))


def distinct(prints: Prints) -> tuple[Prints, Prints]:
    """Sorted, each once; and how often each was there."""
    import numpy as np

    if not len(prints):
        return prints, prints
    ordered = np.sort(prints)
    first = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[first], np.diff(np.append(first, len(ordered)))


class Membership:
    """Which of many fingerprints are among known ones: a table of bits first, which few others pass, then a search."""

    def __init__(self, known: Prints) -> None:
        """``known`` are sorted."""
        import numpy as np

        self._known = known
        bits = min(max(len(known).bit_length() + 4, 10), 26)
        self._mask = (1 << bits) - 1
        self._table = np.zeros(1 << bits, np.bool_)
        self._table[known & self._mask] = True

    def among(self, prints: Prints) -> Prints:
        """Those of ``prints`` that are known, in their order."""
        import numpy as np

        if not len(self._known):
            return prints[:0]
        likely = prints[self._table[prints & self._mask]]
        at = np.searchsorted(self._known, likely)
        at[at == len(self._known)] = 0
        there: Prints = likely[self._known[at] == likely]
        return there
