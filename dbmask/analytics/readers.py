"""Files and database tables as columns of codes: values are read as text and encoded where they are."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbmask.analytics.columns import Column, Frame, encode, frame_of
from dbmask.analytics.result import AnalyticsError
from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import TableName
from dbmask_sql.kinds import Kind

if TYPE_CHECKING:
    import duckdb
    import numpy as np
    from numpy.typing import NDArray
    from sqlglot import exp

    from dbmask.schema import ColumnType, Table
    from dbmask.spi import Source

__all__ = ["read_file", "read_groups", "read_table"]


def read_file(path: str, fields: Sequence[str] | None = None) -> Frame:
    """The columns of a CSV, JSON, JSON Lines or Parquet file; of ``fields`` alone where they are named and there.

    Raises UsageError where the file cannot be read.
    """
    kind = Path(path).suffix.lower().lstrip(".")
    if not Path(path).is_file():
        raise UsageError(f"{path}: there is no such file")
    if kind in ("json", "jsonl", "ndjson"):
        return frame_of(_records(path, lines=kind != "json"))
    return _from_duckdb(path, kind == "parquet", fields)


def _records(path: str, lines: bool) -> Iterator[dict[str, Any]]:
    with open(path, encoding="utf-8-sig") as source:
        texts = enumerate(source, 1) if lines else iter([(1, source.read())])
        for number, text in texts:
            if not text.strip():
                continue
            try:
                # Numbers stay the texts they are: 1.50 is not 1.5.
                found = json.loads(text, parse_float=str, parse_int=str)
            except json.JSONDecodeError as error:
                raise UsageError(f"{path}:{number + error.lineno - 1}: not JSON") from None
            for record in found if isinstance(found, list) else [found]:
                if not isinstance(record, dict):
                    raise UsageError(f"{path}:{number}: not an object")
                yield record


def _from_duckdb(path: str, parquet: bool, fields: Sequence[str] | None) -> Frame:
    import duckdb

    scan = (
        "SELECT COLUMNS(*)::VARCHAR FROM read_parquet($path)"
        if parquet
        else "SELECT * FROM read_csv($path, all_varchar = true, header = true, delim = $delim, quote = '\"', "
        "escape = '\"', nullstr = '\x01', ignore_errors = false)"
    )
    values = {"path": path} if parquet else {"path": path, "delim": "\t" if path.lower().endswith(".tsv") else ","}
    with duckdb.connect(config={"preserve_insertion_order": True}) as session:
        try:
            session.execute(f"CREATE TEMP TABLE data AS {scan}", values)
        except duckdb.Error as error:
            # Its message may quote data.
            raise UsageError(f"{path}: cannot be read ({type(error).__name__})") from None
        names = [str(row[0]) for row in session.execute("DESCRIBE data").fetchall()]
        wanted = names if fields is None else [n for n in names if n in fields]
        rows = session.execute("SELECT count(*) FROM data").fetchone()
        columns = {name: _encoded(session, name) for name in wanted}
    return Frame(columns, int(rows[0]) if rows else 0)


_FEW = 1000
"""Up to so many values an enum is the quickest codebook, above it a join."""


def _encoded(session: duckdb.DuckDBPyConnection, name: str) -> Column:
    """One column's codes, looked up inside DuckDB among its distinct values."""
    import numpy as np
    from sqlglot import exp

    column = exp.func("coalesce", exp.column(name, quoted=True), exp.Literal.string("None")).sql("duckdb")
    session.execute(
        "CREATE OR REPLACE TEMP TABLE codebook AS SELECT v, (row_number() OVER (ORDER BY first) - 1)::INTEGER AS code "  # noqa: S608
        f"FROM (SELECT {column} AS v, min(rowid) AS first FROM data GROUP BY v)"
    )
    labels = session.execute("SELECT v FROM codebook ORDER BY code").fetchnumpy()["v"].tolist()
    if len(labels) > _FEW:
        found = session.execute(
            f"SELECT code AS c FROM data JOIN codebook ON v = {column} ORDER BY data.rowid"  # noqa: S608 - quoted by sqlglot
        )
        return Column(np.ma.getdata(found.fetchnumpy()["c"]), labels)
    if not labels:
        return Column(np.empty(0, dtype=np.int32), labels)
    session.execute("CREATE TYPE codes AS ENUM (SELECT v FROM codebook ORDER BY code)")
    codes = session.execute(f"SELECT enum_code(({column})::codes) AS c FROM data").fetchnumpy()["c"]  # noqa: S608
    session.execute("DROP TYPE codes")
    return Column(np.ma.getdata(codes).astype(np.int32), labels)


