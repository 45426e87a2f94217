"""Keys and values stay out of the server's log, out of statements and out of errors, whatever the server logs."""

from __future__ import annotations

import base64
import re
import secrets
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlglot import exp, parse_one

from dbmask.errors import ConnectorError
from dbmask.spi import PrintsTexts
from dbmask_connectors.postgresql import CONNECTOR
from dbmask_sql.dialects import dialect
from tests.connectors.postgres_spi import replicate, targets
from tests.fix_postgres import Postgres

LOUD = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_duration": "on",
    "log_min_messages": "debug1",
    "log_min_error_statement": "debug5",
    "log_error_verbosity": "verbose",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "debug_print_plan": "on",
    "log_temp_files": "0",
    "log_lock_waits": "on",
}


@pytest.fixture
def loud(postgres: Postgres, postgres_db: str) -> str:
    """A database whose sessions log everything that PostgreSQL can log."""
    name = postgres_db.rpartition("/")[2]
    settings = "".join(f"ALTER DATABASE {name} SET {k} = '{v}';" for k, v in LOUD.items())
    rows = "INSERT INTO person VALUES (1, 'Rosalind Lighthouse'), (2, 'Ferdinand Marmalade')"
    postgres.psql(name, f"CREATE TABLE person (id int PRIMARY KEY, name text); {rows}; {settings}")
    return postgres_db


def traces(key: bytes) -> list[bytes]:
    """The ways in which a log could hold these bytes."""
    quoted = "".join(f"\\{b:03o}" for b in key[:16]).encode()
    return [key[:16], key[:16].hex().encode(), key[:16].hex().upper().encode(), base64.b64encode(key)[:20], quoted]


class Log:
    """What the server logs from now on."""

    def __init__(self, postgres: Postgres) -> None:
        self.path = postgres.log
        self.start = self.path.stat().st_size

    def text(self) -> bytes:
        return self.path.read_bytes()[self.start :]


@pytest.fixture
def log(postgres: Postgres) -> Iterator[Log]:
    yield Log(postgres)


def keyed(column: str) -> exp.Expression:
    made: exp.Expression = dialect("postgres").prf_hex(exp.column(column), "person.name")
    return made


def test_pads_are_in_no_log_and_keyed_queries_run(loud: str, log: Log) -> None:
    pads = {"person.name": (secrets.token_bytes(64), secrets.token_bytes(64)), "other": (b"\x36" * 64, b"\x5c" * 64)}
    query = exp.select(keyed("name")).from_("person")
    with closing(CONNECTOR.source(loud)) as source, source.snapshot() as reader:
        reader.use_keys(pads)
        reader.use_keys(pads)
        reader.use_keys({"third": (secrets.token_bytes(64), secrets.token_bytes(64))})
        (batch,) = reader.read(query)
        first = batch[0]
        (counted,) = reader.read(exp.select(exp.Count(this=exp.Star())).from_("pg_temp.dbmask_keys"))
        assert counted == [[3]]
    assert len(set(first)) == 2
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in first)
    text = log.text()
    assert b"dbmask_keys" in text  # the statements are there
    for pair in pads.values():
        for pad in pair:
            for trace in traces(pad):
                assert trace not in text
    for name in (b"Rosalind", b"Ferdinand"):
        assert name not in text


def test_a_key_is_read_once_a_query(loud: str) -> None:
    """As scalar subqueries that stand before the rows, not in each of them."""
    query = exp.select(keyed("name")).from_("person")
    with closing(CONNECTOR.source(loud)) as source, source.snapshot() as reader:
        reader.use_keys({"person.name": (b"i" * 64, b"o" * 64)})
        from dbmask_connectors._postgres_reader import rendered

        plan = reader.connection.execute(("EXPLAIN " + rendered(query)).encode()).fetchall()
    text = "\n".join(row[0] for row in plan)
    assert "InitPlan" in text
    assert "SubPlan" not in text


def test_a_key_does_not_outlive_its_snapshot(postgres: Postgres, loud: str) -> None:
    with closing(CONNECTOR.source(loud)) as source:
        with source.snapshot() as reader:
            reader.use_keys({"k": (b"i" * 64, b"o" * 64)})
            name = loud.rpartition("/")[2]
            assert (
                postgres.psql(name, "SELECT count(*) FROM pg_class WHERE relname = 'dbmask_keys'") == "0\n"
            )  # uncommitted
        assert source.schema().tables.keys() == {t for t in source.schema().tables if t.name == "person"}


