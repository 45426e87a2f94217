"""What stands for values that could not be transformed."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.anonymizer.imitation import Imitation, imitate_day
from dbmask.errors import MaskError
from dbmask.masks._letters import alphabet
from dbmask.masks.build import example_keys

KEY = example_keys().column("anonymizer")
IMITATION = Imitation(KEY)
FIRST, LAST = dt.date(1901, 1, 1), dt.date(2008, 4, 23)


def is_number(text: str) -> bool:
    return text.startswith("7")


@given(st.text(max_size=40))
def test_an_imitation_looks_alike_and_is_another(text: str) -> None:
    made = IMITATION.text(text)
    assert made == Imitation(KEY).text(text)
    assert len(made) == len(text)
    for before, after in zip(text, made, strict=True):
        if before.isalpha():
            assert after.isalpha()
            assert after.isupper() == before.isupper()
            assert after != before or not alphabet(before)
        elif not before.isdigit():
            assert after == before


@pytest.mark.parametrize("unique", [False, True])
def test_what_is_no_number_becomes_none(unique: bool) -> None:
    imitation = Imitation(KEY, unique)
    given_ = [f"{n:03}" for n in range(1000) if not is_number(f"{n:03}")]
    made = [imitation.number(g, is_number) for g in given_]
    assert not any(map(is_number, made))
    assert (len(set(made)) == len(given_)) == unique
    assert unique or all(g != m for g, m in zip(given_, made, strict=True))


def test_what_has_neither_letters_nor_digits_stays() -> None:
    for imitation in (IMITATION, Imitation(KEY, unique=True)):
        assert imitation.number("-/-", is_number) == "-/-"


def test_letters_that_unique_cannot_replace_are_refused() -> None:
    with pytest.raises(MaskError, match="cannot replace") as caught:
        Imitation(KEY, unique=True).number("\u1e9e12", is_number)
    assert "\u1e9e" not in str(caught.value)
    assert IMITATION.number("\u1e9e12", is_number) != "\u1e9e12"


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
