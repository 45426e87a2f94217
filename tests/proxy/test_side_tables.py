"""What Python masks: shown while it is of the current raw value, the placeholder otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from dbmask.errors import UsageError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.proxy.install import install, uninstall
from dbmask.proxy.side_refresh import refresh_side_tables
from tests.fix_postgres import Postgres

ROLE = f"side_{os.getpid()}"
SETUP = """
CREATE TABLE note (id int, "part ""x" timestamptz, body text, size float8, data bytea, who varchar(12), PRIMARY KEY (id, "part ""x"));
INSERT INTO note SELECT i, '2025-01-01 12:00+02', 'call 555-000-' || i, i / 3.0, '\\x00ff', 'w' || i FROM generate_series(1, 50) i;
CREATE TABLE loose (body text); INSERT INTO loose VALUES ('call 555-000-1');
CREATE TABLE event (id int, day date, body text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE event_1 PARTITION OF event FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
INSERT INTO event VALUES (1, '2025-05-05', 'call 555-000-1');
"""
TEXT = """
        mask: text
        matchers: {regex: [{label: NUMBER, pattern: "[0-9-]{4,}"}]}
        masks: [{label: NUMBER, masks: [redact]}]
"""
POLICY = f"""
version: 1
tables:
  public.note:
    columns:
      id: keep
      'part "x': keep
      body: {TEXT}
      size: keep
      data: keep
      who: {TEXT}
  public.loose:
    columns:
      body: {TEXT}
  public.event:
    columns:
      id: keep
      day: keep
      body: {TEXT}
"""


@pytest.fixture
def database(postgres: Postgres, postgres_db: str) -> Iterator[psycopg.Connection[Any]]:
    name = postgres_db.rpartition("/")[2]
    postgres.psql(name, SETUP)
    with postgres.connect(name) as connection:
        install(policy(), postgres_db, ROLE, keys=example_keys())
        yield connection
        uninstall(postgres_db, ROLE)


def policy(text: str = POLICY) -> Policy:
    return Policy.from_text(text, "yaml")


def seen(connection: psycopg.Connection[Any], query: str) -> list[Any]:
    connection.execute(f"SET ROLE {ROLE}; SET search_path = dbmask_{ROLE}_public".encode())
    try:
        return connection.execute(query.encode()).fetchall()
    finally:
        connection.execute("RESET ROLE; RESET search_path")


def test_masked_texts_are_shown_once_refreshed(database: psycopg.Connection[Any], postgres_db: str) -> None:
    assert seen(database, "SELECT DISTINCT body, who FROM note") == [("[masked]", "[masked]")]
    done = {r.table: r for r in refresh_side_tables(policy(), postgres_db, ROLE, keys=example_keys(), batch_rows=7)}
    assert (done["public.note"].masked, done["public.note"].refused, done["public.note"].purged) == (50, 0, 0)
    assert seen(database, "SELECT DISTINCT body FROM note ORDER BY 1") == [("call *********",), ("call **********",)]
    assert seen(database, "SELECT count(*) FROM note WHERE body LIKE 'call ***%'") == [(50,)]
    assert seen(database, "SELECT body FROM event UNION ALL SELECT body FROM event_1") == [("call *********",)] * 2
    assert seen(database, "SELECT body FROM loose") == [("[masked]",)]
    again = refresh_side_tables(policy(), postgres_db, ROLE, keys=example_keys())
    assert sum(r.masked for r in again) == 0


def test_a_changed_row_shows_the_placeholder_until_it_is_masked(
    database: psycopg.Connection[Any], postgres_db: str
) -> None:
    refresh_side_tables(policy(), postgres_db, ROLE, keys=example_keys())
    database.execute("UPDATE note SET body = 'call 555-111-7' WHERE id = 7")
    assert seen(database, "SELECT body, who FROM note WHERE id = 7") == [("[masked]", "w7")]
    database.execute("UPDATE note SET body = NULL WHERE id = 8; DELETE FROM note WHERE id > 40")
    done = refresh_side_tables(policy(), postgres_db, ROLE, keys=example_keys())
    note = next(r for r in done if r.table == "public.note")
    assert (note.masked, note.purged) == (2, 10)
    assert seen(database, "SELECT body FROM note WHERE id IN (7, 8) ORDER BY id") == [("call *********",), (None,)]


def test_no_setting_of_the_session_changes_what_matches(database: psycopg.Connection[Any], postgres_db: str) -> None:
    refresh_side_tables(policy(), postgres_db, ROLE, keys=example_keys())
    database.execute("SET DateStyle = 'German'; SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = 0")
    assert seen(database, "SELECT count(*) FROM note WHERE body <> '[masked]'") == [(50,)]


def test_installing_again_keeps_what_is_masked(database: psycopg.Connection[Any], postgres_db: str) -> None:
    refresh_side_tables(policy(), postgres_db, ROLE, keys=example_keys())
    install(policy(), postgres_db, ROLE, keys=example_keys())
    assert seen(database, "SELECT count(*) FROM note WHERE body <> '[masked]'") == [(50,)]
    changed = policy(POLICY.replace("redact", "hash"))
    with pytest.raises(UsageError, match="another policy"):
        refresh_side_tables(changed, postgres_db, ROLE, keys=example_keys())
    install(changed, postgres_db, ROLE, keys=example_keys())
    assert seen(database, "SELECT count(*) FROM note WHERE body <> '[masked]'") == [(0,)]


def test_placeholders_alone(database: psycopg.Connection[Any], postgres_db: str) -> None:
    plain = policy(POLICY.replace("  public.note:\n", "  public.note:\n    leftover: placeholder\n"))
    done = install(plain, postgres_db, ROLE, keys=example_keys())
    assert set(done.sides.values()) == {"public.event"}
    assert seen(database, "SELECT DISTINCT body FROM note") == [("[masked]",)]


def test_rows_that_the_view_leaves_out_are_not_masked(database: psycopg.Connection[Any], postgres_db: str) -> None:
    filtered = policy(POLICY.replace("  public.note:\n", "  public.note:\n    where: id <= 20 or id is null\n"))
    install(filtered, postgres_db, ROLE, keys=example_keys())
    done = {r.table: r.masked for r in refresh_side_tables(filtered, postgres_db, ROLE, keys=example_keys())}
    assert done["public.note"] == 20
    assert seen(database, "SELECT count(*) FROM note WHERE body LIKE 'call ***%'") == [(20,)]


def test_a_value_that_a_mask_refuses_shows_the_placeholder(database: psycopg.Connection[Any], postgres_db: str) -> None:
    database.execute("UPDATE note SET who = '2025-01-02'")
    database.execute("UPDATE note SET who = 'no date' WHERE id IN (3, 50)")
    strict = policy(
        POLICY.replace(f"      who: {TEXT}", "      who: {mask: date_shift, days: 30, on_invalid: error}\n")
    )
    install(strict, postgres_db, ROLE, keys=example_keys())
    done = {r.table: r for r in refresh_side_tables(strict, postgres_db, ROLE, keys=example_keys(), batch_rows=9)}
    assert (done["public.note"].masked, done["public.note"].refused) == (48, 2)
    assert seen(database, "SELECT id FROM note WHERE who = '[masked]' ORDER BY id") == [(3,), (50,)]


def test_side_tables_are_the_owners_alone(database: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        seen(database, f"SELECT * FROM dbmask.side_{ROLE}_public_note")


def test_indexes_are_used_beside_side_tables(database: psycopg.Connection[Any], postgres_db: str) -> None:
    database.execute("INSERT INTO note SELECT i, '2025-01-01', 'x', 1, '', 'w' FROM generate_series(51, 5000) i")

    refresh_side_tables(policy(), postgres_db, ROLE, keys=example_keys())
    database.execute("ANALYZE")

    def plan(query: str) -> str:
        return "\n".join(row[0] for row in seen(database, f"EXPLAIN {query}"))

    limited = plan("SELECT id, body FROM note ORDER BY id LIMIT 5")
    assert "Index Scan using note_pkey" in limited
    assert "Sort" not in limited
    one = plan("SELECT body FROM note WHERE id = 7")
    assert "Seq Scan" not in "\n".join(line for line in one.splitlines() if "secrets" not in line)
    assert "side_" not in plan("SELECT count(*) FROM note WHERE size > 2")
