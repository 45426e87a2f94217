"""A sample of rows that is the same on both sides: those whose key's SHA-256 falls into one class of ``m``."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from dbmask.schema import ColumnType

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["in_sample", "row_sample"]


def in_sample(key: str, modulus: int) -> bool:
    """The same class of rows that :func:`row_sample` picks in SQL: 60 bits of the key's SHA-256, modulo."""
    return modulus == 1 or int(sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:15], 16) % modulus == 0


def row_sample(
    keys: Sequence[exp.Expression], types: Sequence[ColumnType], dialect: str, modulus: int
) -> exp.Expression | None:
    """The condition that picks the sample in the database; None where all rows are read or it cannot be said there."""
    from sqlglot import exp

    from dbmask_sql.dialects import dialect as primitives
    from dbmask_sql.dialects.base import integer, text

    to = primitives(dialect)
    if modulus == 1:
        return None
    parts: list[exp.Expression] = []
    for key, type_ in zip(keys, types, strict=True):
        made = to.canonical(key.copy(), type_.kind, type_.padded)
        if made is None:
            return None
        parts += [text("|"), made] if parts else [made]
    joined = to.concat(*parts) if len(parts) > 1 else parts[0]
    word = to.word(to.sha256_hex(to.utf8(joined)), 0)
    return exp.EQ(this=to.mod(word, modulus), expression=integer(0))
