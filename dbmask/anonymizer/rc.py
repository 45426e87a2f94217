"""Czech and Slovak birth numbers (rodné číslo): YYMMDD, then nothing, three digits (until 1953) or four.

The month says more than the month: +50 a woman, +20 the extended form (from April 2004, 10 digits), +70 both. A day
+40, or +50 where the month has +20 as well, marks an artificial number (foreigners, insurers' own), which is left alone
unless ``artificial: mask``.

Reading and writing are table lookups. A *cell* is (year of two digits, month, day), 37,200 of them; tables go from
cells to days and back.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from dbmask.anonymizer.ascii import Bytes, Lines, Rows
from dbmask.anonymizer.calendar import NO_DAY, day_parts, ordinals, written
from dbmask.anonymizer.numbers import Bools, Days
from dbmask.anonymizer.parameters import Parameters
from dbmask.anonymizer.trailers import last_digit_only, trailer_table

__all__ = ["RcNumbers", "rc_numbers"]

_CELLS = 100 * 12 * 31
_NO_CELL = _CELLS
_CENTURIES = (2000, 1900, 1800)
_SLASH = ord("/")
_LAYOUTS = ((6, False), (7, True), (9, False), (10, False), (10, True), (11, True))
"""Characters in all, and whether the seventh is a slash."""

# The month's and the day's additions: how much is added to the tens digit, and to the remainder by 11.
_MONTH_TENS = np.array([0, 5, 2, 7], np.uint8)
_DAY_TENS = np.array([0, 4, 5], np.uint8)
_MONTH_REST = np.array([0, 5000 % 11, 2000 % 11, 7000 % 11], np.uint8)
_DAY_REST = np.array([0, 40 % 11, 50 % 11], np.uint8)


def _packed(
    legal: range, additions: npt.NDArray[np.uint8], kinds: tuple[int, ...]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """For each written number of two digits: the number itself counted from 0 (-1 if there is none), and which addition it has."""
    value, kind = np.full(256, -1, np.int32), np.zeros(256, np.uint8)
    for i in kinds:
        for number in legal:
            at = number + 10 * int(additions[i])
            value[at], kind[at] = number - 1, i
    return value, kind


class RcNumbers:
    """Tables for one range of days and one set of rules."""

    def __init__(self, parameters: Parameters) -> None:
        self.slash = parameters.separator == "auto"
        self.origin = parameters.birthDayMin.toordinal()
        self.size = parameters.birthDayMax.toordinal() - self.origin + 1
        self.extended = parameters.extendedSince.toordinal() - self.origin
        self.trailers = trailer_table() if parameters.check_digit == "strict" else last_digit_only()
        self.month, self.month_kind = _packed(range(1, 13), _MONTH_TENS, (0, 1, 2, 3))
        # With an extended month or without; +40 and +50 would overlap.
        masked = parameters.artificial == "mask"
        both = [_packed(range(1, 32), _DAY_TENS, (0, kind) if masked else (0,)) for kind in (1, 2)]
        self.day, self.day_kind = (np.stack(tables) for tables in zip(*both, strict=True))
        self._days()
        self._cells(parameters.extendedSince)
        self.apart = self._is_apart(parameters)

    def _days(self) -> None:
        """By day: its cell, its six digits (as bytes) and their remainder."""
        year, month, day = day_parts(self.origin, self.size)
        short = year % 100
        self.cell_of_day = ((short * 12 + month) * 31 + day).astype(np.int32)
        code = short * 10_000 + (month + 1) * 100 + day + 1
        self.rest_of_day = (code % 11).astype(np.uint8)
        self.digits_of_day = written(code, 6)

    def _cells(self, extended_since: dt.date) -> None:
        """By cell: whether it is real in some century, what day it tells, its remainder; for each length and month form."""
        cell = np.arange(_CELLS)
        short, month, day = cell // 372, cell // 31 % 12, cell % 31
        self.rest_of_cell = np.append((short * 10_000 + (month + 1) * 100 + day + 1) % 11, 0).astype(np.uint8)
        since = extended_since.toordinal() - self.origin
        before_1954 = dt.date(1954, 1, 1).toordinal() - self.origin
        self.real = np.zeros((2, _CELLS + 1), np.bool_)
        # [9 digits or not][extended or not]
        self.alone = np.full((2, 2, _CELLS + 1), -1, np.int32)
        for century in reversed(_CENTURIES):
            days = ordinals(century + short, month, day) - self.origin
            for ext in (0, 1):
                real = days > NO_DAY - self.origin
                if ext:
                    real &= days >= since
                self.real[ext, :-1] |= real
                fits = real & (days >= 0) & (days < self.size)
                # Later centuries overwrite earlier ones; nine digits are from before 1954.
                for nine, possible in ((0, fits), (1, fits & (days < before_1954))):
                    self.alone[nine, ext, :-1][possible] = days[possible]

    def _is_apart(self, parameters: Parameters) -> bool:
        """Whether in each segment either every day or none is what its digits tell, for each length and month form.

        Then the images of numbers that tell a day tell one again, and no two of them the same.
        """
        told = self.alone[:, :, self.cell_of_day] == np.arange(self.size)
        for segment in parameters.segments:
            part = told[:, :, segment.first.toordinal() - self.origin : segment.last.toordinal() - self.origin + 1]
            if (part.any(axis=2) & ~part.all(axis=2)).any():
                return False
        return True

    def read(self, values: Sequence[Any]) -> RcBatch:
        """Read a batch of texts and nulls. Raises MaskError for other types."""
        return RcBatch(self, values)


@lru_cache(maxsize=8)
def rc_numbers(parameters: Parameters) -> RcNumbers:
    """The tables for these parameters, built once."""
    return RcNumbers(parameters)


class RcBatch:
    """A batch of birth numbers, read."""

    def __init__(self, numbers: RcNumbers, values: Sequence[Any]) -> None:
        self.numbers = numbers
        self.lines = Lines(values, "rc")
        count = len(values)
        self.cell = np.full(count, _NO_CELL, np.int32)
        self.kinds = np.zeros((2, count), np.uint8)
        self.extended = np.zeros(count, np.bool_)
        self.alone = np.full(count, -1, np.int32)
        self.real = np.zeros(count, np.bool_)
        self.layouts: list[tuple[Rows | slice, int, bool, Bytes]] = []
        for length in dict.fromkeys(length for length, _ in _LAYOUTS):
            rows, text = self.lines.matrix(length)
            if len(text):
                self._split(rows, text, length)
        self.guessed = self.alone >= 0

    def _split(self, rows: Rows | slice, text: Bytes, length: int) -> None:
        """Tell texts of one length with a slash from those without."""
        here = {slash for size, slash in _LAYOUTS if size == length}
        if here == {False}:
            self._layout(rows, text, False)
            return
        slashed = text[:, 6] == _SLASH
        if not self.numbers.slash:
            slashed = np.zeros_like(slashed)
        for slash in here:
            which = slashed if slash else ~slashed
            if which.all():
                self._layout(rows, text, slash)
            elif which.any():
                inside = np.flatnonzero(which)
                self._layout(inside if isinstance(rows, slice) else rows[inside], text[inside], slash)

    def _layout(self, rows: Rows | slice, text: Bytes, slash: bool) -> None:
        """Read texts of one layout."""
        tables = self.numbers
        digits = text - np.uint8(ord("0"))
        tail = digits[:, 6 + slash :]
        well = digits[:, 0] <= 9
        for column in range(1, text.shape[1]):
            if not (slash and column == 6):
                well &= digits[:, column] <= 9
        year = digits[:, 0] * np.uint8(10) + digits[:, 1]
        written_month = digits[:, 2] * np.uint8(10) + digits[:, 3]
        written_day = digits[:, 4] * np.uint8(10) + digits[:, 5]
        month, month_kind = tables.month[written_month], tables.month_kind[written_month]
        extended = month_kind >= 2
        series = extended.astype(np.intp)
        day, day_kind = tables.day[series, written_day], tables.day_kind[series, written_day]
        well &= (month >= 0) & (day >= 0)
        if tail.shape[1] != 4:
            well &= ~extended
        cell = np.where(well, (year.astype(np.int32) * 12 + month) * 31 + day, _NO_CELL)
        # An insurer's own number (day +50) has month +20 at any time.
        form = (extended & (day_kind != 2)).astype(np.intp)
        nine = int(tail.shape[1] == 3)
        self.cell[rows] = cell
        self.kinds[0, rows], self.kinds[1, rows] = month_kind, day_kind
        self.extended[rows] = form == 1
        self.alone[rows] = tables.alone[nine][form, cell]
        self.real[rows] = tables.real[form, cell]
        self.layouts.append((rows, tail.shape[1], slash, tail))

    def matches(self, days: Days) -> Bools:
        """Whether each number tells this very day: the same YYMMDD, and not extended before its time."""
        tables = self.numbers
        known = days >= 0
        same = tables.cell_of_day[np.maximum(days, 0)] == self.cell
        made: Bools = known & same & self.real & (~self.extended | (days >= tables.extended))
        return made

    def write(self, days: Days, changed: Bools) -> list[Any]:
        """The numbers where ``changed``, moved to ``days``; the given values elsewhere."""
        everything = np.arange(len(changed))
        for rows, tail, slash, digits in self.layouts:
            here = everything[rows]
            which = changed[rows]
            if not which.all():
                here, digits = here[which], digits[which]
            if len(here):
                self._move(here, days[here], tail, slash, digits)
        return self.lines.texts(changed)

    def _move(self, rows: Rows, days: Days, tail: int, slash: bool, digits: Bytes) -> None:
        tables = self.numbers
        month_kind, day_kind = self.kinds[0, rows], self.kinds[1, rows]
        head = tables.digits_of_day[days]
        head[:, 2] += _MONTH_TENS[month_kind]
        head[:, 4] += _DAY_TENS[day_kind]
        self.lines.write(rows, 0, head)
        if tail != 4:
            return
        form = _MONTH_REST[month_kind] + _DAY_REST[day_kind]
        old = (tables.rest_of_cell[self.cell[rows]] + form) % np.uint8(11)
        new = (tables.rest_of_day[days] + form) % np.uint8(11)
        trailer = digits[:, 0].astype(np.int32) * 1000 + digits[:, 1].astype(np.int32) * 100
        trailer += digits[:, 2] * np.uint8(10) + digits[:, 3]
        moved = tables.trailers[old, new, trailer]
        self.lines.write(rows, 6 + slash, _FOUR_DIGITS[moved])


_FOUR_DIGITS: Bytes = written(np.arange(10_000), 4)
