"""A replica appears whole or not at all, in the place of what may be replaced, and runs that died leave nothing for long."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlglot

from dbmask.errors import ConnectorError, UsageError
from dbmask_connectors._postgres_reader import PostgresReader
from dbmask_connectors.postgresql import CONNECTOR
from tests.connectors.postgres_spi import plain, replicate, targets
from tests.fix_postgres import Postgres

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def databases(postgres: Postgres, prefix: str) -> set[str]:
    with postgres.connect() as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", (prefix,))
        return {row[0] for row in rows}


def active(postgres: Postgres, *names: str) -> int:
    """Statements of dbmask that run in databases of these names; other tests' leftovers are not counted."""
    with postgres.connect() as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity "
            "WHERE application_name = 'dbmask' AND state = 'active' AND datname = ANY(%s)",
            (list(names),),
        )
        return len(rows.fetchall())


def small(postgres: Postgres, name: str) -> str:
    postgres.psql(
        name, "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT i, 'v' FROM generate_series(1, 9) i"
    )
    return postgres.url(name)


@pytest.fixture
def source(postgres: Postgres, postgres_db: str) -> str:
    return small(postgres, postgres_db.rpartition("/")[2])


class TestCheck:
    def check(self, postgres: Postgres, name: str, overwrite: bool = False) -> None:
        with closing(CONNECTOR.target(postgres.url(name))) as target:
            target.check(overwrite)

    def test_absent_empty_and_own_databases_may_be_used(self, postgres: Postgres, source: str, replica: str) -> None:
        self.check(postgres, replica)
        postgres.create_database(replica)
        self.check(postgres, replica)
        postgres.psql(replica, "CREATE EXTENSION citext")
        self.check(postgres, replica)
        replicate(source, postgres.url(replica))
        self.check(postgres, replica)
        replicate(source, postgres.url(replica))

    @pytest.mark.parametrize(
        "content",
        [
            "CREATE TABLE t (i int)",
            "CREATE VIEW v AS SELECT 1 AS x",
            "CREATE TYPE mood AS ENUM ('a')",
            "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        ],
    )
    def test_a_database_that_holds_something_is_refused(self, postgres: Postgres, replica: str, content: str) -> None:
        postgres.create_database(replica)
        postgres.psql(replica, content)
        with pytest.raises(UsageError, match="is not empty and was not made by dbmask; --overwrite"):
            self.check(postgres, replica)
        self.check(postgres, replica, overwrite=True)

    def test_templates_are_refused(self, postgres: Postgres) -> None:
        with pytest.raises(UsageError, match="a template database cannot be a target"):
            self.check(postgres, "template1", overwrite=True)

    def test_a_user_who_cannot_make_databases_is_told(self, postgres: Postgres, replica: str) -> None:
        postgres.psql("postgres", "CREATE ROLE pub_poor LOGIN PASSWORD 'x'")
        try:
            with (
                closing(CONNECTOR.target(postgres.url(replica, "pub_poor", "x"))) as target,
                pytest.raises(UsageError, match="CREATEDB"),
            ):
                target.check(False)
        finally:
            postgres.psql("postgres", "DROP ROLE pub_poor")


def test_one_that_appeared_meanwhile_is_not_replaced(postgres: Postgres, source: str, replica: str) -> None:
    with closing(CONNECTOR.source(source)) as opened, closing(CONNECTOR.target(postgres.url(replica))) as target:
        schema = opened.schema()
        target.check(False)
        target.begin()
        target.create(opened.structure(schema, targets(schema)))
        postgres.create_database(replica)
        postgres.psql(replica, "CREATE TABLE precious (i int)")
        with pytest.raises(ConnectorError, match="has appeared since it was checked"):
            target.publish()
    assert databases(postgres, replica) == {replica}
    assert postgres.psql(replica, "SELECT to_regclass('precious')") == "precious\n"


def test_nobody_enters_a_database_that_is_being_built(postgres: Postgres, source: str, replica: str) -> None:
    postgres.psql("postgres", "CREATE ROLE pub_reader LOGIN PASSWORD 'x'")
    try:
        with closing(CONNECTOR.source(source)) as opened, closing(CONNECTOR.target(postgres.url(replica))) as target:
            schema = opened.schema()
            structure = opened.structure(schema, targets(schema))
            target.begin()
            target.create(structure)
            (building,) = databases(postgres, replica)
            with pytest.raises(psycopg.OperationalError, match="permission denied"):
                psycopg.connect(postgres.url(building, "pub_reader", "x"))
            target.finish(structure, lambda phase: None)
            target.publish()
        psycopg.connect(postgres.url(replica, "pub_reader", "x")).close()
    finally:
        postgres.psql("postgres", "DROP ROLE pub_reader")


def test_settings_and_grants_of_the_old_one_are_put_on_again(postgres: Postgres, source: str, replica: str) -> None:
    facts = (
        "SELECT datacl::text, datconnlimit, datallowconn, shobj_description(d.oid, 'pg_database'), "
        "(SELECT string_agg(coalesce(setrole::regrole::text, '-') || setconfig::text, ';' ORDER BY setrole) "
        f"FROM pg_db_role_setting WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = '{replica}'"
    )
    replicate(source, postgres.url(replica))
    postgres.psql(
        "postgres",
        f"""
        CREATE ROLE pub_app LOGIN; CREATE ROLE pub_other;
        ALTER DATABASE "{replica}" SET search_path = app, "Odd, one", public;
        ALTER DATABASE "{replica}" SET work_mem = '7MB';
        ALTER DATABASE "{replica}" SET default_transaction_read_only = on;
        ALTER DATABASE "{replica}" SET myapp.tenant = 'it''s';
        ALTER ROLE pub_app IN DATABASE "{replica}" SET statement_timeout = '5s';
        ALTER DATABASE "{replica}" CONNECTION LIMIT 17;
        REVOKE ALL ON DATABASE "{replica}" FROM PUBLIC;
        GRANT CONNECT ON DATABASE "{replica}" TO pub_app WITH GRANT OPTION;
        GRANT TEMPORARY ON DATABASE "{replica}" TO pub_other;
        """,
    )
    try:
        before = postgres.psql("postgres", facts)
        assert "Odd, one" in before
        replicate(source, postgres.url(replica))
        assert postgres.psql("postgres", facts) == before
    finally:
        postgres.drop_database(replica)
        postgres.psql("postgres", "DROP ROLE pub_app, pub_other")


def test_a_database_without_grants_of_its_own_stays_open_to_all(postgres: Postgres, source: str, replica: str) -> None:
    postgres.create_database(replica)
    replicate(source, postgres.url(replica))
    query = f"SELECT has_database_privilege('public', '{replica}', p) FROM unnest('{{CONNECT,TEMP,CREATE}}'::text[]) p"
    assert postgres.psql("postgres", query) == "t\nt\nf\n"


def test_sessions_on_the_old_one_are_ended_and_new_ones_see_the_new(
    postgres: Postgres, source: str, replica: str
) -> None:
    """Clients that reconnect at once, as pools do, must not keep the swap from happening."""
    replicate(source, postgres.url(replica))
    stop = threading.Event()
    outcomes: set[str] = set()

    def keep_connecting() -> None:
        while not stop.is_set():
            try:
                with postgres.connect(replica) as connection:
                    outcomes.add(str(connection.execute("SELECT count(*) FROM t").fetchall()))
            except psycopg.OperationalError:
                outcomes.add("refused")
            time.sleep(0.001)

    threads = [threading.Thread(target=keep_connecting) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        with postgres.connect(replica) as old:
            replicate(source, postgres.url(replica))
            with pytest.raises(psycopg.OperationalError):
                old.execute("SELECT 1")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    assert "[(9,)]" in outcomes
    assert databases(postgres, replica) == {replica}


def test_a_swap_that_fails_leaves_the_old_one_serving(postgres: Postgres, source: str, replica: str) -> None:
    postgres.create_database(replica)
    postgres.psql(replica, "CREATE TABLE served AS SELECT 1 AS x")
    with closing(CONNECTOR.source(source)) as opened, closing(CONNECTOR.target(postgres.url(replica))) as target:
        schema = opened.schema()
        target.check(True)
        target.begin()
        target.create(opened.structure(schema, targets(schema)))
        with postgres.connect() as connection:
            (building,) = databases(postgres, replica) - {replica}
            old = building.rpartition("_")[0] + "_old"
            postgres.create_database(old)  # the name that the old one would be moved to is taken
            with pytest.raises(ConnectorError, match="42P04"):
                target.publish()
            assert connection.execute(
                "SELECT datallowconn FROM pg_database WHERE datname = %s", (replica,)
            ).fetchall() == [(True,)]
    assert postgres.psql(replica, "SELECT x FROM served") == "1\n"
    assert databases(postgres, replica) == {replica, old}


class Killed(BaseException):
    """A process has ended: none of its statements come any more."""


@pytest.mark.parametrize("act", ["publish", "publish and keep", "roll back"])
def test_a_kill_at_any_statement_of_the_swap_leaves_one_that_serves(
    postgres: Postgres, source: str, replica: str, act: str
) -> None:
    """What was there or what comes in its place, never none, and never one that lets nobody in."""
    seen = []
    for number in itertools.count():
        postgres.create_database(replica)
        postgres.psql(replica, "CREATE TABLE served AS SELECT 1 AS x")
        killed = _killed_swap(postgres, source, replica, act, number)
        seen.append(
            postgres.psql(replica, "SELECT to_regclass('served') IS NOT NULL") == ("t\n", "f\n")[act == "roll back"]
        )
        for name in databases(postgres, replica):
            postgres.drop_database(name)
        if not killed:
            break
    assert len(seen) > 5 and seen == sorted(seen, reverse=True) and seen[0] and not seen[-1]


def _killed_swap(postgres: Postgres, source: str, replica: str, act: str, number: int) -> bool:
    """Replace a database, or put the one back that was replaced, by a process that is killed before so many statements.

    Whether it was.
    """
    execute, left = psycopg.Connection.execute, number

    def counted(self: Any, *args: Any, **options: Any) -> Any:
        nonlocal left
        if threading.current_thread() is threading.main_thread():
            left -= 1
            if left < 0:
                raise Killed
        return execute(self, *args, **options)

    with closing(CONNECTOR.source(source)) as opened:
        target = CONNECTOR.target(postgres.url(replica))
        schema = opened.schema()
        target.check(True)
        target.keep_previous(0 if act == "publish" else 1)
        target.begin()
        target.create(opened.structure(schema, targets(schema)))
        if act == "roll back":
            target.publish()
        try:
            with pytest.MonkeyPatch.context() as patch:
                kept = target.previous()
                patch.setattr(psycopg.Connection, "execute", counted)
                target.roll_back(kept[0].name) if act == "roll back" else target.publish()
            return False
        except Killed:
            for connection in (target._built, target._admin):
                if connection is not None:
                    connection.close()
            return True
        finally:
            target._name = ""  # nobody clears up
            target.close()


def test_abort_removes_everything_and_a_second_one_does_nothing(postgres: Postgres, source: str, replica: str) -> None:
    with closing(CONNECTOR.source(source)) as opened, closing(CONNECTOR.target(postgres.url(replica))) as target:
        target.abort()
        schema = opened.schema()
        target.begin()
        target.create(opened.structure(schema, targets(schema)))
        assert len(databases(postgres, replica)) == 1
        target.abort()
        assert databases(postgres, replica) == set()
        target.abort()


def test_an_interrupt_in_the_middle_of_a_copy_leaves_no_statement_running(
    postgres: Postgres, postgres_db: str, replica: str
) -> None:
    name = postgres_db.rpartition("/")[2]
    postgres.psql(name, "CREATE TABLE big AS SELECT i, repeat('x', 1000) AS s FROM generate_series(1, 50000) i")

    def interrupt(rows: int) -> None:
        raise KeyboardInterrupt

    with closing(CONNECTOR.source(postgres_db)) as source, closing(CONNECTOR.target(postgres.url(replica))) as target:
        schema = source.schema()
        (table,) = targets(schema)
        target.begin()
        target.create(source.structure(schema, [table]))
        with source.snapshot() as reader:
            with pytest.raises(KeyboardInterrupt):
                target.relay(source, reader, table, plain(table.table, table.columns), interrupt)
            assert active(postgres, name, *databases(postgres, replica)) == 0  # while both connections are open
        target.abort()
    assert databases(postgres, replica) == set()


def test_a_relay_that_ends_cancels_nothing(postgres: Postgres, source: str, replica: str) -> None:
    """A cancellation that arrives late would hit the statement that comes next."""
    name = source.rpartition("/")[2]
    wrong: Any = sqlglot.parse_one("SELECT 1 / (id - id) AS id, v FROM t", read="postgres")
    with closing(CONNECTOR.source(source)) as opened, closing(CONNECTOR.target(postgres.url(replica))) as target:
        schema = opened.schema()
        (table,) = targets(schema)
        target.begin()
        target.create(opened.structure(schema, [table]))
        postgres.psql("postgres", "ALTER SYSTEM SET log_min_messages = 'debug2'")
        postgres.psql("postgres", "SELECT pg_reload_conf()")
        try:
            start = postgres.log.stat().st_size
            pids: list[int] = []
            for query, fails in ((plain(table.table, table.columns), False), (wrong, True)):
                with opened.snapshot() as reader, pytest.raises(ConnectorError) if fails else nullcontext():
                    assert isinstance(reader, PostgresReader)
                    pids.append(reader.connection.info.backend_pid)
                    assert target.relay(opened, reader, table, query, lambda rows: None) == 9
        finally:
            postgres.psql("postgres", "ALTER SYSTEM RESET log_min_messages")
            postgres.psql("postgres", "SELECT pg_reload_conf()")
    log = postgres.log.read_bytes()[start:]
    cancelled = re.findall(rb"processing cancel request: sending SIGINT to process (\d+)", log)
    assert not {str(pid).encode() for pid in pids} & set(cancelled)  # other tests may cancel theirs
    assert b"division by zero" in log
    assert postgres.psql(name, "SELECT count(*) FROM t") == "9\n"


KILLED = """
import sys, time
from contextlib import closing, nullcontext
from dbmask_connectors.postgresql import CONNECTOR
from tests.connectors.postgres_spi import targets
source, target = CONNECTOR.source(sys.argv[1]), CONNECTOR.target(sys.argv[2])
schema = source.schema()
target.begin()
target.create(source.structure(schema, targets(schema)))
print("built", flush=True)
time.sleep(60)
"""


@pytest.fixture
def builder(postgres: Postgres, source: str, replica: str) -> Callable[[], subprocess.Popen[str]]:
    def start() -> subprocess.Popen[str]:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in ("", "sql", "connectors"))}
        argv = [sys.executable, "-c", KILLED, source, postgres.url(replica)]
        process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env, cwd=ROOT)
        assert process.stdout is not None and process.stdout.readline() == "built\n"
        return process

    return start


