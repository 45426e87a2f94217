"""Rows handed from one server to another beside libpq: the same bytes, and nothing left behind when something goes wrong."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import errors

from dbmask.schema import Column, ColumnType, Kind, Table, TableName
from dbmask.spi import TargetTable
from dbmask_connectors import _postgres_copy
from dbmask_connectors._postgres_frames import frames, lent, possible
from tests.fix_postgres import Postgres

COLUMNS = (Column("id", ColumnType(Kind.INTEGER), False), Column("t", ColumnType(Kind.TEXT), True))
INTO = TargetTable(Table(TableName("public", "t"), COLUMNS), ("id", "t"))


@pytest.fixture
def pair(postgres: Postgres, postgres_db: str) -> Iterator[tuple[psycopg.Connection[Any], psycopg.Connection[Any]]]:
    """Two sessions, the second with an empty table."""
    with psycopg.connect(postgres_db, autocommit=True) as one, psycopg.connect(postgres_db, autocommit=True) as two:
        two.execute("CREATE TABLE t (id int PRIMARY KEY, t text)")
        yield one, two


def payload(connection: psycopg.Connection[Any], query: str) -> tuple[int, bytes]:
    """The messages' number and contents."""
    with contextlib.closing(frames(connection, f"COPY ({query}) TO STDOUT (FORMAT binary)")) as blocks:
        parts = [(count, bytes(block)) for count, block in blocks]
    data, at, bodies = b"".join(p for _, p in parts), 0, []
    while at < len(data):
        assert data[at : at + 1] == b"d"
        length = int.from_bytes(data[at + 1 : at + 5], "big")
        bodies.append(data[at + 5 : at + 1 + length])
        at += 1 + length
    assert at == len(data)
    assert sum(count for count, _ in parts) == len(bodies)
    return len(bodies), b"".join(bodies)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT i, repeat('x', i % 50) FROM generate_series(1, 20000) i",
        "SELECT i, repeat('ž', 300000) FROM generate_series(1, 7) i",
        "SELECT i, repeat('y', 3000000) FROM generate_series(1, 3) i",
        "SELECT 1, NULL::text WHERE false",
        "SELECT i, repeat('z', 131067 - i) FROM generate_series(1, 60) i",
        "SELECT i, repeat('x', CASE i WHEN 30000 THEN 2000000 ELSE 20 END) FROM generate_series(1, 60000) i",
    ],
    ids=[
        "many small",
        "longer than a buffer's part",
        "longer than the buffer",
        "none",
        "about a block each",
        "one among many",
    ],
)
def test_the_bytes_are_those_that_libpq_gives(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]], query: str
) -> None:
    """Row for row."""
    with pair[0].cursor() as cursor, cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT binary)") as copy:
        expected = b"".join(bytes(part) for part in copy)
    assert payload(pair[0], query)[1] == expected
    assert pair[0].execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("beside", [True, False], ids=["beside libpq", "through libpq"])
def test_a_copy_writes_every_row(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]], monkeypatch: pytest.MonkeyPatch, beside: bool
) -> None:
    """Both ways count rows and tell of their progress."""
    one, two = pair
    assert possible(one)
    monkeypatch.setattr(_postgres_copy, "possible", lambda _: beside)
    told: list[int] = []
    query = "SELECT i AS id, 'row ' || i AS t FROM generate_series(1, 50000) i"
    assert _postgres_copy.copied(one, two, INTO, query, told.append) == 50_000
    assert 50_000 <= sum(told) <= 50_002  # the header and the trailer may be messages of their own
    assert two.execute("SELECT count(*), sum(id), max(t) FROM t").fetchone() == (50_000, 1_250_025_000, "row 9999")


def test_rows_that_come_slowly_are_waited_for(pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]]) -> None:
    """Fewer bytes than are worth being woken for; afterwards libpq is woken by every byte again."""
    source, _ = pair
    count, _ = payload(source, "SELECT i, pg_sleep(0.03)::text FROM generate_series(1, 5) i")
    assert count == 6  # with the trailer
    with lent(source) as plain:
        assert plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT) == 1
    assert source.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(("rows", "last"), [(300, {1}), (100_000, {1, 65_536})])
