"""One database's structure from information_schema."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby

from dbmask.schema import (
    Check,
    Column,
    ForeignKey,
    Index,
    Kind,
    Schema,
    Sequence,
    Table,
    TableKind,
    TableName,
    Trigger,
    Unique,
    View,
)
from dbmask_connectors._mysql_catalog import MARKER, Row, by_table, read
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_tokens import chains, columns_in, tokens, unquote
from dbmask_connectors._mysql_types import column_type

__all__ = ["FOREIGN_ENGINES", "read_schema", "view_reads"]

FOREIGN_ENGINES = frozenset({"FEDERATED", "CONNECT", "SPIDER", "MRG_MYISAM", "S3", "OQGRAPH", "SPHINX"})
"""Engines whose rows are not the table's own."""
_BASE = frozenset({"BASE TABLE", "SYSTEM VERSIONED"})


def read_schema(session: Session, database: str) -> Schema:
    """The structure of ``database``. Raises ConnectorError."""
    version = str(session.value("SELECT VERSION()"))
    is_mariadb = "mariadb" in version.lower()
    found = {
        view: [] if view == "checks" and not _has_checks(version) else read(session, view, database, is_mariadb)
        for view in ("tables", "columns", "statistics", "keys", "checks", "triggers", "views", "partitions", "events")
    }
    reader = _Reader(
        database, {view: by_table(rows) for view, rows in found.items() if view not in ("tables", "events")}
    )
    tables = {}
    for row in found["tables"]:
        if row["table_type"] in _BASE and row["table_name"] != MARKER:
            table = reader.table(row)
            tables[table.name] = table
    sequences = [r["table_name"] for r in found["tables"] if r["table_type"] == "SEQUENCE"]
    return Schema(
        dialect="mysql",
        tables=tables,
        views=tuple(_view(database, row) for row in found["views"]),
        sequences=tuple(_sequence(session, database, name, tables.values()) for name in sequences),
        default_schema=database,
        version=version,
        left_out=tuple(
            f"event {TableName(database, row['event_name'])}: a replica runs no jobs" for row in found["events"]
        ),
    )


def _has_checks(version: str) -> bool:
    return "mariadb" in version.lower() or not version.startswith("5.")


class _Reader:
    """Tables from the rows of information_schema."""

    def __init__(self, database: str, rows: dict[str, dict[str, list[Row]]]) -> None:
        self.database, self.rows = database, rows

    def of(self, view: str, table: str) -> list[Row]:
        return self.rows[view].get(table, [])

    def table(self, row: Row) -> Table:
        name = row["table_name"]
        listed = [r["column_name"] for r in self.of("columns", name)]
        checks = tuple(
            Check(r["constraint_name"], r["check_clause"], columns_in(r["check_clause"], listed))
            for r in self.of("checks", name)
        )
        json = {c.columns[0] for c in checks if _is_json(c)}
        partitions = self.of("partitions", name)
        by = " ".join(
            str(p[k]) for p in partitions for k in ("partition_expression", "subpartition_expression") if p[k]
        )
        kind = TableKind.PARTITIONED if partitions else TableKind.TABLE
        sizes = [n for n in (row["data_length"], row["index_length"]) if n is not None]
        return Table(
            name=TableName(self.database, name),
            columns=tuple(_column(r, listed, r["column_name"] in json) for r in self.of("columns", name)),
            kind=TableKind.FOREIGN if (row["engine"] or "").upper() in FOREIGN_ENGINES else kind,
            partition_key=columns_in(by, listed),
            uniques=tuple(self._uniques(name)),
            foreign_keys=tuple(self._foreign_keys(name)),
            indexes=tuple(self._indexes(name)),
            checks=checks,
            triggers=tuple(_trigger(r) for r in self.of("triggers", name)),
            rows=row["table_rows"],
            bytes=sum(sizes) if sizes else None,
            comment=row["table_comment"] or None,
        )

    def _grouped(self, view: str, table: str, by: str) -> Iterable[tuple[str, list[Row]]]:
        return ((name, list(rows)) for name, rows in groupby(self.of(view, table), key=lambda r: r[by]))

    def _uniques(self, table: str) -> Iterable[Unique]:
        for name, rows in self._grouped("statistics", table, "index_name"):
            if not rows[0]["non_unique"] and all(r["column_name"] for r in rows):
                yield Unique(name, tuple(r["column_name"] for r in rows), primary=name == "PRIMARY")

    def _indexes(self, table: str) -> Iterable[Index]:
        for name, rows in self._grouped("statistics", table, "index_name"):
            if name == "PRIMARY":
                continue
            plain = all(r["column_name"] for r in rows)
            columns = tuple(r["column_name"] for r in rows) if plain else ()
            kind = rows[0]["index_type"]
            parts = ", ".join(
                quoted(r["column_name"]) + (f"({r['sub_part']})" if r["sub_part"] and kind == "BTREE" else "")
                for r in rows
                if r["column_name"]
            )
            word = kind if kind in ("FULLTEXT", "SPATIAL") else ("UNIQUE" if not rows[0]["non_unique"] else "")
            sql = f"{word} KEY {quoted(name)} ({parts})".strip()
            yield Index(name, columns, unique=not rows[0]["non_unique"], sql=sql)

    def _foreign_keys(self, table: str) -> Iterable[ForeignKey]:
        for name, rows in self._grouped("keys", table, "constraint_name"):
            yield ForeignKey(
                name,
                tuple(r["column_name"] for r in rows),
                TableName(rows[0]["referenced_table_schema"], rows[0]["referenced_table_name"]),
                tuple(r["referenced_column_name"] for r in rows),
            )


