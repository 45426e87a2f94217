"""null: nothing at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Null"]


@dataclass(frozen=True, kw_only=True)
class Null(Mask):
    """NULL for every value."""

    name: ClassVar[str] = "null"
    cases: ClassVar[tuple[Case, ...]] = (Case("Alice", None), Case(None, None), Case("", None))

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit columns that may be null. Raises BindError on others."""
        if not columns.target.nullable:
            raise BindError("null on a NOT NULL column", "use fixed")
        return _Nothing(columns.target.name, Promises(type=columns.target.type, outcomes=1, unchanged=0.0))


@dataclass(frozen=True)
class _Nothing:
    """A Bound that gives NULL."""

    target: str
    promises: Promises

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.target,)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.target,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        return [[None] * len(columns[0])]

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        from dbmask_sql.dialects.base import null

        return [null()]
