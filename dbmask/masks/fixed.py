"""fixed: one value for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from dbmask.keys import KeyRing
from dbmask.masks._constants import Scalar, as_constant, constant_sql
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask
from dbmask.schema import ColumnType, Kind

__all__ = ["Fixed"]


@dataclass(frozen=True, kw_only=True)
class Fixed(ValueMask):
    """One ``value``, of the column's own type, for all. NULL and the empty text stay unless ``on_null``, ``on_empty`` say otherwise."""

    name: ClassVar[str] = "fixed"
    aliases: ClassVar[tuple[str, ...]] = ("from_fixed",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Alice", "[NAME]", {"value": "[NAME]"}),
        Case(None, None, {"value": "[NAME]"}),
        Case("", "", {"value": "[NAME]"}),
        Case(None, "none", {"value": "[NAME]", "on_null": "none"}),
        Case(41, 0, {"value": 0}, ColumnType(Kind.INTEGER, "integer", bits=32)),
        Case(None, -1, {"value": 0, "on_null": -1}, ColumnType(Kind.INTEGER, "integer", bits=32)),
    )

    value: Scalar

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit columns of whose type ``value`` is one. Raises BindError on others."""
        type_ = columns.target.type
        value = as_constant(self.value, type_, "value")

        def sql(given: Any, dialect: Any) -> Any:
            from sqlglot import exp

            there = exp.Not(this=exp.Is(this=given, expression=exp.Null()))
            return exp.Case(ifs=[exp.If(this=there, true=constant_sql(value, type_.kind, dialect))])

        return self.bound(columns, Promises(type=type_, outcomes=1), lambda _: value, sql)
