"""drop: the column is absent from the output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Columns, Mask, Promises

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Drop", "NotWritten"]


@dataclass(frozen=True)
class NotWritten:
    """A Bound that reads and writes nothing: the column is absent, or filled by the database."""

    promises: Promises
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        """Nothing in, nothing out."""
        return []

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        """No expression."""
        return []


@dataclass(frozen=True, kw_only=True)
class Drop(Mask):
    """The column is absent from the output. Refused in a plan for a key column."""

    name: ClassVar[str] = "drop"
    profiles: ClassVar[frozenset[str]] = frozenset({"clone", "view", "file", "inline", "spark"})

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit any column."""
        return NotWritten(Promises(type=columns.target.type, unchanged=0.0))
