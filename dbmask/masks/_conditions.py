"""Conditions on a row's columns, for ``when``: read from a policy, tested in Python, written in SQL.

    {column: status, equals: active}
    {and: [{column: age, less_than: 18}, {not: {column: country, in: [CZ, SK]}}]}

A list is an ``and``; several operators beside one column are too. NULL meets no condition but ``is_null``.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from typing import TYPE_CHECKING, Any

from dbmask.errors import BindError
from dbmask.masks._constants import Scalar, as_constant, constant_sql
from dbmask.masks.base import Columns, nearest
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonical_text
from dbmask_sql.patterns import Portable, portable

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["BoundCondition", "Condition", "read_condition"]

Test = Callable[[Mapping[str, Any]], bool]
Sql = Callable[[Mapping[str, Any], Any], Any]

_COMPARISONS = ("equals", "in", "less_than", "greater_than")
_OPERATORS = (*_COMPARISONS, "matches", "is_null")
_JOINS = ("and", "or", "not")
_COMPARABLE = frozenset(Kind) - {Kind.JSON, Kind.BYTES, Kind.ARRAY, Kind.OTHER}
_UNORDERED = (Kind.BOOLEAN, Kind.UUID, Kind.ENUM)


@dataclass(frozen=True)
class BoundCondition:
    """A condition on columns of known types: ``columns`` it reads, ``test`` of a row, ``sql`` of columns' expressions."""

    columns: tuple[str, ...]
    test: Test
    sql: Sql


@dataclass(frozen=True)
class Condition:
    """``join`` of inner conditions (and, or, not), or one ``operator`` on one column with its ``operand``."""

    join: str = ""
    inner: tuple[Condition, ...] = ()
    column: str = ""
    operator: str = ""
    operand: Any = None

    def bind(self, columns: Columns) -> BoundCondition:
        """Raises BindError where a column is not there or an operand is none of its type."""
        if self.join:
            return _joined(self.join, [c.bind(columns) for c in self.inner])
        type_ = columns.other(self.column, "if").type
        return _LEAVES[self.operator](self, type_)


def read_condition(data: Any) -> Condition:
    """The condition that plain data describe. Raises ValueError."""
    if isinstance(data, Condition):
        return data
    if isinstance(data, list):
        if not data:
            raise ValueError("a list of conditions is empty")
        return Condition("and", tuple(map(read_condition, data)))
    if not isinstance(data, Mapping):
        raise ValueError("a condition is `{column: NAME, equals: VALUE}`, or `and`, `or`, `not` of conditions")
    joins = [name for name in _JOINS if name in data]
    if joins:
        if len(data) > 1:
            raise ValueError(f"`{joins[0]}` stands alone in its condition")
        inner = data[joins[0]]
        listed = inner if isinstance(inner, list) and joins[0] != "not" else [inner]
        if not listed:
            raise ValueError(f"`{joins[0]}` holds no conditions")
        return Condition(joins[0], tuple(map(read_condition, listed)))
    return _leaves(data)


def _leaves(data: Mapping[str, Any]) -> Condition:
    column = data.get("column")
    if not isinstance(column, str):
        raise ValueError("a condition names its column: `{column: NAME, equals: VALUE}`")
    made = []
    for name, operand in data.items():
        if name == "column":
            continue
        if name not in _OPERATORS:
            raise ValueError(f"there is no condition {name!r} ({nearest(name, _OPERATORS)})")
        made.append(Condition(column=column, operator=name, operand=_operand(name, operand)))
    if not made:
        raise ValueError(f"the condition on {column!r} says nothing ({', '.join(_OPERATORS)})")
    return made[0] if len(made) == 1 else Condition("and", tuple(made))


def _operand(name: str, operand: Any) -> Any:
    if name == "is_null":
        if not isinstance(operand, bool):
            raise ValueError("is_null is true or false")
        return operand
    if name == "in":
        if not isinstance(operand, list) or not operand or not all(isinstance(v, Scalar) for v in operand):
            raise ValueError("in takes a list of values")
        return tuple(operand)
    if not isinstance(operand, Scalar):
        raise ValueError(f"{name} takes one value (for NULL, use is_null)")
    if name == "matches":
        try:
            return portable(str(operand))
        except (ValueError, re.error) as error:
            raise ValueError(f"the pattern of matches {error}") from None
    return operand


def _joined(join: str, parts: list[BoundCondition]) -> BoundCondition:
    columns = tuple(dict.fromkeys(c for p in parts for c in p.columns))
    if join == "not":
        part = parts[0]

        def negated(exprs: Mapping[str, exp.Expression], dialect: Dialect) -> exp.Expression:
            from sqlglot import exp

            return exp.Not(this=exp.Paren(this=part.sql(exprs, dialect)))

        return BoundCondition(columns, lambda row: not part.test(row), negated)
    every = all if join == "and" else any

    def sql(exprs: Mapping[str, exp.Expression], dialect: Dialect) -> exp.Expression:
        from sqlglot import exp

        node = exp.And if join == "and" else exp.Or
        made = [p.sql(exprs, dialect) for p in parts]
        return exp.Paren(this=reduce(lambda a, b: node(this=a, expression=b), made))

    return BoundCondition(columns, lambda row: every(p.test(row) for p in parts), sql)


