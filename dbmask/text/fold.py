"""Character maps that never change a text's length, so that an offset in the mapped text is one in the original.

``fold``     for comparing regardless of case: per character, unlike ``str.casefold``
``plain``    letters and digits of every script as ASCII ones: for patterns, whose ``\\b`` and ``\\w`` are ASCII's
``clean``    the text itself; lone surrogates, which no UTF-8 library takes, are replaced

For automata, characters become single bytes, several to a byte beyond ASCII: ``clean_bytes``, ``fold_bytes``,
``split_bytes`` (every character that is not part of a word is a space), ``edges_bytes`` (that, folded).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

__all__ = [
    "clean",
    "clean_bytes",
    "edges_bytes",
    "fold",
    "fold_bytes",
    "is_word",
    "plain",
    "split_bytes",
    "splits_word",
]

_PIECE = 1 << 20
_SHORT = 64
"""Up to this length, asking for each character costs less than calling numpy."""
_CODES = 0x110000
_SURROGATE = re.compile("[\ud800-\udfff]")
_REPLACED = "\ufffd"
_FOLDED = {"İ": "i", "ı": "i", "ς": "σ", "ſ": "s"}
"""Beside lower case: both Turkish i fold to i, so that ISIK and ışık are found for each other; a needless match is no leak."""

_BASE = {"ß": "s", "ẞ": "S", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D", "ı": "i", "æ": "a", "Æ": "A"}
_PUNCTUATION = {"‘": "'", "’": "'", "“": '"', "”": '"', "′": "'", "″": '"', "…": ".", "＠": "@", "．": "."}
_OTHER = "\x7f"


def is_word(char: str) -> bool:
    """Whether a character is part of a word: letters, digits, the underscore, and marks that combine with a letter."""
    return char.isalnum() or char == "_" or unicodedata.category(char)[0] == "M"


def splits_word(text: str, at: int) -> bool:
    """Whether the edge before ``text[at]`` stands between two word characters."""
    return 0 < at < len(text) and is_word(text[at - 1]) and is_word(text[at])


class _Codes(dict[int, int]):
    """A map of code points that is filled as they come."""

    def __init__(self, of: Callable[[str], str]) -> None:
        super().__init__()
        self._of = of

    def __missing__(self, code: int) -> int:
        made = self[code] = ord(self._of(chr(code))) or 1
        return made


class _ByteMap:
    """A function of one character, as one byte for each: ASCII as it is, all others in the bytes above, which they share."""

    def __init__(self, of: Callable[[str], str]) -> None:
        self._of = of
        self._ascii = bytes(self._byte(c) for c in range(128)) + bytes(128)
        self._table: np.ndarray | None = None

    def _byte(self, code: int) -> int:
        made = ord(self._of(chr(code))) or 1
        return made if made < 128 else 128 + made % 128

    def __call__(self, text: str) -> bytes:
        """As many bytes as the text has characters."""
        if text.isascii():
            return text.encode("ascii").translate(self._ascii)
        if len(text) <= _SHORT:
            return bytes(self._byte(ord(char)) for char in text)
        if len(text) <= _PIECE:
            return self._mapped(text)
        return b"".join(self(text[i : i + _PIECE]) for i in range(0, len(text), _PIECE))

    def _mapped(self, text: str) -> bytes:
        import numpy as np

        if self._table is None:
            # 0 says "not asked for yet".
            self._table = np.zeros(_CODES, np.uint8)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        made = self._table.take(codes)
        if not made.all():
            for code in np.unique(codes[made == 0]).tolist():
                self._table[code] = self._byte(code)
            made = self._table.take(codes)
        return made.tobytes()


class _CharMap:
    """A function of one character, applied to whole texts: by a byte table where they are ASCII, by numpy where they are long."""

    def __init__(self, of: Callable[[str], str]) -> None:
        self._of = of
        self._ascii = bytes(ord(of(chr(c))) or 1 for c in range(128)) + bytes(128)
        self._table: np.ndarray | None = None
        self._few = _Codes(of)

    def __call__(self, text: str) -> str:
        """The mapped text, of the same length."""
        if text.isascii():
            return text.encode("ascii").translate(self._ascii).decode("ascii")
        if len(text) <= _SHORT:
            return text.translate(self._few)
        if len(text) <= _PIECE:
            return self._mapped(text)
        return "".join(self(text[i : i + _PIECE]) for i in range(0, len(text), _PIECE))

    def _mapped(self, text: str) -> str:
        import numpy as np

        if self._table is None:
            # Pages of the table that no text touches cost no memory; 0 says "not asked for yet".
            self._table = np.zeros(_CODES, np.uint32)
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), np.uint32)
        made = self._table[codes]
        if not made.all():
            for code in np.unique(codes[made == 0]).tolist():
                self._table[code] = ord(self._of(chr(code))) or 1
            made = self._table[codes]
        return made.tobytes().decode("utf-32-le")


def _fold_char(char: str) -> str:
    if "\ud800" <= char <= "\udfff":
        return _REPLACED
    folded = _FOLDED.get(char) or char.lower()
    return folded if len(folded) == 1 else char


def _edge_char(char: str) -> str:
    return _fold_char(char) if is_word(char) else " "


def _split_char(char: str) -> str:
    return char if is_word(char) else " "


def _plain_char(char: str) -> str:
    if char.isascii():
        return char
    base = _BASE.get(char) or _PUNCTUATION.get(char)
    if base is not None:
        return base
    category = unicodedata.category(char)
    if category[0] == "N":
        digit = unicodedata.digit(char, None)
        return _OTHER if digit is None else str(digit)
    if category[0] in "LM":
        first = unicodedata.normalize("NFKD", char)[0]
        if first.isascii() and first.isalpha():
            return first
        return "X" if char.isupper() else "x"
    return {"Z": " ", "Pd": "-"}.get(category if category == "Pd" else category[0], _OTHER)


fold = _CharMap(_fold_char)
plain = _CharMap(_plain_char)
clean_bytes = _ByteMap(lambda char: char)
fold_bytes = _ByteMap(_fold_char)
edges_bytes = _ByteMap(_edge_char)
split_bytes = _ByteMap(_split_char)


def clean(text: str) -> str:
    """The text with lone surrogates replaced by U+FFFD, one for one."""
    if text.isascii():
        return text
    try:
        text.encode("utf-8")  # much faster than looking for one
    except UnicodeEncodeError:
        return _SURROGATE.sub(_REPLACED, text)
    return text
