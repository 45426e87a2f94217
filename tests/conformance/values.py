"""The values that masks are held to, by kind: what databases hold and programs stumble over."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from dbmask.schema import ColumnType, Kind

__all__ = ["HOSTILE", "hostile", "strategy"]

PRAGUE = dt.timezone(dt.timedelta(hours=2))
KOLKATA = dt.timezone(dt.timedelta(hours=5, minutes=30))

CONTROLS = "".join(map(chr, range(1, 32))) + "\x7f\x80\x9f"

TEXTS = [
    "",
    "a",
    " ",
    "  padded  ",
    "\t\n\r",
    "x" * 10_000,
    "é👍" * 5_000,
    "'",
    '"',
    "\\",
    "\\'",
    "%",
    "_",
    "%s %(x)s {value} :name $1 ?",
    "'; DROP TABLE values_under_test; --",
    "\\x41\\101\\n",
    "&amp;<b>&#x41;",
    CONTROLS,
    "🙂",
    "👩‍👩‍👧‍👦",
    "e\u0301 ñ n\u0303",
    "Žluťoučký kůň",
    "ŽLUŤOUČKÝ KŮŇ",
    "Straße STRASSE ſ",
    "İstanbul ıI i",
    "Ωμέγα ΣΊΣΥΦΟΣ ς",
    "Москва Ёлка",
    "שלום עולם",
    "\u202eright-to-left\u202c العربية",
    "日本語 テスト",
    "\ufeffbom",
    "\u2028line\u2029paragraph\u00a0nbsp",
    "\U0010ffff\ue000\ufdd0",
    "NULL",
    "null",
    "true",
    "a@b.cz",
    "Alice.Smith+tag@Example.COM",
    "@",
    "no-at-sign",
    "a@b@c@",
    "0",
    "-0",
    "007",
    "27",
    "-3",
    "1.50",
    "1e3",
    "-1e-21",
    " 12 ",
    "1_000",
    "0x1F",
    "99999999999999999999999999",
    "999999999999999999",
    "inf",
    "nan",
    "Infinity",
    "١٢٣",
    "2024-02-29",
    "2023-02-29",
    "1995-06-15T10:00:00",
    "1995-06-15 10:00:00.123456+02:00",
    "0001-01-01",
    "9999-12-31",
    "2024-03",
    "2024-13-01",
    "New York,USA,Home",
    "a,b,c",
    " a , b ,, c ",
    ",",
    "555-0101",
    "+420 601 123 456",
    "4532-1234-5678-9014",
    "CZ6508000000192000145399",
    '{"a": 1}',
    "A" * 255,
]

DATES = [
    dt.date(1, 1, 1),
    dt.date(4, 2, 29),
    dt.date(1582, 10, 10),
    dt.date(1900, 2, 28),
    dt.date(1969, 12, 31),
    dt.date(1970, 1, 1),
    dt.date(2000, 2, 29),
    dt.date(2024, 2, 29),
    dt.date(2024, 12, 31),
    dt.date(9999, 12, 31),
]

TIMESTAMPS = [
    dt.datetime(1, 1, 1),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999999),
    dt.datetime(2000, 2, 29, 12, 30, 0, 1),
    dt.datetime(2024, 2, 29, 0, 0, 0, 100000),
    dt.datetime(2024, 3, 31, 2, 30),
    dt.datetime(2024, 10, 27, 2, 30, 59),
    dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
]

HOSTILE: dict[Kind, list[Any]] = {
    Kind.TEXT: TEXTS,
    Kind.INTEGER: [
        0,
        1,
        -1,
        7,
        10,
        99,
        100,
        127,
        -128,
        255,
        32767,
        -32768,
        2**31 - 1,
        -(2**31),
        2**53 + 1,
        2**63 - 1,
        -(2**63),
    ],
    Kind.DECIMAL: [
        *map(Decimal, ("0", "-0.00", "1.50", "-1.50", "0.1", "-0.1", "100", "1000000", "0.0000000001", "123456.789")),
        *map(
            Decimal, ("-99999999999999999999999999.9999999999", "99999999999999999999999999.9999999999", "2.5", "-2.5")
        ),
    ],
    Kind.FLOAT: [
        0.0,
        -0.0,
        1.0,
        -1.5,
        0.1,
        0.30000000000000004,
        1e16,
        1e-5,
        1.7976931348623157e308,
        5e-324,
        123456789.125,
        -2.5,
    ],
    Kind.BOOLEAN: [True, False],
    Kind.DATE: DATES,
    Kind.TIME: [dt.time(0), dt.time(12, 30), dt.time(23, 59, 59, 999999), dt.time(1, 2, 3, 4)],
    Kind.TIMESTAMP: TIMESTAMPS,
    Kind.TIMESTAMPTZ: [
        dt.datetime(1970, 1, 2, tzinfo=dt.UTC),
        dt.datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC),
        dt.datetime(2000, 2, 29, 12, 30, 0, 1, tzinfo=PRAGUE),
        dt.datetime(2024, 2, 29, 1, 0, tzinfo=KOLKATA),
        dt.datetime(2037, 12, 31, 23, 59, 59, tzinfo=dt.UTC),
    ],
    Kind.UUID: [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")],
    Kind.JSON: [{"b": 1, "a": [True, None, "ž"]}, [], "x", 1.5],
    Kind.BYTES: [b"", b"\x00\xff", b"abc\\'", bytes(range(256))],
}


def _fits(value: Any, type_: ColumnType) -> bool:
    if type_.kind is Kind.TEXT and type_.length is not None:
        return len(value) <= type_.length
    if type_.kind is Kind.INTEGER:
        low, high = type_.int_range
        return low <= int(value) <= high
    if type_.kind is Kind.DECIMAL and type_.precision is not None:
        scale = type_.scale or 0
        return bool(abs(value) < 10 ** (type_.precision - scale) and value == round(value, scale))
    return True


def hostile(type_: ColumnType) -> list[Any]:
    """The hostile values of a type's kind that its size can hold, and NULL."""
    known = type_.values if type_.kind is Kind.ENUM else HOSTILE.get(type_.kind, [])
    return [*(v for v in known if _fits(v, type_)), None]


def strategy(type_: ColumnType) -> SearchStrategy[Any]:
    """Any value of a type, without what no database can store (NUL, lone surrogates)."""
    kind = type_.kind
    if kind is Kind.TEXT:
        letters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
        return st.text(letters, max_size=min(type_.length or 60, 60)) | st.sampled_from(hostile(type_)[:-1])
    if kind is Kind.INTEGER:
        return st.integers(*type_.int_range)
    if kind is Kind.DECIMAL:
        scale = type_.scale if type_.precision is not None else 10
        bound = Decimal(10) ** ((type_.precision or 30) - (scale or 0)) - 1
        return st.decimals(-bound, bound, allow_nan=False, allow_infinity=False, places=scale or 0)
    if kind is Kind.OTHER:  # a file's number, which is whatever it is
        return st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    if kind is Kind.FLOAT:
        return st.floats(allow_nan=False, allow_infinity=False)
    if kind is Kind.DATE:
        return st.dates()
    if kind is Kind.TIMESTAMP:
        return st.datetimes()
    if kind is Kind.TIMESTAMPTZ:
        return st.datetimes(
            dt.datetime(1970, 1, 2), dt.datetime(2037, 12, 31), timezones=st.sampled_from([dt.UTC, PRAGUE, KOLKATA])
        )
    if kind is Kind.UUID:
        return st.uuids(version=4)  # MariaDB refuses some that are of no version
    return st.sampled_from(hostile(type_)[:-1])
