"""random_number: a number between two bounds, whatever was there."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Annotated, Any, ClassVar

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._draw import WORD_LIMIT, drawer
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonicalizer

__all__ = ["RandomNumber"]

_INTEGER = ColumnType(Kind.INTEGER, "integer", bits=32)
_EXACT = Context(prec=200)


@dataclass(frozen=True, kw_only=True)
class RandomNumber(KeyedMask):
    """A number from ``min`` to ``max`` (both may come out) with ``decimal_places``, evenly drawn from key and value.

    Equal values give equal numbers; ``random: true`` draws anew each time.
    """

    name: ClassVar[str] = "random_number"
    aliases: ClassVar[tuple[str, ...]] = ("from_random_number",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case(42, 26, {"min": 1, "max": 100}, _INTEGER),
        Case("42", "0.864", {"min": 0, "max": 1, "decimal_places": 3}),
        Case(None, None, {"min": 1, "max": 100}, _INTEGER),
    )

    min: int | float
    max: int | float
    decimal_places: Annotated[int, Field(ge=0, le=18)] = 0
    random: bool = False

    def __post_init__(self) -> None:
        if not self._low <= self._high:
            raise ValueError("min must not be above max")
        if self.random:
            object.__setattr__(self, "profiles", frozenset({"clone", "file", "spark"}))

    def _scaled(self, bound: float) -> int:
        exact = Decimal(str(bound))
        if not exact.is_finite() or abs(exact) > 10**30:
            raise ValueError("min and max must be numbers of at most 30 digits")
        made = exact.scaleb(self.decimal_places, _EXACT)
        if made != made.to_integral_value():
            raise ValueError(f"min and max have more than {self.decimal_places} decimal places; say `decimal_places`")
        return int(made)

    @property
    def _low(self) -> int:
        return self._scaled(self.min)

    @property
    def _high(self) -> int:
        return self._scaled(self.max)

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit numbers and text. Raises BindError on other columns, and where the numbers do not fit."""
        type_ = columns.target.type
        low, high, places = self._low, self._high, self.decimal_places
        if type_.kind not in (Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.TEXT):
            raise BindError(f"random_number makes numbers, and the column is {type_}", "use random_date, fixed or null")
        self._check(type_, low, high)
        key = None if self.random else self.key(keys)
        draw, canonical = drawer(key, high - low + 1), canonicalizer(type_.kind, type_.padded)

        def python(value: Any) -> Any:
            made = Decimal(low + draw(canonical(value))).scaleb(-places, _EXACT)
            if type_.kind is Kind.TEXT:
                return format(made, "f")
            return int(made) if type_.kind is Kind.INTEGER else float(made) if type_.kind is Kind.FLOAT else made

        def sql(value: Any, dialect: Any) -> Any:
            from sqlglot import exp

            from dbmask_sql.dialects.base import integer

            text = dialect.canonical(value, type_.kind, type_.padded)
            if key is None or type_.kind is not Kind.INTEGER or text is None or high - low >= WORD_LIMIT:
                return None
            word = dialect.mod(dialect.prf_word(text, key.name), high - low + 1)
            return exp.Paren(this=exp.Add(this=word, expression=dialect.to_int(integer(low))))

        length = max(len(format(Decimal(b).scaleb(-places, _EXACT), "f")) for b in (low, high))
        made = ColumnType(Kind.TEXT, type_.sql, length=length) if type_.is_text else type_
        promises = Promises(
            type=made,
            value_only=key is not None,
            keyed=key is not None,
            outcomes=high - low + 1,
        )
        return self.bound(columns, promises, python, sql)

    def _check(self, type_: ColumnType, low: int, high: int) -> None:
        places = self.decimal_places
        if type_.kind is Kind.INTEGER:
            if places:
                raise BindError(f"numbers with decimal places do not fit {type_}", "leave out `decimal_places`")
            smallest, largest = type_.int_range
        elif type_.kind is Kind.DECIMAL and type_.precision is not None:
            if places > (type_.scale or 0):
                raise BindError(
                    f"{places} decimal places do not fit {type_}", f"set `decimal_places: {type_.scale or 0}`"
                )
            largest = (10**type_.precision - 1) // 10 ** ((type_.scale or 0) - places)
            smallest = -largest
        else:
            return
        if low < smallest or high > largest:
            raise BindError(
                f"numbers from {self.min} to {self.max} do not fit {type_}", "set `min` and `max` within it"
            )