def test_what_a_killed_run_left_is_cleared_and_what_a_live_one_builds_is_not(
    postgres: Postgres, source: str, replica: str, builder: Callable[[], subprocess.Popen[str]]
) -> None:
    lookalikes = {f"{replica}__dbmask_backup", f"{replica}__dbmask_"}
    for name in lookalikes:
        postgres.create_database(name)
    with builder() as live:
        try:
            built = databases(postgres, replica) - lookalikes
            with builder() as killed:
                assert len(databases(postgres, replica) - lookalikes) == 2
                killed.send_signal(signal.SIGKILL)
            left = databases(postgres, replica)
            wait_until_nobody_is_in(postgres, left - built)
            with closing(CONNECTOR.target(postgres.url(replica))) as target:
                target.begin()
            assert databases(postgres, replica) == built | lookalikes
        finally:
            live.kill()
    for name in lookalikes:
        postgres.drop_database(name)


def wait_until_nobody_is_in(postgres: Postgres, names: set[str]) -> None:
    """The server notices that a client died when it next reads from or writes to it."""
    query = "SELECT count(*) FROM pg_stat_activity WHERE datname = ANY(%s)"
    for _ in range(100):
        with postgres.connect() as connection:
            if connection.execute(query, (list(names),)).fetchall() == [(0,)]:
                return
        time.sleep(0.05)
    pytest.fail("the server has not noticed that its client died")


