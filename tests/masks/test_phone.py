from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import BindError
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_python, one

TEXT = ColumnType(Kind.TEXT, "text")


def shape(text: str) -> str:
    return re.sub(r"[A-Z]", "A", re.sub(r"[a-z]", "a", re.sub(r"\d", "0", text)))


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("+420 601 234 567", "+420 "),
        ("00420601234567", "00420"),
        ("+1 (555) 123-4567", "+1 ("),
        ("+44 (0)20 7946 0958", "+44 (0)"),
        ("020 7946 0958", "0"),
        ("+3585551234", "+358"),
        ("+7 495 123", "+7 "),
        ("601 234 567", ""),
    ],
)
def test_country_code_trunk_and_layout_stay(value: str, kept: str) -> None:
    made = one("phone", TEXT, value)
    assert made.startswith(kept)
    assert shape(made) == shape(value)
    assert made != value
    assert made[len(kept)] in "23456789"


@pytest.mark.parametrize("numbers", [("+420 601 234 567", "+420601234567", "00420 601-234-567", "+420 (0)601234567")])
def test_one_number_masks_alike_however_it_is_grouped(numbers: tuple[str, ...]) -> None:
    made = {re.sub(r"^00|\D", "", one("phone", TEXT, n).replace("(0)", "")) for n in numbers}
    assert len(made) == 1


def test_keep_start_keeps_an_area_code() -> None:
    spec = {"mask": "phone", "keep_start": 3}
    assert one(spec, TEXT, "(555) 123-4567").startswith("(555) ")
    assert one(spec, TEXT, "+1 555 123 4567").startswith("+1 555 ")
    for short in ("555", "55", "+1 555"):
        assert one(spec, TEXT, short) != short  # nothing would be left to mask


def test_extensions_keep_their_word_and_words_do_not() -> None:
    made = one("phone", TEXT, "555-123-4567 ext. 89")
    assert re.fullmatch(r"\d{3}-\d{3}-\d{4} ext\. \d\d", made)
    assert re.fullmatch(r"\d{10}x\d+", one("phone", TEXT, "5551234567x12"))
    assert "FLOWERS" not in one("phone", TEXT, "1-800-FLOWERS")
    assert "Box" not in one("phone", TEXT, "Box 12")


@given(st.text(min_size=1, max_size=30))
def test_whatever_has_a_letter_or_digit_changes(value: str) -> None:
    made = one("phone", TEXT, value)
    assert len(made) == len(value)
    if any(c.isalpha() for c in value) or re.search(r"[1-9]", value):
        marker = re.search(r"(?i)(ext|x|#)", value)
        assert made != value or marker or value.lstrip().startswith(("+", "00"))


@given(st.from_regex(r"\+[1-9]\d{7,13}", fullmatch=True))
def test_numbers_stay_numbers_and_never_the_same(value: str) -> None:
    made = one("phone", TEXT, value)
    assert re.fullmatch(r"\+\d+", made) and len(made) == len(value) and made != value


def test_digits_are_spread() -> None:
    made = in_python(bind("phone", TEXT), {"v": [f"+420 601 {i:03d} 000" for i in range(1000)]})
    assert len(set(made)) > 990
    assert len({m[5] for m in made}) == 8


def test_other_columns_are_refused() -> None:
    with pytest.raises(BindError, match="permute"):
        bind("phone", ColumnType(Kind.INTEGER, "bigint"))
