"""Brackets of numbers: of one width, or between bounds; as labels, or as their lower bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from dbmask.errors import BindError
from dbmask.schema import ColumnType, Kind
from dbmask_sql.numbers import exact, floor_to, plain_number

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Bins", "Steps", "floor_bound"]

_LARGEST = Decimal(10) ** 15
_PLACES = 9


def _number(value: float, name: str) -> Decimal:
    if isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"{name} is a number")
    made = Decimal(repr(value))
    if abs(made) > _LARGEST or -int(made.normalize().as_tuple().exponent) > _PLACES:
        raise ValueError(f"{name} is at most 10**15, with at most {_PLACES} decimals")
    return made


_QUICK = 9
"""Texts of so many digits or fewer are read as integers, which takes a database a fraction of the time."""


def _quick(value: exp.Expression, digits: exp.Expression, other: exp.Expression, dialect: Dialect) -> exp.Expression:
    from sqlglot import exp

    return exp.Case(ifs=[exp.If(this=dialect.is_digits(value.copy(), _QUICK), true=digits)], default=other)


@dataclass(frozen=True)
class Steps:
    """Brackets of one width, from zero in both directions."""

    step: Decimal

    @classmethod
    def of(cls, step: float) -> Steps:
        """Raises ValueError where the width is none."""
        made = _number(step, "step")
        if made <= 0:
            raise ValueError("step must be greater than 0")
        return cls(made)

    @property
    def whole(self) -> bool:
        """Whether every bound is an integer."""
        return self.step == self.step.to_integral_value()

    @property
    def places(self) -> int:
        """Decimals of the bounds."""
        return max(0, -int(self.step.normalize().as_tuple().exponent))

    def floor(self, value: Decimal) -> Decimal:
        """The lower bound of a value's bracket."""
        return floor_to(value, self.step)

    def labels(self, floor: bool) -> tuple[Any, Any]:
        """``lower-upper``, or ``lower`` alone, of a number in a text; None where it is no number."""

        def python(value: Any) -> str | None:
            known = exact(value)
            if known is None:
                return None
            lower = self.floor(known)
            return plain_number(lower) if floor else f"{plain_number(lower)}-{plain_number(lower + self.step)}"

        def sql(value: exp.Expression, dialect: Dialect) -> exp.Expression:
            from dbmask_sql.dialects.base import text

            def label(lower: exp.Expression) -> exp.Expression:
                low = dialect.exact_text(lower, self.whole)
                if floor:
                    return low
                return dialect.concat(
                    low, text("-"), dialect.exact_text(dialect.exact_add(lower.copy(), self.step), self.whole)
                )

            known = dialect.exact(value, Kind.TEXT)
            lower = dialect.shared(known, lambda n: dialect.floor_to(n, self.step), dialect.fresh("n", known))
            made = dialect.shared(lower, label, dialect.fresh("b", lower))
            return _quick(value, self._quick_label(value, floor, dialect), made, dialect) if self._is_small else made

        return python, sql

    @property
    def _is_small(self) -> bool:
        return self.whole and self.step < 10**_QUICK

    def _quick_label(self, value: exp.Expression, floor: bool, dialect: Dialect) -> exp.Expression:
        from sqlglot import exp

        from dbmask_sql.dialects.base import integer, text

        def label(low: exp.Expression) -> exp.Expression:
            first = dialect.to_text(low)
            high = exp.Paren(this=exp.Add(this=low.copy(), expression=integer(int(self.step))))
            return first if floor else dialect.concat(first, text("-"), dialect.to_text(high))

        known = dialect.to_int(value.copy())
        rest = dialect.mod(known.copy(), int(self.step))
        return label(exp.Paren(this=exp.Sub(this=known, expression=rest)))


