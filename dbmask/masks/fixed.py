"""fixed: one value for all."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, ClassVar

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Case, Columns, Promises, ValueMask
from dbmask.schema import ColumnType, Kind

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["Fixed"]


@dataclass(frozen=True, kw_only=True)
class Fixed(ValueMask):
    """Every value becomes ``value``. Null stays null and empty stays empty."""

    name: ClassVar[str] = "fixed"
    aliases: ClassVar[tuple[str, ...]] = ("from_fixed",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case("Alice", "[NAME]", {"value": "[NAME]"}),
        Case(41, 0, {"value": 0}, ColumnType(Kind.INTEGER, "integer", bits=32)),
        Case(None, None, {"value": "x"}),
        Case("", "", {"value": "x"}),
    )

    value: str | int | float | bool

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit columns that can hold the value. Raises BindError on others."""
        type_ = columns.target.type
        made = _fit(self.value, type_)
        promises = Promises(type=type_, outcomes=1, unchanged=1.0)
        return self.bound(columns, promises, lambda _: made, lambda value, _: _literal(value, made, type_))


def _fit(value: Any, type_: ColumnType) -> Any:
    """The value as the column holds it."""
    text = str(value)
    misfit = BindError(f"fixed: the value is no {type_}", "write one that the column can hold")
    try:
        if type_.kind is Kind.INTEGER:
            low, high = type_.int_range
            if isinstance(value, bool) or not low <= int(text) <= high:
                raise misfit
            return int(text)
        if type_.kind is Kind.DECIMAL:
            return Decimal(text)
        if type_.kind is Kind.FLOAT:
            return float(text)
        if type_.kind is Kind.DATE:
            return dt.date.fromisoformat(text)
        if type_.kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
            return dt.datetime.fromisoformat(text)
    except (ValueError, InvalidOperation):
        raise misfit from None
    if type_.kind is Kind.BOOLEAN and not isinstance(value, bool):
        raise misfit
    if type_.kind is Kind.ENUM and type_.values and text not in type_.values:
        raise misfit
    if type_.kind is Kind.TEXT:
        if type_.length is not None and len(text) > type_.length:
            raise BindError(f"fixed: the value has {len(text)} characters, and the column is {type_}", "shorten it")
        return text
    return value


def _literal(column: exp.Expression, value: Any, type_: ColumnType) -> exp.Expression | None:
    """The value where the column is not null; None where its literal would differ between databases."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import integer, text

    literal: exp.Expression
    if isinstance(value, bool):
        literal = exp.Boolean(this=value)
    elif isinstance(value, int):
        literal = integer(value)
    elif isinstance(value, Decimal):
        literal = exp.Literal.number(format(value, "f"))
    elif type_.kind in (Kind.TEXT, Kind.ENUM, Kind.DATE):
        literal = text(str(value))
    else:
        return None
    given = exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=given, true=literal)])
