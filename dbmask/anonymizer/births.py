"""Birth dates: dates, timestamps and ISO texts, through the date map. A time of day passes through."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from dbmask.anonymizer.datemap import DateMap
from dbmask.anonymizer.imitation import Imitation
from dbmask.errors import MaskError

__all__ = ["NO_DATE", "OUT_OF_RANGE", "Births"]

NO_DATE = -1
OUT_OF_RANGE = -2
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?![0-9])")
_MEMO = 1 << 17


class Births:
    """Maps batches of birth dates.

    ``on_invalid`` says what becomes of dates out of the range and of texts that are no ISO dates: keep, replace, null
    or error (MaskError).
    """

    def __init__(self, days: DateMap, last: dt.date, on_invalid: str, imitation: Imitation) -> None:
        self._days = days
        self._last = last
        self._on_invalid = on_invalid
        self._imitation = imitation
        self._days_of: dict[Any, int] = {}
        self._made_of: dict[Any, Any] = {}
        self._image = days.image.tolist()

    def run(self, values: Sequence[Any]) -> tuple[npt.NDArray[np.int32], list[Any]]:
        """For each value its day, counted from birthDayMin (or NO_DATE, OUT_OF_RANGE), and the masked value.

        Raises MaskError for values that are neither dates nor text, and as ``on_invalid`` says.
        """
        if any(issubclass(kind, dt.datetime) for kind in set(map(type, values))):
            # Equal times in different zones are equal keys: timestamps are not looked up.
            found = [self._one(v) for v in values]
            return np.fromiter((d for d, _ in found), np.int32, len(found)), [v for _, v in found]
        days, made = self._days_of, self._made_of
        if len(days) > _MEMO:
            days.clear()
            made.clear()
        for value in set(values).difference(days):
            days[value], made[value] = self._one(value)
        return np.fromiter(map(days.__getitem__, values), np.int32, len(values)), list(map(made.__getitem__, values))

    def _one(self, value: Any) -> tuple[int, Any]:
        if value is None or value == "":
            return NO_DATE, value
        if isinstance(value, dt.datetime):
            at, moved = self._move(value.date())
            return at, value.replace(year=moved.year, month=moved.month, day=moved.day) if moved else None
        if isinstance(value, dt.date):
            return self._move(value)
        if not isinstance(value, str):
            raise MaskError(
                f"anonymizer: birthDate must be a date, a timestamp or ISO text, and a value is {type(value).__name__}"
            )
        return self._text(value)

    def _text(self, value: str) -> tuple[int, str | None]:
        day = None
        if _ISO.match(value):
            try:
                day = dt.date.fromisoformat(value[:10])
            except ValueError:
                day = None
        if day is not None:
            at, moved = self._move(day)
            return at, moved.isoformat() + value[10:] if moved else None
        if self._on_invalid == "replace":
            return OUT_OF_RANGE, self._imitation.text(value)
        self._refuse()
        return OUT_OF_RANGE, None if self._on_invalid == "null" else value

    def _move(self, day: dt.date) -> tuple[int, dt.date | None]:
        at = day.toordinal() - self._days.origin
        if 0 <= at < self._days.size:
            return at, dt.date.fromordinal(self._days.origin + self._image[at])
        if self._on_invalid == "replace":
            return OUT_OF_RANGE, self._imitation.day(day, self._days.first, self._last)
        self._refuse()
        return OUT_OF_RANGE, None if self._on_invalid == "null" else day

    def _refuse(self) -> None:
        if self._on_invalid == "error":
            raise MaskError(
                "anonymizer: a birth date is no date from birthDayMin to birthDayMax, and `on_invalid` is error"
            )
