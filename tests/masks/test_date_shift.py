from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import BindError, MaskError, PolicyError
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from dbmask_sql.dialects import dialect
from dbmask_sql.dialects.base import column
from tests.masks.engines import bind, in_duckdb, in_postgres, in_python, in_sqlite, one

if TYPE_CHECKING:
    import psycopg

DATE = ColumnType(Kind.DATE, "date")
STAMP = ColumnType(Kind.TIMESTAMP, "timestamp")
ZONED = ColumnType(Kind.TIMESTAMPTZ, "timestamptz")
TEXT = ColumnType(Kind.TEXT, "text")
INT = ColumnType(Kind.INTEGER, "integer", bits=32)
SPECS: list[dict[str, Any]] = [
    {"mask": "date_shift"},
    {"mask": "date_shift", "days": 1},
    {"mask": "date_shift", "days": 4000},
    {"mask": "date_shift", "days": 182, "keep_year": True},
]
DATES = [
    *(dt.date(1, 1, 1), dt.date(1, 12, 31), dt.date(9999, 12, 31), dt.date(9999, 1, 1), dt.date(2024, 2, 29)),
    *(dt.date(2023, 12, 31), dt.date(2024, 1, 1), dt.date(1969, 12, 31), dt.date(1582, 10, 10), dt.date(12, 3, 4)),
    *(dt.date(2000, 1, 1) + dt.timedelta(days=29 * i) for i in range(40)),
    None,
]


@given(st.dates(), st.integers(1, 36_500))
def test_dates_move_by_at_most_so_many_days(value: dt.date, days: int) -> None:
    made = one({"mask": "date_shift", "days": days}, DATE, value)
    assert 1 <= abs((made - value).days) <= days


@given(st.datetimes(), st.integers(1, 182))
def test_keep_year_keeps_it_and_the_time_of_day(value: dt.datetime, days: int) -> None:
    made = one({"mask": "date_shift", "days": days, "keep_year": True}, STAMP, value)
    assert made.year == value.year
    assert made.time() == value.time()
    assert 1 <= abs((made - value).days) <= days


def test_moves_go_both_ways_evenly() -> None:
    values = [dt.date(2000, 1, 1) + dt.timedelta(days=i) for i in range(4000)]
    made = in_python(bind({"mask": "date_shift", "days": 10}, DATE), {"v": values})
    moves = [(m - v).days for m, v in zip(made, values, strict=True)]
    assert {*range(-10, 11)} - {0} == set(moves)
    assert abs(sum(moves)) < 4000
    assert all(120 < moves.count(d) < 280 for d in set(moves))


def test_one_entity_moves_together_across_tables_and_types() -> None:
    bound = bind({"mask": "date_shift", "by": "id"}, DATE, {"id": INT})
    rows: dict[str, list[Any]] = {"v": [dt.date(2024, 1, 1), dt.date(2024, 3, 5), dt.date(2024, 1, 1)], "id": [7, 7, 8]}
    made = in_python(bound, rows)
    assert (made[1] - made[0]).days == 64
    assert not bound.promises.value_only
    stamps = bind({"mask": "date_shift", "by": "customer"}, STAMP, {"customer": TEXT})
    later = in_python(stamps, {"v": [dt.datetime(2024, 1, 1, 5)], "customer": ["7"]})
    assert later[0] == dt.datetime.combine(made[0], dt.time(5))
    assert in_python(bound, {"v": [dt.date(2024, 1, 1)], "id": [None]}) == [
        one({"mask": "date_shift"}, DATE, dt.date(2024, 1, 1))
    ]


def test_zoned_timestamps_move_by_whole_days_of_utc() -> None:
    from zoneinfo import ZoneInfo

    prague = dt.datetime(2024, 3, 30, 12, tzinfo=ZoneInfo("Europe/Prague"))
    utc = prague.astimezone(dt.UTC)
    assert one({"mask": "date_shift"}, ZONED, prague) == one({"mask": "date_shift"}, ZONED, utc)
    assert (one({"mask": "date_shift"}, ZONED, prague) - utc).seconds == 0


