"""retain_year and retain_age: another day of the same year, or of the same year of life."""

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
from dbmask_sql.temporal import add_days

__all__ = ["RetainAge", "RetainYear"]

_DATE = ColumnType(Kind.DATE, "date")
_STAMP = ColumnType(Kind.TIMESTAMP, "timestamp")


@dataclass(frozen=True, kw_only=True)
class RetainYear(KeyedMask):
    """Another day of the same year, evenly drawn from key and value; the time of day stays."""

    name: ClassVar[str] = "retain_year"
    cases: ClassVar[tuple[Case, ...]] = (
        Case(dt.date(1987, 6, 5), dt.date(1987, 3, 24), {}, _DATE),
        Case(dt.datetime(2024, 2, 29, 12, 30), dt.datetime(2024, 6, 12, 12, 30), {}, _STAMP),
        Case(None, None, type=_DATE),
    )

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit dates and timestamps. Raises BindError on other columns."""
        type_ = columns.target.type
        if not type_.is_temporal:
            raise BindError(f"{self.name} moves dates, and the column is {type_}", "use permute, fixed or null")
        key, canonical = self.key(keys), canonicalizer(type_.kind)
        draws = {n: drawer(key, n) for n in (364, 365)}

        def python(value: Any) -> Any:
            data = canonical(value)
            day = dt.date.fromisoformat(data[:10].decode())
            first, last = self._span(day)
            place, count = (day - first).days, (last - first).days
            # One of the other days.
            drawn = draws[count](data)
            return add_days(_in_utc(value), drawn + (drawn >= place) - place)

        promises = Promises(type=type_, keyed=True, outcomes=365, unchanged=0.0, total=False)
        return self.bound(columns, promises, python)

    def _span(self, day: dt.date) -> tuple[dt.date, dt.date]:
        """The first and the last day among which ``day`` may move."""
        return dt.date(day.year, 1, 1), dt.date(day.year, 12, 31)


@dataclass(frozen=True, kw_only=True)
class RetainAge(RetainYear):
    """Another date of birth that gives the same age in years on the day ``as_of``; without it, at the end of any year.

    The day is never today's, or a second run would give other dates.
    """

    name: ClassVar[str] = "retain_age"
    cases: ClassVar[tuple[Case, ...]] = (
        Case(dt.date(1987, 6, 5), dt.date(1987, 2, 18), {"as_of": "2024-07-01"}, _DATE),
        Case(dt.date(1987, 6, 5), dt.date(1987, 8, 21), {}, _DATE),
        Case(None, None, type=_DATE),
    )

    as_of: dt.date | None = None

    def _span(self, day: dt.date) -> tuple[dt.date, dt.date]:
        if self.as_of is None:
            return RetainYear._span(self, day)
        # Born on the day after a birthday's anniversary a year earlier, up to the anniversary itself.
        last = _same_day(self.as_of, day.year)
        if last < day:
            last = _same_day(self.as_of, day.year + 1)
        return _same_day(self.as_of, last.year - 1) + dt.timedelta(days=1), last


def _same_day(day: dt.date, year: int) -> dt.date:
    """The same day of another year; 28 February for a 29th that is not there. Raises ValueError beyond years 1 and 9999."""
    leap = day.month == 2 and day.day == 29
    return dt.date(year, 2, 28) if leap and not _is_leap(year) else day.replace(year=year)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _in_utc(value: Any) -> Any:
    return value.astimezone(dt.UTC) if isinstance(value, dt.datetime) and value.tzinfo is not None else value
