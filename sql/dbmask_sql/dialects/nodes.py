"""The trees of which primitives are made: calls, casts, columns and literals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal

from sqlglot import exp

__all__ = [
    "E",
    "as_integer",
    "call",
    "cast",
    "cast_as_written",
    "column",
    "integer",
    "json_list",
    "null",
    "number",
    "separated",
    "text",
]

E = exp.Expression


def call(name: str, *args: E) -> E:
    """A function call that sqlglot writes as it stands, without translating it."""
    return exp.Anonymous(this=name, expressions=list(args))


def cast(value: E, type_: str, dialect: str) -> E:
    """CAST(value AS type_), the type in the dialect's own words."""
    return exp.Cast(this=value, to=exp.DataType.build(type_, dialect=dialect, udt=True))


def cast_as_written(value: E, type_: str) -> E:
    """CAST(value AS type_), the type word by word as a catalog wrote it."""
    return exp.Cast(this=value, to=exp.DataType(this=exp.DataType.Type.USERDEFINED, kind=type_))


def column(name: str, table: str | None = None) -> E:
    """A quoted column reference."""
    return exp.column(
        exp.to_identifier(name, quoted=True), table=exp.to_identifier(table, quoted=True) if table else None
    )


def text(value: str) -> E:
    """A text literal; each generator escapes it for its database."""
    return exp.Literal.string(value)


def integer(value: int) -> E:
    """An integer literal, in parentheses where it is negative."""
    literal = exp.Literal.number(abs(value))
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0 else literal


def as_integer(value: int | E) -> E:
    """An integer as a literal, or the expression that it is already."""
    return integer(value) if isinstance(value, int) else value


def joined(parts: Sequence[E]) -> E:
    """Texts or bytes one behind another; NULL where any part is."""
    made: E = parts[0]
    for part in parts[1:]:
        made = exp.DPipe(this=made, expression=part)
    return exp.Paren(this=made) if len(parts) > 1 else made


def number(value: Decimal) -> E:
    """An exact decimal literal, in parentheses where it is negative."""
    literal = exp.Literal.number(format(abs(value), "f"))
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0 else literal


def null() -> E:
    """NULL."""
    return exp.Null()


def separated(values: Sequence[str]) -> tuple[str, str] | None:
    """Texts as one literal's content and what stands between them; None where they hold every separator that could."""
    for separator in ("|", ";", "\t", "\x1f"):
        if not any(separator in v for v in values):
            return separator.join(values), separator
    return None


def json_list(values: Sequence[object]) -> str:
    """A JSON array of texts, or of lists of texts, as a literal's content."""
    return json.dumps(list(values), ensure_ascii=False, separators=(",", ":"))
