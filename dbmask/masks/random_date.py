"""random_date: a date between two others, whatever was there."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, ClassVar

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._draw import drawer
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonicalizer

__all__ = ["RandomDate"]

_DATE = ColumnType(Kind.DATE, "date")
_DAY = 86_400
_ISO = 10  # characters


@dataclass(frozen=True, kw_only=True)
class RandomDate(KeyedMask):
    """A date from ``min`` to ``max`` (both may come out), evenly drawn from key and value; in timestamps a second of the day as well.

    Equal values give equal dates; ``random: true`` draws anew each time.
    """

    name: ClassVar[str] = "random_date"
    aliases: ClassVar[tuple[str, ...]] = ("from_random_date",)
    cases: ClassVar[tuple[Case, ...]] = (
        Case(dt.date(1987, 6, 5), dt.date(1985, 10, 21), {"min": "1950-01-01", "max": "1999-12-31"}, _DATE),
        Case("soon", "2024-06-17", {"min": "2024-01-01", "max": "2024-12-31"}),
        Case(None, None, {"min": "2024-01-01", "max": "2024-12-31"}, _DATE),
    )

    min: dt.date
    max: dt.date
    random: bool = False

    def __post_init__(self) -> None:
        if self.min > self.max:
            raise ValueError("min must not be after max")
        if self.random:
            object.__setattr__(self, "profiles", frozenset({"clone", "file", "spark"}))

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit dates, timestamps and text, which gets ISO 8601. Raises BindError on other columns."""
        type_ = columns.target.type
        if not (type_.is_temporal or type_.is_text):
            raise BindError(f"random_date makes dates, and the column is {type_}", "use random_number, fixed or null")
        key = None if self.random else self.key(keys)
        days = (self.max - self.min).days + 1
        timed = type_.kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ)
        draw, canonical = drawer(key, days * _DAY), canonicalizer(type_.kind, type_.padded)
        zone = dt.UTC if type_.kind is Kind.TIMESTAMPTZ else None

        def python(value: Any) -> Any:
            day, second = divmod(draw(canonical(value)), _DAY)
            date = self.min + dt.timedelta(days=day)
            if timed:
                stamp = dt.datetime.combine(date, dt.time(tzinfo=zone)) + dt.timedelta(seconds=second)
                return stamp.isoformat(" ") if isinstance(value, str) else stamp
            return date.isoformat() if isinstance(value, str) else date

        made = ColumnType(Kind.TEXT, type_.sql, length=_ISO) if type_.is_text else type_
        outcomes = days * (_DAY if timed else 1)
        promises = Promises(type=made, value_only=key is not None, keyed=key is not None, outcomes=outcomes)
        return self.bound(columns, promises, python)
