"""keep: the value as it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask

__all__ = ["Keep"]


@dataclass(frozen=True, kw_only=True)
class Keep(ValueMask):
    """The value as it is."""

    name: ClassVar[str] = "keep"
    aliases: ClassVar[tuple[str, ...]] = ("do_nothing",)
    cases: ClassVar[tuple[Case, ...]] = (Case("Alice", "Alice"), Case(None, None), Case("", ""))

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit any column."""
        return self.bound(columns, Promises(type=columns.target.type, injective=True), lambda v: v, lambda e, _: e)
