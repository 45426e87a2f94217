"""Spans that merge, and character maps that keep lengths."""

from __future__ import annotations

import sys
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.text.fold import (
    clean,
    clean_bytes,
    edges_bytes,
    fold,
    fold_bytes,
    is_word,
    plain,
    split_bytes,
    splits_word,
)
from dbmask.text.spans import Hit, merge

HITS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 10), st.integers(0, 5)).map(lambda t: (t[0], -(t[0] + t[1]), t[2])),
    max_size=12,
)


@pytest.mark.parametrize(
    ("hits", "merged"),
    [
        ([], []),
        ([(0, -3, 0), (3, -6, 0)], [(0, 3, 0), (3, 6, 0)]),
        ([(0, -3, 1), (0, -9, 2)], [(0, 9, 2)]),
        ([(0, -9, 2), (0, -9, 1)], [(0, 9, 1)]),
        ([(4, -9, 0), (0, -5, 3)], [(0, 9, 3)]),
        ([(0, -4, 2), (3, -7, 1), (6, -9, 0)], [(0, 9, 2)]),
        ([(0, -9, 1), (2, -3, 0), (5, -6, 0)], [(0, 9, 1)]),
    ],
)
def test_merging(hits: list[Hit], merged: list[tuple[int, int, int]]) -> None:
    assert merge(hits) == merged


@given(HITS)
def test_merging_covers_exactly_what_was_hit_and_leaves_no_overlap(hits: list[Hit]) -> None:
    made = merge(hits)
    covered = {i for start, negative, _ in hits for i in range(start, -negative)}
    assert {i for start, end, _ in made for i in range(start, end)} == covered
    assert all(a[1] <= b[0] for a, b in pairwise(made))
    assert merge(list(reversed(hits))) == made
    for start, end, rank in made:
        inside = [h for h in hits if start <= h[0] < end]
        assert min(inside) == (start, min(h[1] for h in inside if h[0] == start), rank)


@given(st.text(st.characters(), max_size=60))
def test_every_map_keeps_the_length(text: str) -> None:
    for mapped in (fold(text), plain(text), clean(text)):
        assert len(mapped) == len(text)
        mapped.encode("utf-8")
    assert plain(text).isascii()


@given(st.text(st.characters(), max_size=60), st.integers(1, 4))
def test_bytes_are_one_for_each_character_however_long_the_text(text: str, times: int) -> None:
    for of in (clean_bytes, fold_bytes, edges_bytes, split_bytes):
        assert of(text * times) == of(text) * times
        assert len(of(text)) == len(text)
    assert fold_bytes(text) == fold_bytes(fold(text))


def test_bytes_below_128_stand_for_one_character() -> None:
    assert edges_bytes("Ž-Ab_9 K") == edges_bytes("ž") + b" ab_9 k"  # the last is the sign of Kelvin
    assert split_bytes("aB.c") == b"aB c"
    shared = [chr(c) for c in range(1, 0x3000) if edges_bytes(chr(c)) == b"k"]
    assert shared == ["K", "k", "\u212a"]


def test_folding_is_lower_case_for_every_character_that_keeps_its_length() -> None:
    odd = {"İ", "ı", "ς", "ſ"}
    for code in range(1, sys.maxunicode + 1, 97):  # some of them: all would take seconds
        char = chr(code)
        if char not in odd and not "\ud800" <= char <= "\udfff":
            expected = char.lower() if len(char.lower()) == 1 else char
            assert fold(char + "é")[0] == expected


def test_folding_does_not_depend_on_what_stands_beside() -> None:
    assert fold("ΟΔΟΣ ΟΔΟΣ.") == "οδοσ οδοσ."  # lower() would write a final sigma
    assert fold("İSTANBUL ISI ısı") == "istanbul isi isi"


@pytest.mark.parametrize(
    ("text", "mapped"),
    [
        ("Jiří Žďár", "Jiri Zdar"),
        ("５５５‑８６７‑５３０９", "555-867-5309"),
        ("٤١١١", "4111"),
        ("Ivan Иван", "Ivan Xxxx"),
        ("a\u00a0b “c” ’d", 'a b "c" \'d'),
        ("łódź straße", "lodz strase"),
    ],
)
def test_plain_letters(text: str, mapped: str) -> None:
    assert plain(text) == mapped


def test_word_characters() -> None:
    decomposed = unicodedata.normalize("NFD", "é")[1]
    assert all(map(is_word, ["a", "é", "7", "_", "ß", decomposed, "中", "١"]))
    assert not any(map(is_word, [" ", "-", "'", "🙂", ".", "\n"]))
    assert splits_word("Tomorrow", 3) and not splits_word("Tom Row", 3)
    assert not splits_word("Tom", 0) and not splits_word("Tom", 3)


def test_long_texts_are_mapped_in_pieces() -> None:
    text = "Žluťoučký KŮŇ 🙂 " * 90_000
    assert fold(text) == text.lower()
