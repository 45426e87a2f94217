"""Keyed noise in SQL: the integer arithmetic of :mod:`dbmask.masks._gauss`, then exact decimals."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, cast

from dbmask.masks._gauss import FIELDS, Scale
from dbmask.schema import Column, Kind

if TYPE_CHECKING:
    from dbmask_sql.dialects import Dialect
    from dbmask_sql.dialects.base import E

__all__ = ["noise_sql"]

_WIDEST = 38
"""Digits of the widest exact decimal that all engines know."""


def noise_sql(
    exprs: Sequence[E],
    columns: Sequence[Column],
    dialect: Dialect,
    key: str,
    scale: Scale,
    places: int,
    step: int | None,
    limits: tuple[Decimal | None, Decimal | None],
) -> E | None:
    """The first of ``columns``, moved in units of ``places`` decimal places, rounded to ``step`` of them, and clipped.

    None where the dialect or the type has no exact form of it.
    """
    from sqlglot import exp

    target = columns[0].type
    if target.kind not in (Kind.INTEGER, Kind.DECIMAL) or not (scale.fits and dialect.names_values):
        return None
    known = target.kind is Kind.INTEGER or (target.precision is not None and target.scale is not None)
    if not known and dialect.name != "postgres":
        return None
    value = dialect.wide(exprs[0].copy(), places)
    texts = _texts(exprs, columns, dialect)
    if value is None or texts is None:
        return None
    digits = target.precision or 20
    if digits + 2 * places + 4 > _WIDEST and dialect.name != "postgres":
        return None

    def summed(digest: E) -> E:
        return cast("E", dialect.let(_both(digest, dialect), lambda both: _units(both, scale, dialect), "both"))

    units = cast("E", dialect.let(dialect.prf_hex(dialect.tuple_text(texts), key), summed, "digest"))
    noise = dialect.wide(_shifted(units, places, dialect), places)
    if noise is None:
        return None
    moved: E | None = exp.Paren(this=exp.Add(this=value, expression=noise))
    if moved is not None and step is not None and not (known and step == places):
        moved = _half_even(moved, step, dialect, digits + 2, places)
    if moved is None:
        return None
    for bound, clip in zip(limits, (dialect.greatest, dialect.least), strict=True):
        if bound is not None:
            moved = exp.Anonymous(this=clip, expressions=[moved, _number(bound)])
    # GREATEST and LEAST pass over nulls.
    there = exp.Not(this=exp.Is(this=exprs[0].copy(), expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=there, true=moved)])


def _texts(exprs: Sequence[E], columns: Sequence[Column], dialect: Dialect) -> list[E] | None:
    made = [dialect.canonical(e.copy(), c.type.kind, c.type.padded) for e, c in zip(exprs, columns, strict=True)]
    found = [m for m in made if m is not None]
    return [*found[1:], found[0]] if len(found) == len(made) else None


def _both(digest: E, dialect: Dialect) -> E:
    """Two 30-bit sums of eight numbers each, side by side in one integer."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import integer

    made: E | None = None
    for index in range(4):
        for word in (dialect.word(digest.copy(), index), dialect.quotient(dialect.word(digest.copy(), index), 2**15)):
            part = exp.Paren(this=exp.BitwiseAnd(this=exp.Paren(this=word), expression=integer(FIELDS)))
            made = part if made is None else exp.Add(this=made, expression=part)
    return exp.Paren(this=made)


def _units(both: E, scale: Scale, dialect: Dialect) -> E:
    from sqlglot import exp

    from dbmask_sql.dialects.base import integer

    total = exp.Paren(
        this=exp.Add(this=dialect.mod(both.copy(), 2**30), expression=dialect.quotient(both.copy(), 2**30))
    )
    product = exp.Mul(this=total, expression=dialect.to_int(integer(scale.factor)))
    shifted = dialect.quotient(
        exp.Paren(this=exp.Add(this=product, expression=dialect.to_int(integer(scale.constant)))), 2**scale.shift
    )
    return exp.Paren(this=exp.Sub(this=shifted, expression=dialect.to_int(integer(scale.offset))))


def _shifted(units: E, places: int, dialect: Dialect) -> E:
    """Whole units as a decimal: times 0.01 for two places."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import cast as sql_cast

    if not places:
        return units
    exact = sql_cast(units, "DECIMAL(19,0)", dialect.name)
    return exp.Paren(this=exp.Mul(this=exact, expression=_number(Decimal(1).scaleb(-places))))


def _number(value: Decimal) -> E:
    from sqlglot import exp

    literal = exp.Literal.number(format(abs(value), "f"))
    return exp.Paren(this=exp.Neg(this=literal)) if value < 0 else literal


def _half_even(value: E, step: int, dialect: Dialect, digits: int, places: int) -> E | None:
    """Rounded to ``step`` decimal places, ties to the even neighbour: databases' own ROUND takes them away from zero."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import cast as sql_cast
    from dbmask_sql.dialects.base import integer

    def fitted(number: E, width: int, scale: int) -> E:
        # A product is as wide as its factors together, and DuckDB ends at 38; PostgreSQL's numeric has no such end.
        return number if dialect.name == "postgres" else sql_cast(number, f"DECIMAL({width},{scale})", dialect.name)

    grown = exp.Mul(this=fitted(value, _WIDEST - 2 - step, places), expression=_number(Decimal(10**step)))

    def rounded(number: E) -> E:
        below = fitted(exp.Anonymous(this="FLOOR", expressions=[number.copy()]), digits, 0)
        rest = exp.Paren(this=exp.Sub(this=number.copy(), expression=below.copy()))
        half = _number(Decimal("0.5"))
        odd = exp.NEQ(this=exp.Paren(this=exp.Mod(this=below.copy(), expression=integer(2))), expression=integer(0))
        tie = exp.Paren(this=exp.And(this=exp.EQ(this=rest.copy(), expression=half.copy()), expression=odd))
        up = exp.If(
            this=exp.Or(this=exp.GT(this=rest, expression=half), expression=tie),
            true=exp.Add(this=below.copy(), expression=integer(1)),
        )
        whole = exp.Paren(this=exp.Case(ifs=[up], default=below))
        return exp.Mul(this=whole, expression=_number(Decimal(1).scaleb(-step))) if step else whole

    return dialect.let(grown if step else value, rounded, "grown")
