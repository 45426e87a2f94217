"""Reading PostgreSQL: one snapshot, values to the letter, constant memory, and what this user may not see."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import TableName
from dbmask_connectors._postgres_reader import PostgresReader
from dbmask_connectors.postgresql import CONNECTOR
from tests.fix_postgres import SETTINGS, Postgres
from tests.fix_servers import demoted, free_port

UTC = dt.UTC


def sql(text: str) -> exp.Expression:
    parsed: Any = parse_one(text, read="postgres")
    made: exp.Expression = parsed
    return made


@contextmanager
def reading(url: str) -> Iterator[PostgresReader]:
    with closing(CONNECTOR.source(url)) as source, source.snapshot() as reader:
        yield reader


@pytest.fixture(scope="module")
def hard(postgres: Postgres, loaded: Callable[[str], str]) -> Iterator[PostgresReader]:
    with reading(postgres.url(loaded("hard"))) as reader:
        yield reader


def column(reader: PostgresReader, query: str) -> list[Any]:
    return [value for batch in reader.read(sql(query)) for value in batch[0]]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("si", [-32768, 32767, 0, None, 1]),
        ("bi", [-(2**63), 2**63 - 1, 0, None, 1]),
        (
            "n_scale",
            [*map(Decimal, ("-9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999"))],
        ),
        ("b", [True, False, None, None, True]),
        ("c", ["ab      ", "        ", "é 日 x   ", None, "x       "]),
        ("t", ["tab\tnewline\ncr\rbackslash\\quote'\"end", "", "\\N", "😀 a\u0301\ufffd"]),
        ("by", [bytes.fromhex("000102030405060708090a0b0c0d0e0f7f8081fffe5c"), b"", b"\\N", None]),
        ("dt", ["-infinity", "infinity", "4713-01-01 BC", "5874897-12-31", dt.date(2024, 2, 29)]),
        ("tm", [dt.time(0), "24:00:00", dt.time(12, 34, 56, 1), None, dt.time(1, 2, 3)]),
        ("tmz", ["00:00:00+14", "23:59:59.999999-12", "12:00:00+00", None, "01:02:03+01"]),
        ("ts", ["-infinity", "infinity", "4713-01-01 00:00:00 BC", "294276-12-31 23:59:59.999999"]),
        (
            "tsz",
            [
                "-infinity",
                "infinity",
                "4713-01-01 00:00:00+00 BC",
                "294276-12-31 23:59:59.999999+00",
                dt.datetime(2024, 2, 28, 19, 32, 3, 456789, UTC),
            ],
        ),
        ("u", [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1)]),
        ("j", ['{"a" : 1, "a":2}', "[]", "null", None, '"s"']),
        ("jb", ['{"ü": "\\u0001", "big": 123456789012345678901234567890.5}', "{}", "null", None, '"s"']),
        ("ia", ["[0:2]={1,NULL,3}", "{}", "{{1,2},{3,4}}", None, "{1}"]),
        ("iv", ["-1 years -2 mons +3 days -04:05:06.789", None]),
        ("ip", ["::1", "192.168.1.5/24", "0.0.0.0", None, "1.2.3.4"]),  # noqa: S104 - a value
        ("ir", ["[1,5)", "empty", "(,)", None, None]),
    ],
)
def test_values(hard: PostgresReader, name: str, expected: list[Any]) -> None:
    found = column(hard, f"SELECT {name} FROM public.extremes ORDER BY id")
    if name == "iv":
        assert found[2:4] == ["00:00:00", None]
        return
    assert found[: len(expected)] == expected


def test_floats_are_read_to_the_last_bit(hard: PostgresReader) -> None:
    query = "SELECT r, d, n FROM public.extremes WHERE id IN (2, 3, 5) ORDER BY id"
    (batch,) = hard.read(sql(query))
    assert repr(batch[0]) == "[inf, 1.1754944e-38, 0.1]"
    assert repr(batch[1]) == "[-0.0, 2.2250738585072014e-308, 0.1]"
    assert [str(n) for n in batch[2]] == ["Infinity", "-Infinity", "123456789012345678901234567890.000"]


def test_text_by_other_names(hard: PostgresReader) -> None:
    query = "SELECT email, feeling, skills, profile FROM hr.employee ORDER BY employee_id LIMIT 1"
    (batch,) = hard.read(sql(query))
    expected = [
        "Asa.Lindqvist@example.com",
        "happy",
        '{lead,"two words","quo\\"te",NULL}',
        '{"name": "Åsa", "phones": ["+46 8 123", null]}',
    ]
    assert [c[0] for c in batch] == expected
    assert column(hard, "SELECT email FROM sales.customer ORDER BY customer_no LIMIT 1") == ["info@zelezarny.example"]


EDGES = [
    "-infinity",
    "infinity",
    "0001-12-31 BC",
    "0001-01-01",
    "9999-12-31",
    "10000-01-01",
    "4713-01-01 BC",
    "1900-03-01",
]


@given(days=st.integers(-2_451_545, 2_145_031_948), micros=st.integers(0, 86_399_999_999))
def test_dates_beyond_python_are_written_as_postgres_writes_them(hard: PostgresReader, days: int, micros: int) -> None:
    """What is read in binary, where Python holds it or not, equals what the server writes as text."""
    query = (
        f"SELECT d, d::text AS e, s, s::text AS f, z, z::text AS g FROM (SELECT DATE '2000-01-01' + ({days}) AS d, "
        f"TIMESTAMP '2000-01-01' + MAKE_INTERVAL(days => {days % 106_700_000}, secs => {micros} / 1e6::numeric) AS s, "
        f"TIMESTAMPTZ '2000-01-01 00:00:00+00' + MAKE_INTERVAL(days => -({days % 2_451_000}), secs => {micros} / 1e6::numeric) AS z) q"
    )
    (batch,) = hard.read(sql(query))
    date, date_text, stamp, stamp_text, zoned, zoned_text = (c[0] for c in batch)
    assert shown(date) == date_text
    assert shown(stamp) == stamp_text
    assert shown(zoned) == zoned_text


def shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if not isinstance(value, dt.datetime):
        return str(value)
    text = value.replace(tzinfo=None).isoformat(" ")
    text = text.rstrip("0") if value.microsecond else text
    return f"{text}+00" if value.tzinfo else text


def test_a_snapshot_does_not_see_what_comes_after_it(postgres: Postgres, postgres_db: str) -> None:
    name = postgres_db.rpartition("/")[2]
    postgres.psql(name, "CREATE TABLE t AS SELECT 1 AS i")
    with reading(postgres_db) as reader:
        assert reader.position
        postgres.psql(name, "INSERT INTO t VALUES (2)")
        assert column(reader, "SELECT i FROM t") == [1]


def test_one_reading_at_a_time_and_one_left_early_leaves_the_snapshot_whole(postgres_db: str) -> None:
    many = sql("SELECT i FROM generate_series(1, 100000) AS t(i)")
    with reading(postgres_db) as reader:
        open_: Any = reader.read(many, 100)  # a generator
        assert next(open_)[0][:3] == [1, 2, 3]
        with pytest.raises(ConnectorError, match="another reading of this snapshot stands open"):
            next(reader.read(many))
        open_.close()
        assert sum(column(reader, "SELECT i FROM generate_series(1, 100000) AS t(i)")) == 5000050000
        with pytest.raises(ConnectorError, match="22012"):
            column(reader, "SELECT 1 / (i - 50000) FROM generate_series(1, 100000) AS t(i)")
        with pytest.raises(ConnectorError, match="42P01"):
            column(reader, "SELECT i FROM nothing_here")
        assert column(reader, "SELECT 1") == [1]
        held = reader.read(many, 100)
        next(held)
    # The snapshot ended with a reading open, as it does when an error's traceback holds one.
    assert list(held) == []


@pytest.mark.parametrize("most", [1, 7, 16, 1000])
def test_batches_hold_no_more_rows_than_asked(hard: PostgresReader, most: int) -> None:
    batches = list(hard.read(sql("SELECT i, 'x' AS x FROM generate_series(1, 100) AS t(i)"), most))
    assert max(len(b[0]) for b in batches) <= most
    assert [v for b in batches for v in b[0]] == list(range(1, 101))


MEMORY = """
import resource, sys
from contextlib import closing
from sqlglot import parse_one
from dbmask_connectors.postgresql import CONNECTOR
with closing(CONNECTOR.source(sys.argv[1])) as source, source.snapshot() as reader:
    for _ in reader.read(parse_one("SELECT i FROM generate_series(1, 10) AS t(i)", read="postgres")):
        pass
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rows = 0
    for batch in reader.read(parse_one(sys.argv[2], read="postgres")):
        rows += len(batch[0])
    print(rows, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize(
    "query",
    [
        "SELECT i, repeat('x', 500) AS s FROM generate_series(1, 400000) AS t(i)",
        "SELECT CASE WHEN i % 5 = 0 THEN repeat('x', 1000000) END AS s FROM generate_series(1, 2000) AS t(i)",
    ],
)
def test_memory_does_not_grow_with_the_result(postgres_db: str, query: str) -> None:
    root = Path(__file__).parents[2]
    env = {"PYTHONPATH": ":".join(str(root / p) for p in ("", "sql", "connectors"))}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, postgres_db, query], capture_output=True, text=True, check=True, env=env
    )
    rows, grown = map(int, done.stdout.split())
    assert rows in (400000, 2000)
    assert grown < 60  # of 200 and of 400 MB


