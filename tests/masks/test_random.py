"""Masks that make a value up: random_number, random_date, retain_year, retain_age."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import BindError, PolicyError
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_duckdb, in_postgres, in_python, one

if TYPE_CHECKING:
    import psycopg

TEXT = ColumnType(Kind.TEXT, "text")
INT = ColumnType(Kind.INTEGER, "integer", bits=32)
MONEY = ColumnType(Kind.DECIMAL, "numeric(8,2)", precision=8, scale=2)
FLOAT = ColumnType(Kind.FLOAT, "double precision")
DATE = ColumnType(Kind.DATE, "date")
STAMP = ColumnType(Kind.TIMESTAMP, "timestamp")


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**6), st.text())
def test_numbers_are_within_their_bounds(low: int, width: int, value: str) -> None:
    spec = {"mask": "random_number", "min": low, "max": low + width}
    made = int(one(spec, TEXT, value or "x"))
    assert low <= made <= low + width


def test_numbers_are_even_and_both_ends_come_out() -> None:
    made = in_python(bind({"mask": "random_number", "min": -1, "max": 2}, INT), {"v": list(range(4000))})
    counts = Counter(made)
    assert set(counts) == {-1, 0, 1, 2}
    assert min(counts.values()) > 850


def test_numbers_have_the_columns_type() -> None:
    spec = {"mask": "random_number", "min": 0, "max": 9.99, "decimal_places": 2}
    assert isinstance(one(spec, MONEY, Decimal(5)), Decimal)
    assert isinstance(one(spec, FLOAT, 5.0), float)
    assert len(one(spec, TEXT, "x")) == 4
    assert isinstance(one({"mask": "random_number", "min": 0, "max": 9}, INT, 5), int)


def test_wide_ranges_are_drawn_from_more_bits() -> None:
    made = in_python(
        bind({"mask": "from_random_number", "min": 0, "max": 10**18}, TEXT), {"v": list(map(str, range(500)))}
    )
    assert len(set(made)) == 500
    assert max(map(int, made)) > 9 * 10**17


@pytest.mark.parametrize("mask", ["random_number", "random_date"])
def test_random_draws_anew_and_never_in_a_view(mask: str) -> None:
    bounds = (0, 10**9) if mask == "random_number" else ("0001-01-01", "9999-12-31")
    made = build_mask({"mask": mask, "min": bounds[0], "max": bounds[1], "random": True})
    assert "view" not in made.profiles
    bound = bind(made, TEXT)
    assert not bound.promises.value_only and not bound.promises.keyed
    assert len({in_python(bound, {"v": ["x"]})[0] for _ in range(20)}) > 15


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"min": 2, "max": 1}, "min must not be above"),
        ({"min": 0.5, "max": 1}, "decimal_places"),
        ({"min": 0, "max": 1e300}, "30 digits"),
        ({"min": 0}, "needs the parameter 'max'"),
    ],
)
def test_bounds_of_numbers_are_checked(params: dict[str, Any], message: str) -> None:
    with pytest.raises(PolicyError, match=message):
        build_mask({"mask": "random_number", **params})


def test_numbers_that_do_not_fit_are_refused() -> None:
    for params, type_ in [
        ({"max": 2**31}, INT),
        ({"max": 5, "decimal_places": 1}, INT),
        ({"max": 10**6}, MONEY),
        ({"max": 5, "decimal_places": 3}, MONEY),
        ({"max": 5}, DATE),
        ({"max": 1000}, ColumnType(Kind.TEXT, "varchar(3)", length=3)),
    ]:
        with pytest.raises(BindError):
            bind({"mask": "random_number", "min": 0, **params}, type_)


def test_engines_agree_on_numbers(pg: psycopg.Connection[Any]) -> None:
    bound = bind({"mask": "random_number", "min": -50, "max": 10**9}, INT)
    values = [0, 1, -1, 2**31 - 1, None, *range(100, 140)]
    expected = in_python(bound, {"v": values})
    assert in_postgres(bound, {"v": "integer"}, {"v": values}, pg) == expected
    assert in_duckdb(bound, {"v": "INTEGER"}, {"v": values}) == expected


@given(st.dates(), st.dates(), st.dates())
def test_dates_are_within_their_bounds(value: dt.date, first: dt.date, second: dt.date) -> None:
    low, high = sorted([first, second])
    spec = {"mask": "random_date", "min": low.isoformat(), "max": high.isoformat()}
    assert low <= one(spec, DATE, value) <= high
    stamp = one(spec, STAMP, dt.datetime.combine(value, dt.time(3)))
    assert low <= stamp.date() <= high
    assert low <= dt.date.fromisoformat(one(spec, TEXT, "x")) <= high


def test_bounds_of_dates_are_checked() -> None:
    with pytest.raises(PolicyError, match="min must not be after"):
        build_mask({"mask": "random_date", "min": "2024-02-01", "max": "2024-01-01"})
    with pytest.raises(PolicyError, match="min"):
        build_mask({"mask": "random_date", "min": "soon", "max": "2024-01-01"})
    with pytest.raises(BindError, match="random_number"):
        bind({"mask": "random_date", "min": "2024-01-01", "max": "2024-01-02"}, INT)


@given(st.datetimes())
def test_the_year_stays_and_the_day_does_not(value: dt.datetime) -> None:
    made = one("retain_year", STAMP, value)
    assert made.year == value.year and made.time() == value.time() and made.date() != value.date()
    text = one("retain_year", DATE, value.date().isoformat())
    assert text[:4] == value.date().isoformat()[:4] and text != value.date().isoformat()


def _age(born: dt.date, day: dt.date) -> int:
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


@given(st.dates(dt.date(3, 1, 1), dt.date(9990, 1, 1)), st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)))
def test_the_age_stays_and_the_birthday_does_not(born: dt.date, day: dt.date) -> None:
    made = one({"mask": "retain_age", "as_of": day.isoformat()}, DATE, born)
    assert made != born
    assert _age(made, day) == _age(born, day)


def test_ages_are_spread_over_the_whole_year() -> None:
    bound = bind({"mask": "retain_age", "as_of": "2024-02-29"}, DATE)
    made = in_python(bound, {"v": [dt.date(1990, 1, 1) + dt.timedelta(days=i) for i in range(365)]})
    assert len({m.month for m in made}) == 12


def test_dates_only() -> None:
    for mask in ("retain_year", "retain_age"):
        with pytest.raises(BindError, match="moves dates"):
            bind(mask, INT)
