"""Tables in ranges of their keys, and checksums of what is in such a range.

A range's bounds are keys of rows: they reach a session by LOAD DATA LOCAL, as the one row of a temporary table that a query
joins, and stand in no statement. The optimizer takes them for constants, so that the key's index is read from bound to bound.

Checksums are sums of a hash of each row: 64 bits of the MD5 of all of its columns, each framed by its length. (A sum of CRC-32
would not do: it is nearly linear, and values that change places between rows may leave it as it was.) What leaves the server
is one number for each range, which is stored under a key alone.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import secrets
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from dbmask.errors import ConnectorError
from dbmask.schema import Table, TableName
from dbmask.spi import PartSum, Span
from dbmask_connectors._mysql_load import Dest, Loader, load_sql
from dbmask_connectors._mysql_relay import FORM, line_query
from dbmask_connectors._mysql_session import Session, quoted
from dbmask_connectors._mysql_types import binary_like

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = [
    "KEYS",
    "SORTED",
    "bound_at",
    "bounded",
    "columns_of",
    "cuts_every",
    "drop_bounds",
    "hold_rows",
    "key_spans",
    "narrowed",
    "relation",
    "span_sum",
    "sum_query",
    "within",
]

KEYS = "keys"
"""The kind of a span that is a range of a table's key; its ``storage`` is the key's first column and how that compares."""

_BOUND = "dbmask_bound"
SORTED = frozenset(
    {
        *("tinyint", "smallint", "mediumint", "int", "bigint", "decimal"),
        *("date", "datetime", "timestamp", "char", "varchar", "binary", "varbinary"),
    }
)
"""Types whose values arrive in a table of bounds as they were, and in the order of the key's index."""
_SHORT = frozenset({"bit", "binary", "varbinary"})
_LONG = frozenset({"json", "tinytext", "text", "mediumtext", "longtext"})


def columns_of(span: Span) -> tuple[str, ...]:
    """The columns that a span's bounds are values of."""
    return (json.loads(span.storage)[0],) if span.kind == KEYS else ()


def key_spans(session: Session, table: Table, size: int) -> list[Span]:
    """Ranges of about ``size`` bytes; one over all where the table is small, or has no key that it can be cut by.

    The session's transaction has read from the table from then on, so that DDL waits until it ends. Raises ConnectorError.
    """
    name = table.name
    session.run(f"SELECT 1 FROM {quoted(name.schema, name.name)} LIMIT 0", where=str(name))  # noqa: S608 - quoted names
    key = _key_of(session, table)
    if key is None:
        return [Span(name)]
    column, storage = key
    cuts = _cuts(session, name, column, size) if column.data_type in SORTED else []
    ends = [None, *cuts, None]
    return [Span(name, KEYS, low, high, storage) for low, high in itertools.pairwise(ends)]


def _key_of(session: Session, table: Table) -> tuple[Dest, str] | None:
    """The first column of a key that no two rows share and every row has; what the meaning of its bounds depends on."""
    keys = sorted((u for u in table.uniques if not u.partial), key=lambda u: not u.primary)
    for key in keys:
        columns = [table.column(c) for c in key.columns]
        if not key.primary and any(c is None or c.nullable for c in columns):
            continue
        rows = session.run(
            "SELECT column_name, data_type, column_type, character_set_name, collation_name FROM information_schema.columns "
            "WHERE table_schema = %s AND table_name = %s AND column_name = %s",
            (table.name.schema, table.name.name, key.columns[0]),
        )
        for name, data_type, column_type, charset, collation in rows:
            if name == key.columns[0]:
                dest = Dest(name, data_type.lower(), charset or "")
                return dest, json.dumps([name, column_type, collation or ""])
    return None


