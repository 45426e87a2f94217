"""Reading DuckDB: values that Python cannot hold, keys, and files that are in use."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from dbmask.errors import ConnectorError, UsageError
from dbmask.masks.build import example_keys
from dbmask.registry import connector_for
from dbmask_sql.dialects import column, dialect
from tests.connectors.copying import duckdb_file


def read(url: str, sql: str, batch_rows: int = 10_000) -> list[Any]:
    query = parse_one(sql, read="duckdb")
    assert isinstance(query, exp.Expression)
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        return list(reader.read(query, batch_rows))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> str:
    return duckdb_file(tmp_path_factory.mktemp("empty") / "e.duckdb", "CREATE TABLE t (x INTEGER)")


@pytest.mark.parametrize(
    ("sql", "value"),
    [
        ("'a'", "a"),
        ("CAST(1.50 AS DECIMAL(10, 2))", Decimal("1.50")),
        ("CAST('170141183460469231731687303715884105727' AS HUGEINT)", 2**127 - 1),
        ("CAST('00112233-4455-6677-8899-aabbccddeeff' AS UUID)", UUID("00112233-4455-6677-8899-aabbccddeeff")),
        ("CAST('1980-02-29' AS DATE)", dt.date(1980, 2, 29)),
        ("CAST('9999-12-31' AS DATE)", dt.date(9999, 12, 31)),
        ("CAST('infinity' AS DATE)", "infinity"),
        ("CAST('-infinity' AS TIMESTAMP)", "-infinity"),
        ("CAST('2020-01-01 10:00:00.5' AS TIMESTAMP)", dt.datetime(2020, 1, 1, 10, 0, 0, 500_000)),
        ("CAST('290000-01-01' AS TIMESTAMP)", "290000-01-01 00:00:00"),
        ("CAST('2020-01-01 10:00:00+02' AS TIMESTAMPTZ)", dt.datetime(2020, 1, 1, 8, tzinfo=dt.UTC)),
        ("CAST('infinity' AS TIMESTAMPTZ)", "infinity"),
        ("CAST('290000-01-01 00:00:00+00' AS TIMESTAMPTZ)", "290000-01-01 00:00:00+00"),
        ("CAST('2020-01-01 00:00:00.123456789' AS TIMESTAMP_NS)", "2020-01-01 00:00:00.123456789"),
        ("CAST('24:00:00' AS TIME)", "24:00:00"),
        ("CAST('1 month 2 days' AS INTERVAL)", "1 month 2 days"),
        ("{'a': 1, 'b': 'x'}", "{'a': 1, 'b': x}"),
        ("[1, 2]", [1, 2]),
        ("[CAST('1 day' AS INTERVAL)]", "[1 day]"),
        ("CAST('{\"a\": 1}' AS JSON)", '{"a": 1}'),
        ("NULL", None),
    ],
)
def test_values_reach_python_whole(empty: str, sql: str, value: Any) -> None:
    ((got,),) = read(empty, f"SELECT {sql} AS x")
    assert got == [value]
    assert type(got[0]) is type(value)


def test_batches_are_columns_in_a_stream(empty: str) -> None:
    query = "SELECT i, 'n' || i AS n FROM range(5) AS r(i)"
    assert read(empty, query, 2) == [[[0, 1], ["n0", "n1"]], [[2, 3], ["n2", "n3"]], [[4], ["n4"]]]
    assert read(empty, "SELECT x FROM t") == []


def test_streams_do_not_end_each_other(empty: str) -> None:
    query = parse_one("SELECT i FROM range(100) AS r(i)", read="duckdb")
    assert isinstance(query, exp.Expression)
    with closing(connector_for(empty).source(empty)) as source, source.snapshot() as reader:
        first, second = reader.read(query, 40), reader.read(query, 60)
        seen = [len(next(stream)[0]) for stream in (first, second, first, second, first)]
    assert seen == [40, 60, 40, 40, 20]


@pytest.mark.slow
@given(st.lists(st.text(st.characters(codec="utf-8")), max_size=5))
def test_keyed_masks_equal_python(empty: str, texts: list[str]) -> None:
    key = example_keys().column("hash")
    d = dialect("duckdb")
    listed = exp.Array(expressions=[exp.Literal.string(t) for t in texts])
    query = exp.select(d.prf_hex(column("x"), key.name)).from_(
        exp.select(exp.alias_(exp.func("unnest", listed, dialect="duckdb"), "x")).subquery("v")
    )
    with closing(connector_for(empty).source(empty)) as source, source.snapshot() as reader:
        reader.use_keys({key.name: key.pads})
        got = [v for batch in reader.read(query) for v in batch[0]]
    assert sorted(got) == sorted(key.prf(t.encode()).hex() for t in texts)


def test_a_key_that_was_not_given_is_an_error(empty: str) -> None:
    query = exp.select(dialect("duckdb").prf_hex(exp.Literal.string("secret"), "unknown"))
    key = example_keys().column("hash")
    with closing(connector_for(empty).source(empty)) as source, source.snapshot() as reader:
        reader.use_keys({key.name: key.pads})
        with pytest.raises(ConnectorError, match="key that the session was not given"):
            list(reader.read(query))


def test_keys_are_in_no_file_and_no_sql(tmp_path: Path) -> None:
    url = duckdb_file(tmp_path / "a.duckdb", "CREATE TABLE t (x VARCHAR); INSERT INTO t VALUES ('a');")
    key = example_keys().column("hash")
    query = exp.select(dialect("duckdb").prf_hex(column("x"), key.name)).from_("t")
    before = (tmp_path / "a.duckdb").read_bytes()
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        reader.use_keys({key.name: key.pads})
        assert list(reader.read(query)) == [[[key.prf(b"a").hex()]]]
        with pytest.raises(ConnectorError):  # a query that fails shows no pad either
            list(reader.read(exp.select(dialect("duckdb").prf_hex(column("nope"), key.name)).from_("t")))
    assert (tmp_path / "a.duckdb").read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.duckdb"]


def test_errors_quote_no_values(empty: str) -> None:
    for query in ("SELECT CAST('secret' AS INTEGER)", "SELECT error('secret')", "SELECT strptime('secret', '%Y')"):
        with pytest.raises(ConnectorError) as error:
            read(empty, query)
        assert "secret" not in str(error.value)
        assert error.value.__cause__ is None
    with pytest.raises(ConnectorError, match="Table with name nope does not exist"):
        read(empty, "SELECT 1 FROM nope")
    with pytest.raises(ConnectorError, match='Referenced column "nope" not found'):
        read(empty, "SELECT nope FROM t")


def test_what_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "x.duckdb").write_text("secret,value\n" * 1000)
    with pytest.raises(ConnectorError, match="not a DuckDB database") as error:
        read(f"duckdb:///{tmp_path / 'x.duckdb'}", "SELECT 1")
    assert "secret" not in str(error.value)
    with pytest.raises(UsageError, match="no setting 'config'; there are: memory_limit, threads"):
        read(f"duckdb:///{tmp_path / 'x.duckdb'}?config=1", "SELECT 1")


def settings(url: str, *names: str) -> list[Any]:
    (batch,) = read(url, "SELECT " + ", ".join(f"current_setting('{n}') AS x{i}" for i, n in enumerate(names)))
    return [values[0] for values in batch]


def test_settings_of_the_url_hold(empty: str) -> None:
    assert settings(f"{empty}?threads=1&memory_limit=100MB", "threads", "memory_limit") == [1, "95.3 MiB"]


def test_extensions_are_never_fetched(empty: str) -> None:
    names = ("autoinstall_known_extensions", "autoload_known_extensions", "allow_community_extensions")
    assert settings(empty, *names) == [False, False, False]


HOLDER = """
import duckdb, sys
db = duckdb.connect(sys.argv[1])
print("open", flush=True)
sys.stdin.read()
"""


def test_a_file_that_another_process_writes_is_told(tmp_path: Path) -> None:
    url = duckdb_file(tmp_path / "a.duckdb", "CREATE TABLE t (x INTEGER)")
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "a.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(ConnectorError, match="another process has the database open"):
            connector_for(url).source(url)
        holder.communicate("")
    with closing(connector_for(url).source(url)) as source:
        assert len(source.schema().tables) == 1


def test_a_file_that_this_process_writes_is_told(tmp_path: Path) -> None:
    url = duckdb_file(tmp_path / "a.duckdb", "CREATE TABLE t (x INTEGER)")
    with (
        duckdb.connect(str(tmp_path / "a.duckdb")),
        pytest.raises(ConnectorError, match="this process has the database open"),
    ):
        connector_for(url).source(url)


def test_rows_that_are_in_the_wal_only_are_read(tmp_path: Path) -> None:
    code = (
        "import duckdb, os, sys; db = duckdb.connect(sys.argv[1]); db.execute('INSERT INTO t VALUES (7)'); os._exit(0)"
    )
    url = duckdb_file(tmp_path / "a.duckdb", "CREATE TABLE t (x INTEGER)")
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.duckdb")], check=True)
    assert (tmp_path / "a.duckdb.wal").stat().st_size > 0
    assert read(url, "SELECT x FROM t") == [[[7]]]


def test_a_closed_source_opens_again(empty: str) -> None:
    source = connector_for(empty).source(empty)
    source.close()
    source.close()
    assert len(source.schema().tables) == 1
    assert source.privileges([]) == {}
    assert source.identity().startswith("file:")
    with source.snapshot() as reader:
        assert " bytes, file changed 2" in reader.position
    source.close()