@dataclass(frozen=True)
class Bins:
    """Half-open brackets between ascending bounds, with one below the first and one from the last on."""

    bounds: tuple[Decimal, ...]
    written: tuple[str, ...]

    @classmethod
    def of(cls, bounds: Sequence[float]) -> Bins:
        """Raises ValueError where the bounds do not ascend."""
        made = tuple(_number(b, "each of bins") for b in bounds)
        if any(a >= b for a, b in pairwise(made)):
            raise ValueError("bins must ascend")
        return cls(made, tuple(repr(b) for b in bounds))

    @property
    def whole(self) -> bool:
        """Whether every bound is an integer."""
        return all(b == b.to_integral_value() for b in self.bounds)

    @property
    def places(self) -> int:
        """Decimals of the bounds."""
        return max(max(0, -int(b.normalize().as_tuple().exponent)) for b in self.bounds)

    def floor(self, value: Any) -> Decimal:
        """The lower bound of a value's bracket; the first bound for what is below it."""
        return next((low for low, high in pairwise(self.bounds) if value < high), self.bounds[-1])

    def _texts(self, floor: bool) -> list[str]:
        between = pairwise(self.written)
        inner = list(self.written) if floor else [*(f"{a}-{b}" for a, b in between), f">={self.written[-1]}"]
        return [f"<{self.written[0]}", *inner]

    def labels(self, floor: bool) -> tuple[Any, Any]:
        """``lower-upper`` as written, or ``lower`` alone, of a number in a text; None where it is no number."""
        texts = self._texts(floor)

        def python(value: Any) -> str | None:
            known = exact(value)
            return None if known is None else texts[sum(known >= bound for bound in self.bounds)]

        def sql(value: exp.Expression, dialect: Dialect) -> exp.Expression:
            from sqlglot import exp

            from dbmask_sql.dialects.base import number, text

            def label(n: exp.Expression) -> exp.Expression:
                null = exp.If(this=exp.Is(this=n.copy(), expression=exp.Null()), true=exp.Null())
                ifs = [
                    exp.If(this=dialect.exact_less(n.copy(), bound), true=text(made))
                    for bound, made in zip(self.bounds, texts, strict=False)
                ]
                return exp.Case(ifs=[null, *ifs], default=text(texts[-1]))

            def quick(n: exp.Expression) -> exp.Expression:
                ifs = [
                    exp.If(this=exp.LT(this=n.copy(), expression=number(bound)), true=text(made))
                    for bound, made in zip(self.bounds, texts, strict=False)
                ]
                return exp.Case(ifs=ifs, default=text(texts[-1]))

            known = dialect.exact(value, Kind.TEXT)
            made = dialect.shared(known, label, dialect.fresh("n", known))
            return _quick(value, quick(dialect.to_int(value.copy())), made, dialect)

        return python, sql


def floor_bound(rule: Steps | Bins, type_: ColumnType, default: str) -> tuple[Any, Any]:
    """Lower bounds in a numeric column, in Python and in SQL. Raises BindError where the bounds are none of its type."""
    if type_.kind is Kind.INTEGER and not rule.whole:
        raise BindError(f"fractional bounds do not fit {type_}", "use integers for step and bins")
    if type_.kind is Kind.DECIMAL and type_.scale is not None and rule.places > type_.scale:
        raise BindError(f"bounds of {rule.places} decimals do not fit {type_}", "use fewer decimals for step and bins")
    lowest, highest = _range(type_)
    if isinstance(rule, Bins):
        if any(not lowest <= b <= highest for b in rule.bounds):
            raise BindError(f"a bound does not fit {type_}", "use bounds that the column can hold")
        return _bins(rule, type_)
    if type_.kind is Kind.FLOAT:
        return _float_steps(rule, default)
    return _steps(rule, type_, lowest)


def _range(type_: ColumnType) -> tuple[Decimal, Decimal]:
    if type_.kind is Kind.INTEGER:
        low, high = type_.int_range
        return Decimal(low), Decimal(high)
    if type_.kind is Kind.DECIMAL and type_.precision is not None:
        scale = type_.scale or 0
        high_ = Decimal(10) ** (type_.precision - scale) - Decimal(1).scaleb(-scale)
        return -high_, high_
    return Decimal("-Infinity"), Decimal("Infinity")


def _as(type_: ColumnType, value: Decimal) -> Any:
    return {Kind.INTEGER: int, Kind.FLOAT: float}.get(type_.kind, Decimal)(value)


