"""The specification's rules for birth numbers and dates, one value at a time: what the engine is judged by."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

DAY = dt.timedelta(days=1)
ERA_STARTS = (dt.date(1954, 1, 1), dt.date(2004, 4, 1))
FLAGS = (
    "AA_FN_NOT_CHANGED",
    "AA_LN_NOT_CHANGED",
    "AA_RC_NOT_CHANGED",
    "AA_RC_DATE_MISMATCH",
    "AA_BD_NOT_CHANGED",
    "AA_RC_CENTURY_GUESS",
)


@dataclass(frozen=True)
class Range:
    """birthDayMin and birthDayMax."""

    first: dt.date
    last: dt.date

    def segment(self, day: dt.date) -> tuple[dt.date, dt.date]:
        """First and last day of the stretch that ``day`` may not leave."""
        starts = [self.first, *(s for s in ERA_STARTS if self.first < s <= self.last)]
        low = max(s for s in starts if s <= day)
        high = min((s - DAY for s in starts if s > day), default=self.last)
        cut = self.last.replace(year=self.last.year - 100, day=min(self.last.day, 28 if self.last.month == 2 else 31))
        if low <= cut < high and a_year(low, cut) and a_year(cut + DAY, high):
            return (low, cut) if day <= cut else (cut + DAY, high)
        return low, high

    def window(self, day: dt.date, widening: float = 0.05) -> tuple[dt.date, dt.date]:
        """First and last day that ``day`` may become."""
        low, high = self.segment(day)
        width = min(366 + int(widening * (self.last - day).days), (high - low).days + 1)
        start = min(max(day - dt.timedelta(days=width // 2), low), high - dt.timedelta(days=width - 1))
        return start, start + dt.timedelta(days=width - 1)


def a_year(first: dt.date, last: dt.date) -> bool:
    """Whether the stretch is a year or longer."""
    return (last - first).days + 1 >= 365


@dataclass(frozen=True)
class Rc:
    """A birth number, taken apart. ``text`` may have a slash."""

    text: str

    @property
    def digits(self) -> str:
        return self.text.replace("/", "")

    @property
    def month_plus(self) -> int:
        return next(p for p in (70, 50, 20, 0) if 1 <= int(self.digits[2:4]) - p <= 12)

    @property
    def woman(self) -> bool:
        return self.month_plus >= 50

    @property
    def extended(self) -> bool:
        return self.month_plus in (20, 70)

    @property
    def yymmdd(self) -> str:
        return f"{self.digits[:2]}{int(self.digits[2:4]) - self.month_plus:02}{self.digits[4:6]}"

    @property
    def difference(self) -> int:
        """Last digit less the right one."""
        return int(self.digits[-1]) - int(self.digits[:9]) % 11

    def day(self, bounds: Range, extended_since: dt.date = ERA_STARTS[1]) -> dt.date | None:
        """The day that the number tells by itself."""
        found = []
        for century in (2000, 1900, 1800):
            try:
                day = dt.date(century + int(self.yymmdd[:2]), int(self.yymmdd[2:4]), int(self.yymmdd[4:6]))
            except ValueError:
                continue
            if bounds.first <= day <= bounds.last and (day >= extended_since or not self.extended):
                found.append(day)
        return max((d for d in found if len(self.digits) != 9 or d < ERA_STARTS[0]), default=None)