class TestPrivileges:
    @pytest.fixture
    def poor(self, postgres: Postgres, loaded: Callable[[str], str]) -> Iterator[str]:
        name = loaded("hard")
        postgres.psql(
            name,
            "CREATE ROLE read_poor LOGIN PASSWORD 'x'; GRANT SELECT ON public.asset, public.secret_note TO read_poor;"
            "GRANT SELECT (v), SELECT (k) ON public.scratch TO read_poor; GRANT SELECT (a) ON public.no_key TO read_poor;"
            "GRANT SELECT ON sales.payment TO read_poor",
        )
        yield postgres.url(name, "read_poor", "x")
        postgres.psql(name, "DROP OWNED BY read_poor; DROP ROLE read_poor")

    def test_what_this_user_may_not_read(self, poor: str) -> None:
        with closing(CONNECTOR.source(poor)) as source:
            tables = list(source.schema().tables)
            refused = source.privileges(tables)
            assert source.identity()
        names = {str(t) for t in refused}
        assert {"public.no_key", "hr.employee", "public.extremes"} <= names
        assert not names & {"public.asset", "public.scratch", "sales.payment"}
        assert "BYPASSRLS" in refused[TableName("public", "secret_note")]
        assert refused[TableName("hr", "employee")] == "this user has no SELECT privilege on it"

    def test_hidden_rows_are_an_error_not_a_smaller_result(self, poor: str) -> None:
        with reading(poor) as reader, pytest.raises(ConnectorError, match="42501"):
            column(reader, "SELECT note_id FROM public.secret_note")

    def test_without_temporary_tables_keys_stay_in_python(self, postgres: Postgres, poor: str) -> None:
        name = poor.rpartition("/")[2]
        postgres.psql(name, f"REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC")
        try:
            with closing(CONNECTOR.source(poor)) as source:
                assert not source.capabilities.keys_in_session
                assert "TEMPORARY" in source.capabilities.keyed_why_not
        finally:
            postgres.psql(name, f"GRANT TEMPORARY ON DATABASE {name} TO PUBLIC")


