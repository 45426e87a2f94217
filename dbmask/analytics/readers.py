"""Files and database tables as columns of codes: values are read as text and encoded where they are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbmask.analytics.columns import Column, Frame, encode, frame_of
from dbmask.analytics.result import AnalyticsError
from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import TableName

if TYPE_CHECKING:
    import duckdb

    from dbmask.schema import Table
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


def _encoded(session: duckdb.DuckDBPyConnection, name: str) -> Column:
    """One column's codes, looked up inside DuckDB by an enum of its distinct values."""
    import numpy as np
    from sqlglot import exp

    column = exp.func("coalesce", exp.column(name, quoted=True), exp.Literal.string("None")).sql("duckdb")
    distinct = session.execute(
        f"SELECT {column} AS v FROM data GROUP BY v ORDER BY min(rowid)"  # noqa: S608 - quoted by sqlglot
    ).fetchall()
    labels = [str(row[0]) for row in distinct]
    if not labels:
        return Column(np.empty(0, dtype=np.int64), labels)
    session.execute(f"CREATE TYPE codes AS ENUM (SELECT {column} AS v FROM data GROUP BY v ORDER BY min(rowid))")  # noqa: S608
    codes = session.execute(f"SELECT enum_code(({column})::codes) AS c FROM data").fetchnumpy()["c"]  # noqa: S608
    session.execute("DROP TYPE codes")
    return Column(np.ma.getdata(codes).astype(np.int64), labels)


def _table(source: Source, name: str) -> Table:
    schema = source.schema()
    found = schema.tables.get(TableName.parse(name, schema.default_schema))
    if found is None:
        raise UsageError(f"there is no table {name}")
    return found


def read_groups(url: str, table: str, fields: Sequence[str]) -> Frame:
    """The combinations of ``fields`` with their counts, grouped by the database itself. Raises UsageError, ConnectorError."""
    from sqlglot import exp

    columns = [exp.column(f, quoted=True) for f in fields]
    counted = exp.alias_(exp.Count(this=exp.Star()), "dbmask_count")
    return _read(url, table, fields, lambda q: q.select(*columns, counted).group_by(*columns), counted=True)


def read_table(url: str, table: str) -> Frame:
    """All rows of a table in the order of its primary key. Raises UsageError, ConnectorError."""
    return _read(url, table, None, None, counted=False)


def _read(url: str, name: str, fields: Sequence[str] | None, grouped: Any, counted: bool) -> Frame:
    import numpy as np
    from sqlglot import exp

    from dbmask.registry import connector_for

    source = connector_for(url).source(url)
    try:
        table = _table(source, name)
        known = [c.name for c in table.columns]
        for field in fields or ():
            if field not in known:
                raise AnalyticsError(f"Field '{field}' not found in {name}.")
        relation = exp.Table(
            this=exp.to_identifier(table.name.name, quoted=True),
            db=exp.to_identifier(table.name.schema, quoted=True) if table.name.schema else None,
        )
        query = exp.select().from_(relation)
        if grouped is None:
            keys = table.primary_key
            if not keys:
                raise UsageError(f"{name} has no primary key: its rows cannot be compared with another table's")
            query = query.select(*(exp.column(c, quoted=True) for c in known))
            query = query.order_by(*(exp.column(c, quoted=True) for c in keys))
        else:
            query = grouped(query)
        names = list(fields or known)
        values: list[list[Any]] = [[] for _ in range(len(names) + counted)]
        with source.snapshot() as reader:
            for batch in reader.read(query):
                for whole, part in zip(values, batch, strict=True):
                    whole.extend(part)
    finally:
        source.close()
    if any(len(v) != len(values[0]) for v in values):
        raise ConnectorError(f"{name}: columns of different length")
    weights = np.asarray([int(v) for v in values[-1]], dtype=np.int64) if counted else None
    return Frame({n: encode(v) for n, v in zip(names, values, strict=False)}, len(values[0]), weights)
