"""What a view shows in the place of a value that it cannot show: fixed values that fit the column's type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.schema import Column, Kind

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["TEXT", "constant", "placeholder", "typed"]

TEXT = "[masked]"
"""The placeholder of texts, cut to the column's length."""

_FIXED = {
    Kind.INTEGER: "0",
    Kind.DECIMAL: "0",
    Kind.FLOAT: "0",
    Kind.BOOLEAN: "false",
    Kind.DATE: "1970-01-01",
    Kind.TIME: "00:00:00",
    Kind.TIMESTAMP: "1970-01-01 00:00:00",
    Kind.TIMESTAMPTZ: "1970-01-01 00:00:00+00",
    Kind.UUID: "00000000-0000-0000-0000-000000000000",
    Kind.JSON: "{}",
    Kind.BYTES: "",
}


def placeholder(column: Column, null: bool = False) -> exp.Expression:
    """A constant of the column's type; NULL where ``null`` says so, and of types that have no other (enums, domains, arrays)."""
    from sqlglot import exp

    return typed(exp.Null() if null else constant(column), column)


def constant(column: Column | None) -> exp.Expression:
    """The placeholder of a column as an untyped literal; of no known column, a text's."""
    from sqlglot import exp

    if column is None:
        return exp.Literal.string(TEXT)
    type_ = column.type
    if type_.domain is not None or type_.element is not None:
        return exp.Null()
    fixed = TEXT[: type_.length] if type_.kind is Kind.TEXT else _FIXED.get(type_.kind)
    return exp.Null() if fixed is None else exp.Literal.string(fixed)


def typed(value: exp.Expression, column: Column) -> exp.Expression:
    """A value as the column's own type, in PostgreSQL's own words: sqlglot knows some types by others' names."""
    from sqlglot import exp

    if isinstance(value, exp.Column) or not column.type.sql:
        return value
    return exp.Cast(this=value, to=exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=column.type.sql))
