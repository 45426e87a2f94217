"""COPY's text format: rows of texts, many at a time."""

from __future__ import annotations

import re

__all__ = ["columns_of_text"]

_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def columns_of_text(rows: bytes) -> list[list[str | None]]:
    """The columns of some whole rows, one at least."""
    # Line feeds and tabs within values are escaped: those that are left end rows and fields.
    text = rows.decode()
    width = text.count("\t", 0, text.index("\n")) + 1
    fields: list[str | None] = [*text[:-1].replace("\n", "\t").split("\t")]
    if "\\" in text:
        fields = [_plain(f) if f and "\\" in f else f for f in fields]
    return [fields[i::width] for i in range(width)]


def _plain(field: str) -> str | None:
    return None if field == "\\N" else _ESCAPED.sub(lambda m: _ESCAPES.get(m[1], m[1]), field)
