"""What a language looks like to the detectors, and which language a text is in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cache

__all__ = ["LANGUAGES", "Language", "detect_language", "language", "words"]

LANGUAGES = ("en", "fr", "cs")
_WORD = re.compile(r"[^\W\d_]+")
_DETECTED = 20_000
"""So many characters of a text are looked at to tell its language."""
_DECIDES = 4
"""The least score that decides: two function words, or one and its letters."""


def words(text: str) -> frozenset[str]:
    """The words of a text, separated by space; an underscore within one stands for a space."""
    return frozenset(w.replace("_", " ") for w in text.split())


@dataclass(frozen=True)
class Language:
    """Words that decide what a capitalised word is. All are lower case, inflected forms included.

    ``common``: ordinary words that open a sentence; ``function``: those that tell the language. ``titles`` are part of
    a name, ``roles`` announce one, ``actions`` follow one. ``places_after``: prepositions before a place. ``organisations``:
    words that make a name one of an organisation, ``forms`` end one; ``joiners`` stand inside names of organisations.
    ``months`` maps to 1-12; ``date`` and ``time`` are patterns, tried in order.
    """

    code: str
    function: frozenset[str]
    common: frozenset[str]
    titles: frozenset[str]
    roles: frozenset[str]
    actions: frozenset[str]
    places_after: frozenset[str]
    organisations: frozenset[str]
    joiners: frozenset[str]
    months: dict[str, int]
    weekdays: tuple[str, ...]
    dates: tuple[str, ...]
    times: tuple[str, ...]
    never: frozenset[str] = field(default_factory=frozenset)


@cache
def language(code: str) -> Language:
    """The language of this code: en, fr or cs."""
    from importlib import import_module

    found: Language = import_module(f"dbmask.ner.lang_{code}").LANGUAGE
    return found


def detect_language(text: str, candidates: Iterable[str] = LANGUAGES) -> str | None:
    """The language whose function words and letters a text has; None where the text is too short to tell."""
    scores: Counter[str] = Counter()
    for word in _WORD.findall(text[:_DETECTED].lower()):
        for code in candidates:
            if word in language(code).function:
                scores[code] += 2
    lowered = text[:_DETECTED].lower()
    scores["cs"] += sum(lowered.count(c) for c in "ěščřžůť")
    scores["fr"] += sum(lowered.count(c) for c in "èêçœàù")
    ranked = [(n, code) for code, n in scores.items() if n > 0]
    ranked.sort(reverse=True)
    if not ranked or ranked[0][0] < _DECIDES or (len(ranked) > 1 and ranked[0][0] < 1.5 * ranked[1][0]):
        return None
    return ranked[0][1]
