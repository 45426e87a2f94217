"""A field before and after, row by row, on codes that both sides share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from dbmask.analytics.columns import Column, Frame, to_number

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["Pair", "pairs_of"]


@dataclass(frozen=True)
class Pair:
    """One field: codes ``before`` and ``after`` (-1 absent), the ``labels`` of both, and whether it is numeric."""

    name: str
    before: Ints
    after: Ints
    labels: Sequence[str]
    numeric: bool

    @cached_property
    def unchanged(self) -> int:
        """Rows whose value is the same, or absent on both sides."""
        return int((self.before == self.after).sum())

    @cached_property
    def dropped(self) -> int:
        """Rows whose value is gone with its field."""
        return int(((self.before >= 0) & (self.after < 0)).sum())

    @cached_property
    def numbers(self) -> tuple[Floats, Floats]:
        """The values as numbers, not-a-number where there is none."""
        import numpy as np

        read = [to_number(label) for label in self.labels]
        lookup = np.array([np.nan if v is None else v for v in [*read, None]], dtype=float)
        return lookup[self.before], lookup[self.after]


def pairs_of(original: Frame, anonymised: Frame, numerical: Sequence[str], categorical: Sequence[str]) -> list[Pair]:
    """The original's fields, in order; a field that is new in the other is no pair."""
    import numpy as np

    made = []
    for name, column in original.columns.items():
        absent = Column(np.full(original.rows, -1, dtype=np.int64), [])
        other = anonymised.columns.get(name, absent)
        known = {label: i for i, label in enumerate(column.labels)}
        shift = [known.setdefault(label, len(known)) for label in other.labels]
        lookup = np.array([*shift, -1], dtype=np.int64)
        numeric = name in numerical or (name not in categorical and _numeric(column.labels))
        made.append(Pair(name, column.codes, lookup[other.codes], list(known), numeric))
    return made


def _numeric(labels: Sequence[str]) -> bool:
    filled = [label for label in labels if label != ""]
    return bool(filled) and all(to_number(label) is not None for label in filled)
