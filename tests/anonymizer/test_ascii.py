"""Batches of texts as bytes: every layout of lengths, every kind of character, nulls among them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.anonymizer.ascii import Lines
from dbmask.errors import MaskError

TEXTS = st.lists(st.none() | st.text(max_size=12) | st.from_regex(r"[0-9/]{9,11}", fullmatch=True), max_size=30)


@given(TEXTS)
def test_what_is_not_changed_comes_back_as_it_was(values: list[str | None]) -> None:
    lines = Lines(values, "rc")
    assert lines.texts(np.zeros(len(values), np.bool_)) == values
    assert [int(n) for n in lines.lengths] == [1 if "\n" in (v or "") else len(v or "") for v in values]


@given(TEXTS, st.integers(0, 12))
def test_the_texts_of_one_length(values: list[str | None], length: int) -> None:
    lines = Lines(values, "rc")
    rows, text = lines.matrix(length)
    found = np.arange(len(values))[rows].tolist() if len(values) else []
    assert found == [i for i, n in enumerate(lines.lengths) if n == length]
    for i, row in zip(found, text, strict=True):
        if (values[i] or "").isascii() and "\n" not in (values[i] or ""):
            assert row.tobytes().decode() == (values[i] or "")


@given(TEXTS)
def test_written_bytes_arrive_in_their_texts_alone(values: list[str | None]) -> None:
    lines = Lines(values, "rc")
    rows = np.flatnonzero(lines.lengths >= 3)
    lines.write(rows, 1, np.full((len(rows), 2), ord("x"), np.uint8))
    changed = lines.lengths >= 3
    made = lines.texts(changed)
    for i, value in enumerate(values):
        if changed[i]:
            assert made[i][1:3] == "xx"
            assert len(made[i]) == len(value or "")
        else:
            assert made[i] == value


def test_a_newline_is_not_taken_for_the_end() -> None:
    values = ["12\n34", "5", "", "6\n", None]
    assert Lines(values, "rc").texts(np.zeros(5, np.bool_)) == values


def test_texts_whose_bytes_divide_evenly_are_not_taken_for_equal_lengths() -> None:
    lines = Lines(["ab", "abcd", "abc"], "rc")
    assert lines.lengths.tolist() == [2, 4, 3]


@pytest.mark.parametrize("value", [7103192745, 1.5, b"x", True])
def test_what_is_no_text_is_refused_without_being_quoted(value: object) -> None:
    with pytest.raises(MaskError, match="rc must be text") as caught:
        Lines(["710319", value], "rc")
    assert str(value) not in str(caught.value)
