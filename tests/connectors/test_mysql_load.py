"""What is written is what is read: any value through LOAD DATA and back, as Python values and as lines; memory stays flat."""

from __future__ import annotations

import datetime as dt
import tracemalloc
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dbmask.errors import ConnectorError
from dbmask.spi import TargetTable
from dbmask_connectors import _mysql_load
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_load import Dest, MySQLSink, destinations
from dbmask_connectors._mysql_reader import MySQLReader
from dbmask_connectors._mysql_relay import stream_rows
from dbmask_connectors._mysql_schema import read_schema
from dbmask_connectors._mysql_session import Session
from tests.connectors.mariadb_tools import everything, fresh, select_all
from tests.fix_mariadb import MariaDB

pytestmark = pytest.mark.slow

TABLE = """CREATE TABLE {name} (
  id int PRIMARY KEY, vc varchar(300), lt longtext, latin varchar(300) CHARACTER SET latin1, wide varchar(300) CHARACTER SET utf16,
  vb varbinary(300), bl longblob, si smallint, bi bigint, ubi bigint unsigned, dc decimal(40,10), f float, d double,
  dt date, dtm datetime(6), ts timestamp(6) NULL, tm time(6), span time(6), y year, b1 bit(1), b20 bit(20), u uuid, js json
) CHARACTER SET utf8mb4"""
TEXT = st.text(st.characters(codec="utf-8"), max_size=60)
UTC = st.just(dt.UTC)
COLUMNS: dict[str, st.SearchStrategy[Any]] = {
    "vc": TEXT,
    "lt": TEXT,
    # MySQL's latin1 is cp1252 with the five holes filled.
    "latin": st.text(st.characters(codec="cp1252"), max_size=60),
    "wide": TEXT,
    "vb": st.binary(max_size=60),
    "bl": st.binary(max_size=60),
    "si": st.integers(-(2**15), 2**15 - 1),
    "bi": st.integers(-(2**63), 2**63 - 1),
    "ubi": st.integers(0, 2**64 - 1),
    "dc": st.decimals(-(10**29), 10**29, places=10),
    "f": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "d": st.floats(allow_nan=False, allow_infinity=False),
    "dt": st.dates(),
    "dtm": st.datetimes(),
    "ts": st.datetimes(dt.datetime(1970, 1, 2), dt.datetime(2038, 1, 18), timezones=UTC),
    "tm": st.times(),
    "span": st.sampled_from(["838:59:58.999999", "-838:59:59.000000", "-00:00:00.500000", "24:00:00.000000"]),
    "y": st.sampled_from([0, 1901, 1999, 2155]),
    "b1": st.booleans(),
    "b20": st.integers(0, 2**20 - 1),
    "u": st.uuids(version=4).map(str),  # MariaDB takes those of known versions only
    "js": st.sampled_from(['{"a":"\\\\n\\u00e9"}', "[]", '"\\t"', "1.50"]),
}
ROW = st.tuples(*(st.none() | made for made in COLUMNS.values()))


@dataclass
class Place:
    """Two tables alike, and sessions to write to them and to read."""

    name: str
    writer: Session
    reader: Session

    known: dict[str, TargetTable] = field(default_factory=dict)

    def table(self, name: str) -> TargetTable:
        if name not in self.known:
            self.known = {t.name.name: t for t in everything(read_schema(self.reader, self.name))}
        return self.known[name]


@pytest.fixture(scope="module")
def place(mariadb: MariaDB) -> Iterator[Place]:
    with ExitStack() as stack:
        name = stack.enter_context(fresh(mariadb, "load", make=True))
        address = Address.parse(mariadb.url(name))
        sessions = [stack.enter_context(closing(Session(address, name))) for _ in range(2)]
        for table in ("a", "b"):
            sessions[0].run(TABLE.format(name=table))
        yield Place(name, sessions[0], sessions[1])


def written(place: Place, table: TargetTable, columns: list[list[Any]]) -> int:
    sink = MySQLSink(place.writer, table, destinations(place.writer, place.name, table))
    sink.write(columns)
    return sink.end()


