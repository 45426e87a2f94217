"""Days as ordinals, parts and digits, for whole arrays at once."""

from __future__ import annotations

import datetime as dt

import numpy as np
import numpy.typing as npt

__all__ = ["NO_DAY", "day_parts", "ordinals", "written"]

Integers = npt.NDArray[np.int64]

NO_DAY = -(10**6)
"""The ordinal of a day that does not exist, such as 29 February 1900."""

_EPOCH = dt.date(1970, 1, 1).toordinal()


def day_parts(origin: int, size: int) -> tuple[Integers, Integers, Integers]:
    """Year, month and day of ``size`` days from the ordinal ``origin`` on; month and day are counted from 0."""
    days = np.arange(origin - _EPOCH, origin - _EPOCH + size).astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    year = months.astype("datetime64[Y]").astype(np.int64) + 1970
    return year, months.astype(np.int64) % 12, (days - months.astype("datetime64[D]")).astype(np.int64)


def ordinals(year: Integers, month: Integers, day: Integers) -> Integers:
    """Ordinals of days (month and day counted from 0), NO_DAY where there is no such day."""
    first = (year - 1970).astype("datetime64[Y]").astype("datetime64[M]") + month
    made = first.astype("datetime64[D]") + day
    real = made.astype("datetime64[M]") == first
    return np.where(real, made.astype(np.int64) + _EPOCH, NO_DAY)


def written(numbers: Integers, digits: int) -> npt.NDArray[np.uint8]:
    """Numbers as ASCII digits with leading zeros, shape (numbers, digits)."""
    return (numbers[:, None] // 10 ** np.arange(digits - 1, -1, -1) % 10 + ord("0")).astype(np.uint8)
