"""The stretches of time that a birth date never leaves: eras, clipped to the range and cut where centuries would mix.

    1854-01-01 ... 1953-12-31 | 1954-01-01 ... 2004-03-31 | 2004-04-01 ... 2053-12-31      Czech and Slovak numbers
    1854-01-01 ... 1899-12-31 | 1900-01-01 ... 1999-12-31 | 2000-01-01 ... 2053-12-31      numbers that tell the century

In 1954 birth numbers got their tenth digit, in April 2004 their extended months. Numbers of two digits a year repeat
after 100 years: the range is cut 100 years before its end as well, where both parts keep a year, so that a number
whose century was guessed stays on its side. The same goes for the day from which extended months are taken, where that
is another one than April 2004's first.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from itertools import pairwise

from dbmask.errors import Problem

__all__ = [
    "CENTURIES",
    "EARLIEST",
    "EXTENDED",
    "LATEST",
    "RC_ERAS",
    "Segment",
    "range_problems",
    "segments",
    "year_after",
]

EARLIEST = dt.date(1854, 1, 1)
LATEST = dt.date(2053, 12, 31)
EXTENDED = dt.date(2004, 4, 1)
RC_ERAS = (dt.date(1954, 1, 1), EXTENDED)
CENTURIES = (dt.date(1900, 1, 1), dt.date(2000, 1, 1))

_DAY = dt.timedelta(days=1)


def year_after(day: dt.date, years: int = 1) -> dt.date:
    """The same day ``years`` later (earlier where negative); 28 February for a 29th that the year does not have.

    >>> year_after(dt.date(2000, 2, 29))
    datetime.date(2001, 2, 28)
    """
    year = min(max(day.year + years, dt.MINYEAR), dt.MAXYEAR)
    try:
        return day.replace(year=year)
    except ValueError:
        return day.replace(year=year, day=28)


@dataclass(frozen=True)
class Segment:
    """Days from ``first`` to ``last``, both included, which the date map permutes among themselves."""

    first: dt.date
    last: dt.date

    @property
    def holds_a_year(self) -> bool:
        """Whether it is a year long or longer."""
        return year_after(self.first) - _DAY <= self.last


def segments(
    first: dt.date, last: dt.date, starts: tuple[dt.date, ...], cuts: tuple[dt.date, ...] = ()
) -> tuple[Segment, ...]:
    """The segments of the range ``first`` to ``last``.

    ``starts`` are the days on which a new era begins; at a day of ``cuts`` a segment begins too, where both parts keep a year.
    """
    bounds = [first, *(s for s in starts if first < s <= last), last + _DAY]
    found = [Segment(a, b - _DAY) for a, b in pairwise(bounds)]
    for cut in cuts:
        made: list[Segment] = []
        for segment in found:
            parts = (Segment(segment.first, cut - _DAY), Segment(cut, segment.last))
            inside = segment.first < cut <= segment.last
            made += parts if inside and all(p.holds_a_year for p in parts) else [segment]
        found = made
    return tuple(found)


def range_problems(first: dt.date, last: dt.date, starts: tuple[dt.date, ...]) -> list[Problem]:
    """Everything that is wrong with birthDayMin and birthDayMax, each with its value and the nearest legal ones."""
    problems = []
    if first < EARLIEST:
        problems.append(_problem("birthDayMin", first, f"must not precede {EARLIEST}", [EARLIEST]))
    if last > LATEST:
        problems.append(_problem("birthDayMax", last, f"must not follow {LATEST}", [LATEST]))
    for start in starts:
        before, after = year_after(start, -1), year_after(start)
        if before < first < start:
            what = f"must not fall within 1 year before {start}"
            problems.append(_problem("birthDayMin", first, what, [before, start]))
        if start <= last < after:
            what = f"must not fall within 1 year after {start}"
            problems.append(_problem("birthDayMax", last, what, [start - _DAY, after]))
    if last < year_after(first):
        earlier = _legal_first(year_after(last, -1), starts)
        later = _legal_last(year_after(first), starts)
        what = f"birthDayMin ({first}) and birthDayMax ({last}) must be at least 1 year apart"
        near = [f"birthDayMin {earlier} or earlier"] * (earlier >= EARLIEST)
        near += [f"birthDayMax {later} or later"] * (later <= LATEST)
        problems.append(Problem("", what, "nearest: " + ", or ".join(near)))
    return problems


def _problem(name: str, value: dt.date, what: str, near: list[dt.date]) -> Problem:
    return Problem("", f"{name} ({value}) {what}", "nearest: " + " or ".join(map(str, near)))


def _legal_first(day: dt.date, starts: tuple[dt.date, ...]) -> dt.date:
    """The latest legal birthDayMin that does not follow ``day``."""
    return next((year_after(s, -1) for s in starts if year_after(s, -1) < day < s), day)


def _legal_last(day: dt.date, starts: tuple[dt.date, ...]) -> dt.date:
    """The earliest legal birthDayMax that does not precede ``day``."""
    return next((year_after(s) for s in starts if s <= day < year_after(s)), day)
