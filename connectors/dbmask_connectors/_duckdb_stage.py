"""Filling a table that refers to itself.

DuckDB looks a foreign key up when the row arrives, in what earlier statements have written: a row cannot come before its
parent, nor with it. So the rows are staged, and go in generation by generation.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError
from dbmask.schema import ForeignKey
from dbmask.spi import TargetTable
from dbmask_connectors._ddl_parse import quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Stage", "own_keys"]

_NAME = "dbmask_stage"
_GENERATION = "dbmask_generation"


def own_keys(table: TargetTable) -> list[ForeignKey]:
    """The foreign keys by which a table of the replica refers to itself."""
    return [
        k
        for k in table.table.foreign_keys
        if k.ref_table == table.name and not k.declared and not set(table.dropped) & {*k.columns, *k.ref_columns}
    ]


class Stage:
    """A temporary table before ``table`` (already qualified), for the rows of one transaction."""

    def __init__(self, db: DuckDBPyConnection, table: str, columns: Sequence[str], keys: Sequence[ForeignKey]) -> None:
        self._db, self._table, self._keys = db, table, keys
        self._columns = ", ".join(quoted(c) for c in columns)

    def open(self) -> str:
        """Make the stage; its name."""
        self._db.execute(
            f"CREATE OR REPLACE TEMP TABLE {_NAME} AS SELECT {self._columns}, NULL::INTEGER AS {_GENERATION} "  # noqa: S608
            f"FROM {self._table} LIMIT 0"
        )
        return f"temp.main.{_NAME}"

    def settle(self) -> None:
        """Move the rows into the table, parents first. Raises ConnectorError where rows are left that have none."""
        ready = " AND ".join(self._ready(k) for k in self._keys)
        generation = 0
        while self._mark(ready, generation):
            self._db.execute(
                f"INSERT INTO {self._table} ({self._columns}) SELECT {self._columns} FROM temp.main.{_NAME} "  # noqa: S608
                f"WHERE {_GENERATION} = {generation}"
            )
            generation += 1
        left = self._db.execute(f"SELECT count(*) FROM temp.main.{_NAME} WHERE {_GENERATION} IS NULL").fetchone()  # noqa: S608
        self._db.execute(f"DROP TABLE temp.main.{_NAME}")
        if left and left[0]:
            names = ", ".join(k.name for k in self._keys)
            raise ConnectorError(f"{left[0]} rows refer to nothing, or to each other in a circle ({names})")

    def _mark(self, ready: str, generation: int) -> int:
        row = self._db.execute(
            f"UPDATE temp.main.{_NAME} AS s SET {_GENERATION} = {generation} WHERE {_GENERATION} IS NULL AND {ready}"  # noqa: S608
        ).fetchone()
        return int(row[0]) if row else 0

    def _ready(self, key: ForeignKey) -> str:
        pairs = list(zip(key.columns, key.ref_columns, strict=True))
        orphan = " OR ".join(f"s.{quoted(c)} IS NULL" for c, _ in pairs)
        same = " AND ".join(f"p.{quoted(r)} = s.{quoted(c)}" for c, r in pairs)
        return f"({orphan} OR EXISTS (SELECT 1 FROM {self._table} AS p WHERE {same}))"  # noqa: S608
