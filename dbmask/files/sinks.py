"""Where rows of a table go, by format."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from dbmask.files.csv_text import CsvSink
from dbmask.files.duck import PARQUET_WRITTEN, Duck, literal, quoted
from dbmask.files.formats import Format
from dbmask.files.json_text import JsonSink, dumps
from dbmask.spi import Batch

__all__ = ["ParquetSink", "RowSink", "Style", "sink_for"]


@dataclass(frozen=True)
class Style:
    """How a CSV is written."""

    delimiter: str = ","
    encoding: str = "utf-8"
    newline: str = "\n"


class RowSink(Protocol):
    """Batches of columns in, a file out."""

    def write(self, batch: Batch) -> None:
        """Append a batch."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...


class ParquetSink:
    """Rows into a Parquet file, by way of a DuckDB file beside it that is gone afterwards; both hold masked rows alone."""

    def __init__(self, path: Path, columns: Sequence[str], types: Mapping[str, str]) -> None:
        self._path = path
        self._rows = path.with_name(f"{path.name}.rows")
        self._columns = list(columns)
        self._types = [types.get(c, "VARCHAR") for c in columns]
        self._rows.unlink(missing_ok=True)
        self._duck = Duck(str(self._rows))
        listed = ", ".join(f"{quoted(c)} {t}" for c, t in zip(columns, self._types, strict=True))
        self._duck.run(f"CREATE TABLE rows ({listed})")

    def write(self, batch: Batch) -> None:
        """Append a batch. Raises QueryFailed where a value does not fit its column."""
        import numpy as np

        held = {}
        for i, (column, type_) in enumerate(zip(batch, self._types, strict=True)):
            made = np.empty(len(column), dtype=object)
            made[:] = [_plain(v, type_) for v in column]
            held[f"c{i}"] = made
        self._duck.db.register("batch", held)
        casts = ", ".join(f"CAST(c{i} AS {t})" for i, t in enumerate(self._types))
        self._duck.run(f"INSERT INTO rows SELECT {casts} FROM batch")  # noqa: S608 - types are DuckDB's own
        self._duck.db.unregister("batch")

    def close(self) -> None:
        """Write the Parquet file."""
        try:
            self._duck.run(f"COPY rows TO {literal(str(self._path))} (FORMAT parquet, {PARQUET_WRITTEN})")
        finally:
            self._duck.__exit__()
            self._rows.unlink(missing_ok=True)
            shutil.rmtree(f"{self._rows}.wal", ignore_errors=True)


def _plain(value: Any, type_: str) -> Any:
    """A value that DuckDB reads from an object array as it is meant."""
    if type_ == "VARCHAR":
        if value is None or type(value) is str:
            return value
        return dumps(value) if isinstance(value, bool | float | dict | list) else str(value)
    if type_ == "JSON":
        return None if value is None else dumps(value)
    return value if value is None or isinstance(value, int | float | bytes) else str(value)


def sink_for(form: Format, path: Path, columns: Sequence[str], types: Mapping[str, str], style: Style) -> RowSink:
    """A sink for ``columns``; ``types`` are DuckDB's, for Parquet."""
    if form is Format.CSV:
        return CsvSink(path, columns, style.delimiter, style.encoding, style.newline)
    if form is Format.PARQUET:
        return ParquetSink(path, columns, types)
    return JsonSink(path, form is Format.JSONL, columns=columns)
