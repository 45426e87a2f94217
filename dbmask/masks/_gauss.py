"""How much noise: keyed bell-shaped integers that every engine makes alike, and the calibrations of differential privacy."""

from __future__ import annotations

import math
import os
import random
import struct
from typing import NamedTuple

__all__ = [
    "CENTRE",
    "ENTROPY",
    "FIELDS",
    "Scale",
    "analytic_sigma",
    "classic_sigma",
    "secure_gauss",
    "secure_laplace",
    "total_of",
]

# A PRF's four 60-bit words are sixteen uniform numbers of 15 bits. Their sum is near enough to a Gaussian (its tails
# end at 6.9 standard deviations), and summing needs integers only: two fields of 30 bits are added at a time.
FIELDS = 0x7FFF | 0x7FFF << 30
CENTRE = 16 * 0x7FFF // 2
_DEVIATION = math.sqrt(16 * (2**30 - 1) / 12)
_WORD = 15  # hex digits of a PRF word, as dbmask_sql.dialects.base.WORD_DIGITS
_FACTOR_BITS = 43


def total_of(digest: str) -> int:
    """The sum of the sixteen numbers in a PRF output of 64 hex digits: 0 to 2 * CENTRE."""
    both = 0
    for at in range(0, 4 * _WORD, _WORD):
        word = int(digest[at : at + _WORD], 16)
        both += (word & FIELDS) + (word >> 15 & FIELDS)
    return (both & 0x3FFFFFFF) + (both >> 30)


class Scale(NamedTuple):
    """Multiplies a sum's distance from CENTRE by the wanted deviation: ``(total * factor + constant >> shift) - offset``.

    The numbers before the shift are never negative, and below 2**63 where ``fits`` is true.
    """

    factor: int
    shift: int
    constant: int
    offset: int

    @classmethod
    def of(cls, deviation: float) -> Scale:
        """For a standard deviation of ``deviation`` units, rounded to whole units, half up."""
        ratio = deviation / _DEVIATION
        shift = max(1, min(60, _FACTOR_BITS - math.frexp(ratio)[1]))
        factor = round(ratio * 2**shift)
        offset = (CENTRE * factor >> shift) + 1
        return cls(factor, shift, (1 << shift - 1) + (offset << shift) - CENTRE * factor, offset)

    @property
    def fits(self) -> bool:
        """Whether signed 64-bit integers hold all intermediate results."""
        return 2 * CENTRE * self.factor + self.constant < 2**63

    def units(self, total: int) -> int:
        """The noise, in whole units."""
        return (total * self.factor + self.constant >> self.shift) - self.offset


def classic_sigma(epsilon: float, delta: float, sensitivity: float) -> float:
    """sensitivity * sqrt(2 ln(1.25/delta)) / epsilon: Dwork and Roth 2014, theorem A.1; proven for epsilon < 1 only."""
    return sensitivity * math.sqrt(2 * math.log(1.25 / delta)) / epsilon


def analytic_sigma(epsilon: float, delta: float, sensitivity: float) -> float:
    """The smallest sigma that is (epsilon, delta)-private, for every epsilon: Balle and Wang 2018, theorem 8.

    delta(s) = Phi(1/(2s) - epsilon s) - e^epsilon Phi(-1/(2s) - epsilon s) for sensitivity 1, which falls with s.
    """
    low, high = 0.0, 1.0
    while _spent(epsilon, high) > delta:
        low, high = high, 2 * high
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _spent(epsilon, middle) > delta else (low, middle)
    return high * sensitivity


def _spent(epsilon: float, sigma: float) -> float:
    near, far = 1 / (2 * sigma) - epsilon * sigma, 1 / (2 * sigma) + epsilon * sigma
    return 0.5 * math.erfc(-near / math.sqrt(2)) - math.exp(epsilon + _log_tail(far))


def _log_tail(x: float) -> float:
    """ln Phi(-x) for x > 0, by the asymptotic series where erfc would underflow."""
    if x < 30:
        return math.log(0.5 * math.erfc(x / math.sqrt(2)))
    return -x * x / 2 - math.log(x * math.sqrt(2 * math.pi)) + math.log1p(-1 / x**2 + 3 / x**4)


class Entropy(random.SystemRandom):
    """The operating system's randomness, fetched some thousand bytes at a time: a call for each number takes longer than its use."""

    def __init__(self) -> None:
        super().__init__()
        self._pool: list[float] = []

    def forget(self) -> None:
        """Drop what was fetched: two processes must not draw the same."""
        self._pool.clear()
        self.gauss_next = None

    def random(self) -> float:
        """A float in [0, 1) with 53 random bits."""
        while True:
            try:
                return self._pool.pop()
            except IndexError:  # empty, or emptied by another thread
                words = struct.unpack("<512Q", os.urandom(4096))
                self._pool.extend([(word >> 11) * 2**-53 for word in words])


ENTROPY = Entropy()
os.register_at_fork(after_in_child=ENTROPY.forget)


def secure_gauss(sigma: float, source: random.Random) -> float:
    """A Gaussian from four draws, so that the gaps between floats do not give the value away (Holohan and Braghin 2021)."""
    # Two pairs by Box and Muller, as four calls of source.gauss() give them, at about half their time.
    draw = source.random
    turn, radius = draw() * math.tau, math.sqrt(-2 * math.log(1 - draw()))
    first, second = math.cos(turn) * radius, math.sin(turn) * radius
    turn, radius = draw() * math.tau, math.sqrt(-2 * math.log(1 - draw()))
    return sigma * (first + second + math.cos(turn) * radius + math.sin(turn) * radius) / 2


def secure_laplace(scale: float, source: random.Random) -> float:
    """A Laplace number from four uniform draws (Holohan and Braghin 2021, section 4.2)."""
    first = math.log(1 - source.random()) * math.cos(math.pi * source.random())
    second = math.log(1 - source.random()) * math.cos(math.pi * source.random())
    return -scale * (first + second)
