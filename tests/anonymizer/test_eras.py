"""Segments of a range of days, and what makes a range illegal."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.anonymizer.eras import CENTURIES, EARLIEST, LATEST, RC_ERAS, Segment, range_problems, segments, year_after
from dbmask.anonymizer.parameters import Parameters

DAY = dt.timedelta(days=1)


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


def spans(parameters: Parameters) -> list[str]:
    return [f"{s.first} {s.last}" for s in parameters.segments]


def test_eras_are_clipped_and_cut_a_hundred_years_before_the_end() -> None:
    assert spans(Parameters(birthDayMin=day("1901-01-01"), birthDayMax=day("2008-04-23"))) == [
        "1901-01-01 1908-04-23",
        "1908-04-24 1953-12-31",
        "1954-01-01 2004-03-31",
        "2004-04-01 2008-04-23",
    ]
    assert spans(Parameters(birthDayMin=day("1960-05-05"), birthDayMax=day("1990-01-01"))) == ["1960-05-05 1990-01-01"]


def test_a_cut_that_would_leave_less_than_a_year_is_not_made() -> None:
    made = spans(Parameters(birthDayMin=day("1908-01-01"), birthDayMax=day("2008-04-23")))
    assert made[0] == "1908-01-01 1953-12-31"
    # The last day of era 2 less 100 years, 1953-12-31, is where an era ends anyway.
    assert spans(Parameters(birthDayMin=day("1854-01-01"), birthDayMax=day("2053-12-31"))) == [
        "1854-01-01 1953-12-31",
        "1954-01-01 2004-03-31",
        "2004-04-01 2053-12-31",
    ]


def test_a_later_begin_of_extended_months_is_a_cut() -> None:
    since = Parameters(birthDayMin=day("1960-01-01"), birthDayMax=day("2020-01-01"), extendedSince=day("2010-06-01"))
    assert spans(since)[-2:] == ["2004-04-01 2010-05-31", "2010-06-01 2020-01-01"]


def test_other_countries_numbers_tell_the_century() -> None:
    made = Parameters(birthDayMin=day("1880-01-01"), birthDayMax=day("2020-01-01"), type="pl.pesel")
    assert spans(made) == ["1880-01-01 1899-12-31", "1900-01-01 1999-12-31", "2000-01-01 2020-01-01"]


@given(st.dates(EARLIEST, LATEST), st.dates(EARLIEST, LATEST), st.sampled_from([RC_ERAS, CENTURIES]))
def test_segments_of_legal_ranges_partition_them_into_years(
    first: dt.date, last: dt.date, starts: tuple[dt.date, ...]
) -> None:
    if range_problems(first, last, starts):
        return
    made = segments(first, last, starts, (year_after(last, -100) + DAY,))
    assert made[0].first == first
    assert made[-1].last == last
    assert all(a.last + DAY == b.first for a, b in pairwise(made))
    assert all((s.last - s.first).days + 1 >= 365 for s in made)
    assert not any(s.first < start <= s.last for s in made for start in starts)


@pytest.mark.parametrize(
    ("first", "last", "what", "near"),
    [
        ("1853-12-31", "2008-04-23", "birthDayMin (1853-12-31) must not precede 1854-01-01", "nearest: 1854-01-01"),
        ("1901-01-01", "2054-01-01", "birthDayMax (2054-01-01) must not follow 2053-12-31", "nearest: 2053-12-31"),
        (
            "1953-01-02",
            "2008-04-23",
            "birthDayMin (1953-01-02) must not fall within 1 year before 1954-01-01",
            "nearest: 1953-01-01 or 1954-01-01",
        ),
        (
            "2004-03-31",
            "2008-04-23",
            "birthDayMin (2004-03-31) must not fall within 1 year before 2004-04-01",
            "nearest: 2003-04-01 or 2004-04-01",
        ),
        (
            "1901-01-01",
            "1954-01-01",
            "birthDayMax (1954-01-01) must not fall within 1 year after 1954-01-01",
            "nearest: 1953-12-31 or 1955-01-01",
        ),
        (
            "1901-01-01",
            "2005-03-31",
            "birthDayMax (2005-03-31) must not fall within 1 year after 2004-04-01",
            "nearest: 2004-03-31 or 2005-04-01",
        ),
        (
            "1990-01-01",
            "1990-12-31",
            "birthDayMin (1990-01-01) and birthDayMax (1990-12-31) must be at least 1 year apart",
            "nearest: birthDayMin 1989-12-31 or earlier, or birthDayMax 1991-01-01 or later",
        ),
    ],
)
def test_an_illegal_range_is_named_with_the_nearest_legal_values(first: str, last: str, what: str, near: str) -> None:
    [problem] = range_problems(day(first), day(last), RC_ERAS)
    assert (problem.what, problem.hint) == (what, near)


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("1953-01-01", "2008-04-23"),
        ("1954-01-01", "2008-04-23"),
        ("2003-04-01", "2008-04-23"),
        ("2004-04-01", "2005-04-01"),
        ("1901-01-01", "1953-12-31"),
        ("1901-01-01", "1955-01-01"),
        ("1901-01-01", "2004-03-31"),
        ("1854-01-01", "2053-12-31"),
        ("1990-01-01", "1991-01-01"),
        ("2000-02-29", "2001-02-28"),
    ],
)
def test_a_year_away_and_the_boundary_itself_are_legal(first: str, last: str) -> None:
    assert range_problems(day(first), day(last), RC_ERAS) == []


def test_nearest_values_of_a_short_range_are_legal_themselves() -> None:
    [problem] = range_problems(day("1955-01-01"), day("1955-01-01"), RC_ERAS)
    assert problem.hint == "nearest: birthDayMin 1954-01-01 or earlier, or birthDayMax 1956-01-01 or later"
    problems = range_problems(day("2005-01-01"), day("2005-05-01"), RC_ERAS)
    assert problems[0].hint == "nearest: birthDayMin 2004-05-01 or earlier, or birthDayMax 2006-01-01 or later"
    problems = range_problems(day("1954-06-01"), day("1954-12-31"), RC_ERAS)
    assert problems[-1].hint == "nearest: birthDayMin 1953-01-01 or earlier, or birthDayMax 1955-06-01 or later"


def test_the_end_of_the_calendar_is_no_trap() -> None:
    assert range_problems(dt.date.max, dt.date.max, RC_ERAS)
    assert range_problems(dt.date.min, dt.date.min, RC_ERAS)


@given(st.dates(), st.integers(-200, 200))
def test_year_after_stays_on_the_day(start: dt.date, years: int) -> None:
    made = year_after(start, years)
    if 1 <= start.year + years <= 9999:
        assert made.year == start.year + years
        assert (made.month, made.day) == (start.month, start.day) or (made.month, made.day) == (2, 28)


def test_a_year_is_a_year_whatever_its_length() -> None:
    assert Segment(day("2003-04-01"), day("2004-03-31")).holds_a_year
    assert Segment(day("2001-01-01"), day("2001-12-31")).holds_a_year
    assert not Segment(day("2004-01-01"), day("2004-12-30")).holds_a_year
