"""Where the quotes of an answer stand in their text."""

from __future__ import annotations

import re
from collections.abc import Iterator

from dbmask.text.fold import fold, splits_word

__all__ = ["locate"]


def locate(quote: str, text: str) -> list[tuple[int, int]]:
    """Every place of a quote: as it is, or with other capitals, or with other white space. Empty where it is not in the text.

    Places inside words count only where there is no other.
    """
    quote = quote.strip()
    if not quote:
        return []
    for found in (_exact(quote, text), _exact(fold(quote), fold(text)), _spaced(quote, text)):
        places = list(found)
        whole = [(a, b) for a, b in places if not (splits_word(text, a) or splits_word(text, b))]
        if places:
            return whole or places
    return []


def _exact(quote: str, text: str) -> Iterator[tuple[int, int]]:
    at = text.find(quote)
    while at >= 0:
        yield at, at + len(quote)
        at = text.find(quote, at + len(quote))


def _spaced(quote: str, text: str) -> Iterator[tuple[int, int]]:
    pattern = r"\s+".join(re.escape(part) for part in fold(quote).split())
    for match in re.finditer(pattern, fold(text)):
        yield match.span()
