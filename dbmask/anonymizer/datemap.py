"""The date map: one keyed permutation of the days from birthDayMin to birthDayMax, the same for every row.

It starts from swapped neighbours and goes through rounds of disjoint keyed swaps. A swap is made only where both days'
images stay in their windows and neither day becomes its own image, so that at every moment

* no two days have the same image, and none is its own,
* a day's image lies in the day's window, which lies in the day's segment.

The window of a day is ``366 + floor(widening * days before birthDayMax)`` days wide, centred on the day, and slid, not
cut, into its segment. A window of even width has no middle day: the map keeps to what both ways of centring allow.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from dbmask.anonymizer.eras import Segment
from dbmask.anonymizer.parameters import Parameters
from dbmask.keys import ColumnKey

__all__ = ["DateMap", "windows"]

Days = npt.NDArray[np.int32]

_ROUNDS = 96
_NARROWEST = 366


def windows(parameters: Parameters) -> tuple[Days, Days]:
    """First and last day of each day's window, all counted from birthDayMin."""
    origin = parameters.birthDayMin.toordinal()
    size = parameters.birthDayMax.toordinal() - origin + 1
    day = np.arange(size, dtype=np.int64)
    width = _NARROWEST + np.floor(parameters.widening * (size - 1 - day)).astype(np.int64)
    low, high = np.empty(size, np.int64), np.empty(size, np.int64)
    for segment in parameters.segments:
        part = _slice(segment, origin)
        first, last = part.start, part.stop - 1
        span = np.minimum(width[part], last - first + 1)
        here = day[part]
        starts = [np.clip(here - half, first, last - span + 1) for half in (span // 2, (span - 1) // 2)]
        low[part] = np.maximum(*starts)
        high[part] = np.minimum(*starts) + span - 1
    return low.astype(np.int32), high.astype(np.int32)


def _slice(segment: Segment, origin: int) -> slice:
    return slice(segment.first.toordinal() - origin, segment.last.toordinal() - origin + 1)


class DateMap:
    """A permutation of days.

    Days are counted from ``first`` (birthDayMin): ``image[i]`` is the day that day ``i`` becomes, of ``size`` days.
    """

    def __init__(self, parameters: Parameters, key: ColumnKey) -> None:
        self.first = parameters.birthDayMin
        self.origin = self.first.toordinal()
        self.size = parameters.birthDayMax.toordinal() - self.origin + 1
        self.image = _permutation(parameters, key)

    def __call__(self, day: dt.date) -> dt.date | None:
        """The image of one day; None for a day out of the range."""
        at = day.toordinal() - self.origin
        return dt.date.fromordinal(self.origin + int(self.image[at])) if 0 <= at < self.size else None


def _permutation(parameters: Parameters, key: ColumnKey) -> Days:
    low, high = windows(parameters)
    origin, size = parameters.birthDayMin.toordinal(), len(low)
    image = np.arange(size, dtype=np.int32)
    for segment in parameters.segments:
        part = _slice(segment, origin)
        _swap_neighbours(image[part])
    widest = int((high - low).max())
    for step, bits in _draws(key, size):
        # Blocks of `step` days, every second one paired with the next: the pairs are disjoint.
        start = step.pop()
        distance = 1 + step.pop() % _reach(step.pop(), widest)
        blocks = np.arange(start % (2 * distance) - 2 * distance, size, 2 * distance, dtype=np.int32)
        left = (blocks[:, None] + np.arange(distance, dtype=np.int32)).ravel()
        left = left[(left >= 0) & (left < size - distance)]
        left = left[bits[: len(left)]]
        right = left + np.int32(distance)
        a, b = image[left], image[right]
        fits = (
            (b >= low[left]) & (b <= high[left]) & (a >= low[right]) & (a <= high[right]) & (b != left) & (a != right)
        )
        image[left[fits]], image[right[fits]] = b[fits], a[fits]
    return image


def _swap_neighbours(part: Days) -> None:
    """Swap each pair of neighbours in place; three go round where the count is odd."""
    even = len(part) - len(part) % 2
    part[0:even:2], part[1:even:2] = part[1:even:2].copy(), part[0:even:2].copy()
    if len(part) % 2:
        part[-3:] = np.roll(np.sort(part[-3:]), 1)


def _reach(draw: int, widest: int) -> int:
    """How far apart the swapped days of a round may be: narrow windows need short swaps, wide ones long."""
    reaches = (_NARROWEST // 2, _NARROWEST // 2, _NARROWEST, max(_NARROWEST, widest // 2))
    return min(reaches[draw % len(reaches)], max(1, widest))


def _draws(key: ColumnKey, size: int) -> Iterator[tuple[list[int], npt.NDArray[np.bool_]]]:
    """For each round three 64-bit numbers and a coin for each pair, from SHAKE-256 under the key."""
    secret = key.secret()
    for number in range(_ROUNDS):
        stream = hashlib.shake_256(secret + number.to_bytes(2, "big")).digest(24 + size // 8 + 1)
        words = [int.from_bytes(stream[i : i + 8], "big") for i in (0, 8, 16)]
        yield words, np.unpackbits(np.frombuffer(stream[24:], np.uint8)).astype(np.bool_)
