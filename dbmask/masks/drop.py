"""drop: the column is not in the output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dbmask.keys import KeyRing
from dbmask.masks._parts import Absent
from dbmask.masks.base import Bound, Columns, Mask, Promises

__all__ = ["Drop"]


@dataclass(frozen=True, kw_only=True)
class Drop(Mask):
    """The column is absent from the output; a plan refuses this for columns of keys."""

    name: ClassVar[str] = "drop"

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit any column; that no key stands on it is for the plan to see."""
        return Absent(Promises(type=columns.target.type, unchanged=0.0))
