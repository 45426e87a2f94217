"""Batches of Python values into a DuckDB table, as NumPy columns that DuckDB scans in place.

What NumPy and DuckDB would guess at differently for different batches (decimals, mixed values, NaN, lists) goes as
text, which the column's own type reads exactly.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from dbmask.errors import ConnectorError
from dbmask.spi import Batch
from dbmask_connectors._array_text import from_array_text
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._duckdb_session import DOES_NOT_FIT, translated

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["DuckDBSink", "encoded"]

_BATCH = "dbmask_batch"
_UNIFORM = frozenset({str, bytes, dt.date, UUID})
"""Types whose values become one DuckDB type, whatever they are."""


class DuckDBSink:
    """Appends to ``table`` (already quoted), whose ``columns`` have the DuckDB types ``types``."""

    def __init__(
        self, db: DuckDBPyConnection, where: str, table: str, columns: Sequence[str], types: Sequence[str]
    ) -> None:
        self._db, self._where, self._columns, self._types = db, where, columns, types
        self._into = f"INSERT INTO {table} ({', '.join(quoted(c) for c in columns)}) SELECT "

    def write(self, batch: Batch) -> None:
        """Append a batch. Raises ConnectorError."""
        if not batch or not batch[0]:
            return
        made = [encoded(_lists(v) if t.endswith("[]") else v) for v, t in zip(batch, self._types, strict=True)]
        shown = [
            f"CAST(CAST(c{i} AS JSON) AS {type_})" if as_json and type_ != "VARCHAR" else f"c{i}"
            for i, ((_, as_json), type_) in enumerate(zip(made, self._types, strict=True))
        ]
        import duckdb

        values = {f"c{i}": array for i, (array, _) in enumerate(made)}
        with translated(self._where):
            try:
                self._db.register(_BATCH, values)
                self._db.execute(f"{self._into}{', '.join(shown)} FROM {_BATCH}")
                self._db.unregister(_BATCH)
            except (duckdb.ConversionException, duckdb.OutOfRangeException):
                raise ConnectorError(f"{self._where}{self._culprit(values, shown)}: {DOES_NOT_FIT}") from None

    def _culprit(self, values: dict[str, Any], shown: list[str]) -> str:
        """The column whose value DuckDB could not take, with a dot before it; DuckDB itself does not say."""
        import duckdb

        with self._db.cursor() as other:
            other.register(_BATCH, values)
            for name, type_, value in zip(self._columns, self._types, shown, strict=True):
                try:
                    other.execute(f"SELECT max(CAST({value} AS {type_})::VARCHAR) FROM {_BATCH}").fetchall()  # noqa: S608 - our own names
                except duckdb.Error:
                    return f".{quoted(name)}"
        return ""


def encoded(values: list[Any]) -> tuple[Any, bool]:
    """A NumPy array that DuckDB takes ``values`` from whole, and whether they are JSON texts. Raises ConnectorError."""
    import numpy as np

    kinds = set(map(type, values))
    nullable = type(None) in kinds
    kinds.discard(type(None))
    if not kinds:
        return _objects([None] * len(values)), False
    kind = kinds.pop() if len(kinds) == 1 else None
    if kind in _UNIFORM or (kind is dt.datetime and _one_zone(values)) or (kind is dt.time and _one_zone(values)):
        return _objects(values), False
    if kind is bool and not nullable:
        return np.array(values, dtype=np.bool_), False
    if kind is int:
        numbers = _numbers(values, nullable, np.int64)
        if numbers is not None:
            return numbers, False
    if kind is float and not any(v is not None and math.isnan(v) for v in values):
        return _numbers(values, nullable, np.float64), False
    if kind is Decimal:
        return _objects([None if v is None else str(v) for v in values]), False
    if kind in (list, tuple, dict):
        return _objects([None if v is None else _json(v) for v in values]), True
    return _objects([None if v is None else _text(v) for v in values]), False


def _lists(values: list[Any]) -> list[Any]:
    """Values of a list column: PostgreSQL's arrays come as its text."""
    return [from_array_text(v) if isinstance(v, str) and v[:1] in "{[" and "{" in v else v for v in values]


def _objects(values: list[Any]) -> Any:
    import numpy as np

    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def _numbers(values: list[Any], nullable: bool, dtype: Any) -> Any:
    """A typed array, masked where there are nulls; None where a number does not fit."""
    import numpy as np

    try:
        if not nullable:
            return np.array(values, dtype=dtype)
        mask = [v is None for v in values]
        return np.ma.array(np.array([0 if v is None else v for v in values], dtype=dtype), mask=mask)
    except OverflowError:
        return None


def _one_zone(values: list[Any]) -> bool:
    return len({v.tzinfo is None for v in values if v is not None}) == 1


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=_text)


def _text(value: Any) -> str:
    """The text from which DuckDB's cast reads the value back."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, bytes | bytearray | memoryview):
        return "".join(f"\\x{b:02X}" for b in bytes(value))
    if isinstance(value, list | tuple | dict):
        return _json(value)
    if isinstance(value, dt.timedelta):
        return f"{value.days} days {value.seconds} seconds {value.microseconds} microseconds"
    if isinstance(value, dt.datetime | dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, int | float):
        return repr(value)
    raised = str(value)
    if not raised:
        raise ConnectorError(f"a value of type {type(value).__name__} cannot be written")
    return raised