# -- one column ------------------------------------------------------------------------------------------------------


def _is_null(leaf: Condition, type_: ColumnType) -> BoundCondition:
    name, wanted = leaf.column, leaf.operand

    def sql(exprs: Mapping[str, exp.Expression], dialect: Dialect) -> exp.Expression:
        from sqlglot import exp

        made = exp.Is(this=exprs[name].copy(), expression=exp.Null())
        return made if wanted else exp.Not(this=made)

    return BoundCondition((name,), lambda row: (row[name] is None) == wanted, sql)


def _matches(leaf: Condition, type_: ColumnType) -> BoundCondition:
    if type_.kind not in (Kind.TEXT, Kind.ENUM):
        raise BindError(
            f"`matches` needs text, and column {leaf.column!r} is {type_}", "use equals, less_than or greater_than"
        )
    pattern: Portable = leaf.operand
    search = re.compile(pattern.written(r"\Z")).search
    read, name = canonical_text(Kind.TEXT, type_.padded), leaf.column

    def test(row: Mapping[str, Any]) -> bool:
        return row[name] is not None and search(read(row[name])) is not None

    def sql(exprs: Mapping[str, exp.Expression], dialect: Dialect) -> exp.Expression:
        return _known(dialect.contains(dialect.plain(exprs[name].copy(), type_.padded), pattern))

    return BoundCondition((name,), test, sql)


def _compares(leaf: Condition, type_: ColumnType) -> BoundCondition:
    name, kind = leaf.column, type_.kind
    if kind not in _COMPARABLE:
        raise BindError(f"column {name!r} is {type_}, which `if` cannot compare", "use is_null, or another column")
    if leaf.operator in ("less_than", "greater_than") and kind in _UNORDERED:
        raise BindError(f"column {name!r} is {type_}, which has no order", "use equals or in")
    written = leaf.operand if leaf.operator == "in" else (leaf.operand,)
    # What is compared may be longer than the column, or beyond its range.
    free = ColumnType(kind, type_.sql)
    constants = [as_constant(value, free, leaf.operator) for value in written]
    read = _reader(type_)
    known = [read(c) for c in constants]
    holds = _HOLDS[leaf.operator]

    def test(row: Mapping[str, Any]) -> bool:
        return row[name] is not None and any(holds(read(row[name]), k) for k in known)

    def sql(exprs: Mapping[str, exp.Expression], dialect: Dialect) -> exp.Expression:
        from sqlglot import exp

        node = {"less_than": exp.LT, "greater_than": exp.GT}.get(leaf.operator, exp.EQ)
        made = [_comparison(node, exprs[name].copy(), c, type_, dialect) for c in constants]
        return _known(reduce(lambda a, b: exp.Or(this=a, expression=b), made))

    return BoundCondition((name,), test, sql)


def _comparison(node: Any, value: exp.Expression, constant: Any, type_: ColumnType, dialect: Dialect) -> exp.Expression:
    from dbmask_sql.dialects.base import text

    kind = type_.kind
    if kind in (Kind.TEXT, Kind.ENUM):
        return dialect.compare(node, dialect.plain(value, type_.padded), text(constant))
    made: exp.Expression
    if kind in (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.BOOLEAN) or kind in dialect.types:
        made = node(this=value, expression=constant_sql(constant, kind, dialect))
        return made
    read = dialect.canonical(value, kind)
    if read is None:
        raise BindError(f"{dialect.name} cannot compare {type_}", "use is_null, or another column")
    return dialect.compare(node, read, text(canonical_text(kind)(constant)))


def _known(condition: exp.Expression) -> exp.Expression:
    """A condition that is false where it is unknown, so that ``not`` of it is true."""
    from sqlglot import exp

    return exp.Case(ifs=[exp.If(this=condition, true=exp.true())], default=exp.false())


def _reader(type_: ColumnType) -> Callable[[Any], Any]:
    """From a value, as a driver gives it, to what Python compares as databases do."""
    if type_.kind is Kind.FLOAT:
        return float
    if type_.kind in (Kind.INTEGER, Kind.DECIMAL):
        return lambda v: v if isinstance(v, int | Decimal) else Decimal(str(v))
    if type_.kind is Kind.BOOLEAN:
        return bool
    return canonical_text(type_.kind, type_.padded)  # texts by code points, ISO 8601 by time


_HOLDS: dict[str, Callable[[Any, Any], bool]] = {
    "equals": operator.eq,
    "in": operator.eq,
    "less_than": operator.lt,
    "greater_than": operator.gt,
}
_LEAVES: dict[str, Callable[[Condition, ColumnType], BoundCondition]] = {
    "is_null": _is_null,
    "matches": _matches,
    **dict.fromkeys(_COMPARISONS, _compares),
}
