"""chain: masks one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from dbmask.keys import KeyRing
from dbmask.masks._parts import bind_chain, narrow
from dbmask.masks.base import Bound, Case, Columns, Mask
from dbmask.masks.build import InnerMask

__all__ = ["Chain"]

_CUT = {"mask": "substring", "end_index": 3}
_REPLACE = {"mask": "replace", "old": "a", "new": "4"}


@dataclass(frozen=True, kw_only=True)
class Chain(Mask):
    """Masks one after the other: each is given what the one before it gave. A text that is too long for the column is cut to it."""

    name: ClassVar[str] = "chain"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("jana", "j4n", {"masks": [_REPLACE, _CUT]}),
        Case("jana", "j**", {"masks": [_REPLACE, _CUT, {"mask": "redact", "keep_start": 1}]}),
        Case("1", "90e", {"masks": ["hash", _CUT]}),
        Case(None, None, {"masks": ["hash", _CUT]}),
        Case("", "", {"masks": ["hash", _CUT]}),
    )

    masks: Annotated[tuple[InnerMask, ...], Field(min_length=1)]

    def __post_init__(self) -> None:
        narrow(self, self.masks)

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit where each mask fits what the one before it gives, and the last fits the column. Raises BindError."""
        return bind_chain(self.masks, columns, keys, self.name)