def read(place: Place, table: TargetTable) -> list[list[Any]]:
    batches = list(MySQLReader(place.reader).read(select_all(table)))
    return [[v for batch in batches for v in batch[i]] for i in range(len(table.columns))]


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_what_is_written_is_read(place: Place, rows: list[tuple[Any, ...]]) -> None:
    a, b = place.table("a"), place.table("b")
    columns = [list(range(len(rows))), *map(list, zip(*rows, strict=True))]
    for name in ("a", "b"):
        place.writer.run(f"DELETE FROM {name}")
    assert written(place, a, columns) == len(rows)
    assert read(place, a) == columns
    dests = destinations(place.writer, place.name, b)
    assert stream_rows(MySQLReader(place.reader), place.writer, b, dests, select_all(a), lambda n: None, "") == len(
        rows
    )
    assert place.reader.run("CHECKSUM TABLE b")[0][1] == place.reader.run("CHECKSUM TABLE a")[0][1]


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("column", "value", "stored"),
    [
        ("vc", 5, "5"),
        ("vc", True, "1"),
        ("vc", Decimal("1E+3"), "1000"),
        ("vc", b"bytes", "bytes"),
        ("vc", Colour.RED, "red"),
        ("vc", {"a": ["ž", None]}, '{"a":["ž",null]}'),
        ("vc", uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ("vb", "text", b"text"),
        ("vb", memoryview(b"\0\t"), b"\0\t"),
        ("bi", True, 1),
        ("b20", b"\1\0", 256),
        ("dtm", dt.datetime(2024, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))), dt.datetime(2024, 1, 1)),
        ("tm", dt.timedelta(hours=23, microseconds=1), dt.time(23, 0, 0, 1)),
        ("span", -dt.timedelta(hours=30, microseconds=1), "-30:00:00.000001"),
        ("dt", "0000-00-00", "0000-00-00"),
        ("d", 5, 5.0),
        ("js", {"a": 1}, '{"a":1}'),
    ],
)
def test_values_of_other_databases(place: Place, column: str, value: Any, stored: Any) -> None:
    place.writer.run("DELETE FROM a")
    whole = place.table("a")
    table = TargetTable(whole.table, ("id", column))
    written(place, table, [[1], [value]])
    assert read(place, table) == [[1], [stored]]


@pytest.mark.parametrize(
    ("column", "value"), [("d", float("nan")), ("d", float("inf")), ("vc", "\ud800"), ("b20", "bits")]
)
def test_values_that_mysql_does_not_have(place: Place, column: str, value: Any) -> None:
    place.writer.run("DELETE FROM a")
    table = TargetTable(place.table("a").table, ("id", column))
    with pytest.raises(ConnectorError, match="cannot be written to its column's type") as caught:
        written(place, table, [[1], [value]])
    assert caught.value.__suppress_context__
    assert place.writer.run("SELECT count(*) FROM a") == [(0,)]


def test_statements_are_of_bounded_size(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A transaction that is given up is undone in bounded time."""
    monkeypatch.setattr(_mysql_load, "_STATEMENT_BYTES", 1000)
    place.writer.run("DELETE FROM a")
    table = TargetTable(place.table("a").table, ("id", "vc"))

    def loads() -> int:
        return int(place.writer.run("SHOW SESSION STATUS LIKE 'Com_load'")[0][1])

    before = loads()
    sink = MySQLSink(place.writer, table, destinations(place.writer, place.name, table))
    for at in range(10):
        sink.write([list(range(at * 100, at * 100 + 100)), ["x" * 50] * 100])
    assert sink.end() == 1000
    assert loads() - before == 10
    assert place.writer.run("SELECT count(*) FROM a") == [(1000,)]


def test_an_empty_sink_writes_nothing(place: Place) -> None:
    place.writer.run("DELETE FROM a")
    table = place.table("a")
    sink = MySQLSink(place.writer, table, destinations(place.writer, place.name, table))
    sink.write([])
    sink.write([[] for _ in table.columns])
    assert sink.end() == 0


def test_a_column_that_the_replica_lacks(place: Place) -> None:
    table = TargetTable(place.table("a").table, ("id", "absent"))
    with pytest.raises(ConnectorError, match="no column absent"):
        destinations(place.writer, place.name, table)


@pytest.mark.parametrize(
    ("dest", "converted"),
    [
        (Dest("c", "varchar", "utf8mb4"), ""),
        (Dest("c", "varchar", "latin1"), "CONVERT(@`dbmask c` USING utf8mb4)"),
        (Dest("c", "int"), ""),
        (Dest("c", "blob"), ""),
        (Dest("c", "json"), "CONVERT(@`dbmask c` USING utf8mb4)"),  # MySQL's own takes no bytes
        (Dest("c`d", "bit"), "CAST(@`dbmask c``d` AS UNSIGNED)"),
    ],
)
def test_what_has_to_be_converted(dest: Dest, converted: str) -> None:
    assert dest.converted == converted


@pytest.mark.parametrize("python", [False, True], ids=["lines", "values"])
def test_memory_is_flat(place: Place, python: bool) -> None:
    """48 MiB of rows, of which a few blocks are in memory at a time."""
    place.writer.run("CREATE OR REPLACE TABLE big (id int PRIMARY KEY, v longtext)")
    place.writer.run("CREATE OR REPLACE TABLE copied LIKE big")
    place.writer.run("INSERT INTO big SELECT seq, repeat('x', 2000) FROM seq_1_to_25000")
    big, copied = place.table("big"), place.table("copied")
    dests = destinations(place.writer, place.name, copied)
    tracemalloc.start()
    try:
        if python:
            sink = MySQLSink(place.writer, copied, dests)
            for batch in MySQLReader(place.reader).read(select_all(big)):
                sink.write(batch)
            assert sink.end() == 25_000
        else:
            assert (
                stream_rows(MySQLReader(place.reader), place.writer, copied, dests, select_all(big), lambda n: None, "")
                == 25_000
            )
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * 2**20
    assert place.reader.run("CHECKSUM TABLE big")[0][1] == place.reader.run("CHECKSUM TABLE copied")[0][1]
