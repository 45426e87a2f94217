"""A replica made through the SPI alone, with plain SELECTs for plans: what the tests of the PostgreSQL connector share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from sqlglot import exp

from dbmask.schema import Schema, Table, TableKind, TableName
from dbmask.spi import Reader, Source, Structure, Target, TargetTable
from dbmask_connectors.postgresql import CONNECTOR
from tests.real import SHARED

__all__ = ["LOADS", "RECOMPUTE", "Made", "plain", "replicate", "targets"]

_HERE = Path(__file__).parent
_REAL = SHARED / "databases"
"""Real databases that are not part of the project; the tests run on the hard one alone where they are not there."""

LOADS: dict[str, Path] = {
    "hard": _HERE.parent / "fixtures" / "postgres_hard.sql",
    **{
        p.name.partition(".")[0]: p
        for p in sorted(_REAL.glob("*.sql.gz"))
        if p.name.startswith(("pagila", "chinook-p"))
    },
}
RECOMPUTE = [("public.product", "search"), ("public.film", "fulltext")]
"""The columns of these databases that triggers fill."""

Queries = Mapping[tuple[str, str], exp.Expression]


@dataclass
class Made:
    """What a replication did and said."""

    structure: Structure
    left_out: tuple[str, ...] = ()
    rows: dict[TableName, int] = field(default_factory=dict)
    broken: Mapping[str, int] = field(default_factory=dict)
    phases: list[str] = field(default_factory=list)


def targets(
    schema: Schema,
    *,
    recompute: Iterable[tuple[str, str]] = (),
    dropped: Iterable[tuple[str, str]] = (),
    skip: Iterable[str] = (),
    empty: Iterable[str] = (),
) -> list[TargetTable]:
    """Every table of the schema but partitions, whose rows travel through their roots; columns are "table", "column"."""
    recompute, dropped, skip, empty = set(recompute), set(dropped), set(skip), set(empty)
    made = []
    for table in schema.tables.values():
        name = str(table.name)
        if table.kind is TableKind.PARTITION or name in skip:
            continue
        gone = tuple(c.name for c in table.columns if (name, c.name) in dropped)
        columns = tuple(
            c.name for c in table.columns if not c.generated and (name, c.name) not in recompute and c.name not in gone
        )
        made.append(TargetTable(table, columns, gone, rows=name not in empty))
    return made


def plain(table: Table, columns: Sequence[str]) -> exp.Select:
    """SELECT columns FROM the table alone, without its inheritance children."""
    source = exp.Table(
        this=exp.to_identifier(table.name.name, quoted=True),
        db=exp.to_identifier(table.name.schema, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier("t")),
        only=table.kind is TableKind.CHILD or table.inherited,
    )
    picked = [exp.column(exp.to_identifier(c, quoted=True), table="t") for c in columns]
    return exp.select(*picked).from_(source)


def replicate(
    source_url: str,
    target_url: str,
    choose: Callable[[Schema], list[TargetTable]] = targets,
    *,
    through_python: bool = False,
    queries: Queries | None = None,
    publish: bool = True,
) -> Made:
    """Do what a clone does, through the SPI: structure, rows (relayed or as Python values), finish, check, publish."""
    with closing(CONNECTOR.source(source_url)) as source, closing(CONNECTOR.target(target_url)) as target:
        schema = source.schema()
        tables = choose(schema)
        made = Made(source.structure(schema, tables))
        target.check(False)
        target.begin()
        try:
            made.left_out = target.create(made.structure)
            with source.snapshot() as reader:
                for table in tables:
                    if table.rows:
                        made.rows[table.name] = _copy(source, reader, target, table, through_python, queries or {})
            target.finish(made.structure, made.phases.append)
            made.broken = target.check_foreign_keys(made.structure)
            if publish:
                target.publish()
        except BaseException:
            target.abort()
            raise
    return made


def _copy(
    source: Source, reader: Reader, target: Target, table: TargetTable, through_python: bool, queries: Queries
) -> int:
    query = queries.get((table.name.schema, table.name.name)) or plain(table.table, table.columns)
    if not through_python:
        count = target.relay(source, reader, table, query, lambda rows: None)
        assert count is not None
        return count
    count = 0
    with target.sink(table) as sink:
        for batch in reader.read(query):
            sink.write(batch)
            count += len(batch[0])
    return count
