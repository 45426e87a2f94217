"""A field before and after, row by row, on codes that both sides share."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dbmask.analytics.columns import Column, Frame
from dbmask.analytics.numbers import all_floats, floats

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.signedinteger[Any]]
    Floats = NDArray[np.float64]

__all__ = ["Pair", "pairs_of"]


@dataclass(frozen=True)
class Pair:
    """One field: codes ``before`` and ``after`` (-1 absent), the ``labels`` of both, and whether it is numeric.

    ``known`` are the numbers of the first labels, as far as they have been read already.
    """

    name: str
    before: Ints
    after: Ints
    labels: Sequence[str]
    numeric: bool
    known: Floats

    @cached_property
    def unchanged(self) -> int:
        """Rows whose value is the same, or absent on both sides."""
        return int((self.before == self.after).sum())

    @cached_property
    def dropped(self) -> int:
        """Rows whose value is gone with its field."""
        return int(((self.before >= 0) & (self.after < 0)).sum())

    @cached_property
    def by_label(self) -> Floats:
        """The number that each label spells, not-a-number where there is none; the last is what -1, an absent value, reads."""
        import numpy as np

        return np.concatenate((self.known, floats(self.labels[len(self.known) :]), [np.nan]))

    @cached_property
    def numbers(self) -> tuple[Floats, Floats]:
        """The values as numbers, not-a-number where there is none."""
        return self.by_label[self.before], self.by_label[self.after]


def pairs_of(original: Frame, anonymised: Frame, numerical: Sequence[str], categorical: Sequence[str]) -> list[Pair]:
    """The original's fields, in order; a field that is new in the other is no pair."""
    import numpy as np

    made = []
    for name, column in original.columns.items():
        absent = Column(np.full(original.rows, -1, dtype=np.int32), [])
        other = anonymised.columns.get(name, absent)
        labels, codes = column.labels, other.codes
        if other.labels != labels:
            labels, shift = _joined(labels, other.labels)
            codes = shift[codes]
        asked = name in numerical or name in categorical
        known = None if asked else all_floats(column.labels)
        numeric = known is not None or name in numerical
        made.append(Pair(name, column.codes, codes, labels, numeric, np.empty(0) if known is None else known))
    return made


def _joined(labels: Sequence[str], others: Sequence[str]) -> tuple[list[str], Ints]:
    """All labels, the others' new ones behind; and the places of the others among them, with -1 at the end."""
    import numpy as np

    known = dict(zip(labels, itertools.count(), strict=False))
    places = np.full(len(others) + 1, -1, dtype=np.int64)
    places[:-1] = [known.get(label, -1) for label in others]
    fresh = np.flatnonzero(places[:-1] < 0)
    places[fresh] = len(labels) + np.arange(len(fresh))
    return [*labels, *(others[i] for i in fresh.tolist())], places