def _table(source: Source, name: str) -> Table:
    schema = source.schema()
    found = schema.tables.get(TableName.parse(name, schema.default_schema))
    if found is None:
        raise UsageError(f"there is no table {name}")
    return found


def read_groups(url: str, table: str, fields: Sequence[str]) -> Frame:
    """The combinations of ``fields`` with their counts, grouped by the database itself. Raises AnalyticsError, UsageError, ConnectorError.

    Values are told apart as texts are in a file, whatever the columns' collations hold equal.
    """
    from sqlglot import exp

    with _opened(url) as source:
        found = _table(source, table)
        types = {c.name: c.type for c in found.columns}
        for field in fields:
            if field not in types:
                raise AnalyticsError(f"Field '{field}' not found in {table}.")
        values = [_told_apart(source.capabilities.dialect, f, types[f]) for f in fields]
        counted = exp.alias_(exp.Count(this=exp.Star()), "dbmask_count")
        shown = [exp.alias_(v.copy(), f"dbmask_group_{i}") for i, v in enumerate(values)]
        query = exp.select(*shown, counted).from_(_relation(found)).group_by(*values)
        return _read(source, query, list(fields), counted=True)


def read_table(url: str, table: str, by: Sequence[str] = ()) -> Frame:
    """All rows of a table in the order of its primary key, or ``by`` these columns. Raises AnalyticsError, UsageError, ConnectorError."""
    from sqlglot import exp

    with _opened(url) as source:
        found = _table(source, table)
        types = {c.name: c.type for c in found.columns}
        key = tuple(by) or found.primary_key
        if not key:
            raise UsageError(
                f"{table} has no primary key: name columns that tell its rows apart and are not masked (--key)"
            )
        for name in key:
            if name not in types:
                raise AnalyticsError(f"Field '{name}' not found in {table}.")
        # Two databases may sort texts by different collations; by code points they sort alike.
        order = [_told_apart(source.capabilities.dialect, c, types[c]) for c in key]
        names = list(types)
        query = exp.select(*(exp.column(c, quoted=True) for c in names)).from_(_relation(found)).order_by(*order)
        return replace(_read(source, query, names, counted=False), key=key)


@contextlib.contextmanager
def _opened(url: str) -> Iterator[Source]:
    from dbmask.registry import connector_for

    source = connector_for(url).source(url)
    try:
        yield source
    finally:
        source.close()


def _relation(table: Table) -> exp.Table:
    from sqlglot import exp

    schema = table.name.schema
    return exp.Table(
        this=exp.to_identifier(table.name.name, quoted=True),
        db=exp.to_identifier(schema, quoted=True) if schema else None,
    )


def _told_apart(dialect_name: str, name: str, type_: ColumnType) -> exp.Expression:
    """A column as a value that groups and sorts as its text does, not by a collation, and that has an equality at all."""
    from sqlglot import exp

    from dbmask_sql.dialects import dialect

    column, sql = exp.column(name, quoted=True), dialect(dialect_name)
    if dialect_name == "mysql":
        # Even its binary collations take no notice of spaces at the end.
        return sql.utf8(column) if type_.folded or type_.kind in _TEXTS else column
    if type_.folded or type_.kind in (Kind.TEXT, Kind.ENUM):
        return sql.plain(column)
    # PostgreSQL's json, xml and point have no equality.
    typeless = dialect_name == "postgres" and type_.kind in (Kind.JSON, Kind.ARRAY, Kind.OTHER)
    return sql.to_text(column) if typeless else column


_TEXTS = (Kind.TEXT, Kind.ENUM, Kind.JSON)


def _read(source: Source, query: exp.Select, names: list[str], counted: bool) -> Frame:
    import numpy as np

    known: list[dict[str, int]] = [{} for _ in names]
    parts: list[list[NDArray[np.int64]]] = [[] for _ in range(len(names) + counted)]
    with source.snapshot() as reader:
        for batch in reader.read(query):
            if len({len(values) for values in batch}) != 1:
                raise ConnectorError("columns of different length")
            for codes, column, codebook in zip(parts, batch, known, strict=False):
                codes.append(encode(map(_text, column), codebook))
            if counted:
                parts[-1].append(np.asarray(batch[-1], dtype=np.int64))
    joined = [np.concatenate([*found, np.empty(0, dtype=np.int64)]) for found in parts]
    columns = {name: Column(codes, list(book)) for name, codes, book in zip(names, joined, known, strict=False)}
    return Frame(columns, len(joined[0]), joined[-1] if counted else None)


def _text(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
