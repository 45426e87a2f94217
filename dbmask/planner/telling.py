"""Which values tell of one person or thing, so that two equal ones are no chance."""

from __future__ import annotations

import re

__all__ = ["LEAST", "may_hold", "telling", "words"]

LEAST = 8
"""Shorter texts tell of nobody."""

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[ T].*)?\Z")
_DIGITS = {ord(c): None for c in "0123456789"}
_LETTERS = re.compile(r"[^\W\d_]")
_TOKENS = re.compile(r"[\s,;'\"<>()\[\]{}|=]+")


def telling(text: str) -> bool:
    """Whether a text is one that two people would hardly have by chance.

    >>> [telling(t) for t in ("Christopher", "ann@shop.example", "+420 601 234 567", "2024-01-31 10:20:30.123456")]
    [False, True, True, False]
    """
    length = len(text)
    if length < LEAST:
        return False
    if "@" in text or (length >= 25 and text.count(" ") >= 3):
        return True
    digits = length - len(text.translate(_DIGITS))
    if digits >= 9:
        return _DAY.match(text) is None
    return digits >= 4 and len(_LETTERS.findall(text)) >= 4


def may_hold(text: str) -> bool:
    """Whether one of the text's words may be telling: quick, and true too often."""
    return "@" in text or len(text) - len(text.translate(_DIGITS)) >= 4


def words(text: str) -> list[str]:
    """The words of a text; none where it is one word itself."""
    found = _TOKENS.split(text)
    return found if len(found) > 1 else []
