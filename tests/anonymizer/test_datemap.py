"""The date map: a permutation within windows, for every range and key."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest

from dbmask.anonymizer.datemap import DateMap, windows
from dbmask.anonymizer.parameters import Parameters, read_parameters
from dbmask.keys import ColumnKey, KeyRing, MasterKey
from tests.anonymizer.oracle import Range

RANGES = [
    ("1901-01-01", "2008-04-23"),
    ("1854-01-01", "2053-12-31"),
    ("1990-01-01", "1991-01-01"),
    ("1908-01-01", "2008-04-23"),
    ("2003-04-01", "2005-04-01"),
    ("1953-01-01", "1955-01-01"),
]


def key(number: int) -> ColumnKey:
    return KeyRing(MasterKey(number.to_bytes(32, "big"))).column("anonymizer")


def parameters(first: str, last: str, **others: object) -> Parameters:
    return read_parameters({"birthDayMin": first, "birthDayMax": last, **others})


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize("widening", [0.05, 0.0, 0.7])
@pytest.mark.parametrize(("first", "last"), RANGES)
def test_every_day_has_another_image_of_its_own_in_its_window(
    first: str, last: str, widening: float, number: int
) -> None:
    given = parameters(first, last, widening=widening)
    made = DateMap(given, key(number))
    days = np.arange(made.size)
    low, high = windows(given)
    assert (np.sort(made.image) == days).all()
    assert (made.image != days).all()
    assert (made.image >= low).all()
    assert (made.image <= high).all()


@pytest.mark.parametrize(("first", "last"), RANGES)
def test_windows_are_those_of_the_specification(first: str, last: str) -> None:
    given = parameters(first, last)
    bounds = Range(given.birthDayMin, given.birthDayMax)
    low, high = windows(given)
    for at in {*range(0, len(low), 97), *range(400), *range(len(low) - 400, len(low))}:
        if not 0 <= at < len(low):
            continue
        start, end = bounds.window(given.birthDayMin + dt.timedelta(days=at))
        # An even width has no middle: the map may leave out the day by which the two readings differ.
        assert 0 <= low[at] - (start - bounds.first).days <= 1
        assert 0 <= (end - bounds.first).days - high[at] <= 1


def test_the_map_is_frozen() -> None:
    made = DateMap(parameters("1901-01-01", "2008-04-23"), key(7))
    shown = [made(dt.date(y, m, d)) for y, m, d in ((1901, 1, 1), (1953, 12, 31), (1971, 3, 19), (2008, 4, 23))]
    assert [str(d) for d in shown] == ["1901-08-14", "1952-11-11", "1969-11-20", "2007-11-19"]


def test_days_out_of_the_range_have_no_image() -> None:
    made = DateMap(parameters("1901-01-01", "2008-04-23"), key(7))
    assert made(dt.date(1900, 12, 31)) is None
    assert made(dt.date(2008, 4, 24)) is None


@pytest.mark.slow
def test_images_fill_their_windows_evenly() -> None:
    """Over keys, a day's images fall into every fifth of its window about equally often (chi-squared, 4 degrees, p = 1e-6)."""
    given = parameters("1901-01-01", "2008-04-23")
    low, high = windows(given)
    at = np.array([5_000, 15_000, 25_000, 35_000, len(low) - 60])
    counts = np.zeros((len(at), 5))
    keys = 100
    for number in range(keys):
        image = DateMap(given, key(number)).image
        place = (image[at] - low[at]) / (high[at] - low[at] + 1)
        counts[np.arange(len(at)), (place * 5).astype(int)] += 1
    chi_squared = ((counts - keys / 5) ** 2 / (keys / 5)).sum(axis=1)
    assert (chi_squared < 33.4).all(), chi_squared


def test_older_dates_move_farther() -> None:
    given = parameters("1901-01-01", "2008-04-23")
    image = DateMap(given, key(1)).image
    shift = np.abs(image - np.arange(len(image)))
    assert shift[3_000:8_000].mean() > 1.5 * shift[25_000:30_000].mean()


def test_keys_make_maps_of_their_own() -> None:
    given = parameters("1901-01-01", "2008-04-23")
    assert (DateMap(given, key(1)).image == DateMap(given, key(2)).image).mean() < 0.01
    assert (DateMap(given, key(1)).image == DateMap(given, key(1)).image).all()