def _cuts(session: Session, name: TableName, column: Dest, size: int) -> list[str]:
    """Every so many rows a key, from one walk along the index."""
    facts = session.run(
        "SELECT engine, table_rows, data_length FROM information_schema.tables WHERE table_schema = %s AND table_name = %s",
        (name.schema, name.name),
    )
    engine, rows, length = facts[0] if facts else ("", 0, 0)
    if (engine or "").lower() != "innodb" or not rows or (length or 0) <= size:
        return []
    return cuts_every(session, name, column, max(1, int(rows) * size // int(length)))


def cuts_every(session: Session, name: TableName, column: Dest, step: int) -> list[str]:
    """Every ``step`` rows a key; none where this user may make no temporary tables. Raises ConnectorError."""
    found: list[str] = []
    while (cut := _next_cut(session, name, column, found[-1] if found else None, step)) is not None:
        found.append(cut)
        if len(found) == 1 and not _can_hold(session, name, column.name, cut):
            return []
    return found


def _can_hold(session: Session, name: TableName, column: str, value: str) -> bool:
    with contextlib.suppress(ConnectorError):
        _hold(session, name, column, [value])
        return True
    return False


def _next_cut(session: Session, name: TableName, column: Dest, last: str | None, step: int) -> str | None:
    from sqlglot import exp

    here = exp.column(column.name, table="dbmask_src", quoted=True)
    query = exp.select(here.as_(column.name, quoted=True)).from_(relation(name))
    if last is not None:
        query = within(session, query, Span(name, KEYS, last, None, json.dumps([column.name])), above=True)
    query = query.order_by(here.copy()).limit(1).offset(step if last is None else step - 1)
    raw = [column.in_bytes]
    with session.streaming(line_query(query, [column], raw).sql(dialect="mysql"), f"{name}: reading") as stream:
        lines = b"".join(line or b"" for _, line in stream.lines())
    return lines.removesuffix(b"\n").decode("latin-1") if lines else None


def relation(name: TableName) -> exp.Table:
    """A table under the alias by which queries of the planner's know it."""
    from sqlglot import exp

    return exp.Table(
        this=exp.to_identifier(name.name, quoted=True),
        db=exp.to_identifier(name.schema, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier("dbmask_src", quoted=True)),
    )


def narrowed(query: exp.Select, span: Span, above: bool = False) -> exp.Select:
    """The query over a span; its bounds are placeholders that :func:`bounded` replaces. ``above`` leaves out the low one."""
    from sqlglot import exp

    made = query.copy()
    source = made.args["from_"].this
    for value, low in ((span.low, exp.GT if above else exp.GTE), (span.high, exp.LT)):
        if span.kind == KEYS and value is not None:
            (column,) = columns_of(span)
            here = exp.column(column, table=source.alias, quoted=True)
            made.where(low(this=here, expression=bound_at(span.table, column, value)), copy=False)
    return made


def bound_at(table: TableName, column: str, value: str) -> exp.Placeholder:
    """What stands for a bound until :func:`bounded` has it: it is no SQL, so nothing is read for it."""
    from sqlglot import exp

    bound = exp.Placeholder(this=_BOUND)
    bound.meta[_BOUND] = (table, column, value)
    return bound


def bounded(session: Session, query: exp.Expression) -> exp.Expression:
    """The query with its bounds in a temporary table of the session's. Raises ConnectorError."""
    from sqlglot import exp

    nodes = [node for node in query.find_all(exp.Placeholder) if _BOUND in node.meta]
    if not nodes:
        return query
    table, column, _ = nodes[0].meta[_BOUND]
    name = _hold(session, table, column, [node.meta[_BOUND][2] for node in nodes])
    for at, node in enumerate(nodes):
        node.replace(exp.column(f"b{at}", table=name, quoted=True))
    assert isinstance(query, exp.Select)  # noqa: S101 - for the type checker: narrowed() made it
    return query.join(exp.to_table(name, quoted=True), join_type="cross", copy=False)


def within(session: Session, query: exp.Select, span: Span, above: bool = False) -> exp.Select:
    """The query over a span, as this session can run it. Raises ConnectorError."""
    from sqlglot import exp

    made = bounded(session, narrowed(query, span, above))
    assert isinstance(made, exp.Select)  # noqa: S101 - for the type checker: it was one before
    return made


def _hold(session: Session, table: TableName, column: str, values: Sequence[str]) -> str:
    """One row of bounds, typed as the column; the session's last one goes."""
    listed = ", ".join(f"{quoted(column)} AS b{at}" for at in range(len(values)))
    return hold_rows(session, table, listed, [values])


def hold_rows(session: Session, table: TableName, listed: str, rows: Sequence[Sequence[str]], made: str = "") -> str:
    """A temporary table in the place of the session's last one: typed as a SELECT list over ``table``, with ``made`` definitions."""
    drop_bounds(session)
    name = f"dbmask_bounds_{secrets.token_hex(6)}"
    source = quoted(table.schema, table.name)
    where = f"{session.where}: {table}"
    query = f"SELECT {listed} FROM {source} LIMIT 0"  # noqa: S608 - quoted names
    session.run(f"CREATE TEMPORARY TABLE {quoted(name)} {made} ENGINE=MEMORY {query}", where=where)
    session.bounds = name
    described = session.run(f"SHOW FULL COLUMNS FROM {quoted(name)}")
    dests = [
        Dest(found, kind.partition("(")[0].partition(" ")[0], (collation or "").partition("_")[0])
        for found, kind, collation, *_ in described
    ]
    loader = Loader(session, load_sql(name, dests, [d.in_bytes for d in dests], FORM), where)
    loader.write("".join(",".join(row) + "\n" for row in rows).encode("latin-1"), len(rows))
    loader.finish()
    return name


def drop_bounds(session: Session) -> None:
    """Let go of the bounds that a session holds."""
    if session.bounds:
        session.run(f"DROP TEMPORARY TABLE IF EXISTS {quoted(session.bounds)}")
        session.bounds = ""


def span_sum(session: Session, span: Span, columns: Sequence[str], place: TableName | None = None) -> PartSum:
    """Rows and checksum of a span, over these columns; of ``place``'s rows where another table is asked. Raises ConnectorError."""
    name = place or span.table
    query = sum_query(session, name, columns)
    sql = within(session, query, Span(name, span.kind, span.low, span.high, span.storage)).sql(dialect="mysql")
    ((rows, total),) = session.run(sql, where=f"{name}: reading")
    return PartSum(int(rows), int(rows), "" if total is None else str(total))


def sum_query(session: Session, name: TableName, columns: Sequence[str]) -> exp.Select:
    """The number of a table's rows, and the sum of their hashes over these columns. Raises ConnectorError."""
    from sqlglot import exp

    known = session.run(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
        (name.schema, name.name),
    )
    types = {column: data_type.lower() for column, data_type in known}
    missing = [c for c in columns if c not in types]
    if missing:
        raise ConnectorError(f"{name}: there is no column {missing[0]}")
    row = exp.Anonymous(this="CONCAT", expressions=list(_framed(columns, types)))
    half = exp.Anonymous(
        this="LEFT", expressions=[exp.Anonymous(this="MD5", expressions=[row]), exp.Literal.number(16)]
    )
    number = exp.Anonymous(this="CONV", expressions=[half, exp.Literal.number(16), exp.Literal.number(10)])
    unsigned = exp.Cast(this=number, to=exp.DataType(this=exp.DType.UBIGINT))
    total = exp.Sum(this=unsigned) if columns else exp.null()
    return exp.select(exp.alias_(exp.Count(this=exp.Star()), "n"), exp.alias_(total, "s")).from_(relation(name))


def _framed(columns: Sequence[str], types: dict[str, str]) -> Iterator[exp.Expression]:
    from sqlglot import exp

    def binary(value: exp.Expression) -> exp.Expression:
        return exp.Cast(this=value, to=exp.DataType.build("BINARY", dialect="mysql"))

    for name in columns:
        value: exp.Expression = exp.column(name, table="dbmask_src", quoted=True)
        kind = types[name]
        if kind == "float":  # it would be rounded to six digits
            value = exp.Cast(this=value, to=exp.DataType.build("DOUBLE", dialect="mysql"))
        if kind in _LONG or (
            binary_like(kind) and kind not in _SHORT
        ):  # a row's text must not grow longer than a packet, of which CONCAT makes NULL
            value = exp.Anonymous(this="MD5", expressions=[value])
        elif not binary_like(kind) or kind == "bit":
            value = binary(value)
        length = exp.Anonymous(this="LENGTH", expressions=[value.copy()])
        framed = exp.Anonymous(this="CONCAT", expressions=[length, exp.Literal.string(":"), value])
        yield exp.Anonymous(this="IFNULL", expressions=[framed, exp.Literal.string("-")])
