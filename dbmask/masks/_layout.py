"""Texts drawn anew within their layout: at each place a character of that place's own alphabet.

An alphabet of one character is layout: the place keeps it. Two ways to draw: a keyed stream, which is quick, and a
keyed bijection of all texts of one layout.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence

from dbmask.keys import ColumnKey
from dbmask.masks._ff1 import FF1, LEAST_DOMAIN
from dbmask.masks._permutation import Permutation
from dbmask_sql.canonical import utf8_bytes

__all__ = ["Bijection", "Stream"]

_REMEMBERED = 1_000
_DRAWN = "\0"


class Stream:
    """A keyed function from a text to as many 16-bit words as are wanted (SHAKE256 over key and text)."""

    def __init__(self, key: ColumnKey) -> None:
        self._start = hashlib.shake_256(key.sub("stream").secret())

    def words(self, text: str, count: int) -> tuple[int, ...]:
        """The first ``count`` words for ``text``."""
        state = self._start.copy()
        state.update(utf8_bytes(text))
        return struct.unpack(f"<{count}H", state.digest(2 * count))


class Bijection:
    """A keyed bijection of the texts of each layout.

    FF1 where all drawn places have one radix and there are a million texts or more; a permutation of mixed radix elsewhere.
    """

    def __init__(self, key: ColumnKey) -> None:
        self._ff1 = FF1(key.sub("ff1").secret(32))
        self._mixed = key.sub("mixed")
        self._known: dict[int, Permutation] = {}

    def __call__(self, text: str, alphabets: Sequence[str]) -> str:
        """The text that ``text`` becomes. Raises ValueError where one of its characters is not in its place's alphabet."""
        places = [i for i, letters in enumerate(alphabets) if letters != text[i]]
        if not places:
            return text
        sizes = [len(alphabets[i]) for i in places]
        numbers = [alphabets[i].index(text[i]) for i in places]
        radix = sizes[0]
        if len(sizes) > 1 and sizes.count(radix) == len(sizes) and radix ** len(sizes) >= LEAST_DOMAIN:
            layout = "".join(char if char == letters else _DRAWN for char, letters in zip(text, alphabets, strict=True))
            tweak = hashlib.blake2b(utf8_bytes(layout), digest_size=8).digest()
            numbers = self._ff1.encrypt(numbers, radix, tweak)
        else:
            self._permute(numbers, sizes)
        made = list(text)
        for i, number in zip(places, numbers, strict=True):
            made[i] = alphabets[i][number]
        return "".join(made)

    def _permute(self, numbers: list[int], sizes: Sequence[int]) -> None:
        size, number = 1, 0
        for digit, radix in zip(numbers, sizes, strict=True):
            size, number = size * radix, number * radix + digit
        if size not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            self._known[size] = Permutation(self._mixed, size, f"{size:017x}")
        number = self._known[size](number)
        for at in range(len(sizes) - 1, -1, -1):
            number, numbers[at] = divmod(number, sizes[at])
