"""recompute: the target database fills the column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dbmask.keys import KeyRing
from dbmask.masks._parts import Absent
from dbmask.masks.base import Bound, Columns, Mask, Promises

__all__ = ["Recompute"]


@dataclass(frozen=True, kw_only=True)
class Recompute(Mask):
    """The target fills the column from masked ones: a generated column, or one that a trigger fills."""

    name: ClassVar[str] = "recompute"

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit any column; the plan knows which ones the database fills."""
        return Absent(Promises(type=columns.target.type))
