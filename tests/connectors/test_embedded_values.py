"""Values of other databases on their way into SQLite and DuckDB: round trips, and what cannot be written."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from enum import Enum
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmask.errors import ConnectorError
from dbmask.registry import connector_for
from dbmask.schema import Column, ColumnType, Kind, Schema, Table, TableName
from dbmask.spi import Sink, Structure, Target, TargetTable
from dbmask_connectors._duckdb_sink import encoded
from dbmask_connectors._sqlite_values import storable
from tests.connectors.copying import duckdb_file, statement


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        (dt.datetime(2020, 1, 1, 10), "2020-01-01 10:00:00"),
        (dt.datetime(2020, 1, 1, 10, 0, 0, 5, dt.UTC), "2020-01-01 10:00:00.000005+00:00"),
        (dt.date(1, 1, 1), "0001-01-01"),
        (dt.time(10, 11, 12, 500_000), "10:11:12.500000"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Colour.RED, "red"),
        ({"a": [1, None, "ž"]}, '{"a":[1,null,"ž"]}'),
        ([Decimal("1.5"), "x"], '["1.5","x"]'),
        (ip_address("10.0.0.1"), "10.0.0.1"),
        (dt.timedelta(days=1, seconds=2), "1 day, 0:00:02"),
    ],
)
def test_what_sqlite_stores_of_values_that_it_does_not_know(value: Any, stored: str) -> None:
    assert storable([None, value, 1]) == [None, stored, 1]


def test_what_sqlite_knows_is_not_touched() -> None:
    values = [None, 1, 1.5, "a", b"b", True]
    assert storable(values) is values
    assert storable([1, None, 2**100], wide=True) == ["1", None, str(2**100)]


TYPES = {
    "n": ColumnType(Kind.INTEGER, "bigint", bits=64),
    "d": ColumnType(Kind.DECIMAL, "decimal(38,10)", precision=38, scale=10),
    "f": ColumnType(Kind.FLOAT, "double"),
    "t": ColumnType(Kind.TEXT, "text"),
    "b": ColumnType(Kind.BYTES, "bytea"),
    "o": ColumnType(Kind.BOOLEAN, "boolean"),
    "day": ColumnType(Kind.DATE, "date"),
    "ts": ColumnType(Kind.TIMESTAMP, "timestamp"),
    "tz": ColumnType(Kind.TIMESTAMPTZ, "timestamptz"),
    "u": ColumnType(Kind.UUID, "uuid"),
    "l": ColumnType(Kind.ARRAY, "text[]", element=ColumnType(Kind.TEXT, "text")),
    "j": ColumnType(Kind.JSON, "json"),
}
TABLE = Table(TableName("public", "t"), tuple(Column(n, t) for n, t in TYPES.items()))
PLAIN = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "n": st.integers(-(2**63), 2**63 - 1),
    "d": st.decimals(-(10**27), 10**27, places=10),
    "f": st.floats(allow_nan=True),
    "t": PLAIN,
    "b": st.binary(max_size=12),
    "o": st.booleans(),
    "day": st.dates(),
    "ts": st.datetimes(),
    "tz": st.datetimes(dt.datetime(2, 1, 1), dt.datetime(9998, 1, 1), timezones=st.just(dt.UTC)),
    "u": st.uuids(),
    "l": st.lists(PLAIN, max_size=3),
    "j": st.recursive(
        st.none() | st.booleans() | PLAIN, lambda x: st.lists(x) | st.dictionaries(PLAIN, x), max_leaves=4
    ).map(json.dumps),
}
ROWS = st.lists(st.tuples(*(st.none() | VALUES[n] for n in TYPES)), min_size=1, max_size=8)


@contextmanager
def table_in(kind: str, folder: Path) -> Iterator[tuple[Target, TargetTable]]:
    table = TargetTable(TABLE, tuple(TYPES))
    structure = Structure("postgres", Schema("postgres", {TABLE.name: TABLE}, default_schema="public"), (table,))
    with closing(connector_for(f"{kind}://").target(f"{kind}:///{folder / 'b'}")) as target:
        target.begin()
        target.create(structure)
        yield target, table


def equal(a: Any, b: Any) -> bool:
    return a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))


@settings(max_examples=25)
@given(rows=ROWS)
def test_every_value_of_every_type_comes_back_from_duckdb(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]
) -> None:
    with table_in("duckdb", tmp_path_factory.mktemp("d")) as (target, table):
        with target.sink(table) as sink:
            sink.write([list(c) for c in zip(*rows, strict=True)])
        with target.reader() as reader:
            (batch,) = reader.read(statement(TABLE, TYPES))
    for name, before, after in zip(TYPES, zip(*rows, strict=True), batch, strict=True):
        for a, b in zip(before, after, strict=True):
            assert equal(a, b), (name, a, b)


@settings(max_examples=25)
@given(rows=ROWS)
def test_what_sqlite_can_hold_comes_back(tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[Any, ...]]) -> None:
    with table_in("sqlite", tmp_path_factory.mktemp("s")) as (target, table):
        with target.sink(table) as sink:
            sink.write([list(c) for c in zip(*rows, strict=True)])
        with target.reader() as reader:
            (batch,) = reader.read(statement(TABLE, TYPES))
    for name, before, after in zip(TYPES, zip(*rows, strict=True), batch, strict=True):
        expected = list(before)
        if name in ("day", "ts", "tz", "u", "l"):
            expected = storable(expected)
        if name == "d":
            continue  # a float of 15 digits, and said so
        if name == "f":
            expected = [None if isinstance(v, float) and math.isnan(v) else v for v in expected]  # SQLite has no NaN
        assert after == expected, name


@pytest.mark.parametrize(
    ("values", "as_json"),
    [
        ([1, 2], False),
        ([1, None], False),
        ([2**70, 1], False),
        ([True, False], False),
        ([True, None], False),
        ([1, "a", None], False),
        ([1.5, float("nan")], False),
        ([None, None], False),
        ([[1], None], True),
        ([{"a": 1}], True),
        ([dt.datetime(2020, 1, 1), dt.datetime(2020, 1, 1, tzinfo=dt.UTC)], False),
        ([dt.time(1), dt.time(2, tzinfo=dt.UTC)], False),
        ([Decimal("1.5")], False),
        ([b"a", "b"], False),
        ([dt.timedelta(days=1), None], False),
    ],
)
def test_batches_have_one_form_whatever_is_in_them(values: list[Any], as_json: bool) -> None:
    made, said = encoded(values)
    assert len(made) == len(values)
    assert said is as_json
    if made.dtype == object:
        kinds = {type(v) for v in made if v is not None}
        assert len(kinds) <= 1


class Silent:
    def __str__(self) -> str:
        return ""


def test_an_object_without_a_text_is_refused() -> None:
    with pytest.raises(ConnectorError, match="type Silent"):
        encoded([Silent()])


def test_intervals_bytes_and_mixtures_are_read_back_as_they_were(tmp_path: Path) -> None:
    types = {"i": "INTERVAL", "m": "VARCHAR", "x": "VARCHAR"}
    url = duckdb_file(tmp_path / "a.duckdb", "CREATE TABLE t (" + ", ".join(f"{n} {t}" for n, t in types.items()) + ")")
    with (
        closing(connector_for(url).source(url)) as source,
        closing(connector_for(url).target(f"duckdb:///{tmp_path / 'b'}")) as target,
    ):
        schema = source.schema()
        table = TargetTable(schema.tables[TableName("main", "t")], tuple(types))
        target.begin()
        target.create(source.structure(schema, [table]))
        with target.sink(table) as sink:
            written: Sink = sink
            written.write([[dt.timedelta(days=-1, seconds=5, microseconds=7), None], [b"\x00a", 5], [True, 1.5]])
        with target.reader() as reader:
            (batch,) = reader.read(statement(table.table, types))
    assert batch == [["-1 day 00:00:05.000007", None], ["\\x00\\x61", "5"], ["true", "1.5"]]
