from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dbmask_sql.casing import LOWER, UPPER, capitalize_words, lower, upper


def test_the_table_is_one_to_one() -> None:
    assert len(UPPER) == len(LOWER) == len(set(UPPER)) == len(set(LOWER)) == 560
    assert not set(UPPER) & set(LOWER)
    assert all(u.lower() == low and low.upper() == u for u, low in zip(UPPER, LOWER, strict=True))


@given(st.text())
def test_length_stays_and_case_is_idempotent(text: str) -> None:
    assert len(upper(text)) == len(lower(text)) == len(text)
    assert upper(upper(text)) == upper(text)
    assert lower(upper(lower(text))) == lower(text)
    assert len(capitalize_words(text)) == len(text)


def test_letters_without_a_fellow_stay() -> None:
    assert upper("straße ﬁ ŉ") == "STRAßE ﬁ ŉ"
    assert lower("İI") == "İi"
    assert upper("žluťoučký μήλο ёлка") == "ŽLUŤOUČKÝ ΜΉΛΟ ЁЛКА"
