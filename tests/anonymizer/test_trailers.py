"""Trailers of ten-digit numbers: every pair of remainders, every trailer."""

from __future__ import annotations

from itertools import product

import numpy as np

from dbmask.anonymizer.trailers import difference, last_digit_only, trailer_table

T = np.arange(10_000)
PAIRS = list(product(range(11), repeat=2))


def test_each_table_is_a_bijection_that_keeps_the_remainder_by_eleven() -> None:
    for old, new in PAIRS:
        row = trailer_table()[old, new].astype(np.int64)
        assert (np.sort(row) == T).all()
        kept = (new + row) % 11 == (old + T) % 11
        assert kept[1:].all()
        assert row[0] == 0


def test_equal_remainders_change_nothing() -> None:
    assert all((trailer_table()[r, r] == T).all() for r in range(11))


def test_the_last_digit_alone_changes_where_it_can() -> None:
    for old, new in PAIRS:
        row = trailer_table()[old, new].astype(np.int64)
        wanted = T % 10 - (T // 10 - old) % 11 + (T // 10 - new) % 11
        can = (wanted >= 0) & (wanted <= 9)
        image = T // 10 * 10 + wanted
        can &= (image != 0) & (T != 0)  # 0000 has its own place
        assert (row[can] == image[can]).all()


def test_the_difference_is_kept_but_where_there_is_no_room() -> None:
    lost = np.array(
        [
            (difference(old, T) != difference(new, trailer_table()[old, new].astype(np.int64)))[1:].sum()
            for old, new in PAIRS
        ]
    )
    assert lost.max() <= 10
    assert lost.mean() < 5


def test_no_table_could_keep_more_valid_numbers() -> None:
    """Under remainder 0 there are 910 valid trailers, under each other 909: 0000 is the one that cannot stay valid."""
    valid = [((T + r) % 11 == 0).sum() for r in range(11)]
    assert valid == [910, *[909] * 10]


def test_more_than_two_digits_change_only_where_a_hundred_has_no_room() -> None:
    share = np.mean([(trailer_table()[old, new] // 100 != T // 100).mean() for old, new in PAIRS])
    assert share < 0.05


def test_last_digit_only_keeps_the_rest() -> None:
    for old, new in PAIRS:
        row = last_digit_only()[old, new].astype(np.int64)
        assert (np.sort(row) == T).all()
        assert (row // 10 == T // 10).all()
        right = (T // 10 - old) % 11 % 10, (T // 10 - new) % 11 % 10
        assert ((T % 10 - right[0]) % 10 == (row % 10 - right[1]) % 10).all()


def test_difference_is_the_last_digit_less_the_remainder_of_the_first_nine() -> None:
    for number in (7103192745, 6610081094, 6610081069, 6610081103, 6610081040, 8102060110):
        head, trailer = divmod(number, 10_000)
        expected = number % 10 - number // 10 % 11
        assert difference(head % 11, np.array([trailer]))[0] == expected
