"""What the tests of the MariaDB connector share: the rich fixture, and a clone made through the seams alone."""

from __future__ import annotations

import gzip
import hashlib
import itertools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlglot import exp

from dbmask.schema import Schema, TableName
from dbmask.spi import Progress, Structure, TargetTable
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_source import MySQLSource
from dbmask_connectors._mysql_target import MySQLTarget
from tests.fix_mariadb import MariaDB
from tests.real import real

__all__ = [
    "PADS",
    "Copied",
    "chinook",
    "copy",
    "dump_rows",
    "everything",
    "fresh",
    "rich_database",
    "run",
    "select_all",
    "small_table",
    "source",
    "target",
    "user",
]

HERE = Path(__file__).parent
_numbers = itertools.count(1)
PADS = {
    # Not a run of control characters: other tests write such values, and a log of the server is searched for these.
    "mail": (hashlib.sha512(b"inner").digest(), hashlib.sha512(b"outer").digest()),
    "name": (b"\\,\n\t'\r\0N" * 8, b"\0" * 64),
}
SETTINGS = "SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00', NAMES utf8mb4"


@contextmanager
def rich_database(server: MariaDB) -> Iterator[str]:
    """The name of a database that holds the rich fixture; the one that it refers to has ``_other`` behind its name."""
    with fresh(server, "rich", make=True) as name:
        server.create_database(f"{name}_other")
        script = (HERE.parent / "fixtures" / "mariadb_rich.sql").read_text("utf-8")
        script = script.replace("@DB@", name).replace("@OTHER@", f"{name}_other")
        with closing(server.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute(SETTINGS)
            for statement in script.split("\n;;\n"):
                if statement.strip():
                    cursor.execute(statement)
        try:
            yield name
        finally:
            server.drop_database(name)  # before the one that it refers to
            server.drop_database(f"{name}_other")


def chinook(server: MariaDB, name: str) -> None:
    """Fill database ``name`` with Chinook. Says where it should be when it is not there."""
    text = gzip.decompress(real("databases/chinook-mysql.sql.gz").read_bytes()).decode("utf-8")
    lines = [
        line for line in text.splitlines() if not line.upper().startswith(("CREATE DATABASE", "DROP DATABASE", "USE "))
    ]
    server.mysql(name, "\n".join(lines))


@contextmanager
def fresh(server: MariaDB, label: str, make: bool = False) -> Iterator[str]:
    """A name for a database, made where ``make`` says so; whatever is there under it afterwards is dropped."""
    name = f"d_{os.getpid()}_{next(_numbers)}_{label}"
    if make:
        server.create_database(name)
    try:
        yield name
    finally:
        server.drop_database(name)


def run(server: MariaDB, name: str | None, *statements: str) -> list[tuple[Any, ...]]:
    """Run statements; the rows of the last one."""
    with closing(server.connect(name)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


@contextmanager
def small_table(server: MariaDB) -> Iterator[str]:
    """The name of a database with one table of three rows."""
    with fresh(server, "small", make=True) as name:
        run(server, name, "CREATE TABLE t (id int PRIMARY KEY, v varchar(40))")
        run(server, name, "INSERT INTO t VALUES (1, 'a'), (2, 'ž'), (3, '')")
        yield name


def source(server: MariaDB, name: str) -> MySQLSource:
    return MySQLSource(Address.parse(server.url(name)))


def target(server: MariaDB, name: str) -> MySQLTarget:
    return MySQLTarget(Address.parse(server.url(name)))


def everything(schema: Schema, **changes: Mapping[str, Any]) -> list[TargetTable]:
    """Every table with every column that can be written; ``changes`` are TargetTable's fields by a table's name."""
    made = []
    for table in schema.tables.values():
        change = changes.get(table.name.name, {})
        dropped = change.get("dropped", ())
        filled = change.get("filled", ())
        columns = [c.name for c in table.columns if c.generated is None and c.name not in (*dropped, *filled)]
        made.append(
            TargetTable(table, tuple(columns), tuple(dropped), change.get("types", {}), change.get("rows", True))
        )
    return [t for t in made if not changes.get(t.name.name, {}).get("skip")]


def select_all(
    table: TargetTable, masks: Mapping[str, Callable[[exp.Expression], exp.Expression]] | None = None
) -> exp.Select:
    """A query like the planner's; ``masks`` make expressions of columns."""
    made = []
    for name in table.columns:
        column: exp.Expression = exp.column(
            exp.to_identifier(name, quoted=True), table=exp.to_identifier("dbmask_src", quoted=True)
        )
        mask = (masks or {}).get(name)
        made.append(exp.alias_(mask(column) if mask else column, name, quoted=True))
    place = exp.Table(
        this=exp.to_identifier(table.name.name, quoted=True),
        db=exp.to_identifier(table.name.schema, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier("dbmask_src", quoted=True)),
    )
    return exp.select(*made).from_(place)


@dataclass
class Copied:
    """What a copy saw and said."""

    structure: Structure
    created: tuple[str, ...]
    rows: dict[str, int] = field(default_factory=dict)
    broken: Mapping[str, int] = field(default_factory=dict)


def _silent(rows: int) -> None:
    """Nobody listens."""


def copy(
    opened: MySQLSource,
    made: MySQLTarget,
    tables: Sequence[TargetTable],
    *,
    schema: Schema | None = None,
    python: bool = False,
    masks: Mapping[str, Mapping[str, Callable[[exp.Expression], exp.Expression]]] | None = None,
    pads: Mapping[str, tuple[bytes, bytes]] | None = None,
    progress: Progress = _silent,
) -> Copied:
    """Clone through the seams as the cloner does; ``python`` reads values and writes them again."""
    structure = opened.structure(schema or opened.schema(), tables)
    made.begin()
    try:
        result = Copied(structure, made.create(structure))
        with opened.snapshot() as reader:
            reader.use_keys(pads or {})
            for table in tables:
                if not table.rows:
                    continue
                query = select_all(table, (masks or {}).get(table.name.name))
                count = None if python else made.relay(opened, reader, table, query, progress)
                if count is None:
                    count = 0
                    with made.sink(table) as sink:
                        for batch in reader.read(query):
                            sink.write(batch)
                            count += len(batch[0])
                result.rows[table.name.name] = count
            made.finish(structure, lambda text: None)
            result.broken = made.check_foreign_keys(structure)
        made.publish()
    except BaseException:
        made.abort()
        raise
    return result


def dump_rows(server: MariaDB, database: str, name: TableName) -> list[tuple[Any, ...]]:
    """A table's rows, every column as the bytes that it holds (floats as doubles), in order."""
    with closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SET time_zone = '+00:00'")
        cursor.execute(
            "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s AND table_name = %s "
            "ORDER BY ordinal_position",
            (database, name.name),
        )
        listed = [
            f"HEX(CAST({'CAST(' * (t == 'float')}`{c.replace('`', '``')}`{' AS DOUBLE)' * (t == 'float')} AS BINARY))"
            for c, t in cursor.fetchall()
        ]
        cursor.execute(f"SELECT {', '.join(listed)} FROM `{name.name.replace('`', '``')}` ORDER BY 1, 2")
        return list(cursor.fetchall())


@contextmanager
def user(server: MariaDB, *grants: str) -> Iterator[str]:
    """A user with these grants; the URL's part before the database."""
    name = f"u_{time.monotonic_ns()}"
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'pw'")
        for grant in grants:
            cursor.execute(f"GRANT {grant} TO {name}@'127.0.0.1'")
        try:
            yield f"mysql://{name}:pw@{server.host}:{server.port}/"
        finally:
            cursor.execute(f"DROP USER {name}@'127.0.0.1'")
