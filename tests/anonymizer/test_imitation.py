"""What stands for values that could not be transformed."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.anonymizer.imitation import imitate, imitate_day
from dbmask.masks.build import example_keys

KEY = example_keys().column("anonymizer")
FIRST, LAST = dt.date(1901, 1, 1), dt.date(2008, 4, 23)


@given(st.text(max_size=40))
def test_an_imitation_looks_alike_and_is_another(text: str) -> None:
    made = imitate(text, KEY)
    assert len(made) == len(text)
    assert made == imitate(text, KEY)
    for before, after in zip(text, made, strict=True):
        if before.isdigit():
            assert after in "0123456789"
        elif before.isalpha():
            assert after.isascii()
            assert after.isalpha()
            assert after.isupper() == before.isupper()
        else:
            assert after == before
    if any(c.isalpha() or c.isdigit() for c in text):
        assert made != text


def test_vowels_stay_vowels() -> None:
    made = imitate("Růžena Čapková 71", KEY)
    assert [c in "aeiouAEIOU" for c in made] == [c in "ůeaáoáAEIOU" for c in "Růžena Čapková 71"]


def test_a_long_text_does_not_repeat() -> None:
    made = imitate("k" * 400, KEY)
    assert made[:100] != made[100:200]


def test_what_must_not_come_out_does_not() -> None:
    assert imitate("55", KEY, lambda t: t.startswith("7")).startswith("7")


@given(st.dates().filter(lambda d: not FIRST <= d <= LAST))
def test_a_day_out_of_the_range_becomes_another_on_the_same_side(day: dt.date) -> None:
    made = imitate_day(day, FIRST, LAST, KEY)
    assert made != day
    assert (made < FIRST) == (day < FIRST)
    assert not FIRST <= made <= LAST
    assert abs((made - day).days) <= 731


@pytest.mark.parametrize("first", [dt.date(1, 1, 1), dt.date(1899, 1, 1), dt.date(2008, 4, 24), dt.date(9996, 1, 1)])
def test_days_stay_apart(first: dt.date) -> None:
    days = [dt.date.fromordinal(o) for o in range(first.toordinal(), min(first.toordinal() + 2_000, 3652060))]
    outside = [d for d in days if not FIRST <= d <= LAST]
    made = [imitate_day(d, FIRST, LAST, KEY) for d in outside]
    assert len(set(made)) == len(outside)


def test_a_block_of_one_day_cannot_change() -> None:
    first = dt.date(1, 1, 2)
    assert imitate_day(dt.date(1, 1, 1), first, LAST, KEY) == dt.date(1, 1, 1)
