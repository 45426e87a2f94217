"""Birth numbers of other countries: fixed length, the century told, one check digit.

======== ====== ================================== ============================================
kind     digits century                            check digit
======== ====== ================================== ============================================
pl.pesel 11     month +80, +0, +20                 weighted sum modulo 10
ro.cnp   13     first digit 3-4, 1-2, 5-6 (7-9)    weighted sum modulo 11, 1 for 10
bg.egn   10     month +20, +0, +40                 weighted sum modulo 11, 0 for 10
ee.ik    11     first digit 1-2, 3-4, 5-6          weighted sum modulo 11, for 10 with other weights
lt.asmens 11    first digit 1-2, 3-4, 5-6          as ee.ik
======== ====== ================================== ============================================

Only the date and the check digit change: what tells century, sex and region stays, and so does the difference of the check
digit from the right one, modulo 10. Foreigners' first digits 7 to 9 in Romania tell no century: 19 is taken, as a guess.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dbmask.anonymizer.ascii import Lines, Rows
from dbmask.anonymizer.calendar import NO_DAY, day_parts, ordinals, written
from dbmask.anonymizer.numbers import Bools, Days
from dbmask.anonymizer.parameters import Parameters

__all__ = ["NationalNumbers"]

Digits = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Kind:
    """``at`` is where YYMMDD begins; ``months`` maps the month's addition to the century, ``heads`` the first digit."""

    length: int
    at: int
    right: Callable[[Digits], Digits]
    months: dict[int, int] | None = None
    heads: dict[int, int] | None = None
    guessed: tuple[int, ...] = ()


def _weighted(digits: Digits, *weights: int) -> Digits:
    made: Digits = digits[:, : len(weights)] @ np.array(weights, np.int64)
    return made


def _pesel(digits: Digits) -> Digits:
    return -_weighted(digits, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3) % 10


def _cnp(digits: Digits) -> Digits:
    rest = _weighted(digits, 2, 7, 9, 1, 4, 6, 3, 5, 8, 2, 7, 9) % 11
    return np.where(rest == 10, 1, rest)


def _egn(digits: Digits) -> Digits:
    return _weighted(digits, 2, 4, 8, 5, 10, 9, 7, 3, 6) % 11 % 10


def _baltic(digits: Digits) -> Digits:
    first = _weighted(digits, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1) % 11
    second = _weighted(digits, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3) % 11
    return np.where(first == 10, second % 10, first)


_BALTIC_HEADS = {1: 1800, 2: 1800, 3: 1900, 4: 1900, 5: 2000, 6: 2000}
_KINDS = {
    "pl.pesel": _Kind(11, 0, _pesel, months={80: 1800, 0: 1900, 20: 2000}),
    "ro.cnp": _Kind(
        13,
        1,
        _cnp,
        heads={**{1: 1900, 2: 1900, 3: 1800, 4: 1800, 5: 2000, 6: 2000}, **{7: 1900, 8: 1900, 9: 1900}},
        guessed=(7, 8, 9),
    ),
    "bg.egn": _Kind(10, 0, _egn, months={20: 1800, 0: 1900, 40: 2000}),
    "ee.ik": _Kind(11, 1, _baltic, heads=_BALTIC_HEADS),
    "lt.asmens": _Kind(11, 1, _baltic, heads=_BALTIC_HEADS),
}


class NationalNumbers:
    """One country's numbers over one range of days."""

    def __init__(self, parameters: Parameters) -> None:
        self.kind = _KINDS[parameters.type]
        self.origin = parameters.birthDayMin.toordinal()
        self.size = parameters.birthDayMax.toordinal() - self.origin + 1
        year, month, day = day_parts(self.origin, self.size)
        self.code_of_day = year % 100 * 10_000 + (month + 1) * 100 + day + 1
        self.digits_of_day = written(self.code_of_day, 6)
        # By written month: the month counted from 0 (-1 if there is none), its addition, the century that it tells.
        self.month, self.plus = np.full(100, -1, np.int64), np.zeros(100, np.int64)
        self.century_of_month, self.century_of_head = np.zeros(100, np.int64), np.zeros(10, np.int64)
        for plus, century in (self.kind.months or {0: 0}).items():
            for number in range(1, 13):
                self.month[number + plus], self.plus[number + plus] = number - 1, plus
                self.century_of_month[number + plus] = century
        for head, century in (self.kind.heads or {}).items():
            self.century_of_head[head] = century

    @property
    def apart(self) -> bool:
        """Always: what tells the century stays."""
        return True

    def read(self, values: Sequence[Any]) -> NationalBatch:
        """Read a batch of texts and nulls. Raises MaskError for other types."""
        return NationalBatch(self, values)


class NationalBatch:
    """A batch of one country's numbers, read."""

    def __init__(self, numbers: NationalNumbers, values: Sequence[Any]) -> None:
        self.numbers = numbers
        kind = numbers.kind
        count = len(values)
        self.lines = Lines(values, "rc")
        self.alone, self.real = np.full(count, -1, np.int32), np.zeros(count, np.bool_)
        self.guessed, self.code = np.zeros(count, np.bool_), np.full(count, -1, np.int64)
        self.plus = np.zeros(count, np.int64)
        rows, text = self.lines.matrix(kind.length)
        self.rows: Rows = np.arange(count)[rows]
        self.digits: Digits = text.astype(np.int64) - ord("0")
        if not len(self.rows):
            return
        well: Bools = np.all((self.digits >= 0) & (self.digits <= 9), axis=1)
        digits = np.where(well[:, None], self.digits, 0)
        date = digits[:, kind.at : kind.at + 6].reshape(-1, 3, 2) @ np.array([10, 1])
        month = numbers.month[date[:, 1]]
        century = numbers.century_of_month[date[:, 1]] if kind.heads is None else numbers.century_of_head[digits[:, 0]]
        well &= (month >= 0) & (century > 0) & (date[:, 2] > 0)
        days = np.where(well, ordinals(np.where(well, century, 1900) + date[:, 0], month, date[:, 2] - 1), NO_DAY)
        alone = days - numbers.origin
        self.real[self.rows] = np.asarray(days != NO_DAY)
        self.alone[self.rows] = np.where((alone >= 0) & (alone < numbers.size), alone, -1)
        self.plus[self.rows] = numbers.plus[date[:, 1]]
        self.code[self.rows] = date @ np.array([10_000, 100, 1]) - self.plus[self.rows] * 100
        self.guessed[self.rows] = np.isin(digits[:, 0], kind.guessed)

    def matches(self, days: Days) -> Bools:
        """Whether each number tells this very day; of numbers whose century is a guess, the same YYMMDD."""
        same = self.numbers.code_of_day[np.maximum(days, 0)] == self.code
        made: Bools = (days >= 0) & self.real & ((days == self.alone) | (self.guessed & same))
        return made

    def write(self, days: Days, changed: Bools) -> list[Any]:
        """The numbers where ``changed``, moved to ``days``; the given values elsewhere."""
        kind = self.numbers.kind
        here = changed[self.rows]
        rows, digits = self.rows[here], self.digits[here]
        if len(rows):
            head = self.numbers.digits_of_day[days[rows]].astype(np.int64) - ord("0")
            head[:, 2] += self.plus[rows] // 10
            moved = digits.copy()
            moved[:, kind.at : kind.at + 6] = head
            moved[:, -1] = (kind.right(moved) + digits[:, -1] - kind.right(digits)) % 10
            self.lines.write(rows, 0, (moved + ord("0")).astype(np.uint8))
        return self.lines.texts(changed)
