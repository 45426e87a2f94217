"""null: every value becomes NULL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises, ValueBound

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Null"]


@dataclass(frozen=True, kw_only=True)
class Null(Mask):
    """Every value becomes NULL."""

    name: ClassVar[str] = "null"
    cases: ClassVar[tuple[Case, ...]] = (Case("Alice", None), Case("", None), Case(None, None))

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit nullable columns. Raises BindError on NOT NULL ones."""
        column = columns.target
        if not column.nullable:
            raise BindError("null on a NOT NULL column", "use fixed")
        return _NullBound(column, Promises(type=column.type, outcomes=1, unchanged=0.0), lambda _: None)


class _NullBound(ValueBound):
    """Empty texts become NULL too."""

    def _one(self, value: Any) -> Any:
        return None

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        """NULL."""
        from dbmask_sql.dialects.base import null

        return [null()]
