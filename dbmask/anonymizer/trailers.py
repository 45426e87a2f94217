"""The last four digits of a 10-digit birth number when its first six change.

A number is valid where 11 divides it; the right last digit is then the remainder of the first nine, and where that is
10 there is none. 1000 leaves -1 and 10000 leaves 1 when divided by 11, so all that matters of the six digits is their
remainder: for each pair of remainders (old ``a``, new ``b``) there is one table, a bijection of 0000..9999.

Each table keeps the difference between the last digit and the right one, by changing

1. the last digit alone, where that can be done,
2. the last two digits, where it cannot (remainder 10, or a digit out of 0..9),
3. more, where all such numbers are taken: one in a hundred of all trailers at least, because a hundred trailers hold ten
   valid ones under one remainder and nine under each other.

The remainder of the whole number by 11 is always kept, so valid numbers stay valid, but for one trailer: 10000 numbers
hold 910 valid ones under remainder 0 and 909 under each other, so one of them has no place. It is 0000, which maps to
itself and which no register gives out. The difference itself, say +4 and not -7, is kept wherever the counts
allow, which is but for a few trailers in ten thousand.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

__all__ = ["difference", "last_digit_only", "trailer_table"]

Trailers = npt.NDArray[np.int16]


@cache
def trailer_table() -> Trailers:
    """New trailers by [old remainder, new remainder, old trailer], shape (11, 11, 10000)."""
    blocks = np.array([[_block(u, v) for v in range(11)] for u in range(11)], np.int16)
    hundreds = np.arange(100)
    table = np.empty((11, 11, 100, 100), np.int16)
    for a in range(11):
        for b in range(11):
            # 10 leaves -1: the hundreds digits shift the remainder by as much as they count.
            part = blocks[(hundreds + a) % 11, (hundreds + b) % 11]
            table[a, b] = np.where(part >= 0, part + 100 * hundreds[:, None], -1)
    flat: Trailers = table.reshape(11, 11, 10_000)
    for a in range(11):
        for b in range(11):
            _complete(flat[a, b], a, b)
    flat.flags.writeable = False
    return flat


@cache
def last_digit_only() -> Trailers:
    """As :func:`trailer_table`, but changing nothing but the last digit.

    The right digit is here the remainder of the first nine digits, and 0 where that is 10, as numbers issued until 1985 have it; the
    difference is kept modulo 10.
    """
    t = np.arange(10_000)
    high, last = t // 10, t % 10
    right = (high[None, :] - np.arange(11)[:, None]) % 11 % 10
    made: Trailers = (high * 10 + (last + right[None, :, :] - right[:, None, :]) % 10).astype(np.int16)
    return made


def difference(remainder: int | npt.NDArray[np.int64], trailer: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Last digit less the right one (-10..9) for six digits that leave ``remainder``."""
    made: npt.NDArray[np.int64] = trailer % 10 - (trailer // 10 - remainder) % 11
    return made


def _block(u: int, v: int) -> list[int]:
    """New last two digits by old ones where the digits before leave ``u`` and come to leave ``v``; -1 where there is no room."""
    made = [-1] * 100
    free = set(range(100))
    for old in range(100):
        new = old % 10 + (old // 10 - v) % 11 - (old // 10 - u) % 11
        if 0 <= new <= 9:
            made[old] = old - old % 10 + new
            free.remove(made[old])
    by_difference: dict[int, list[int]] = {}
    for slot in sorted(free):
        by_difference.setdefault(slot % 10 - (slot // 10 - v) % 11, []).append(slot)
    for old in range(100):
        if made[old] < 0:
            room = by_difference.get(old % 10 - (old // 10 - u) % 11)
            made[old] = room.pop(0) if room else -1
    return made


def _complete(row: Trailers, a: int, b: int) -> None:
    """Give places to the trailers that found none among their hundred: by difference first, by remainder then."""
    if row[0]:  # 0000 maps to itself; whoever had that place finds another
        row[row == 0] = -1
        row[0] = 0
    for class_of in (_by_difference, _by_remainder):
        homeless = np.flatnonzero(row < 0)
        taken = np.zeros(10_000, np.bool_)
        taken[row[row >= 0]] = True
        free = np.flatnonzero(~taken)
        keys, slots = class_of(a, homeless), class_of(b, free)
        order, places = np.argsort(keys, kind="stable"), np.argsort(slots, kind="stable")
        homeless, keys, free, slots = homeless[order], keys[order], free[places], slots[places]
        rank = np.arange(len(keys)) - np.searchsorted(keys, keys)
        at = np.searchsorted(slots, keys) + rank
        found = (at < len(slots)) & (slots[np.minimum(at, len(slots) - 1)] == keys) if len(slots) else np.zeros(0, bool)
        row[homeless[found]] = free[at[found]]


def _by_difference(remainder: int, trailers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return difference(remainder, trailers)


def _by_remainder(remainder: int, trailers: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    return (remainder + trailers) % 11
