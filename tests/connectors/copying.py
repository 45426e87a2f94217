"""Copying a whole database through the connectors' protocols, as a clone does, without masks."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from dbmask.cloner.order import foreign_key_order
from dbmask.registry import connector_for
from dbmask.schema import Schema, Table, TableName
from dbmask.spi import Reader, Source, Structure, Target, TargetTable

__all__ = [
    "ALL",
    "FIXTURES",
    "Chosen",
    "Copied",
    "copy",
    "duckdb_file",
    "duckdb_rows",
    "plain_query",
    "sqlite_file",
    "sqlite_rows",
    "statement",
    "target_tables",
]

FIXTURES = Path(__file__).parent.parent / "fixtures"


def sqlite_file(path: Path, script: str) -> str:
    """Make a SQLite file and return its URL."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript(script)
    return f"sqlite:///{path}"


def duckdb_file(path: Path, script: str) -> str:
    """Make a DuckDB file and return its URL."""
    with duckdb.connect(str(path)) as db:
        db.execute(script)
    return f"duckdb:///{path}"


def duckdb_rows(path: Path, query: str) -> list[Any]:
    with duckdb.connect(str(path), read_only=True) as db:
        return db.execute(query).fetchall()


def sqlite_rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


def statement(table: Table, columns: Iterable[str]) -> exp.Select:
    """The SELECT of a table as the planner writes it: quoted, qualified, with an alias."""
    source = exp.Table(
        this=exp.to_identifier(table.name.name, quoted=True),
        db=exp.to_identifier(table.name.schema, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier("dbmask_src", quoted=True)),
    )
    shown = [
        exp.alias_(exp.column(exp.to_identifier(c, quoted=True), table="dbmask_src", quoted=True), c, quoted=True)
        for c in columns
    ]
    return exp.select(*shown).from_(source)


def plain_query(table: TargetTable) -> exp.Select:
    return statement(table.table, table.columns)


@dataclass(frozen=True)
class Chosen:
    """What a copy leaves out; tables and columns are named without their schema."""

    skip: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    dropped: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ALL = Chosen()


def target_tables(schema: Schema, chosen: Chosen = ALL) -> list[TargetTable]:
    """The tables of a schema in the order of a clone."""
    made = []
    kept = [t for t in schema.tables.values() if t.name.name not in chosen.skip]
    for name in foreign_key_order(kept):
        table = schema.tables[name]
        gone = chosen.dropped.get(name.name, ())
        rows = name.name not in chosen.empty
        columns = tuple(c.name for c in table.columns if c.generated is None and c.name not in gone) if rows else ()
        made.append(TargetTable(table, columns, gone, {}, rows))
    return made


class Copied:
    """What a copy did."""

    def __init__(self, structure: Structure, lost: tuple[str, ...]) -> None:
        self.structure = structure
        self.lost = lost
        self.relayed: dict[TableName, bool] = {}
        self.counts: dict[TableName, int] = {}
        self.broken: dict[str, int] = {}
        self.progress: list[int] = []


def copy(
    source_url: str,
    target_url: str,
    chosen: Chosen = ALL,
    *,
    relay: bool = True,
    select: Callable[[TargetTable], exp.Select] = plain_query,
    pads: dict[str, tuple[bytes, bytes]] | None = None,
    batch_rows: int = 3,
    publish: bool = True,
) -> Copied:
    """Copy everything but what ``chosen`` leaves out."""
    source: Source = connector_for(source_url).source(source_url)
    target: Target = connector_for(target_url).target(target_url)
    with closing(source), closing(target):
        schema = source.schema()
        tables = target_tables(schema, chosen)
        structure = source.structure(schema, tables)
        target.check(overwrite=False)
        target.begin()
        done = Copied(structure, target.create(structure))
        with source.snapshot() as reader:
            reader.use_keys(pads or {})
            for table in tables:
                if table.rows and table.columns:
                    _one(source, reader, target, table, select(table), done, relay, batch_rows)
            target.finish(structure, lambda _: None)
            done.broken = dict(target.check_foreign_keys(structure))
        if publish:
            target.publish()
        return done


def _one(
    source: Source,
    reader: Reader,
    target: Target,
    table: TargetTable,
    query: exp.Select,
    done: Copied,
    relay: bool,
    batch_rows: int,
) -> None:
    count = target.relay(source, reader, table, query, done.progress.append) if relay else None
    done.relayed[table.name] = count is not None
    if count is None:
        count = 0
        with target.sink(table) as sink:
            for batch in reader.read(query, batch_rows):
                sink.write(batch)
                count += len(batch[0])
    done.counts[table.name] = count
