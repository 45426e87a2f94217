"""Foreign keys of a finished replica, counted; sequences put past the keys that masks made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.schema import Kind, TableName
from dbmask.spi import Structure
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._duckdb_schema import sequence_of
from dbmask_connectors._duckdb_session import DuckDBReader, literal
from dbmask_connectors._foreign import orphans

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["broken_rows", "sequence_statements"]


def broken_rows(reading: DuckDBReader, structure: Structure) -> dict[str, int]:
    """Rows without a parent by "table.key", for each key whose parent is in the replica."""
    return orphans(reading, structure)


_LAST = 2**63 - 2


def sequence_statements(db: DuckDBPyConnection, structure: Structure) -> list[str]:
    """One setval for each sequence that feeds a column or was used before; it goes on after the farther of the two."""
    fed: dict[TableName, list[tuple[TableName, str]]] = {}
    for target in structure.tables:
        for column in target.table.columns:
            sequence = sequence_of(column.default)
            if sequence and column.name not in target.dropped and column.type.kind is Kind.INTEGER:
                fed.setdefault(sequence, []).append((target.name, column.name))
    last = {s.name: (s.last_value, s.increment) for s in structure.schema.sequences}
    made = []
    for name, (used, increment) in last.items():
        far = max if increment > 0 else min
        reached = [used] if used is not None else []
        for table, column_name in fed.get(name, []):
            found = db.execute(
                f"SELECT {far.__name__}({quoted(column_name)}) FROM {quoted(table.schema)}.{quoted(table.name)}"  # noqa: S608
            ).fetchone()
            if found and found[0] is not None:
                reached.append(int(found[0]))
        if reached:
            furthest = min(far(reached), _LAST)  # unsigned keys go beyond what a sequence gives
            made.append(f"SELECT setval({literal(f'{quoted(name.schema)}.{quoted(name.name)}')}, {furthest})")
    return made
