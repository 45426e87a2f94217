"""Cloning PostgreSQL from end to end, on a database with everything that a clone has to carry over, and on Pagila."""

from __future__ import annotations

import gzip
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dbmask.cloner import CloneResult, clone
from dbmask.cloner.audit import audit
from dbmask.cloner.signing import new_pair
from dbmask.errors import CheckFailed, ConnectorError, MaskError, PlanError, UsageError
from dbmask.masks.base import ValueBound
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from tests.fix_postgres import PASSWORD, Postgres
from tests.real import real

FIXTURES = Path(__file__).parent.parent / "fixtures"
RICH = FIXTURES / "postgres_rich.sql"
# The workers of a run share one server: each has databases of its own.
SOURCE, REPLICA = f"rich_source_{os.getpid()}", f"rich_replica_{os.getpid()}"


@pytest.fixture(scope="module")
def rich(postgres: Postgres) -> Iterator[str]:
    url = postgres.create_database(SOURCE)
    postgres.psql(SOURCE, RICH)
    yield url
    postgres.drop_database(SOURCE)


@pytest.fixture
def target(postgres: Postgres) -> Iterator[str]:
    name = REPLICA
    postgres.drop_database(name)
    yield postgres.url(name)
    postgres.drop_database(name)
    kept = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{REPLICA}__dbmask_was_')"
    for previous in postgres.psql("postgres", kept).splitlines():
        postgres.drop_database(previous)
    assert (
        postgres.psql("postgres", f"SELECT datname FROM pg_database WHERE starts_with(datname, '{REPLICA}__dbmask')")
        == ""
    )


def policy() -> Policy:
    # From text, so that no lock file is written beside the fixture.
    return Policy.from_text((FIXTURES / "postgres_rich.yaml").read_text("utf-8"), "yaml")


def run(source: str, target: str, **options: Any) -> CloneResult:
    return clone(policy(), source, target, keys=example_keys(), **options)


def schema_of(postgres: Postgres, name: str) -> list[str]:
    command = [postgres.program("pg_dump"), "--schema-only", "--no-owner", postgres.url(name)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith("\\")]


def rows(postgres: Postgres, name: str, query: str) -> list[tuple[Any, ...]]:
    with postgres.connect(name) as connection:
        return connection.execute(query.encode()).fetchall()


def test_structure_arrives_to_the_letter(postgres: Postgres, rich: str, target: str) -> None:
    done = run(rich, target)
    assert schema_of(postgres, REPLICA) == schema_of(postgres, SOURCE)
    assert done.certificate.passed
    assert {c.subject for c in done.certificate.checks if c.kind == "foreign key"} >= {
        "public.person.person_boss_fkey",
        "public.team.team_lead",
        "sales.ticket.customer_no",
        "sales.ticket.ticket_person_no_region_fkey",
    }


KEPT = (
    "id, external_no, login, email, feeling, born::text, seen::text, local_time, wakes::text, pay::text, ratio::text, flags::text, "
    "tags::text, extra::text, raw::text, photo, token, span::text, pause::text, address::text, place::text, country, boss"
)


