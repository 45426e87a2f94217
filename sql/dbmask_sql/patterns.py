"""Regular expressions that every database reads alike.

Literals, escaped punctuation, ``.``, classes (with ``\\d \\w \\s``, of ASCII alone), groups, ``|``, ``* + ?`` and
``{m,n}`` up to 255, lazy or not, ``^`` and ``$`` for the ends of the text. Whether such a pattern is found in a text
does not depend on how an engine searches; look-around, back-references, ``\\b`` and flags differ, and are refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["SPACE", "Portable", "drop_parts", "portable"]

SPACE = " \t\n\r\f\v"
"""ASCII's white space."""

_SHORT = {"d": "0-9", "w": "A-Za-z0-9_", "s": " \t\n\r\f\v"}
_CONTROL = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_SPECIAL = frozenset(".[]{}()*+?|^$\\-/&~#")
_BOUNDS = re.compile(r"\{(\d{1,3})(?:(,)(\d{0,3}))?\}")
_END = "$"


@dataclass(frozen=True)
class Portable:
    """A pattern in pieces; those that are None stand for the end of the text, which each database writes its own way."""

    pieces: tuple[str | None, ...]

    def written(self, end: str) -> str:
        """The pattern with ``end`` for the end of the text."""
        return "".join(end if piece is None else piece for piece in self.pieces)


def portable(pattern: str) -> Portable:
    """Read a pattern. Raises ValueError, which says what is not portable."""
    reader = _Reader(pattern)
    reader.alternatives()
    if reader.at < len(pattern):
        raise ValueError("has a `)` too many")
    made = Portable(tuple(reader.pieces))
    re.compile(made.written(r"\Z"))
    return made


def drop_parts(value: str, count: int) -> str:
    """The parts between commas but the first ``count``, without white space around them, joined by a comma and a space.

    >>> drop_parts("1 Main St, Springfield ,USA", 1)
    'Springfield, USA'
    """
    return ", ".join(part.strip(SPACE) for part in value.split(",")[count:])


class _Reader:
    """One reading, from left to right."""

    def __init__(self, pattern: str) -> None:
        if not pattern or "\0" in pattern:
            raise ValueError("is empty, or holds NUL")
        self.pattern = pattern
        self.at = 0
        self.pieces: list[str | None] = []

    def alternatives(self) -> None:
        """Branches up to a closing parenthesis or the end."""
        while self.at < len(self.pattern) and self.pattern[self.at] != ")":
            if self._take("|"):
                self.pieces.append("|")
            elif self._take("^"):
                self.pieces.append("^")
            elif self._take(_END):
                self.pieces.append(None)
            else:
                self._atom()
                self._quantifier()

    def _take(self, text: str) -> bool:
        found = self.pattern.startswith(text, self.at)
        self.at += len(text) if found else 0
        return found

    def _next(self) -> str:
        if self.at >= len(self.pattern):
            raise ValueError("ends too early")
        self.at += 1
        return self.pattern[self.at - 1]

    def _atom(self) -> None:
        char = self._next()
        if char == "(":
            if self._take("?") and not self._take(":"):
                raise ValueError("uses `(?...)` other than `(?:...)`, which databases do not read alike")
            self.pieces.append("(?:")
            self.alternatives()
            if not self._take(")"):
                raise ValueError("has a `(` that is not closed")
            self.pieces.append(")")
        elif char == "[":
            self.pieces.append(self._class())
        elif char == ".":
            self.pieces.append("[^\n]")
        elif char in "*+?{":
            raise ValueError(f"has a `{char}` with nothing to repeat")
        elif char == "\\":
            name = self._next()
            self.pieces.append(f"[{_SHORT[name]}]" if name in _SHORT else _literal(_escaped(name)))
        else:
            self.pieces.append(_literal(char))

    def _class(self) -> str:
        made = "[^" if self._take("^") else "["
        first = True
        while first or not self._take("]"):
            char = self._next()
            if char == "\\":
                name = self._next()
                made += _SHORT[name] if name in _SHORT else _literal(_escaped(name))
            elif char == "[" and self.pattern[self.at : self.at + 1] in tuple(":.="):
                raise ValueError("uses a POSIX class, which databases do not read alike")
            else:
                made += "-" if char == "-" else _literal(char)
            first = False
        return f"{made}]"

    def _quantifier(self) -> None:
        if self.at >= len(self.pattern):
            return
        bounds = _BOUNDS.match(self.pattern, self.at)
        if bounds:
            if max(int(bounds[1]), int(bounds[3] or 0)) > 255:
                raise ValueError("repeats more than 255 times")
            self.at = bounds.end()
            self.pieces.append(bounds[0])
        elif self.pattern[self.at] in "*+?":
            self.pieces.append(self._next())
        else:
            return
        self._take("?")  # a lazy search finds a text where a greedy one does
        if self.pattern[self.at : self.at + 1] in tuple("*+?"):
            raise ValueError("repeats a repetition")


def _escaped(name: str) -> str:
    if name in _CONTROL:
        return _CONTROL[name]
    if name.isalnum():
        raise ValueError(f"uses `\\{name}`, which databases do not read alike")
    return name


def _literal(char: str) -> str:
    return f"\\{char}" if char in _SPECIAL else char
