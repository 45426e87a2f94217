"""phone: another number of the same country and layout."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar
from unicodedata import category, decimal

from pydantic import Field

from dbmask.errors import BindError
from dbmask.keys import KeyRing
from dbmask.masks._layout import Stream
from dbmask.masks._letters import alphabet
from dbmask.masks.base import Bound, Case, Columns, KeyedMask, Promises

__all__ = ["Phone"]

_ABROAD = re.compile(r"\s*(?:\+|00(?=[\s\d]))")
_EXTENSION = re.compile(r"(?:\b(?:ext|extension)\.?|(?<![^\W\d_])x|;ext=|#)\s*\d+\s*\Z", re.IGNORECASE)
_ONE_DIGIT = frozenset({1, 7})
_TWO_DIGITS = frozenset(
    {
        20,
        27,
        *range(30, 35),
        36,
        39,
        40,
        41,
        *range(43, 50),
        *range(51, 59),
        *range(60, 67),
        81,
        82,
        84,
        86,
        *range(90, 96),
        98,
    }
)
"""Calling codes of one and of two digits; all others have three (ITU-T E.164, annex: list of country codes)."""
_KEPT = ""


@dataclass(frozen=True, kw_only=True)
class Phone(KeyedMask):
    """Another telephone number: country code, a leading zero, grouping and signs stay, and so does the word before an extension.

    ``keep_start`` keeps as many digits more after the country code, such as an area code; where that would keep all,
    none is kept. One number masks alike however it is grouped. Other letters become letters.
    """

    name: ClassVar[str] = "phone"
    cases: ClassVar[tuple[Case, ...]] = (
        Case("+420 601 234 567", "+420 454 286 717"),
        Case("+420601234567", "+420454286717"),
        Case("(555) 123-4567", "(555) 270-6997", {"keep_start": 3}),
        Case("+44 (0)20 7946 0958 ext. 12", "+44 (0)52 1995 1327 ext. 20"),
        Case("1-800-FLOWERS", "6-668-EKIFOKS"),
        Case("n/a", "p/l"),
        Case(None, None),
        Case("", ""),
    )

    keep_start: Annotated[int, Field(ge=0)] = 0

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        """Fit text columns. Raises BindError on others."""
        type_ = columns.target.type
        if not type_.is_text:
            raise BindError(f"phone makes text, and the column is {type_}", "use permute, fixed or null")
        stream = Stream(self.key(keys))
        bound = self.bound(columns, Promises(type=type_, keyed=True), lambda v: self._masked(str(v), stream))
        return replace(bound, stays=lambda v: 0.0 if any(_plan(str(v), self.keep_start)[0]) else 1.0)

    def _masked(self, text: str, stream: Stream) -> str:
        letters, digits = _plan(text, self.keep_start)
        places = [i for i, drawn in enumerate(letters) if drawn]
        made = list(text)
        for i, word in zip(places, stream.words(digits or text, len(places)), strict=True):
            made[i] = letters[i][word % len(letters[i])]
        masked = "".join(made)
        if masked == text and places:  # one digit more: no number stays
            at = places[-1]
            made[at] = letters[at][(letters[at].find(text[at]) + 1) % len(letters[at])]
            return "".join(made)
        return masked


def _plan(text: str, keep: int) -> tuple[list[str], str]:
    """For each character what it is drawn from, empty where it stays; and the number's own digits, whatever their layout."""
    extension = _EXTENSION.search(text)
    marker = range(extension.start(), extension.end()) if extension else range(0)
    abroad = _ABROAD.match(text)
    start = abroad.end() if abroad else 0
    letters = [_KEPT] * len(text)
    number = [i for i in range(start, len(text)) if category(text[i]) == "Nd"]
    code = _country(text, number) if abroad else 0
    own = number[code:]
    if len(own) > 1 and decimal(text[own[0]]) == 0:  # a trunk prefix, as in (0)20
        own = own[1:]
    kept = keep if keep < len(own) else 0
    for at, i in enumerate(own[kept:]):
        drawn = alphabet(text[i])
        # A number's first digit is no zero where it was none, and above 1 where it was.
        letters[i] = drawn if at or kept else drawn[min(decimal(text[i]), 2) :]
    for i, char in enumerate(text):
        if i not in marker and category(char)[0] == "L":
            letters[i] = alphabet(char)
    return letters, "".join(str(decimal(text[i])) for i in [*number[:code], *own])


def _country(text: str, number: list[int]) -> int:
    """How many of the digits after ``+`` or ``00`` are the country's."""
    first, second, *_ = [*(decimal(text[i]) for i in number[:2]), -1, -1]
    return 1 if first in _ONE_DIGIT else 2 if 10 * first + second in _TWO_DIGITS else 3