def test_a_short_answer_waits_for_no_more_bytes(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]], rows: int, last: set[int]
) -> None:
    """To be woken by many bytes only pays where many come: small chunks would wait for a moment each."""
    source, _ = pair
    marks: set[int] = set()
    query = f"COPY (SELECT i, repeat('x', 90) FROM generate_series(1, {rows}) i) TO STDOUT (FORMAT binary)"
    with contextlib.closing(frames(source, query)) as blocks, lent(source) as plain:
        marks.add(1)
        for _ in blocks:
            marks.add(plain.getsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT))
    assert marks == last


def test_an_error_of_the_source_is_its_sqlstate_without_its_text(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """In the midst of rows, within a transaction that can be rolled back; the target has nothing of it."""
    one, two = pair
    query = "SELECT i AS id, (1 / (40000 - i))::text || 'secret' AS t FROM generate_series(1, 50000) i"
    with pytest.raises(errors.DivisionByZero) as caught, one.transaction():
        one.execute("SELECT 1")
        _postgres_copy.copied(one, two, INTO, query, lambda _: None)
    assert caught.value.sqlstate == "22012"
    assert "zero" not in str(caught.value)
    assert one.execute("SELECT 1").fetchone() == (1,)
    assert two.execute("SELECT count(*) FROM t").fetchone() == (0,)
    with pytest.raises(errors.SyntaxError):
        payload(one, "SELECT FROM WHERE")
    with pytest.raises(psycopg.DatabaseError) as strange:
        payload(one, "SELECT dbmask_raise()") if _raiser(one, "ZZ123") else None
    assert strange.value.sqlstate == "ZZ123"


def _raiser(connection: psycopg.Connection[Any], state: str) -> bool:
    connection.execute(
        "CREATE FUNCTION dbmask_raise() RETURNS int LANGUAGE plpgsql AS "
        f"$$BEGIN RAISE EXCEPTION 'a value' USING ERRCODE = '{state}'; END$$"
    )
    return True


def test_an_error_of_the_target_ends_the_source_s_statement(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """The target's own error arrives, and both sessions can go on."""
    one, two = pair
    query = "SELECT 1 AS id, repeat('x', 1000) AS t FROM generate_series(1, 100000)"
    with pytest.raises(errors.UniqueViolation):
        _postgres_copy.copied(one, two, INTO, query, lambda _: None)
    assert one.execute("SELECT 1").fetchone() == two.execute("SELECT 1").fetchone()


def test_what_is_given_up_is_cancelled(pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]]) -> None:
    """Ctrl-C: no statement goes on, and the session is in order."""
    one, two = pair
    pid = one.info.backend_pid

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _postgres_copy.copied(
            one, two, INTO, "SELECT i AS id, 'x' AS t FROM (SELECT generate_series(1, 100000000) AS i) AS n", stop
        )
    assert two.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", (pid,)).fetchone() == ("idle",)
    assert one.execute("SELECT 1").fetchone() == (1,)
    assert two.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_a_lost_source_is_told(pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]]) -> None:
    """Its backend is ended in the midst of a table."""
    one, two = pair
    pid = one.info.backend_pid
    ended: list[int] = []

    def end(count: int) -> None:
        if not ended:
            ended.append(count)
            with psycopg.connect(two.info.dsn, password=two.info.password, autocommit=True) as third:
                third.execute("SELECT pg_terminate_backend(%s)", (pid,))
            time.sleep(0.1)

    with pytest.raises(psycopg.OperationalError):
        _postgres_copy.copied(
            one, two, INTO, "SELECT i AS id, 'x' AS t FROM (SELECT generate_series(1, 100000000) AS i) AS n", end
        )
    assert two.execute("SELECT count(*) FROM t").fetchone() == (0,)


def test_what_the_target_says_meanwhile_is_read(
    pair: tuple[psycopg.Connection[Any], psycopg.Connection[Any]],
) -> None:
    """Notices of a trigger, more than a socket holds: a target that cannot say them would stop reading."""
    one, two = pair
    two.execute(
        "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE NOTICE '%', repeat('n', 2000); RETURN NEW; END$$"
    )
    two.execute("CREATE TRIGGER loud BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION loud()")
    query = "SELECT i AS id, repeat('x', 500) AS t FROM generate_series(1, 20000) i"
    assert _postgres_copy.copied(one, two, INTO, query, lambda _: None) == 20_000
