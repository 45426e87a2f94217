"""Which characters a pattern cannot do without, so that texts that have none of them need not be searched for it.

>>> sorted(needed(r"\\bMRN[ :]*\\d{4}\\b"))
['M']
>>> needed(r"[a-z]*") is None
True

Only the syntax is read that means the same to every engine; whatever else a pattern holds, nothing is said of it.
"""

from __future__ import annotations

import string
from collections.abc import Iterable

__all__ = ["needed"]

_DIGITS = frozenset(string.digits)
_CLASSES = {
    "d": _DIGITS,
    "w": frozenset(string.ascii_letters + string.digits + "_"),
    "s": frozenset("\t\n\v\f\r "),
}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f"}
_NOTHING = ("b", "B", "D", "W", "S", "A", "z")
"""Escapes of which nothing is needed, or nearly any character."""

Need = frozenset[str] | None
"""A set of which each match has a character; None where nothing is known."""


def needed(pattern: str) -> Need:
    """Characters of which at least one stands in each match of an RE2 pattern in a text of ASCII; None says nothing."""
    folding = pattern.startswith("(?i)")
    reader = _Reader(pattern[4 * folding :], folding)
    try:
        need = reader.alternatives()
    except _UnknownError:
        return None
    return need if reader.at == len(reader.pattern) else None


class _UnknownError(Exception):
    """Syntax of which nothing is said."""


def _rarest(needs: Iterable[Need]) -> Need:
    """Of sets that are each needed, the one that fewest texts will have."""
    known = [need for need in needs if need is not None]
    return min(known, key=_frequency, default=None)


def _frequency(need: frozenset[str]) -> float:
    """About how often a character of the set stands in prose, relative to digits."""
    weights = {**dict.fromkeys(string.ascii_lowercase, 5.0), **dict.fromkeys(string.digits, 0.1), " ": 20.0, "\n": 20.0}
    return sum(weights.get(char, 2.0 if char in "-.,'" else 1.0) for char in need)


class _Reader:
    """Reads a pattern from left to right. Raises _UnknownError."""

    def __init__(self, pattern: str, folding: bool) -> None:
        self.pattern, self.at = pattern, 0
        self._folding = folding

    def _next(self) -> str:
        if self.at == len(self.pattern):
            raise _UnknownError
        self.at += 1
        return self.pattern[self.at - 1]

    def _peek(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def alternatives(self) -> Need:
        """What all branches need, up to the end or a closing bracket."""
        branches = [self._sequence()]
        while self._peek("|"):
            self.at += 1
            branches.append(self._sequence())
        known = [branch for branch in branches if branch is not None]
        return frozenset().union(*known) if len(known) == len(branches) else None

    def _sequence(self) -> Need:
        needs: list[Need] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            need = self._atom()
            needs.append(need if self._repeated() else None)
        return _rarest(needs)

    def _repeated(self) -> bool:
        """Whether the atom before must stand there; reads its quantifiers."""
        must = True
        while self.at < len(self.pattern) and self.pattern[self.at] in "*+?{":
            sign = self._next()
            if sign == "{":
                low, closed, _ = self.pattern[self.at :].partition("}")
                least = low.split(",")[0]
                if not closed or not set(low) <= {*_DIGITS, ","} or not least:
                    raise _UnknownError
                self.at += len(low) + 1
                must = must and int(least) > 0
            else:
                must = must and sign == "+"
            if self._peek("?"):
                self.at += 1
        return must

    def _atom(self) -> Need:
        char = self._next()
        if char == "(":
            return self._group()
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escape()
        if char in ".^$":
            return None
        return self._literal(char)

    def _literal(self, char: str) -> frozenset[str]:
        if not char.isascii():
            raise _UnknownError
        return frozenset((char.lower(), char.upper())) if self._folding else frozenset(char)

    def _group(self) -> Need:
        if self._peek("?"):
            if not self._peek("?:"):
                raise _UnknownError
            self.at += 2
        need = self.alternatives()
        if self._next() != ")":
            raise _UnknownError
        return need

    def _escape(self) -> Need:
        char = self._next()
        if char in _NOTHING:
            return None
        return self._escaped(char)

    def _escaped(self, char: str) -> frozenset[str]:
        if char in _CLASSES:
            return _CLASSES[char]
        if char in _CONTROLS:
            return frozenset(_CONTROLS[char])
        if char.isalnum() or not char.isascii():
            raise _UnknownError
        return frozenset(char)

    def _class(self) -> Need:
        negated = self._peek("^")
        self.at += negated
        if self._peek("]"):
            raise _UnknownError
        made: set[str] = set()
        while not self._peek("]"):
            made |= self._member()
        self.at += 1
        if negated or len(made) > len(_CLASSES["w"]):
            return None
        return frozenset(made)

    def _member(self) -> frozenset[str]:
        char = self._next()
        if char == "[":
            raise _UnknownError  # a named class
        low = self._escaped(self._next()) if char == "\\" else self._literal(char)
        if not self._peek("-") or self._peek("-]"):
            return low
        self.at += 1
        high = self._next()
        if char == "\\" or not (char.isascii() and char.isalnum() and high.isascii() and high.isalnum()):
            raise _UnknownError
        every = map(chr, range(ord(char), ord(high) + 1))
        return frozenset().union(*map(self._literal, every))
