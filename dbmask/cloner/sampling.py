"""A sample of rows that is the same on both sides, spread over the whole table: one row in about ``m``, chosen by its key.

A key of integers is put on a circle of 2147483647 points, each next integer a golden section further, and the first
``m``-th part of the circle is the sample: plain arithmetic in every database, and neighbours, evens or multiples are
not preferred. Of any other key the SHA-256 of its canonical text decides: 60 bits of it, modulo ``m``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonical_text

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["is_picked", "row_sample"]

_CIRCLE = 2**31 - 1
_STEP = 1_327_217_885
"""The golden section of the circle: any stretch of keys is spread over it evenly. A product of two stays below 2**62."""


def _steps(count: int) -> list[int]:
    return [pow(_STEP, at, _CIRCLE) for at in range(1, count + 1)]


def _by_number(types: Iterable[ColumnType]) -> bool:
    return all(t.kind is Kind.INTEGER for t in types)


def is_picked(columns: Sequence[Sequence[Any]], types: Sequence[ColumnType], modulus: int) -> list[bool]:
    """Which rows of a key's columns :func:`row_sample` picks in SQL."""
    if modulus == 1:
        return [True] * len(columns[0])
    if _by_number(types):
        steps = _steps(len(types))
        return [
            sum(abs(_number(v)) % _CIRCLE * s % _CIRCLE for v, s in zip(row, steps, strict=True)) % _CIRCLE
            < _CIRCLE // modulus
            for row in zip(*columns, strict=True)
        ]
    texts = [canonical_text(t.kind, t.padded) for t in types]
    return [
        _word("|".join([text(v) for text, v in zip(texts, row, strict=True)])) % modulus == 0
        for row in zip(*columns, strict=True)
    ]


def _number(value: Any) -> int:
    return int(value) if isinstance(value, int | Decimal) else 0  # SQLite's integer columns may hold anything


def _word(key: str) -> int:
    return int(sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:15], 16)


def row_sample(
    keys: Sequence[exp.Expression], types: Sequence[ColumnType], dialect: str, modulus: int
) -> exp.Expression | None:
    """The condition that picks the sample in the database; None where all rows are read or it cannot be said there."""
    from sqlglot import exp

    from dbmask_sql.dialects import dialect as primitives
    from dbmask_sql.dialects.base import integer, text

    to = primitives(dialect)
    if modulus == 1:
        return None
    parts: list[exp.Expression] = []
    for key, type_ in zip(keys, types, strict=True):
        made = to.canonical(key.copy(), type_.kind, type_.padded)
        if made is None:
            return None
        parts += [text("|"), made] if parts else [made]
    if _by_number(types):
        return _on_circle(keys, dialect, modulus)
    joined = to.concat(*parts) if len(parts) > 1 else parts[0]
    return exp.EQ(this=to.mod(to.sha256_word(to.utf8(joined)), modulus), expression=integer(0))


def _on_circle(keys: Sequence[exp.Expression], dialect: str, modulus: int) -> exp.Expression:
    from sqlglot import exp

    from dbmask_sql.dialects import dialect as primitives
    from dbmask_sql.dialects.base import call, cast, integer

    to = primitives(dialect)
    places = []
    for key, step in zip(keys, _steps(len(keys)), strict=True):
        # The remainder comes first: it has the key's sign, and no lowest integer that `abs` could not turn.
        left = call("ABS", cast(to.mod(_integers(key.copy(), dialect), _CIRCLE), "BIGINT", dialect))
        places.append(to.mod(exp.Paren(this=exp.Mul(this=left, expression=integer(step))), _CIRCLE))
    place = places[0]
    for other in places[1:]:
        place = to.mod(exp.Paren(this=exp.Add(this=place, expression=other)), _CIRCLE)
    return exp.LT(this=place, expression=integer(_CIRCLE // modulus))


def _integers(key: exp.Expression, dialect: str) -> exp.Expression:
    from sqlglot import exp

    from dbmask_sql.dialects.base import call, integer, text

    if dialect != "sqlite":
        return key
    known = exp.EQ(this=call("TYPEOF", key.copy()), expression=text("integer"))
    return exp.Case(ifs=[exp.If(this=known, true=key)], default=integer(0))
