"""csvdir:///folder: a directory of CSV files as a source, one table each. It can be read; SQLite holds what is built of it."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import Column, ColumnType, Kind, Schema, Table, TableName, Unique
from dbmask.spi import Batch, Capabilities, Pads, Structure, Target, TargetTable

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["CsvDirectory"]


class _Reader:
    position = ""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def use_keys(self, pads: Pads) -> None:
        """No mask runs in SQL here."""

    def read(self, query: exp.Expression, batch_rows: int = 10_000) -> Iterator[Batch]:
        cursor = self._db.execute(query.sql(dialect="sqlite"))
        while rows := cursor.fetchmany(batch_rows):
            yield [list(column) for column in zip(*rows, strict=True)]


class _Source:
    def __init__(self, folder: Path, capabilities: Capabilities) -> None:
        if not folder.is_dir():
            raise ConnectorError(f"there is no directory {folder}")
        self.folder = folder
        self.capabilities = capabilities

    def identity(self) -> str:
        return f"csvdir:{self.folder.resolve()}"

    def schema(self) -> Schema:
        text = ColumnType(Kind.TEXT, "TEXT")
        tables = {}
        for path in sorted(self.folder.glob("*.csv")):
            with path.open(newline="", encoding="utf-8") as file:
                header = next(csv.reader(file))
            name = TableName("main", path.stem)
            key = (Unique("key", (header[0],), primary=True),)
            tables[name] = Table(name, tuple(Column(c, text, nullable=c != header[0]) for c in header), uniques=key)
        return Schema("sqlite", tables, default_schema="main")

    def privileges(self, tables: Sequence[TableName]) -> Mapping[TableName, str]:
        return {}

    def structure(self, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
        made = []
        for target in tables:
            columns = ", ".join(f'"{c.name}" TEXT' for c in target.table.columns if c.name not in target.dropped)
            made.append(f'CREATE TABLE "{target.name.name}" ({columns})')
        return Structure("sqlite", schema, tuple(tables), tuple(made))

    @contextmanager
    def snapshot(self) -> Iterator[_Reader]:
        with closing(sqlite3.connect(":memory:")) as db:
            for path in self.folder.glob("*.csv"):
                with path.open(newline="", encoding="utf-8") as file:
                    header, *rows = csv.reader(file)
                db.execute(f'CREATE TABLE "{path.stem}" ({", ".join(header)})')
                db.executemany(f'INSERT INTO "{path.stem}" VALUES ({", ".join("?" * len(header))})', rows)
            yield _Reader(db)

    def close(self) -> None:
        """Nothing is held open."""


class CsvDirectory:
    """The connector: a class, which the registry makes an object of."""

    name = "csvdir"
    schemes = ("csvdir",)
    dialect = "sqlite"

    def source(self, url: str) -> _Source:
        return _Source(Path(urlsplit(url).path), self.capabilities())

    def target(self, url: str) -> Target:
        raise UsageError("a directory of CSV files cannot be a target")

    def capabilities(self) -> Capabilities:
        return Capabilities("sqlite", keys_in_session=False, keyed_why_not="it holds no keys", schemas=False)
