"""recompute: the database fills the column from masked values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._parts import Absent
from dbmask.masks.base import Bound, Columns, Mask, Promises

__all__ = ["Recompute"]


@dataclass(frozen=True, kw_only=True)
class Recompute(Mask):
    """The database fills the column: it is generated, or a trigger or its default makes it from masked values."""

    name: ClassVar[str] = "recompute"
    profiles: ClassVar[frozenset[str]] = frozenset({"clone", "view"})

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit columns that the database can fill. Raises BindError where nothing is seen that would."""
        column = columns.target
        if not (column.generated or column.filled or column.default or column.identity or column.nullable):
            raise BindError("nothing in the database fills this NOT NULL column", "mask it, or use fixed")
        return Absent(Promises(type=column.type, unchanged=1.0))
