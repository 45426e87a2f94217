"""Batches of rows into one SQLite table."""

from __future__ import annotations

from typing import Any

from dbmask.errors import ConnectorError
from dbmask.schema import Kind
from dbmask.spi import Batch, TargetTable
from dbmask_connectors._sqlite_session import Session, translated
from dbmask_connectors._sqlite_values import storable

__all__ = ["SQLiteSink"]


class SQLiteSink:
    """Appends to ``into``: a quoted table with its column list."""

    def __init__(self, session: Session, table: TargetTable, into: str) -> None:
        self._session, self._where, self._into = session, str(table.name), into
        self._wide = [_is_wide(table, c) for c in table.columns]
        self._insert = self._statement(["?"] * len(table.columns))

    def _statement(self, marks: list[str]) -> str:
        return f"INSERT INTO {self._into} VALUES ({', '.join(marks)})"  # noqa: S608 - quoted names

    def write(self, batch: Batch) -> None:
        """Append a batch. Raises ConnectorError."""
        columns = [storable(values, wide) for values, wide in zip(batch, self._wide, strict=True)]
        session = self._session
        with translated(self._where):
            session.execute("SAVEPOINT dbmask_batch")
            try:
                self._all_at_once(columns)
            except BaseException:
                session.execute("ROLLBACK TO dbmask_batch")
                raise
            finally:
                session.execute("RELEASE dbmask_batch")

    def _all_at_once(self, columns: Batch) -> None:
        try:
            self._session.run(self._session.db.executemany, self._insert, zip(*columns, strict=True))
        except UnicodeEncodeError:
            self._session.execute("ROLLBACK TO dbmask_batch")
            self._one_by_one(columns)

    def _one_by_one(self, columns: Batch) -> None:
        """Insert rows of which some hold text that is no UTF-8: it goes back in as the bytes that it was."""
        for row in zip(*columns, strict=True):
            made = [_as_bytes(v) for v in row]
            marks = ["?" if new is old else "CAST(? AS TEXT)" for new, old in zip(made, row, strict=True)]
            try:
                self._session.execute(self._statement(marks), made)
            except UnicodeEncodeError:
                raise ConnectorError(f"{self._where}: a text holds what UTF-8 cannot say") from None


def _as_bytes(value: Any) -> Any:
    """The value itself, or the bytes of a text that is not valid UTF-8 (PEP 383)."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return _escaped(value)
    return value


def _escaped(value: str) -> bytes | str:
    try:
        return value.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return value


def _is_wide(table: TargetTable, name: str) -> bool:
    column = table.table.column(name)
    type_ = table.types.get(name) or (column.type if column else None)
    return type_ is not None and type_.kind is Kind.INTEGER and (type_.bits or 64) > 64