@pytest.mark.parametrize("where", ["sql", "python"])
def test_what_is_kept_is_kept_to_the_letter(
    postgres: Postgres, rich: str, target: str, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "python":
        monkeypatch.setattr(ValueBound, "sql", lambda self, exprs, dialect: None)
    run(rich, target)
    query = f"SELECT {KEPT} FROM public.person ORDER BY id"
    assert rows(postgres, REPLICA, query) == rows(postgres, SOURCE, query)
    for table in ("by_list", "booking", "team", "member", "country"):
        query = f"SELECT t::text FROM public.{table} AS t ORDER BY 1"
        assert rows(postgres, REPLICA, query) == rows(postgres, SOURCE, query)


def test_masked_values_are_the_same_from_sql_and_python(
    postgres: Postgres, rich: str, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queries = (
        "SELECT id, name, note, code, search::text, initials FROM public.person ORDER BY id",
        'SELECT t::text FROM "We""ird Schema"."ta.ble with ""quotes""" AS t ORDER BY "Id"',
        "SELECT id, happened, text, tableoid::regclass::text FROM public.event ORDER BY id",
    )
    run(rich, target)
    by_sql = [rows(postgres, REPLICA, q) for q in queries]
    monkeypatch.setattr(ValueBound, "sql", lambda self, exprs, dialect: None)
    run(rich, target)
    assert [rows(postgres, REPLICA, q) for q in queries] == by_sql


def test_masked_and_derived_values(postgres: Postgres, rich: str, target: str) -> None:
    run(rich, target)
    found = rows(postgres, REPLICA, "SELECT name, note, code, search, initials FROM public.person ORDER BY id")
    assert all("Person" not in str(row) and "note of" not in str(row) for row in found)
    assert all(len(r[0]) == 60 and r[0][0].upper() == r[4] and r[3] for r in found)
    assert all(not r[1] or set(r[1]) == {"*"} for r in found) and {"", None} <= {r[1] for r in found}
    assert all(set(r[2]) == {"x"} for r in found)
    # triggers are there, and did not run for the rows that were loaded
    assert rows(postgres, REPLICA, "SELECT count(*) FROM public.audit") == [(300,)]
    assert rows(postgres, REPLICA, "SELECT count(*) FROM public.audit WHERE old_name LIKE 'Person%'") == [(0,)]
    # materialized views are filled from masked rows, the one that reads another included
    assert rows(postgres, REPLICA, "SELECT sum(people) FROM public.per_country") == [(300,)]
    assert rows(postgres, REPLICA, "SELECT n FROM public.countries_of") == [(3,)]
    assert rows(postgres, REPLICA, "SELECT last LIKE 'Person%' FROM public.per_country LIMIT 1") == [(False,)]
    # inheritance: each row once, in its own table
    assert rows(postgres, REPLICA, "SELECT count(*), (SELECT count(*) FROM ONLY public.animal) FROM public.animal") == [
        (15, 10)
    ]
    # partitions hold what they held
    query = "SELECT tableoid::regclass::text, count(*) FROM public.event GROUP BY 1 ORDER BY 1"
    assert rows(postgres, REPLICA, query) == rows(postgres, SOURCE, query)


def test_sequences_go_on_past_the_keys(postgres: Postgres, rich: str, target: str) -> None:
    run(rich, target)
    with postgres.connect(REPLICA) as connection:
        insert = "INSERT INTO public.person (external_no, name, code) VALUES (1000, 'new', 'c') RETURNING id"
        assert connection.execute(insert).fetchone() == (301,)
        assert connection.execute("SELECT nextval('public.invoice_no')").fetchone() == (1235,)
        highest = connection.execute("SELECT max(id) FROM sales.ticket").fetchone() or (0,)
        ticket = connection.execute("INSERT INTO sales.ticket (body) VALUES ('x') RETURNING id").fetchone()
        assert ticket == (highest[0] + 10,)
        assert connection.execute(
            "INSERT INTO public.event (happened) VALUES ('2024-12-31') RETURNING id"
        ).fetchone() == (301,)


def test_no_statement_log_holds_a_key(postgres: Postgres, rich: str, target: str) -> None:
    postgres.psql(
        "postgres",
        "ALTER SYSTEM SET log_statement = 'all'; ALTER SYSTEM SET log_min_duration_statement = 0; SELECT pg_reload_conf()",
    )
    time.sleep(0.3)
    before = postgres.log.stat().st_size
    try:
        run(rich, target)
    finally:
        postgres.psql(
            "postgres",
            "ALTER SYSTEM RESET log_statement; ALTER SYSTEM RESET log_min_duration_statement; SELECT pg_reload_conf()",
        )
    text = postgres.log.read_bytes()[before:]
    assert b"dbmask_keys" in text  # the statements are there
    keys = example_keys()
    for pad in keys.column("hash").pads:
        for shown in (pad, pad.hex().encode(), pad[:16], pad[:16].hex().encode()):
            assert shown not in text


def test_a_reader_of_the_target_sees_the_old_replica_or_the_new_one(postgres: Postgres, rich: str, target: str) -> None:
    run(rich, target)
    postgres.psql(
        REPLICA,
        f"ALTER DATABASE {REPLICA} SET work_mem = '7MB'; CREATE ROLE reads_replica;"
        f"GRANT CONNECT ON DATABASE {REPLICA} TO reads_replica",
    )
    seen: set[int] = set()
    stop = threading.Event()

    def look() -> None:
        import psycopg

        while not stop.is_set():
            try:
                seen.update(n for (n,) in rows(postgres, REPLICA, "SELECT count(*) FROM public.person"))
            except psycopg.OperationalError:  # a login in the moment of the rename
                time.sleep(0.01)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        run(rich, target, keep_previous=0)  # made by dbmask: replaced unasked
    finally:
        stop.set()
        watcher.join()
    assert seen == {300}
    assert rows(postgres, REPLICA, "SHOW work_mem") == [("7MB",)]
    assert rows(postgres, "postgres", f"SELECT has_database_privilege('reads_replica', '{REPLICA}', 'CONNECT')") == [
        (True,)
    ]
    postgres.psql(REPLICA, f"REVOKE ALL ON DATABASE {REPLICA} FROM reads_replica; DROP ROLE reads_replica")


def test_targets_that_are_not_ours(postgres: Postgres, rich: str, target: str) -> None:
    postgres.create_database(REPLICA)
    run(rich, target)  # empty: taken
    postgres.create_database(REPLICA)
    postgres.psql(REPLICA, "CREATE TABLE precious AS SELECT 1 AS x")
    with pytest.raises(UsageError, match="is not empty and was not made by dbmask; --overwrite"):
        run(rich, target)
    assert rows(postgres, REPLICA, "SELECT x FROM precious") == [(1,)]
    run(rich, target, overwrite=True)
    assert rows(postgres, REPLICA, "SELECT count(*) FROM public.person") == [(300,)]
    with pytest.raises(UsageError, match="the same database"):
        run(rich, rich.replace("127.0.0.1", "localhost"), overwrite=True)


@pytest.mark.parametrize("broken", ["mask", "verify"])
def test_a_failed_run_leaves_the_old_replica_and_nothing_else(
    postgres: Postgres, rich: str, target: str, broken: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run(rich, target)
    before = rows(postgres, REPLICA, "SELECT name FROM public.person ORDER BY id")
    if broken == "mask":

        def fails(self: ValueBound, value: Any) -> Any:
            raise RuntimeError(f"about {value}")

        monkeypatch.setattr(ValueBound, "sql", lambda self, exprs, dialect: None)
        monkeypatch.setattr(ValueBound, "_one", fails)
        with pytest.raises(MaskError) as error:
            run(rich, target)
        assert "about" not in str(error.value)
    else:
        monkeypatch.setattr(ValueBound, "sql", lambda self, exprs, dialect: list(exprs))
        new_pair(tmp_path / "c.key", tmp_path / "c.pub")
        signed = {"certificate": tmp_path / "c.json", "sign_with": tmp_path / "c.key"}
        with pytest.raises(CheckFailed, match=r"stayed equal[\s\S]*Certificate, which says so: .*c\.json"):
            run(rich, target, **signed)
        found = audit(tmp_path / "c.json", tmp_path / "c.pub")
        assert any("public.person.name" in f and "stayed equal" in f for f in found.failed)
        assert found.checks > len(found.failed)
    assert rows(postgres, REPLICA, "SELECT name FROM public.person ORDER BY id") == before
    mine = f"(datname = '{SOURCE}' OR starts_with(datname, '{REPLICA}'))"
    query = f"SELECT count(*) FROM pg_stat_activity WHERE {mine} AND application_name = 'dbmask' AND state <> 'idle'"
    assert rows(postgres, "postgres", query) == [(0,)]


def test_privileges_are_looked_at_in_the_plan(postgres: Postgres, rich: str, target: str) -> None:
    postgres.psql(
        SOURCE,
        f"CREATE ROLE limited LOGIN CREATEDB PASSWORD '{PASSWORD}'; GRANT USAGE ON SCHEMA public, sales TO limited;"
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO limited",
    )
    try:
        with pytest.raises(PlanError) as error:
            run(postgres.url(SOURCE, "limited"), target)
        assert "sales.customer: cannot be read: this user has no SELECT privilege on it" in str(error.value)
    finally:
        postgres.psql(SOURCE, "DROP OWNED BY limited; DROP ROLE limited")


def test_what_cannot_be_reached_is_named_without_the_password(postgres: Postgres, rich: str) -> None:
    with pytest.raises(ConnectorError) as error:
        run(rich.replace(f":{PASSWORD}@", ":wrong-password@"), postgres.url("x"))
    assert "wrong-password" not in str(error.value) and SOURCE in str(error.value)
    with pytest.raises(ConnectorError, match="cannot connect"):
        run("postgresql://u@127.0.0.1:1/x", postgres.url("x"))
    with pytest.raises(UsageError, match="names its database"):
        run("postgresql://u@127.0.0.1:1", postgres.url("x"))


PAGILA = """version: 1
tables:
  customer: {columns: {first_name: redact, last_name: {mask: redact, keep_start: 1}, email: {mask: hash, length: 30}, "*": keep}}
  actor: {columns: {first_name: redact, last_name: redact, "*": keep}}
  film: {columns: {title: {mask: hash, length: 20}, description: redact, fulltext: recompute, "*": keep}}
  address: {columns: {address: hash, address2: hash, phone: redact, "*": keep}}
  staff: {columns: {first_name: redact, last_name: redact, email: hash, username: hash, password: "null", "*": keep}}
  "[cilrs]*": keep
  "film_*": keep
  "payment": keep
"""


@pytest.mark.parametrize("name", ["pagila"])
def test_pagila_arrives_whole(postgres: Postgres, target: str, name: str) -> None:
    dump = real(f"databases/{name}.sql.gz")
    postgres.create_database(name)
    postgres.psql(
        "postgres", "DO $$ BEGIN CREATE ROLE postgres SUPERUSER; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
    )
    postgres.psql(name, gzip.decompress(dump.read_bytes()).decode())
    done = clone(Policy.from_text(PAGILA), postgres.url(name), target, keys=example_keys())
    assert sum(done.rows.values()) == 46_273
    assert schema_of(postgres, REPLICA) == schema_of(postgres, name)
    assert rows(postgres, REPLICA, "SELECT count(*) FROM film WHERE fulltext @@ to_tsquery('academy')") == [(0,)]
    assert rows(postgres, REPLICA, "SELECT count(*) FROM film WHERE fulltext IS NULL") == [(0,)]
    assert rows(postgres, REPLICA, "SELECT count(*) FROM payment_p2020_03") == [(5644,)]
    assert rows(postgres, REPLICA, "SELECT nextval('customer_customer_id_seq')") == [(600,)]
    postgres.drop_database(name)


def test_types_that_users_named_like_types_of_other_databases(
    postgres: Postgres, postgres_db: str, target: str
) -> None:
    name = postgres_db.rpartition("/")[2]
    postgres.psql(
        name,
        "CREATE DOMAIN short AS varchar(9); CREATE TYPE tinyint AS ENUM ('a', 'b'); CREATE DOMAIN blob AS text;"
        "CREATE TABLE t (id int PRIMARY KEY, s short, k tinyint, b blob); INSERT INTO t VALUES (1, 'Annabel', 'b', 'x')",
    )
    policy = "version: 1\ntables: {t: {columns: {id: keep, s: redact, k: {mask: fixed, value: a}, b: hash}}}"
    clone(Policy.from_text(policy), postgres_db, target, keys=example_keys())
    assert rows(postgres, REPLICA, "SELECT id, s::text, k::text, length(b) FROM t") == [(1, "*******", "a", 64)]
