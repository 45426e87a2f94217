"""What stands for a value that could not be transformed under ``on_invalid: replace``: one that looks like it.

Texts are drawn as the mask ``imitate`` draws them. Dates out of the range become other dates out of the range, on the
same side and within two years.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

from dbmask.errors import MaskError
from dbmask.keys import ColumnKey
from dbmask.masks.imitate import Imitate

__all__ = ["Imitation", "imitate_day"]

_TRIES = 256
_SPAN = 731
_LAST = dt.date.max.toordinal()


class Imitation:
    """Imitates texts under a key; numbers one to one where ``unique`` is set."""

    def __init__(self, key: ColumnKey, unique: bool = False) -> None:
        self._key = key
        self._other = Imitate(force_change=True).function(key)
        self._one_to_one = Imitate(unique=True).bijection(key) if unique else None

    def text(self, value: str) -> str:
        """Another text that looks like ``value``, the same for equal ones. One without letters and digits stays."""
        return self._other(value)

    def number(self, value: str, is_number: Callable[[str], bool]) -> str:
        """As :meth:`text` for what is no birth number, and what comes out is none either (``is_number`` says).

        With ``unique``, different values become different ones. Raises MaskError where a character does not allow that.
        """
        made = value
        if self._one_to_one is not None:
            try:
                # Walking on until it is no number again is one to one on all that are none.
                made = self._one_to_one(made)
                while is_number(made):
                    made = self._one_to_one(made)
            except ValueError:
                raise MaskError("anonymizer: a birth number has a letter that `unique` cannot replace") from None
            return made
        for _ in range(_TRIES):
            made = self._other(made)
            if made != value and not is_number(made):
                break
        return made

    def day(self, day: dt.date, first: dt.date, last: dt.date) -> dt.date:
        """Another day out of the range ``first`` to ``last``: see :func:`imitate_day`."""
        return imitate_day(day, first, last, self._key)


def imitate_day(day: dt.date, first: dt.date, last: dt.date, key: ColumnKey) -> dt.date:
    """Another day out of the range ``first`` to ``last``, on the same side: days go round within blocks of two years.

    One to one: no two days become the same. A block of one day, at the end of the calendar, cannot change.
    """
    at = day.toordinal()
    before = at < first.toordinal()
    edge = first.toordinal() - 1 if before else last.toordinal() + 1
    far = abs(at - edge)
    room = edge if before else _LAST - edge + 1
    block = far // _SPAN
    size = min(_SPAN, room - block * _SPAN)
    if size < 2:
        return day
    draw = int.from_bytes(key.prf(f"{'before' if before else 'after'} {block}".encode())[:8], "big")
    far = block * _SPAN + (far - block * _SPAN + 1 + draw % (size - 1)) % size
    return dt.date.fromordinal(edge - far if before else edge + far)
