"""Run one bound mask over a few rows: in Python, and as SQL on real engines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Columns, Mask
from dbmask.masks.build import build_mask, example_keys
from dbmask.schema import Column, ColumnType
from dbmask_sql.dialects import dialect
from dbmask_sql.dialects.base import column
from dbmask_sql.keyref import key_names, resolve_keys

if TYPE_CHECKING:
    import psycopg

__all__ = ["KEYS", "Rows", "bind", "in_duckdb", "in_postgres", "in_python", "in_sqlite", "numbers", "one"]

KEYS = example_keys()
Rows = Mapping[str, Sequence[Any]]


def numbers(count: int, below: int, first: int = 0) -> list[int]:
    """As many scattered numbers, the same at each run."""
    return [pow(7, first + i, 2**521 - 1) * 3**i % below for i in range(1, count + 1)]


def bind(
    spec: Any,
    type_: ColumnType,
    others: Mapping[str, ColumnType] | None = None,
    row_key: tuple[str, ...] = (),
    keys: KeyRing = KEYS,
) -> Bound:
    """The mask that ``spec`` describes, bound to column ``v`` of ``type_``, beside ``others``."""
    mask = spec if isinstance(spec, Mask) else build_mask(spec)
    available = {"v": Column("v", type_), **{n: Column(n, t) for n, t in (others or {}).items()}}
    return mask.bind(Columns((available["v"],), available, row_key, "public.t"), keys)


def in_python(bound: Bound, rows: Rows) -> list[Any]:
    """What ``apply`` makes of the rows."""
    return bound.apply([list(rows[name]) for name in bound.inputs])[0]


def one(spec: Any, type_: ColumnType, value: Any, **options: Any) -> Any:
    """One value, masked in Python."""
    return in_python(bind(spec, type_, **options), {"v": [value]})[0]


def _query(bound: Bound, dialect_name: str, types: Mapping[str, str]) -> exp.Expression:
    made = bound.sql([column(name, "t") for name in bound.inputs], dialect(dialect_name))
    assert made is not None, f"no form in {dialect_name}"
    shown = dialect(dialect_name).as_type(made[0], types.get("", ""))
    return exp.select(exp.alias_(shown, "out")).from_(exp.table_("masked", alias="t")).order_by("t.n")


def _pads(query: exp.Expression, keys: KeyRing) -> dict[str, Any]:
    return dict(keys.pads(key_names(query)))


def in_duckdb(bound: Bound, types: Mapping[str, str], rows: Rows, keys: KeyRing = KEYS) -> list[Any]:
    """The mask's SQL on DuckDB. ``types`` are SQL types by column; "" is the result's, where it is cast."""
    import duckdb

    query = _query(bound, "duckdb", types)
    with duckdb.connect() as db:
        db.execute("CREATE TABLE masked (n INT, " + ", ".join(f'"{n}" {types[n]}' for n in rows) + ")")
        marks = ", ".join("?" for _ in rows)
        for i, row in enumerate(zip(*rows.values(), strict=True)):
            db.execute(f"INSERT INTO masked VALUES ({i}, {marks})", list(row))
        db.execute("CREATE TEMP TABLE keys (name TEXT, i BLOB, o BLOB)")
        for name, (inner, outer) in _pads(query, keys).items():
            db.execute("INSERT INTO keys VALUES (?, ?, ?)", [name, inner, outer])
        text = resolve_keys(query, _subquery).sql("duckdb")
        return [r[0] for r in db.execute(text).fetchall()]


def in_postgres(
    bound: Bound, types: Mapping[str, str], rows: Rows, connection: psycopg.Connection[Any], keys: KeyRing = KEYS
) -> list[Any]:
    """The mask's SQL on PostgreSQL, within temporary tables that go when it is done."""
    query = _query(bound, "postgres", types)
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE masked (n INT, " + ", ".join(f'"{n}" {types[n]}' for n in rows) + ")")
        marks = ", ".join("%s" for _ in rows)
        cursor.executemany(
            f"INSERT INTO masked VALUES (%s, {marks})",
            [(i, *row) for i, row in enumerate(zip(*rows.values(), strict=True))],
        )
        cursor.execute("CREATE TEMP TABLE keys (name TEXT, i BYTEA, o BYTEA)")
        cursor.executemany("INSERT INTO keys VALUES (%s, %s, %s)", [(n, *p) for n, p in _pads(query, keys).items()])
        cursor.execute(resolve_keys(query, _subquery).sql("postgres").encode())
        return [r[0] for r in cursor.fetchall()]


def in_sqlite(bound: Bound, types: Mapping[str, str], rows: Rows, keys: KeyRing = KEYS) -> list[Any]:
    """The mask's SQL on SQLite with dbmask's functions registered."""
    import sqlite3
    from contextlib import closing

    from dbmask_sql.sqlite_functions import register

    query = _query(bound, "sqlite", types)
    with closing(sqlite3.connect(":memory:")) as db:
        register(db, _pads(query, keys))
        db.execute("CREATE TABLE masked (n INT, " + ", ".join(f'"{n}" {types[n]}' for n in rows) + ")")
        marks = ", ".join("?" for _ in rows)
        for i, row in enumerate(zip(*rows.values(), strict=True)):
            db.execute(f"INSERT INTO masked VALUES ({i}, {marks})", row)
        text = resolve_keys(query, lambda name, part: exp.Literal.string(name)).sql("sqlite")
        return [r[0] for r in db.execute(text).fetchall()]


def _subquery(name: str, part: str) -> exp.Expression:
    return (
        exp.select(exp.column(part[0]))
        .from_("keys")
        .where(exp.EQ(this=exp.column("name"), expression=exp.Literal.string(name)))
        .subquery()
    )
