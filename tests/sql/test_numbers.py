from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask_sql.numbers import exact, floor_to, plain_number


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("27", "27"),
        (" +27.50 ", "27.5"),
        ("-.5", "-0.5"),
        ("5.", "5"),
        ("1e3", "1000"),
        ("1.5E+05", "150000"),
        ("9e16", "9E+16"),
        ("1e-05", "0.00001"),
        ("-1e-30", "0"),
        ("0.000000000000000000005", "1E-20"),
        ("99999999999999999", "99999999999999999"),
        (27, "27"),
        (2.5, "2.5"),
        (Decimal("1.10"), "1.1"),
    ],
)
def test_numbers(text: object, value: str) -> None:
    assert exact(text) == Decimal(value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        ".",
        "-",
        "abc",
        "1,5",
        "1_000",
        "0x1F",
        "١٢٣",
        "1e",
        "1e400",
        "1e17",
        "12e16",
        "1" * 18,
        "inf",
        "NaN",
        "1 2",
        "\t1",
        "1\n",
        True,
        None,
    ],
)
def test_what_is_no_number(text: object) -> None:
    assert exact(text) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_what_is_not_finite(value: object) -> None:
    assert exact(value) is None


@given(
    st.decimals(-(10**17), 10**17, places=12),
    st.decimals(Decimal("1e-9"), 10**15, places=9),
)
def test_the_floor_is_the_multiple_below(value: Decimal, step: Decimal) -> None:
    low = floor_to(value, step)
    assert low % step == 0
    assert low <= value < low + step


@given(st.decimals(-(10**20), 10**20, allow_nan=False))
def test_plain_numbers_read_back(value: Decimal) -> None:
    text = plain_number(value)
    assert Decimal(text) == value
    assert "E" not in text and text != "-0"
