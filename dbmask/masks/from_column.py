"""from_column: the value of another column of the row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Mask, Promises

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["FromColumn"]


@dataclass(frozen=True, kw_only=True)
class FromColumn(Mask):
    """The original value of another column of the same row: a beginning for a ``chain`` that masks it as that column is masked."""

    name: ClassVar[str] = "from_column"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Al", "Alice", {"source_column": "first_name"}, row={"first_name": "Alice"}),
        Case("Al", None, {"source_column": "first_name"}, row={"first_name": None}),
    )

    source_column: str

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit tables that have the column. Raises BindError where there is none, or where its type is another."""
        source = columns.other(self.source_column, "source_column")
        type_ = columns.target.type
        if source.type.kind is not type_.kind:
            raise BindError(f"column {source.name!r} is {source.type}, and the column is {type_}", "use fixed or null")
        warning = f"from_column copies original values of {source.name}: mask them in a `chain`"
        limit = type_.length if type_.is_text else None
        longest = min((n for n in (limit, source.type.length) if n is not None), default=None)
        promises = Promises(type=replace(source.type, length=longest), value_only=False, warnings=(warning,))
        return _Copy(columns.target.name, source.name, promises, limit)


@dataclass(frozen=True)
class _Copy:
    """A Bound that gives another column."""

    target: str
    source: str
    promises: Promises
    limit: int | None

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.source,)

    @property
    def outputs(self) -> tuple[str, ...]:
        return (self.target,)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        return [[v[: self.limit] if isinstance(v, str) else v for v in columns[0]]]

    def sql(self, exprs: Sequence[exp.Expression], dialect: Dialect) -> list[exp.Expression] | None:
        return [exprs[0] if self.limit is None else dialect.substr(dialect.plain(exprs[0]), 1, self.limit)]
