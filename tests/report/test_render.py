"""Figures as reports show them."""

from __future__ import annotations

import pytest

from dbmask.report import figure, numeric_columns, short


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param(9_999, "9,999", id="as it is"),
        pytest.param(12_345, "12.3k", id="thousands"),
        pytest.param(999_499, "999k", id="still thousands"),
        pytest.param(999_500, "1M", id="rounds up to millions"),
        pytest.param(4_567_890, "4.57M", id="millions"),
        pytest.param(1_500_000_000, "1.5G", id="milliards"),
        pytest.param(7_250_000_000_000, "7,250G", id="more"),
    ],
)
def test_short(value: int, shown: str) -> None:
    assert short(value) == shown


def test_figure() -> None:
    assert [figure(v) for v in (None, True, 1234567, 0.12345, "a")] == ["–", "yes", "1,234,567", "0.1235", "a"]


def test_columns_of_numbers() -> None:
    """A gap is none and a flag is no number."""
    rows: list[list[object]] = [["a", 1, None, True, None], ["b", None, 2.5, False, None]]
    assert numeric_columns(rows) == [False, True, True, False, False]
    assert numeric_columns([]) == []
