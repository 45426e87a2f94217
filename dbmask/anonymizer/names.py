"""Names through a dictionary: tokens replaced, delimiters kept, capitals where they were.

A token is a run of letters and apostrophes. One token that the dictionary does not know leaves the whole value as it is.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from dbmask.anonymizer.imitation import Imitation
from dbmask.errors import MaskError

__all__ = ["APOSTROPHES", "Names", "dictionary_key", "recase", "tokens"]

APOSTROPHES = "'’"
_MEMO = 1 << 17
_STEPS = 1_000


def dictionary_key(name: str) -> str:
    """A name as dictionaries hold it: NFC, upper case, plain apostrophes."""
    return unicodedata.normalize("NFC", name).replace("’", "'").upper()


def tokens(text: str) -> list[tuple[bool, str]]:
    """The runs of a text, each with whether it is a token.

    >>> tokens("Jan2 O'Neil")
    [(True, 'Jan'), (False, '2 '), (True, "O'Neil")]
    """
    return [(word, "".join(run)) for word, run in groupby(text, lambda c: c.isalpha() or c in APOSTROPHES)]


def recase(pattern: str, name: str) -> str:
    """``name``, which is upper case, with the capitals of ``pattern``.

    All upper, all lower, a capital at the head of each part between apostrophes, else letter by letter.

    >>> [recase(p, "O'HARA") for p in ("O'Brien", "o'brien", "O'BRIEN", "McDonald")]
    ["O'Hara", "o'hara", "O'HARA", "O'Hara"]
    """
    if _titled(pattern):
        return "'".join(part[:1] + part[1:].lower() for part in name.split("'"))
    if pattern == pattern.upper():
        return name
    if pattern == pattern.lower():
        return name.lower()
    upper = [c.isupper() for c in pattern]
    upper += [upper[-1]] * (len(name) - len(upper))
    return "".join(c if up else c.lower() for c, up in zip(name, upper, strict=False))


def _titled(pattern: str) -> bool:
    parts = [p for p in pattern.replace("’", "'").split("'") if p]
    return bool(parts) and all(p[0].isupper() and p[1:] == p[1:].lower() for p in parts)


class Names:
    """Replaces names by a dictionary of upper-case keys and values.

    ``on_invalid`` says what becomes of values with an unknown token: keep, replace (known tokens are replaced, unknown
    ones imitated), null or error (MaskError). Values have at most ``limit`` characters: names that fit are taken, and what
    is still too long is cut.
    """

    def __init__(
        self, dictionary: Mapping[str, str], on_invalid: str, imitation: Imitation, limit: int | None = None
    ) -> None:
        self._dictionary = dictionary
        self._on_invalid = on_invalid
        self._imitation = imitation
        self._limit = limit
        self._made_of: dict[Any, Any] = {}
        self._failed: set[Any] = set()

    def run(self, values: Sequence[Any], what: str) -> tuple[list[bool], list[Any]]:
        """For each value whether it could not be transformed (empty where all could), and the masked value. Raises MaskError."""
        made = self._made_of
        if len(made) > _MEMO:
            made.clear()
            self._failed.clear()
        for value in set(values).difference(made):
            failed, made[value] = self._one(value, what)
            if failed:
                self._failed.add(value)
        failures = self._failed
        return [v in failures for v in values] if failures else [], list(map(made.__getitem__, values))

    def _one(self, value: Any, what: str) -> tuple[bool, Any]:
        if value is None or value == "":
            return False, value
        if not isinstance(value, str):
            raise MaskError(f"anonymizer: {what} must be text, and a value is {type(value).__name__}")
        runs = tokens(unicodedata.normalize("NFC", value))
        found = [self._replacement(dictionary_key(run)) if word else None for word, run in runs]
        known = [name is not None for (word, _), name in zip(runs, found, strict=True) if word]
        if known and all(known):
            return False, self._joined(runs, found)
        if self._on_invalid == "replace":
            return True, self._joined(runs, found)
        if self._on_invalid == "error":
            raise MaskError(
                f"anonymizer: {what} holds a name that the dictionary does not know, and `on_invalid` is error"
            )
        return True, None if self._on_invalid == "null" else value

    def _replacement(self, name: str) -> str | None:
        """The name's replacement, or the first that fits on the way from one name to the next.

        Where the dictionary is a bijection, so is what is made of it for names of at most ``limit`` characters.
        """
        made = self._dictionary.get(name)
        if self._limit is None or made is None:
            return made
        for _ in range(_STEPS):
            if len(made) <= self._limit and made != name:
                return made
            made = self._dictionary.get(made, made)
        return made

    def _joined(self, runs: list[tuple[bool, str]], found: Sequence[str | None]) -> str:
        made = []
        for (word, run), name in zip(runs, found, strict=True):
            if not word:
                made.append(run)
            elif name is None:
                made.append(self._imitation.text(run))
            else:
                cased = recase(run, name)
                made.append(cased.replace("'", "’") if "’" in run else cased)
        return "".join(made)[: self._limit]
