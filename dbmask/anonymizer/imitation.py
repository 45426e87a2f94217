"""What stands for a value that could not be transformed under ``on_invalid: replace``: one that looks like it.

Vowels become vowels, consonants consonants, digits digits, capitals stay capitals, everything else stays. Dates out of
the range become other dates out of the range, on the same side and within two years.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable, Iterator

from dbmask.keys import ColumnKey

__all__ = ["imitate", "imitate_day"]

_DIGITS = "0123456789"
_VOWELS = "aeiou"
_CONSONANTS = "bcdfghjklmnprstvz"
_TRIES = 256
_SPAN = 731
_LAST = dt.date.max.toordinal()


def imitate(value: str, key: ColumnKey, accept: Callable[[str], bool] | None = None) -> str:
    """A text that looks like ``value`` and is another one, the same for equal values.

    ``accept`` refuses texts that must not come out. A text without letters and digits stays as it is.
    """
    alphabets = [_alphabet(c) for c in value]
    if not any(alphabets):
        return value
    data = value.encode("utf-8", "surrogatepass")
    made = value
    for attempt in range(_TRIES):
        words = _words(key, data, attempt)
        made = "".join(a[next(words) % len(a)] if a else c for c, a in zip(value, alphabets, strict=True))
        if made != value and (accept is None or accept(made)):
            break
    return made


def _alphabet(char: str) -> str:
    """What may stand for a character; empty where it stands for itself."""
    if char.isdigit():
        return _DIGITS
    if not char.isalpha():
        return ""
    base = unicodedata.normalize("NFD", char)[0].lower()
    letters = _VOWELS if base in "aeiouyаеёиоуыэюяαεηιουω" else _CONSONANTS
    return letters.upper() if char.isupper() else letters


def _words(key: ColumnKey, data: bytes, attempt: int) -> Iterator[int]:
    """32-bit words without end."""
    block = 0
    while True:
        digest = key.prf(attempt.to_bytes(2, "big") + block.to_bytes(4, "big") + data)
        yield from (int.from_bytes(digest[i : i + 4], "big") for i in range(0, len(digest), 4))
        block += 1


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
