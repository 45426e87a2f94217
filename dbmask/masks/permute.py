"""permute: integers to integers, one to one."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from math import isqrt
from typing import Any, ClassVar, NamedTuple

from dbmask.errors import BindError
from dbmask.keys import ColumnKey, KeyRing
from dbmask.masks._permutation import SQL_LIMIT, Permutation, permutation_sql
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import ColumnType, Kind

__all__ = ["Permute"]

_INTEGER = ColumnType(Kind.INTEGER, "integer", bits=32)
_LONGEST = 38
"""Digits of the largest integers, in numeric(38)."""


class _Zone(NamedTuple):
    """The integers from ``low`` to ``high``, permuted among themselves."""

    low: int
    high: int

    @property
    def size(self) -> int:
        return self.high - self.low + 1

    @property
    def tag(self) -> str:
        """What tells the zone's permutation from others under the same key: text of one length."""
        return f"{self.low:+0{_LONGEST + 1}d}"


@dataclass(frozen=True, kw_only=True)
class Permute(KeyedMask):
    """A keyed bijection of integers: of ``low`` to ``high``, or else of the integers with the same sign and number of digits.

    Keys stay keys of the same length, and the sequence behind them can go on: the top sixteenth of the type's range is
    permuted apart, so that no smaller key arrives there. Integers outside ``low`` to ``high`` stay outside.
    """

    name: ClassVar[str] = "permute"
    cases: ClassVar[tuple[Case, ...]] = (
        Case(7, 3, type=_INTEGER),
        Case(12345, 63940, type=_INTEGER),
        Case(-42, -93, type=_INTEGER),
        Case(None, None, type=_INTEGER),
    )

    low: int | None = None
    high: int | None = None

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be less than high")

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit integer columns, and decimal ones without decimal places. Raises BindError on others."""
        type_ = columns.target.type
        smallest, largest = _range(type_)
        for name, bound in (("low", self.low), ("high", self.high)):
            if bound is not None and not smallest <= bound <= largest:
                raise BindError(f"`{name}: {bound}` is outside the range of {type_}", f"{smallest} to {largest}")
        zones = self._zones(smallest, largest)
        key = self.key(keys)
        made = Decimal if type_.kind is Kind.DECIMAL else int
        run = _runner(zones, key)

        def python(value: Any) -> Any:
            number = int(value)
            if number != value:
                raise ValueError("not an integer")
            return made(run(number))

        made_bound = self.bound(
            columns,
            Promises(type=type_, injective=True, keyed=True),
            python,
            lambda value, dialect: _sql(value, zones, key, dialect),
        )
        starts = [z.low for z in zones]
        # A random permutation leaves one of its places, on average, as it was.
        return replace(made_bound, stays=lambda value: 1 / zones[bisect_right(starts, int(value)) - 1].size)

    def _zones(self, smallest: int, largest: int) -> list[_Zone]:
        """The type's range, cut where a value must not cross."""
        cuts = {0, largest - largest // 16 + 1, smallest - smallest // 16}
        digits = 1
        while 10**digits <= max(largest, -smallest):
            cuts |= {10**digits, 1 - 10**digits}
            digits += 1
        if self.low is not None or self.high is not None:
            low = smallest if self.low is None else self.low
            high = largest if self.high is None else self.high
            cuts = {c for c in cuts if not low < c <= high} | {low, high + 1}
        starts = sorted({smallest, *(c for c in cuts if smallest < c <= largest)})
        return [_Zone(a, b - 1) for a, b in zip(starts, [*starts[1:], largest + 1], strict=True)]


def _range(type_: ColumnType) -> tuple[int, int]:
    if type_.kind is Kind.INTEGER:
        return type_.int_range
    if type_.kind is Kind.DECIMAL and type_.precision is not None and not type_.scale:
        if type_.precision > _LONGEST:
            raise BindError(f"permute knows integers of up to {_LONGEST} digits, and the column is {type_}")
        return 1 - 10**type_.precision, 10**type_.precision - 1
    hint = {
        Kind.TEXT: "use imitate with `unique: true`",
        Kind.UUID: "use uuid",
        Kind.DECIMAL: "use noise",
        Kind.FLOAT: "use noise",
        Kind.DATE: "use date_shift",
    }.get(type_.kind, "use fixed or null")
    raise BindError(f"permute is for integers, and the column is {type_}", hint)


def _runner(zones: list[_Zone], key: ColumnKey) -> Callable[[int], int]:
    starts = [z.low for z in zones]
    smallest, largest = starts[0], zones[-1].high
    made: dict[int, Permutation] = {}

    def run(number: int) -> int:
        if not smallest <= number <= largest:
            raise ValueError("outside the column's range")
        at = bisect_right(starts, number) - 1
        zone = zones[at]
        if at not in made:
            made[at] = Permutation(key, zone.size, zone.tag)
        return zone.low + made[at](number - zone.low)

    return run


def _sql(value: Any, zones: list[_Zone], key: ColumnKey, dialect: Any) -> Any:
    from sqlglot import exp

    from dbmask_sql.dialects.base import integer, text

    fits = zones[0].low >= -(2**63) and zones[-1].high < 2**63 and all(z.size <= SQL_LIMIT for z in zones)
    if not fits or not dialect.names_values or dialect.name == "sqlite":
        return None  # SQLite's integer columns may hold anything

    def by_zone(number: Any, of: Callable[[_Zone], Any]) -> Any:
        """What ``of`` says of the number's zone; the zones of small numbers are asked first."""

        def first(order: list[_Zone], end: Callable[[_Zone], Any]) -> Any:
            ifs = [exp.If(this=end(z), true=of(z)) for z in order[:-1]]
            return exp.Case(ifs=ifs, default=of(order[-1])) if ifs else of(order[-1])

        up = [z for z in zones if z.high >= 0]
        made = first(up, lambda z: exp.LTE(this=number.copy(), expression=integer(z.high)))
        down = [z for z in reversed(zones) if z.low < 0]
        if not down:
            return made
        below = first(down, lambda z: exp.GTE(this=number.copy(), expression=integer(z.low)))
        negative = exp.LT(this=number.copy(), expression=integer(0))
        return exp.Case(ifs=[exp.If(this=negative, true=below)], default=made)

    def permuted(number: Any) -> Any:
        zone = {
            "low": by_zone(number, lambda z: dialect.to_int(integer(z.low))),
            "size": by_zone(number, lambda z: dialect.to_int(integer(z.size))),
            "side": by_zone(number, lambda z: dialect.to_int(integer(isqrt(z.size)))),
            "tag": by_zone(number, lambda z: text(z.tag)),
        }

        def within(refs: Any) -> Any:
            start = exp.Paren(this=exp.Sub(this=number.copy(), expression=refs["low"].copy()))
            made = permutation_sql(start, refs["size"], refs["side"], refs["tag"], key, dialect)
            return exp.Paren(this=exp.Add(this=refs["low"].copy(), expression=made))

        return dialect.let_all(zone, within)

    return dialect.let(dialect.to_int(value), permuted, "n")
