from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask_sql.temporal import add_days, date_floor

PRAGUE = dt.timezone(dt.timedelta(hours=2))


@pytest.mark.parametrize(
    ("value", "part", "made"),
    [
        (dt.date(2024, 2, 29), "year", dt.date(2024, 1, 1)),
        (dt.datetime(2024, 2, 29, 10, 30), "month", dt.datetime(2024, 2, 1)),
        (dt.datetime(2024, 1, 1, 1, tzinfo=PRAGUE), "year", dt.datetime(2023, 1, 1, tzinfo=dt.UTC)),
        ("2024-02-29", "month", "2024-02-01"),
        ("2024-02-29 10:30:00", "day", "2024-02-29 00:00:00"),
        ("2024-02-29T10:30:00.5", "year", "2024-01-01T00:00:00"),
        ("2024-01-01T01:00:00+02:00", "year", "2023-01-01T00:00:00+00:00"),
    ],
)
def test_floors(value: Any, part: str, made: Any) -> None:
    assert date_floor(value, part) == made


@given(st.dates(dt.date(100, 1, 1), dt.date(9000, 1, 1)), st.integers(-30_000, 30_000))
def test_days_move_texts_as_they_move_dates(day: dt.date, days: int) -> None:
    moved = add_days(day, days)
    assert add_days(day.isoformat(), days) == moved.isoformat()
    assert add_days(f"{day.isoformat()} 10:30:00.25", days) == f"{moved.isoformat()} 10:30:00.25"
    assert add_days(dt.datetime.combine(day, dt.time(10)), days) == dt.datetime.combine(moved, dt.time(10))


@pytest.mark.parametrize("value", ["", "now", "2024-13-01", "20240229", "12345"])
def test_texts_that_are_no_dates_are_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        add_days(value, 1)