def _is_json(check: Check) -> bool:
    """MariaDB's JSON is longtext under this check, which carries the column's name."""
    if len(check.columns) != 1 or check.name.lower() != check.columns[0].lower():
        return False
    return check.sql.lower() == f"json_valid({quoted(check.columns[0]).lower()})"


def _column(row: Row, listed: list[str], is_json: bool) -> Column:
    type_ = column_type(
        row["data_type"].lower(),
        row["column_type"],
        row["character_maximum_length"],
        row["numeric_precision"],
        row["numeric_scale"],
        row["collation_name"],
    )
    if is_json:
        type_ = replace(type_, kind=Kind.JSON, length=None)
    extra = row["extra"].lower()
    expression = row["generation_expression"] or None
    generated = expression if "generated" in extra.replace("default_generated", "") else None
    return Column(
        name=row["column_name"],
        type=type_,
        nullable=row["is_nullable"] == "YES",
        default=row["column_default"] if row["column_default"] != "NULL" else None,
        generated=generated,
        generated_from=columns_in(generated, [c for c in listed if c != row["column_name"]]) if generated else (),
        identity="auto" if "auto_increment" in extra else None,
        comment=row["column_comment"] or None,
    )


def _trigger(row: Row) -> Trigger:
    timing = f"{row['action_timing']} {row['event_manipulation']}".lower()
    return Trigger(row["trigger_name"], row["action_statement"] or "", timing)


def _view(database: str, row: Row) -> View:
    definition = row["view_definition"] or ""
    return View(TableName(database, row["table_name"]), definition, reads=view_reads(definition, database))


def view_reads(definition: str, database: str) -> tuple[TableName, ...]:
    """The relations behind FROM and JOIN in information_schema's text of a view, where each has its database before it."""
    before = {}
    last = ""
    for token in tokens(definition):
        before[token.start] = last
        if token.text != "(":
            last = token.word or token.text
    found = []
    for chain in chains(definition):
        if before[chain.parts[0].start] in ("FROM", "JOIN", "STRAIGHT_JOIN") and not chain.called:
            known = chain.names if len(chain.names) == 2 else (database, chain.names[0])
            if chain.names[0].upper() not in ("SELECT", "VALUES"):
                found.append(TableName(*known))
    return tuple(dict.fromkeys(found))


def _sequence(session: Session, database: str, name: str, tables: Iterable[Table]) -> Sequence:
    rows = session.run(f"SELECT increment, next_not_cached_value, start_value FROM {quoted(database, name)}")  # noqa: S608
    step, following, start = rows[0]
    owner = None
    for table in tables:
        for column in table.columns:
            if column.default and "nextval(" in column.default.lower() and name in _named(column.default):
                owner = (table.name, column.name)
    last = None if following == start else following - step
    return Sequence(TableName(database, name), owner, int(step) or 1, last)


def _named(sql: str) -> set[str]:
    return {unquote(t.text) for t in tokens(sql) if t.is_name}
