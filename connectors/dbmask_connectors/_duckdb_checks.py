"""Foreign keys of a finished replica, counted; sequences put past the keys that masks made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.schema import ForeignKey, Kind, TableName
from dbmask.spi import Structure
from dbmask_connectors._ddl_parse import quoted
from dbmask_connectors._duckdb_schema import sequence_of
from dbmask_connectors._duckdb_session import DuckDBReader, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from sqlglot import exp

__all__ = ["broken_rows", "sequence_statements"]


def broken_rows(reading: DuckDBReader, structure: Structure) -> dict[str, int]:
    """Rows without a parent by "table.key", for each key whose parent is in the replica."""
    present = {t.name: t for t in structure.tables}
    found = {}
    for target in structure.tables:
        for key in target.table.foreign_keys:
            parent = present.get(key.ref_table)
            lost = set(key.columns) & set(target.dropped)
            if parent is not None and not lost and not set(key.ref_columns) & set(parent.dropped):
                query = _orphans(target.name, key)
                found[f"{target.name}.{key.name}"] = next(int(b[0][0]) for b in reading.read(query))
    return found


def _orphans(child: TableName, key: ForeignKey) -> exp.Expression:
    from sqlglot import exp

    def column(side: str, name: str) -> exp.Expression:
        return exp.column(exp.to_identifier(name, quoted=True), table=side)

    def table(name: TableName, alias: str) -> exp.Expression:
        return exp.table_(name.name, db=name.schema, quoted=True, alias=alias)

    pairs = list(zip(key.columns, key.ref_columns, strict=True))
    known = [exp.Not(this=exp.Is(this=column("c", c), expression=exp.Null())) for c, _ in pairs]
    same = [exp.EQ(this=column("p", r), expression=column("c", c)) for c, r in pairs]
    parent = exp.select("1").from_(table(key.ref_table, "p")).where(*same)
    query = exp.select(exp.Count(this=exp.Star())).from_(table(child, "c"))
    return query.where(*known, exp.Not(this=exp.Exists(this=parent)))


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
