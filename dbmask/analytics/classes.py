"""Equivalence classes of quasi-identifiers: one sort of packed integers gives all that k, l and t need."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dbmask.analytics import threads
from dbmask.analytics.columns import Column, Frame, pack
from dbmask.analytics.numbers import Numbers
from dbmask.analytics.threads import each, slices, sort

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["Classes", "classes_of"]


@dataclass(frozen=True)
class Classes:
    """Classes with their members' sensitive values.

    ``sizes[c]`` records in class c. Pairs (class, sensitive value) stand sorted by class, then by value; class c owns
    the pairs ``starts[c]`` to ``starts[c + 1]``: ``values`` are codes (-1 absent), ``counts`` records; both in 32 bits where
    these suffice. ``keys`` are the quasi-identifiers' codes as digits of one number; where that would be too large,
    ``rows`` names a row of each class instead.
    """

    keys: Ints
    sizes: Ints
    starts: Ints
    values: Any
    counts: Any
    qis: tuple[tuple[str, Column], ...]
    rows: Ints | None

    @property
    def distinct(self) -> Ints:
        """How many sensitive values each class has."""
        import numpy as np

        return np.diff(self.starts)

    def measured(self, function: Callable[[Classes], Any]) -> Any:
        """An array of one figure for each class, which ``function`` gives for some classes at a time."""
        import numpy as np

        return np.concatenate(each(function, self._parts()))

    def _parts(self) -> Iterator[Classes]:
        import numpy as np

        near = np.searchsorted(self.starts, np.arange(0, len(self.values), threads.ROWS))
        for lo, hi in itertools.pairwise(np.unique(np.append(near, len(self.sizes))).tolist()):
            at = slice(int(self.starts[lo]), int(self.starts[hi]))
            yield replace(
                self,
                sizes=self.sizes[lo:hi],
                starts=self.starts[lo : hi + 1] - at.start,
                values=self.values[at],
                counts=self.counts[at],
            )

    def identifiers(self, at: int) -> dict[str, str]:
        """The quasi-identifier values of class ``at``, by name."""
        found = {}
        if self.rows is not None:
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


def classes_of(frame: Frame, qis: Sequence[str], sensitive: Column, numbers: Numbers | None = None) -> Classes:
    """Group ``frame`` by ``qis``, counting the values of ``sensitive`` in each class; by number where ``numbers`` are given."""
    import numpy as np

    columns = [frame.columns[q] for q in qis]
    # A power of two: shifts are quicker than divisions.
    bits = len(sensitive.labels if numbers is None else numbers.labels).bit_length()
    direct = math.prod(len(column.labels) + 1 for column in columns) << bits < 2**62
    keys = rows = dense = None
    if not direct:
        keys, rows, dense = np.unique(pack(columns)[0], return_index=True, return_inverse=True)
    ordered = _joined(columns if dense is None else dense, sensitive, numbers, bits)
    weights = frame.weights
    if weights is None:
        sort(ordered)
    else:
        order = np.argsort(ordered, kind="stable")
        ordered, weights = ordered[order], weights[order]
    small = np.int32 if frame.total < 2**31 else np.int64
    parts = each(
        lambda at: _grouped(ordered[at], None if weights is None else weights[at], bits, small), _cuts(ordered, bits)
    )
    found, sizes, distinct, values, counts = (np.concatenate(column) for column in zip(*parts, strict=True))
    starts = np.concatenate(([0], np.cumsum(distinct)))
    qi_columns = tuple(zip(qis, columns, strict=True))
    return Classes(found if keys is None else keys, sizes, starts, values, counts, qi_columns, rows)


def _joined(classes: Sequence[Column] | Ints, sensitive: Column, numbers: Numbers | None, bits: int) -> Ints:
    """For each row its class, and in the lowest ``bits`` the code of its sensitive value."""
    import numpy as np

    made = np.empty(len(sensitive.codes), dtype=np.int64)

    def join(at: slice) -> None:
        part = (
            classes[at]
            if isinstance(classes, np.ndarray)
            else pack([Column(c.codes[at], c.labels) for c in classes])[0]
        )
        np.left_shift(part, bits, out=made[at])
        made[at] += sensitive.codes[at] if numbers is None else numbers.ranks[sensitive.codes[at]]
        made[at] += 1

    each(join, slices(len(made)))
    return made


def _cuts(ordered: Ints, bits: int) -> list[slice]:
    """Slices that part no class."""
    import numpy as np

    near = ordered[threads.ROWS :: threads.ROWS] >> bits << bits
    ends = np.unique(np.concatenate(([0], np.searchsorted(ordered, near), [len(ordered)])))
    return [slice(int(a), int(b)) for a, b in itertools.pairwise(ends)]


def _grouped(ordered: Ints, weights: Ints | None, bits: int, small: type) -> tuple[Any, ...]:
    """Keys, sizes, numbers of values, values and counts of some classes."""
    import numpy as np

    heads = _heads(ordered)
    counts = np.diff(heads, append=len(ordered)) if weights is None else np.add.reduceat(weights, heads)
    pairs = ordered[heads]
    classes = pairs >> bits
    values = (pairs & ((1 << bits) - 1)) - 1
    first = _heads(classes)
    distinct = np.diff(first, append=len(pairs))
    return classes[first], np.add.reduceat(counts, first), distinct, values.astype(np.int32), counts.astype(small)


def _heads(ordered: Any) -> Ints:
    import numpy as np

    change = np.empty(len(ordered), dtype=bool)
    change[0] = True
    np.not_equal(ordered[1:], ordered[:-1], out=change[1:])
    return np.flatnonzero(change)