def test_a_role_that_writes_nothing_by_default_still_gets_its_keys(postgres: Postgres, postgres_db: str) -> None:
    name = postgres_db.rpartition("/")[2]
    postgres.psql(name, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with reading(postgres_db) as reader:
        reader.use_keys({"k": (b"i" * 64, b"o" * 64)})
        assert column(reader, "SELECT count(*) FROM pg_temp.dbmask_keys") == [1]
        with pytest.raises(ConnectorError):
            column(reader, "SELECT 1 FROM nothing_here")


@pytest.fixture
def standby(postgres: Postgres) -> Iterator[str]:
    who: dict[str, Any] = demoted("postgres")
    port = free_port()
    root = Path(postgres.socket_dir).parent / f"standby-{port}"
    root.mkdir(mode=0o700)
    os.chown(root, who.get("user", -1), who.get("group", -1))
    backup = [postgres.program("pg_basebackup"), "-D", str(root), "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    subprocess.run([*backup, "-d", postgres.url("postgres")], check=True, cwd="/", capture_output=True, **who)
    argv = [postgres.program("postgres"), "-D", str(root), "-h", "127.0.0.1", "-p", str(port), "-k", ""]
    argv += [f"--{name}={SETTINGS[name]}" for name in ("max_connections", "max_wal_senders")]  # the primary's, or more
    with subprocess.Popen(argv, cwd="/", stderr=subprocess.DEVNULL, **who) as server:
        url = postgres.url().replace(f":{postgres.port}/", f":{port}/")
        ready = [postgres.program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)]
        for _ in range(100):
            if subprocess.run(ready, check=False, timeout=10).returncode == 0:
                break
            time.sleep(0.1)
        yield url
        server.terminate()


def test_a_standby_is_read_without_keys(standby: str) -> None:
    with closing(CONNECTOR.source(standby)) as source:
        assert not source.capabilities.keys_in_session
        assert "standby" in source.capabilities.keyed_why_not
        source.schema()
        with source.snapshot() as reader:
            assert reader.position
            assert column(reader, "SELECT 1") == [1]


class TestUrls:
    def test_options_reach_the_server(self, postgres_db: str) -> None:
        url = f"{postgres_db}?options=-c%20statement_timeout%3D150%20-c%20TimeZone%3DAsia/Tokyo&application_name=audit"
        with reading(url) as reader:
            assert column(reader, "SELECT current_setting('application_name')") == ["audit"]
            assert column(reader, "SELECT current_setting('timezone')") == ["UTC"]  # dbmask's own
            with pytest.raises(ConnectorError, match="cancelled or timed out"):
                column(reader, "SELECT pg_sleep(5)")

    @pytest.mark.parametrize(
        "url", ["postgresql://localhost", "postgresql://localhost/", "postgresql://localhost:x/db"]
    )
    def test_urls_that_name_no_database(self, url: str) -> None:
        with pytest.raises(UsageError, match="PostgreSQL"):
            CONNECTOR.source(url)

    def test_odd_names_and_passwords(self, postgres: Postgres, postgres_db: str) -> None:
        postgres.psql("postgres", """CREATE ROLE "odd@us:er" LOGIN PASSWORD 'p@ss/w:rd?\\'""")
        try:
            with reading(
                postgres.url(postgres_db.rpartition("/")[2], "odd%40us%3Aer", "p%40ss%2Fw%3Ard%3F%5C")
            ) as reader:
                assert column(reader, "SELECT current_user::text") == ["odd@us:er"]
        finally:
            postgres.psql("postgres", 'DROP ROLE "odd@us:er"')

    def test_a_server_that_does_not_answer(self, postgres: Postgres) -> None:
        url = f"postgresql://u:very-secret@127.0.0.1:{free_port()}/db"
        with pytest.raises(ConnectorError) as caught:
            CONNECTOR.source(url)
        assert "PostgreSQL 127.0.0.1:" in str(caught.value)
        assert "very-secret" not in str(caught.value)
        assert caught.value.__cause__ is None and caught.value.__suppress_context__
        with pytest.raises(ConnectorError) as caught:
            CONNECTOR.source(postgres.url("postgres", "nobody", "very-secret"))
        assert "very-secret" not in str(caught.value)
        with pytest.raises(ConnectorError, match="no-such-database"):
            CONNECTOR.source(postgres.url("no-such-database"))
