"""DuckDB over files: reading them as tables, masks as SQL, results written in the same statement."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from dbmask.errors import MaskError, UsageError
from dbmask.spi import Batch, Pads

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from sqlglot import exp

__all__ = ["PARQUET_WRITTEN", "Duck", "QueryFailed", "check_parquet", "literal", "quoted", "read_csv", "rendered"]

PARQUET_WRITTEN = "DICTIONARY_SIZE_LIMIT 4000"
"""How Parquet is written: columns of many values, as masks make them, without a try at a dictionary in each row group."""

_SETTINGS: dict[str, Any] = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    # Raw rows are not to be left on a disk: what does not fit into the memory is an error.
    "temp_directory": "",
}


class QueryFailed(MaskError):
    """DuckDB refused; its own message, which may quote values, is left out."""


def literal(text: str) -> str:
    """A text as a literal in SQL."""
    return "'" + text.replace("'", "''") + "'"


def quoted(name: str) -> str:
    """A name as an identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


class Duck:
    """A session, in memory or over a file of its own; ``memory`` is the most that it takes. Use it as a context manager."""

    def __init__(self, path: str = ":memory:", memory: str = "420MB") -> None:
        import duckdb

        self._stack = contextlib.ExitStack()
        settings = {**_SETTINGS, "threads": str(min(4, os.cpu_count() or 1)), "memory_limit": memory}
        self.db: DuckDBPyConnection = duckdb.connect(path, config=settings)
        self._stack.callback(self.db.close)
        self.db.execute("SET enable_progress_bar = false")  # it would be drawn into standard output

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def path(self, path: str | Path) -> str:
        """A path as a literal: one with characters of patterns goes by another name."""
        real = os.path.realpath(path)
        if any(c in real for c in "*?[]{}"):
            folder = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="dbmask-"))
            os.symlink(real, os.path.join(folder, "input"))
            real = os.path.join(folder, "input")
        return literal(real)

    def use_keys(self, pads: Pads) -> None:
        """Let queries read pads from this process's memory."""
        from dbmask_sql.duckdb_keys import KEYS, key_columns

        if pads:
            self.db.register(KEYS, key_columns(pads))

    def run(self, sql: str, parameters: Sequence[Any] | None = None) -> list[Any]:
        """Run a statement; its rows. Raises QueryFailed."""
        import duckdb

        try:
            return self.db.execute(sql, parameters).fetchall()
        except duckdb.Error as error:
            raise QueryFailed(_said(error)) from None

    def stream(self, sql: str, rows: int) -> Iterator[Batch]:
        """Run a SELECT and stream its columns; nothing else may run meanwhile. Raises QueryFailed."""
        import duckdb

        try:
            self.db.execute(sql)
            while found := self.db.fetchmany(rows):
                yield [list(column) for column in zip(*found, strict=True)]
        except duckdb.Error as error:
            raise QueryFailed(_said(error)) from None

    def columns(self, sql: str) -> list[tuple[str, str]]:
        """Names and types of a SELECT's columns. Raises QueryFailed."""
        return [(row[0], row[1]) for row in self.run(f"DESCRIBE {sql}")]


def _said(error: Exception) -> str:
    kind = type(error).__name__.removesuffix("Exception")
    text = str(error)
    if kind == "OutOfMemory":
        return "the memory does not suffice"
    if "No space left" in text:
        return "the disk is full"
    if "too small to be a Parquet" in text or "No magic bytes" in text or "Parquet" in text:
        return "the file is no Parquet, or a broken one"
    return f"DuckDB refused the statement ({kind})"


def rendered(query: exp.Expression) -> str:
    """A query in DuckDB's words, its keys read from this process's memory."""
    from dbmask_sql import duckdb_keys

    return duckdb_keys.rendered(query)


def read_csv(path: str, columns: Sequence[str], delimiter: str) -> str:
    """A table function that reads a CSV as texts. ``path`` is a literal."""
    listed = ", ".join(f"{literal(c)}: 'VARCHAR'" for c in columns)
    names = ", ".join(map(literal, columns))
    return (
        f"read_csv({path}, header=true, auto_detect=false, delim={literal(delimiter)}, quote='\"', escape='\"', "
        f"columns={{{listed}}}, force_not_null=[{names}], strict_mode=true)"
    )


def check_parquet(path: str) -> None:
    """Raise UsageError where a file cannot be read."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
