"""Fingerprints of many values at a time: 64 bits of each, under a key of this process, so that no value is held.

They are Python's own hashes of texts (SipHash, keyed at random when the process starts); values are equal where their
canonical texts are, whatever types the two databases give them in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonical_text

if TYPE_CHECKING:
    import numpy as np

    Prints = np.ndarray[Any, np.dtype[np.int64]]

__all__ = ["Membership", "distinct", "key_prints", "known_among", "value_prints"]

_FEW_TEXTS = (Kind.DECIMAL, Kind.FLOAT, Kind.DATE, Kind.TIME, Kind.TIMESTAMP, Kind.TIMESTAMPTZ, Kind.UUID)
"""Kinds whose values have one canonical text wherever Python calls them equal."""


def value_prints(values: Sequence[Any], type_: ColumnType) -> Prints:
    """One fingerprint for each value of a column; 0 for NULL and for what is empty."""
    import numpy as np

    if type_.kind is Kind.BYTES:
        return np.fromiter((0 if v is None else hash(bytes(v)) for v in values), np.int64, len(values))
    text = canonical_text(type_.kind, type_.padded)
    if type_.kind is Kind.INTEGER:
        return _integer_prints(values, text)
    if text is canonical_text(Kind.TEXT) and set(map(type, values)) == {str}:
        return np.fromiter(map(hash, values), np.int64, len(values))
    if type_.kind in (Kind.DATE, Kind.DECIMAL) and (texts := _plain_texts(values, type_.kind)) is not None:
        return np.fromiter(map(hash, texts), np.int64, len(texts))
    if type_.kind in _FEW_TEXTS:
        try:
            known = {v: hash(text(v)) for v in set(values) if v is not None}
        except TypeError:  # a signalling NaN has no hash
            pass
        else:
            known[None] = 0
            return np.fromiter(map(known.__getitem__, values), np.int64, len(values))
    return np.fromiter((0 if v is None else hash(text(v)) for v in values), np.int64, len(values))


def _plain_texts(values: Sequence[Any], kind: Kind) -> Sequence[str] | None:
    """The canonical texts of dates and floats as SQLite gives them, many at a time; None where one is not of that plain form."""
    types, count = set(map(type, values)), len(values)
    if kind is Kind.DATE and types == {str}:
        joined = "".join(values)
        even = len(joined) == 10 * count and set(map(len, values)) == {10}
        return values if even and joined[4::10] == joined[7::10] == "-" * count else None
    if kind is Kind.DECIMAL and types <= {float, int}:
        texts = list(map(repr, values))
        joined = " ".join(texts)
        if "e" in joined or "n" in joined or "-0.0" in joined:  # an exponent, no number, or it may be minus zero
            return None
        return [t[:-2] if t.endswith(".0") else t for t in texts]
    return None


def _integer_prints(values: Sequence[Any], text: Callable[[Any], str]) -> Prints:
    """An integer is its own fingerprint, but for 0, whose place is NULL's; of what is none, or too large, the text's."""
    import numpy as np

    try:
        if set(map(type, values)) == {int}:
            made = np.array(values, np.int64)
            made[made == 0] = _ZERO
            return made
    except OverflowError:
        pass
    return np.fromiter((0 if v is None else _integer_print(text(v)) for v in values), np.int64, len(values))


def _integer_print(text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        return hash(text)
    return (number or _ZERO) if -_LARGE <= number < _LARGE else hash(text)


_LARGE = 2**63
_ZERO = hash("0")


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


def known_among(prints: Prints, known: Prints) -> Prints:
    """Those of ``prints`` that are among sorted ``known`` ones, in their order."""
    import numpy as np

    if not len(known):
        return prints[:0]
    at = np.searchsorted(known, prints)
    at[at == len(known)] = 0
    there: Prints = prints[known[at] == prints]
    return there


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
        return known_among(prints[self._table[prints & self._mask]], self._known)
