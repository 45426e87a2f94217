"""How reports and errors name the row of a text: by a keyed fingerprint of its key, or by its number where there is no key."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dbmask.errors import KeySourceError
from dbmask.keys import KeyRing
from dbmask.masks.base import Columns
from dbmask_sql.canonical import canonical_text, tuple_text

__all__ = ["RowNames"]


class RowNames:
    """Names rows. ``columns`` are the key's columns that it reads; none where rows are counted."""

    def __init__(self, columns: Columns, keys: KeyRing) -> None:
        self.columns: tuple[str, ...] = ()
        self._texts: list[Callable[[Any], str]] = []
        self._secret = b""
        known = [columns.available[name] for name in columns.row_key if name in columns.available]
        if known and len(known) == len(columns.row_key) and columns.target.name not in columns.row_key:
            try:
                self._secret = keys.master.derive("names of rows in reports")
            except KeySourceError:
                return  # a run without a key counts its rows
            self.columns = tuple(column.name for column in known)
            self._texts = [canonical_text(column.type.kind, column.type.padded) for column in known]

    def of(self, rows: Mapping[str, Sequence[Any]], index: int, first: int) -> str:
        """The name of one row of a batch; ``first`` is the number of texts before the batch."""
        if not self._secret:
            return f"text {first + index + 1}"
        values = [rows[name][index] for name in self.columns]
        key = tuple_text([None if v is None else of(v) for v, of in zip(values, self._texts, strict=True)])
        return "row " + hmac.digest(self._secret, key.encode("utf-8", "surrogatepass"), "sha256").hex()[:16]