@pytest.mark.parametrize("value", ["infinity", "-infinity"])
def test_infinite_dates_stay(value: str) -> None:
    assert one({"mask": "date_shift"}, DATE, value) == value


def test_text_that_holds_dates() -> None:
    spec = {"mask": "date_shift", "on_invalid": "error"}
    assert one(spec, TEXT, "2024-02-29") == one({"mask": "date_shift"}, DATE, dt.date(2024, 2, 29)).isoformat()
    stamp = one({"mask": "date_shift"}, STAMP, dt.datetime(2024, 2, 29, 1, 2, 3))
    assert one(spec, TEXT, "2024-02-29 01:02:03") == stamp.isoformat(" ")
    for value in ("soon", "2024-13-01", "29.2.2024", " 2024-02-29", "20240229", "2024-02-29x"):
        assert one({**spec, "on_invalid": "null"}, TEXT, value) is None
        with pytest.raises(MaskError) as raised:
            one(spec, TEXT, value)
        assert value not in str(raised.value)


def test_other_columns_and_parameters_are_refused() -> None:
    with pytest.raises(BindError, match="on_invalid"):
        bind("date_shift", TEXT)
    with pytest.raises(BindError, match="noise"):
        bind("date_shift", INT)
    with pytest.raises(BindError, match="`by` names column"):
        bind({"mask": "date_shift", "by": "nope"}, DATE)
    for params in ({"days": 0}, {"days": -3}, {"days": 183, "keep_year": True}, {"days": 40_000}):
        with pytest.raises(PolicyError, match="days"):
            build_mask({"mask": "date_shift", **params})


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("kind", [DATE, STAMP, ZONED])
def test_engines_agree(spec: dict[str, Any], kind: ColumnType, pg: psycopg.Connection[Any]) -> None:
    values: list[Any] = list(DATES)
    if kind is not DATE:
        zone = dt.UTC if kind is ZONED else None
        clock = dt.time(23, 59, 59, 999_999, tzinfo=zone)
        values = [None if v is None else dt.datetime.combine(v, clock) for v in values]
    bound = bind(spec, kind)
    expected = in_python(bound, {"v": values})
    assert in_postgres(bound, {"v": kind.sql}, {"v": values}, pg) == expected
    if kind is not ZONED:  # the driver needs a package of its own to bring zoned values to Python
        assert in_duckdb(bound, {"v": kind.sql}, {"v": values}) == expected
    texts = [None if v is None else v.isoformat() for v in values]
    assert in_sqlite(bound, {"v": kind.sql}, {"v": texts}) == in_python(bound, {"v": texts})
    assert in_python(bound, {"v": texts}) == [None if v is None else v.isoformat() for v in expected]


def test_engines_agree_by_entity(pg: psycopg.Connection[Any]) -> None:
    rows: dict[str, list[Any]] = {"v": DATES, "id": [None, *range(len(DATES) - 1)]}
    bound = bind({"mask": "date_shift", "by": "id", "days": 90}, DATE, {"id": INT})
    expected = in_python(bound, rows)
    assert in_postgres(bound, {"v": "date", "id": "integer"}, rows, pg) == expected
    assert in_duckdb(bound, {"v": "date", "id": "integer"}, rows) == expected
    texts = {**rows, "v": [None if v is None else v.isoformat() for v in DATES]}
    assert in_sqlite(bound, {"v": "date", "id": "integer"}, texts) == in_python(bound, texts)


def test_infinite_dates_stay_in_sql(pg: psycopg.Connection[Any]) -> None:
    bound = bind("date_shift", DATE)
    made = bound.sql([column("v")], dialect("postgres"))
    assert made is not None and "ISFINITE" in made[0].sql("postgres")


def test_every_database_has_a_form() -> None:
    for name in ("postgres", "duckdb", "mysql", "sqlite"):
        assert bind("date_shift", DATE).sql([column("v")], dialect(name)) is not None