def _steps(rule: Steps, type_: ColumnType, lowest: Decimal) -> tuple[Any, Any]:
    """Below the first whole bracket that the type can hold stands the type's smallest value."""
    first = None if lowest.is_infinite() else -floor_to(-lowest, rule.step)

    def python(value: Any) -> Any:
        known = (
            Decimal(int(value))
            if type_.kind is Kind.INTEGER
            else exact(value if isinstance(value, Decimal) else str(value))
        )
        if known is None:
            return Decimal("NaN")
        return _as(type_, lowest if first is not None and known < first else rule.floor(known))

    def sql(value: exp.Expression, dialect: Dialect) -> exp.Expression:
        from sqlglot import exp

        from dbmask_sql.dialects.base import integer, number

        if type_.kind is Kind.INTEGER:
            known = value if type_.unsigned else dialect.to_int(value)
            by = integer(int(rule.step))
            rest = exp.Paren(this=exp.Add(this=dialect.mod(known, by), expression=by.copy()))
            made: exp.Expression = exp.Paren(this=exp.Sub(this=known.copy(), expression=dialect.mod(rest, by.copy())))
            low, start = integer(int(lowest)), integer(int(first or 0))
            less: exp.Expression = exp.LT(this=known.copy(), expression=start)
        else:
            known = dialect.exact(value, Kind.DECIMAL)
            made = dialect.shared(known, lambda n: dialect.floor_to(n, rule.step), dialect.fresh("n", known))
            if first is None:
                return dialect.quick_floor(value, rule.step, made)
            low, less = number(lowest), dialect.exact_less(known.copy(), first)
        made = exp.Case(ifs=[exp.If(this=less, true=low)], default=made)
        return made if type_.kind is Kind.INTEGER else dialect.quick_floor(value, rule.step, made)

    return python, sql


_FLOATS = 10**15
"""Below it every database and Python write a float with the same shortest digits; from 2**53 on they differ."""


def _float_steps(rule: Steps, default: str) -> tuple[Any, Any]:
    """By the float's shortest decimal text; what is beyond becomes ``default``, or 0 where that is no number."""
    otherwise = float(exact(default) or 0)

    def python(value: Any) -> float:
        known = float(value)
        # Exponents of three digits, which are read as no number, are those of nearly zero.
        return float(rule.floor(exact(known) or Decimal(0))) if abs(known) < _FLOATS else otherwise

    def sql(value: exp.Expression, dialect: Dialect) -> exp.Expression:
        from sqlglot import exp

        from dbmask_sql.dialects.base import call, integer, text

        known = call("COALESCE", dialect.exact(value, Kind.FLOAT), dialect.exact_literal(Decimal(0)))
        made = dialect.shared(known, lambda n: dialect.floor_to(n, rule.step), dialect.fresh("n", known))
        low = exp.GT(this=value.copy(), expression=integer(-_FLOATS))
        near = exp.And(this=low, expression=exp.LT(this=value.copy(), expression=integer(_FLOATS)))
        null = exp.If(this=exp.Is(this=value.copy(), expression=exp.Null()), true=exp.Null())
        there = exp.If(this=near, true=dialect.typed(dialect.quick_floor(value, rule.step, made), Kind.FLOAT))
        return exp.Case(ifs=[null, there], default=dialect.typed(text(repr(otherwise)), Kind.FLOAT))

    return python, sql


def _bins(rule: Bins, type_: ColumnType) -> tuple[Any, Any]:
    def python(value: Any) -> Any:
        known = value if isinstance(value, int | float | Decimal) else Decimal(str(value))
        return _as(type_, rule.bounds[-1] if known != known else rule.floor(known))

    def sql(value: exp.Expression, dialect: Dialect) -> exp.Expression:
        from sqlglot import exp

        from dbmask_sql.dialects.base import number

        ifs = [exp.If(this=exp.Is(this=value.copy(), expression=exp.Null()), true=exp.Null())]
        ifs += [
            exp.If(this=exp.LT(this=value.copy(), expression=number(high)), true=number(low))
            for low, high in pairwise(rule.bounds)
        ]
        return exp.Case(ifs=ifs, default=number(rule.bounds[-1]))

    return python, sql
