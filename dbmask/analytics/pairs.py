"""A field before and after, row by row, on codes that both sides share."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from dbmask.analytics.columns import Column, Frame, pack
from dbmask.analytics.numbers import all_floats, floats
from dbmask.analytics.result import AnalyticsError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.signedinteger[Any]]
    Floats = NDArray[np.float64]

__all__ = ["Pair", "pairs_of", "require_paired"]


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


def require_paired(original: Frame, anonymised: Frame) -> None:
    """Raise AnalyticsError where rows in the order of a key are not the same rows on both sides: their keys differ.

    A key whose values were only exchanged among the rows (``shuffle``) cannot be told from one that nobody touched.
    """
    key = original.key or anonymised.key
    known = [n for n in key if n in original.columns and n in anonymised.columns]
    if not key or known != list(key):
        if key and original.key and anonymised.key:
            raise AnalyticsError(f"Rows cannot be paired: {', '.join(key)} is not in both tables. {_HINT}")
        return
    pairs = pairs_of(_only(original, key), _only(anonymised, key), (), key)
    same = (pairs[0].before == pairs[0].after).copy()
    for pair in pairs[1:]:
        same &= pair.before == pair.after
    others = original.rows - int(same.sum())
    if others:
        raise AnalyticsError(
            f"Rows are paired by {', '.join(key)}, whose values differ in {others:,} of {original.rows:,} rows: "
            f"it is masked, or the rows are not the same. {_HINT}"
        )
    packed, _ = pack([original.columns[n] for n in key])
    if len(set(packed.tolist())) < original.rows:
        raise AnalyticsError(f"Rows are paired by {', '.join(key)}, whose values several rows have in common. {_HINT}")


_HINT = "Name columns that tell rows apart and are not masked: --key FIELD... with two tables"


def _only(frame: Frame, names: Sequence[str]) -> Frame:
    return Frame({n: frame.columns[n] for n in names}, frame.rows)


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
