"""A DuckDB file as a source: opened read-only, which keeps every writer out for as long as it is open."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dbmask.schema import Schema, TableName
from dbmask.spi import Capabilities, Structure, TargetTable
from dbmask_connectors._duckdb_schema import read_schema
from dbmask_connectors._duckdb_session import DuckDBReader, connect, position_of, translated
from dbmask_connectors._duckdb_structure import own_structure
from dbmask_connectors._files import file_identity, source_path

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["DuckDBSource"]

_SPILL = {"temp_directory": ""}  # a SELECT of one table has nothing to spill, and raw rows should not leave the file


class DuckDBSource:
    """An open source file."""

    def __init__(self, path: Path, settings: Mapping[str, str], capabilities: Capabilities) -> None:
        self.path = source_path(path)
        self._settings = settings
        self._capabilities = capabilities
        self._db: DuckDBPyConnection | None = None
        self._open()

    @property
    def capabilities(self) -> Capabilities:
        """What DuckDB can do."""
        return self._capabilities

    def _open(self) -> DuckDBPyConnection:
        if self._db is None:
            self._db = connect(str(source_path(self.path)), {**_SPILL, **self._settings}, read_only=True)
        return self._db

    def identity(self) -> str:
        """Device and inode."""
        return file_identity(self.path)

    def schema(self) -> Schema:
        """The structure, read anew. Raises ConnectorError."""
        with translated(str(self.path)):
            return read_schema(self._open())

    def privileges(self, tables: Sequence[TableName]) -> Mapping[TableName, str]:
        """Who can read the file can read each table."""
        return {}

    def structure(self, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
        """The file's own DDL, cut to these tables. Raises ConnectorError."""
        with translated(str(self.path)):
            return own_structure(self._open(), self.path, schema, tables)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[DuckDBReader]:
        """The file itself: nobody can write to it while it is open."""
        yield DuckDBReader(self._open(), str(self.path), position_of(self.path))

    def close(self) -> None:
        """Close the file."""
        if self._db is not None:
            self._db.close()
            self._db = None
