"""Statements as tokens, whatever the dialect: its pattern tells blanks, literals, quoted names and words apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

__all__ = ["Token", "tokens_of"]


class Token(NamedTuple):
    """One token with its place in the text; parentheses have the depth that surrounds them."""

    kind: str
    text: str
    start: int
    end: int
    depth: int

    @property
    def word(self) -> str:
        """A bare word in upper case; empty for anything else."""
        return self.text.upper() if self.kind == "word" else ""

    @property
    def is_name(self) -> bool:
        """Whether this may be a name: quoted, or a bare word."""
        return self.kind in ("quoted", "word")


def tokens_of(pattern: re.Pattern[str], sql: str) -> Iterator[Token]:
    """The tokens of a statement, named as the groups of ``pattern``; those of ``space`` are passed over."""
    depth = 0
    for match in pattern.finditer(sql):
        kind = match.lastgroup or "other"
        if kind == "space":
            continue
        if match[0] == ")":
            depth -= 1
        yield Token(kind, match[0], match.start(), match.end(), depth)
        if match[0] == "(":
            depth += 1
