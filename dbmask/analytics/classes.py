"""Equivalence classes of quasi-identifiers: one sort of packed integers gives all that k, l and t need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dbmask.analytics.columns import Column, Frame, pack

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["Classes", "classes_of"]


@dataclass(frozen=True)
class Classes:
    """Classes with their members' sensitive values.

    ``sizes[c]`` records in class c. Pairs (class, sensitive value) stand sorted by class, then by value; class c owns
    the pairs ``starts[c]`` to ``starts[c + 1]``: ``values`` are codes, ``counts`` records.
    """

    keys: Ints
    sizes: Ints
    starts: Ints
    values: Ints
    counts: Ints
    qis: tuple[tuple[str, Column], ...]
    direct: bool
    rows: Ints

    @property
    def distinct(self) -> Ints:
        """How many sensitive values each class has."""
        import numpy as np

        return np.diff(self.starts)

    def identifiers(self, at: int) -> dict[str, str]:
        """The quasi-identifier values of class ``at``, by name."""
        found = {}
        if not self.direct:
            row = int(self.rows[at])
            return {name: _label(column, int(column.codes[row])) for name, column in self.qis}
        key = int(self.keys[at])
        for name, column in reversed(self.qis):
            key, digit = divmod(key, len(column.labels) + 1)
            found[name] = _label(column, digit - 1)
        return {name: found[name] for name, _ in self.qis}

    def members(self, at: int, labels: Sequence[str], limit: int = 50) -> dict[str, int]:
        """Sensitive values of class ``at`` with their counts; no more than ``limit`` of them, the most frequent first."""
        import numpy as np

        lo, hi = int(self.starts[at]), int(self.starts[at + 1])
        values, counts = self.values[lo:hi], self.counts[lo:hi]
        order = np.argsort(-counts, kind="stable")[:limit]
        return {_text(labels, int(values[i])): int(counts[i]) for i in order}


def _label(column: Column, code: int) -> str:
    return _text(column.labels, code)


def _text(labels: Sequence[str], code: int) -> str:
    # A field that a record does not have reads as null.
    return "None" if code < 0 else labels[code]


def classes_of(frame: Frame, qis: Sequence[str], sensitive: Column) -> Classes:
    """Group ``frame`` by ``qis``, counting the values of ``sensitive`` in each class."""
    import numpy as np

    columns = [frame.columns[q] for q in qis]
    packed, size = pack(columns)
    direct = True
    bound = 1
    for column in columns:
        bound *= len(column.labels) + 1
        direct = direct and bound < 2**62
    # A power of two: shifts are quicker than divisions.
    bits = len(sensitive.labels).bit_length()
    width = 1 << bits
    rows = np.empty(0, dtype=np.int64)
    if not direct or size * width >= 2**62:
        keys, rows, packed = np.unique(packed, return_index=True, return_inverse=True)
    else:
        keys = None
    both = packed << bits
    both |= sensitive.codes + 1
    if frame.weights is None:
        both.sort()
        weights = None
    else:
        order = np.argsort(both, kind="stable")
        both, weights = both[order], frame.weights[order]
    heads = _heads(both)
    counts = np.diff(heads, append=len(both)) if weights is None else np.add.reduceat(weights, heads)
    pairs = both[heads]
    del both
    classes = pairs >> bits
    values = (pairs & (width - 1)) - 1
    first = _heads(classes)
    starts = np.append(first, len(pairs))
    sizes = np.add.reduceat(counts, first)
    found = classes[first] if keys is None else keys
    qi_columns = tuple(zip(qis, columns, strict=True))
    return Classes(found, sizes, starts, values, counts, qi_columns, keys is None, rows)


def _heads(ordered: Any) -> Ints:
    import numpy as np

    change = np.empty(len(ordered), dtype=bool)
    change[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=change[1:])
    return np.flatnonzero(change)
