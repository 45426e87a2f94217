"""COPY's text format: rows of texts, many at a time."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

__all__ = ["text_batches"]

_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def text_batches(
    rows: Iterable[bytes | bytearray | memoryview], most: int, most_bytes: int
) -> Iterator[list[list[str | None]]]:
    """Columns of texts, from one message for each row: ``most`` rows at a time, or fewer of ``most_bytes`` together."""
    held: list[bytes] = []
    size = 0
    for row in rows:
        held.append(bytes(row))
        size += len(row)
        if len(held) == most or size >= most_bytes:
            yield _columns(held)
            held, size = [], 0
    if held:
        yield _columns(held)


def _columns(rows: list[bytes]) -> list[list[str | None]]:
    # Line feeds and tabs within values are escaped: those that are left end rows and fields.
    width = rows[0].count(b"\t") + 1
    text = b"".join(rows).decode()
    fields: list[str | None] = [*text[:-1].replace("\n", "\t").split("\t")]
    if "\\" in text:
        fields = [_plain(f) if f and "\\" in f else f for f in fields]
    return [fields[i::width] for i in range(width)]


def _plain(field: str) -> str | None:
    return None if field == "\\N" else _ESCAPED.sub(lambda m: _ESCAPES.get(m[1], m[1]), field)
