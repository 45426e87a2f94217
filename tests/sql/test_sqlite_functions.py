"""SQLite's registered functions, and the plain SQL that spares most calls of them: both give Python's answers."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask_sql import sqlite_functions
from dbmask_sql.canonical import canonical_text
from dbmask_sql.dialects.base import E, column, integer
from dbmask_sql.dialects.sqlite import DIALECT, FUNCTIONS
from dbmask_sql.kinds import Kind
from dbmask_sql.sqlite_functions import functions, register
from dbmask_sql.temporal import add_days, date_floor

KEY = b"k" * 32
PADS = {"k": (bytes(b ^ 0x36 for b in KEY.ljust(64, b"\0")), bytes(b ^ 0x5C for b in KEY.ljust(64, b"\0")))}


@pytest.fixture(scope="module")
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as made:
        register(made, PADS)
        made.execute("CREATE TABLE typed (d DATE, t TIMESTAMP, n DECIMAL, o BOOLEAN)")
        yield made


def run(db: sqlite3.Connection, expression: E, value: Any) -> Any:
    return db.execute(f"SELECT {expression.sql(dialect='sqlite')} FROM (SELECT ? AS v)", (value,)).fetchone()[0]


def test_every_function_is_there_and_takes_null() -> None:
    made = functions(PADS)
    assert set(made) == set(FUNCTIONS)
    for name, arguments in FUNCTIONS.items():
        assert made[name](None, *["x"] * (arguments - 1)) is None


@pytest.mark.parametrize("value", ["a", "", "ž😀", 12, 1.5, b"\xff\0"])
def test_the_prf_is_hmac(value: Any) -> None:
    data = value if isinstance(value, bytes) else str(value).encode()
    made = functions(PADS)
    expected = hmac.digest(KEY, data, "sha256").hex()
    assert made["dbmask_prf"](value, "k") == expected
    assert made["dbmask_prf_word"](value, "k", 2) == int(expected[30:45], 16)
    assert made["dbmask_prf_short"](value, "k") == hashlib.sha256(PADS["k"][0] + data).hexdigest()
    with pytest.raises(KeyError):
        made["dbmask_prf"](value, "unknown")


def test_a_key_may_come_after_the_functions() -> None:
    pads: dict[str, tuple[bytes, bytes]] = {}
    prf = functions(pads)["dbmask_prf"]
    pads.update(PADS)
    assert prf(b"a", "k") == hmac.digest(KEY, b"a", "sha256").hex()


@pytest.mark.parametrize("distinct", [5, 50])
def test_repeated_values_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch, distinct: int) -> None:
    monkeypatch.setattr(sqlite_functions, "_REMEMBERED", 10)
    prf: Callable[..., str] = functions(PADS)["dbmask_prf"]
    for n in range(200):
        value = b"%d" % (n % distinct)
        assert prf(value, "k") == hmac.digest(KEY, value, "sha256").hex()
        assert prf(n % distinct, "k") == prf(value, "k")


def test_bytes_of_a_utf16_database_are_its_text() -> None:
    made = functions(PADS, "UTF-16le")
    assert made["dbmask_prf"]("ž😀".encode("utf-16-le"), "k") == hmac.digest(KEY, "ž😀".encode(), "sha256").hex()
    assert made["dbmask_digest"]("ž".encode("utf-16-le"), "md5") == hashlib.md5("ž".encode()).hexdigest()  # noqa: S324 - a digest is a digest
    assert made["dbmask_prf"]("ž", "k") == hmac.digest(KEY, "ž".encode(), "sha256").hex()


ODD_DATES = st.sampled_from(
    [
        "",
        "2020-02-30",
        "2021-02-29",
        "2020-13-01",
        "0000-01-01",
        "2020-1-1",
        "20200101",
        "2020-W01-1",
        "2020-01-01 24:00:00",
        "2020-01-01 10:00",
        "now",
        "12",
        " 2020-01-01",
        "2020-01-01T10:00:00",
        "2020-01-01 10:00:00.5",
        "2020-01-01 10:00:00+02:00",
        "290000-01-01",
        "0044-01-01 (BC)",
        "2020-01-01 25:00:00",
        "2020-04-31 10:00:00",
    ]
)
DATES = st.dates().map(dt.date.isoformat) | ODD_DATES
STAMPS = st.datetimes().map(lambda v: v.replace(microsecond=0).isoformat(" ")) | st.datetimes().map(str) | DATES
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from(["5", "05", "x", 1.5, 0.0, "1e2", ""])


def in_python(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except (ValueError, OverflowError, ArithmeticError):
        return "refused"


def in_sql(db: sqlite3.Connection, expression: E | None, value: Any) -> Any:
    assert expression is not None
    try:
        return run(db, expression, value)
    except sqlite3.OperationalError:
        return "refused"


@given(value=DATES)
def test_the_canonical_text_of_a_date(db: sqlite3.Connection, value: str) -> None:
    assert in_sql(db, DIALECT.canonical(column("v"), Kind.DATE), value) == canonical_text(Kind.DATE)(value)


@given(value=STAMPS)
def test_the_canonical_text_of_a_timestamp(db: sqlite3.Connection, value: str) -> None:
    assert in_sql(db, DIALECT.canonical(column("v"), Kind.TIMESTAMP), value) == canonical_text(Kind.TIMESTAMP)(value)


@given(value=NUMBERS, kind=st.sampled_from([Kind.INTEGER, Kind.DECIMAL, Kind.BOOLEAN]))
def test_the_canonical_text_of_numbers(db: sqlite3.Connection, value: Any, kind: Kind) -> None:
    expected = in_python(lambda: canonical_text(kind)(value))
    if expected == "refused":
        expected = str(value)  # not refused here: what is no number stays distinct
    assert in_sql(db, DIALECT.canonical(column("v"), kind), value) == expected


@given(value=STAMPS, part=st.sampled_from(["year", "month", "day"]))
def test_the_beginning_of_a_year_month_or_day(db: sqlite3.Connection, value: str, part: str) -> None:
    made = in_sql(db, DIALECT.date_floor(column("v"), part, Kind.TIMESTAMP), value)
    assert made == in_python(lambda: date_floor(value, part))


@given(value=STAMPS, days=st.integers(-400, 400))
def test_days_added(db: sqlite3.Connection, value: str, days: int) -> None:
    year = value[:4]
    if year.isdigit() and int(year) <= 2:
        return  # masks move such dates forward only: year 0 is SQLite's, not Python's
    made = in_sql(db, DIALECT.add_days(column("v"), integer(days), Kind.TIMESTAMP), value)
    assert made == in_python(lambda: add_days(value, days))


def test_a_typed_column_compares_as_an_untyped_one(db: sqlite3.Connection) -> None:
    # A DATE column has numeric affinity, which must not reach into the comparison with the function's text.
    db.execute("DELETE FROM typed")
    db.execute(
        "INSERT INTO typed VALUES ('2020-02-29', '2020-02-29 10:00:00', 5, 1), (20200229, 5, 1.5, 0), (NULL, NULL, NULL, NULL)"
    )
    for name, kind, expected in (
        ("d", Kind.DATE, ["2020-02-29", "20200229", None]),
        ("t", Kind.TIMESTAMP, ["2020-02-29T10:00:00.000000", "5", None]),
        ("n", Kind.DECIMAL, ["5", "1.5", None]),
        ("o", Kind.BOOLEAN, ["true", "false", None]),
    ):
        made = DIALECT.canonical(column(name), kind)
        assert made is not None
        assert [r for (r,) in db.execute(f"SELECT {made.sql(dialect='sqlite')} FROM typed")] == expected


@given(count=st.none() | st.integers(-3, 600), value=st.sampled_from(["*", "ž", "ab", "x" * 300]))
def test_repeats(db: sqlite3.Connection, count: int | None, value: str) -> None:
    expected = None if count is None else value * count
    assert run(db, DIALECT.repeat(value, column("v")), count) == expected


def test_a_literal_with_quotes_is_repeated_whole(db: sqlite3.Connection) -> None:
    assert run(db, DIALECT.repeat("'", integer(3)), None) == "'''"
