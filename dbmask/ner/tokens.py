"""Words of a text with their places, cut into sentences as far as names need it."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Token", "tokens"]

_TOKEN = re.compile(
    r"(?P<word>(?:[^\W\d_]\.){2,}|[^\W\d_]+(?:[\u0300-\u036f]+[^\W\d_]*)*(?:['’\-‑][^\W\d_]+(?:[\u0300-\u036f]+[^\W\d_]*)*)*)"
    r"|(?P<number>\d+)|(?P<line>\n)|(?P<mark>[^\w\s])"
)
_ENDS = frozenset(".!?…")
_OPENS = frozenset('"“„«»”()[]{}:;•*–—-')
_SHORT = re.compile(r"[^\W\d_]\Z")


@dataclass(slots=True)
class Token:
    """A word, number or mark. ``opens``: it opens a sentence or a line, so that a capital says nothing."""

    text: str
    lower: str
    start: int
    end: int
    kind: str
    opens: bool = False
    dotted: bool = False
    """A full stop follows at once."""

    @property
    def capital(self) -> bool:
        """Whether it is a word that begins with a capital."""
        return self.kind == "word" and self.text[0].isupper()

    @property
    def shouted(self) -> bool:
        """Whether it is a word of two capitals or more, and nothing else."""
        return self.kind == "word" and len(self.text) > 1 and self.text.isupper()


def tokens(text: str, abbreviations: frozenset[str], elided: bool) -> list[Token]:
    """The tokens of a text. ``abbreviations`` (with their dot) end no sentence; ``elided`` splits l'Hôpital (French)."""
    made: list[Token] = []
    opens = True
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "line":
            opens = True
            made.append(Token("\n", "\n", match.start(), match.end(), kind))
            continue
        for start, end in _pieces(match, elided) if kind == "word" else [match.span()]:
            piece = text[start:end]
            token = Token(piece, piece.lower(), start, end, kind, opens, text[end : end + 1] == ".")
            made.append(token)
            opens = _next_opens(token, made, opens, abbreviations)
    return made


def _next_opens(token: Token, made: list[Token], opens: bool, abbreviations: frozenset[str]) -> bool:
    if token.kind != "mark":
        return False
    if token.text in _OPENS:
        return opens or token.text not in "-–—()" or (len(made) > 1 and made[-2].kind == "line")
    if token.text not in _ENDS:
        return opens and token.text in "'’"
    before = made[-2] if len(made) > 1 else None
    if before is None or token.text != ".":
        return True
    if before.kind == "number":
        return False
    return (
        f"{before.lower}." not in abbreviations and before.lower not in ("st", "ste") and not _SHORT.match(before.text)
    )


def _pieces(match: re.Match[str], elided: bool) -> list[tuple[int, int]]:
    """A word cut where two are written as one: Smith's, l'Hôpital."""
    start, end = match.span()
    if match[0][-2:] in ("'s", "’s", "'S") and end - start > 3:
        return [(start, end - 2), (end - 2, end)]
    return _elisions(match) if elided else [(start, end)]


def _elisions(match: re.Match[str]) -> list[tuple[int, int]]:
    """l'Hôpital as two tokens; O'Brien and aujourd'hui stay one."""
    text, start = match[0], match.start()
    head = re.match(r"(?:[ldcnsjmt]|qu|jusqu|lorsqu|puisqu)['’](?=.)", text, re.I)
    if head is None or (text[:2] in ("D'", "D’") and len(text) > 2 and text[2].isupper() and match.start() > 0):
        return [match.span()]
    return [(start, start + head.end()), (start + head.end(), match.end())]
