"""Uniform integers for masks that make a value up: from the key and the value, or from the operating system."""

from __future__ import annotations

import secrets
from collections.abc import Callable

from dbmask.keys import ColumnKey

__all__ = ["WORD_LIMIT", "drawer"]

_WORD = 15  # hex digits of a PRF word, as dbmask_sql.dialects.base.WORD_DIGITS
WORD_LIMIT = 2**40
"""Up to here one word of 60 bits is even to one part in a million, and SQL draws the same."""


def drawer(key: ColumnKey | None, count: int) -> Callable[[bytes], int]:
    """A function from a value's canonical bytes to 0 ... count-1; with no key it is fresh at each call."""
    if key is None:
        return lambda _: secrets.randbelow(count)
    prf = key.prf
    if count <= WORD_LIMIT:
        return lambda data: int(prf(data).hex()[:_WORD], 16) % count
    return lambda data: int.from_bytes(prf(data), "big") % count
