"""shout: a mask of a third party."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask

__all__ = ["Shout"]


@dataclass(frozen=True, kw_only=True)
class Shout(ValueMask):
    """Text in capitals, with ``marks`` exclamation marks."""

    name: ClassVar[str] = "shout"
    cases: ClassVar[tuple[Case, ...]] = (Case("hello", "HELLO!"), Case("a", "A!!", {"marks": 2}))

    marks: int = 1

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns."""
        return self.bound(columns, Promises(columns.target.type), lambda v: str(v).upper() + "!" * self.marks)
