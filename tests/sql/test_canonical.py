"""Canonical text in Python: known answers (the conformance suite holds every database to the same table)."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask_sql.canonical import canonical_text, canonicalizer
from dbmask_sql.jcs import canonical_json
from dbmask_sql.kinds import Kind

PRAGUE = dt.timezone(dt.timedelta(hours=2))

TABLE: list[tuple[Kind, Any, str]] = [
    (Kind.TEXT, "Žluťoučký ", "Žluťoučký "),
    (Kind.INTEGER, -7, "-7"),
    (Kind.DECIMAL, Decimal("1.500"), "1.5"),
    (Kind.DECIMAL, Decimal("100"), "100"),
    (Kind.DECIMAL, Decimal("1E+3"), "1000"),
    (Kind.DECIMAL, Decimal("-0.00"), "0"),
    (Kind.DECIMAL, Decimal("NaN"), "NaN"),
    (Kind.DECIMAL, 2.5, "2.5"),
    (Kind.BOOLEAN, True, "true"),
    (Kind.BOOLEAN, 0, "false"),
    (Kind.DATE, dt.date(1, 1, 1), "0001-01-01"),
    (Kind.DATE, dt.datetime(2024, 2, 29, 1), "2024-02-29"),
    (Kind.DATE, "2024-02-29 00:00:00", "2024-02-29"),
    (Kind.DATE, "infinity", "infinity"),
    (Kind.TIME, dt.time(1, 2, 3), "01:02:03.000000"),
    (Kind.TIMESTAMP, dt.datetime(9999, 12, 31, 23, 59, 59, 999999), "9999-12-31T23:59:59.999999"),
    (Kind.TIMESTAMP, "2020-01-01 10:00:00", "2020-01-01T10:00:00.000000"),
    (Kind.TIMESTAMP, "not a time", "not a time"),
    (Kind.TIMESTAMPTZ, dt.datetime(2020, 1, 1, 1, tzinfo=PRAGUE), "2019-12-31T23:00:00.000000Z"),
    (Kind.TIMESTAMPTZ, dt.datetime(2020, 1, 1, 1), "2020-01-01T01:00:00.000000Z"),
    (Kind.TIMESTAMPTZ, "infinity", "infinity"),
    (Kind.UUID, uuid.UUID(int=255), "00000000-0000-0000-0000-0000000000ff"),
    (Kind.UUID, "00000000-0000-0000-0000-0000000000FF", "00000000-0000-0000-0000-0000000000ff"),
    (Kind.FLOAT, 0.1, "0.1"),
    (Kind.FLOAT, -0.0, "0.0"),
    (Kind.FLOAT, float("nan"), "nan"),
    (Kind.JSON, '{"b": 1.0, "a": [true, null]}', '{"a":[true,null],"b":1}'),
    (Kind.JSON, {"b": 1}, '{"b":1}'),
    (Kind.ENUM, "red", "red"),
    (Kind.OTHER, 5, "5"),
]


@pytest.mark.parametrize(("kind", "value", "expected"), TABLE)
def test_the_table(kind: Kind, value: Any, expected: str) -> None:
    assert canonical_text(kind)(value) == expected


def test_bytes_and_padding() -> None:
    assert canonicalizer(Kind.BYTES)(b"\0\xff") == b"\0\xff"
    assert canonicalizer(Kind.TEXT, padded=True)("ab  ") == b"ab"
    assert canonicalizer(Kind.TEXT)("\ud800") == b"\xed\xa0\x80"


@pytest.mark.parametrize(
    ("number", "text"),
    # RFC 8785, appendix B
    [
        (0.0, "0"),
        (-0.0, "0"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (9007199254740992.0, "9007199254740992"),
        (295147905179352830000.0, "295147905179352830000"),
        (9.999999999999997e22, "9.999999999999997e+22"),
        (1e23, "1e+23"),
        (999999999999999700000.0, "999999999999999700000"),
        (1e21, "1e+21"),
        (9.999999999999997e-7, "9.999999999999997e-7"),
        (0.000001, "0.000001"),
        (333333333.3333332, "333333333.3333332"),
        (-0.0000033333333333333333, "-0.0000033333333333333333"),
    ],
)
def test_numbers_of_rfc_8785(number: float, text: str) -> None:
    assert canonical_json(number) == text


def test_keys_are_sorted_by_utf_16() -> None:
    assert (
        canonical_json({"\ufb33": 1, "\U0001f600": 2, "€": 3, "\r": 4}) == '{"\\r":4,"€":3,"\U0001f600":2,"\ufb33":1}'
    )


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(JSON)
def test_canonical_json_reads_back_as_the_same_value(value: Any) -> None:
    # Every JSON number is a double to RFC 8785: 6.65801308706225e+16 is written without a point.
    assert json.loads(canonical_json(value), parse_int=float) == value


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_json_has_no_nan(value: float) -> None:
    with pytest.raises(ValueError, match="NaN"):
        canonical_json([value])