def test_rows_and_passwords_are_in_no_log_of_a_whole_replication(
    postgres: Postgres, loud: str, replica: str, log: Log
) -> None:
    for through_python in (False, True):
        replicate(loud, postgres.url(replica), targets, through_python=through_python)
    text = log.text()
    assert b"COPY" in text
    assert b"Rosalind" not in text
    assert b"pg-test-password" not in text


@pytest.mark.parametrize("through_python", [False, True], ids=["relayed", "through Python"])
def test_errors_of_a_load_name_objects_and_no_values(
    postgres: Postgres, loud: str, replica: str, through_python: bool
) -> None:
    name = loud.rpartition("/")[2]
    postgres.psql(name, "CREATE DOMAIN short AS text CHECK (length(VALUE) < 30); CREATE TABLE strict (name short)")
    too_long: Any = parse_one("SELECT 'Wilhelmina Overlong of a length that no domain takes' AS name", read="postgres")
    postgres.psql(name, "INSERT INTO strict VALUES ('x')")
    with pytest.raises(ConnectorError) as caught:
        replicate(loud, postgres.url(replica), through_python=through_python, queries={("public", "strict"): too_long})
    message = str(caught.value)
    assert "public.strict" in message
    assert "23514" in message
    assert "Overlong" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__
    left = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{replica}')"
    assert postgres.psql("postgres", left) == ""


@pytest.mark.parametrize(
    ("value", "what"),
    [
        ("nul \0 Secretname", "a value cannot be written"),
        ("surrogate \ud800 Secretname", "UTF-8"),
        (object(), "a value of this type cannot be written"),
    ],
)
def test_values_that_cannot_be_written(
    postgres: Postgres, loud: str, replica: str, log: Log, value: object, what: str
) -> None:
    with closing(CONNECTOR.source(loud)) as source, closing(CONNECTOR.target(postgres.url(replica))) as target:
        schema = source.schema()
        (table,) = targets(schema)
        target.begin()
        target.create(source.structure(schema, [table]))
        with pytest.raises(ConnectorError, match=what) as caught, target.sink(table) as sink:
            sink.write([[1, 2], ["fine", value]])
    assert "Secretname" not in str(caught.value)
    assert "public.person" in str(caught.value)
    assert b"Secretname" not in log.text()


def test_the_server_is_not_told_why_a_load_was_given_up(postgres: Postgres, loud: str, replica: str, log: Log) -> None:
    with closing(CONNECTOR.source(loud)) as source, closing(CONNECTOR.target(postgres.url(replica))) as target:
        schema = source.schema()
        (table,) = targets(schema)
        target.begin()
        target.create(source.structure(schema, [table]))
        with pytest.raises(ValueError, match="Secretname"), target.sink(table) as sink:
            sink.write([[1], ["x"]])
            raise ValueError("a mask's own fault quotes Secretname")
    assert b"the load was given up" in log.text()
    assert b"Secretname" not in log.text()


def test_a_duplicate_key_after_the_load_is_an_error_without_its_value(
    postgres: Postgres, loud: str, replica: str
) -> None:
    same: Any = parse_one("SELECT t.id, 'x' AS name FROM (SELECT 4242424 AS id FROM person) AS t", read="postgres")
    with pytest.raises(ConnectorError) as caught:
        replicate(loud, postgres.url(replica), queries={("public", "person"): same})
    assert "constraint person person_pkey" in str(caught.value)
    assert "23505" in str(caught.value)
    assert "4242424" not in str(caught.value)


def test_a_dump_tool_that_is_too_old_is_named(
    postgres: Postgres, postgres_db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbmask.errors import UsageError
    from dbmask_connectors import _postgres_dump

    with pytest.raises(
        UsageError, match=r"needs its pg_dump, version 99 or later; the one here is version 15.*postgresql-client-99"
    ):
        _postgres_dump._program(99)


def test_texts_whose_fingerprints_are_asked_for_are_in_no_log(loud: str, log: Log) -> None:
    with closing(CONNECTOR.source(loud)) as source, source.snapshot() as reader:
        assert isinstance(reader, PrintsTexts)
        query = exp.select(exp.alias_(exp.column("name"), "c0")).from_("person").order_by("id")
        (made,) = reader.read_prints(query, 5)
        asked = reader.prints_of(["Rosalind Lighthouse", "ferdinand marmalade"], 5)
        assert (
            asked.tolist()
            == made[:, 0].tolist()
            == reader.prints_of(["rosalind lighthouse", "Ferdinand Marmalade"], 5).tolist()
        )
    written = log.text().lower()
    assert b"hashbpcharextended" in written and b"lighthouse" not in written and b"marmalade" not in written