def test_names_at_the_limit(postgres: Postgres, source: str) -> None:
    name = "ž" * 31 + "x"  # 63 bytes
    try:
        replicate(source, postgres.url("%C5%BE" * 31 + "x"))
        assert postgres.psql("%C5%BE" * 31 + "x", "SELECT count(*) FROM t") == "9\n"
        replicate(source, postgres.url("%C5%BE" * 31 + "x"))
        assert databases(postgres, "ž") == {name}
    finally:
        postgres.drop_database(name)


def test_a_source_is_known_whatever_url_led_to_it(postgres: Postgres, source: str) -> None:
    name = source.rpartition("/")[2]
    urls = [source, postgres.url(name).replace("127.0.0.1", "localhost").replace("postgresql:", "postgres:")]
    urls.append(
        f"postgresql://{source.partition('//')[2].partition('@')[0]}@/{name}?host={postgres.socket_dir}&port={postgres.port}"
    )
    found = set()
    for url in urls:
        with closing(CONNECTOR.source(url)) as opened, closing(CONNECTOR.target(url)) as target:
            found |= {opened.identity(), target.identity()}
    assert len(found) == 1
    with closing(CONNECTOR.target(postgres.url("nobody-there"))) as target:
        assert target.identity() == ""


def test_the_encoding_and_locale_are_the_sources(postgres: Postgres, replica: str, postgres_db: str) -> None:
    name = postgres_db.rpartition("/")[2]
    postgres.drop_database(name)
    postgres.psql(
        "postgres",
        f"CREATE DATABASE {name} TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'cs-CZ' LC_COLLATE 'C.utf8' LC_CTYPE 'C.utf8'",
    )
    replicate(small(postgres, name), postgres.url(replica))
    query = "SELECT datlocprovider, daticulocale, datcollate, datctype, encoding FROM pg_database WHERE datname = '{}'"
    assert postgres.psql("postgres", query.format(replica)) == postgres.psql("postgres", query.format(name))
