"""Keyed masks of values that come again are kept by the server where its statistics say that it pays; what they give is the same."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from sqlglot import exp, parse_one

from dbmask.masks.build import example_keys
from dbmask.planner import Profile, pads_for, plan_source, reading
from dbmask.policy import Policy
from dbmask_connectors._postgres_memo import memoized
from dbmask_connectors._postgres_reader import PostgresReader, rendered
from dbmask_connectors.postgresql import CONNECTOR

POLICY = Policy.from_text("""version: 1
tables: {p: {columns: {id: keep, city: hash, mail: {mask: hash, length: 20}, name: first_name}}}""")
ROWS = """
CREATE TABLE p (id int PRIMARY KEY, city text, mail text, name text);
INSERT INTO p SELECT i, CASE WHEN i % 7 > 0 THEN 'City ' || i % 7 END, 'm' || i || '@x.example', repeat('A', i % 3)
FROM generate_series(1, 20000) AS i;
ANALYZE p
"""


@pytest.fixture
def reader(postgres_db: str) -> Iterator[tuple[PostgresReader, exp.Select]]:
    """A snapshot, and the query that masks its table."""
    with psycopg.connect(postgres_db, autocommit=True) as connection:
        connection.execute(ROWS.encode())
    with closing(CONNECTOR.source(postgres_db)) as source:
        keys = example_keys()
        (table,) = plan_source(POLICY, source, Profile.CLONE, keys).require()
        query = reading(table, "postgres").query
        with source.snapshot() as made:
            made.use_keys(pads_for([query], keys))
            assert isinstance(made, PostgresReader)
            yield made, query


def test_values_that_come_again_are_kept_by_the_server(reader: tuple[PostgresReader, exp.Select]) -> None:
    made, query = reader
    plan = "\n".join(line for (line,) in made.connection.execute(f"EXPLAIN {rendered(query)}".encode()).fetchall())
    kept = [line.partition("Cache Key: ")[2] for line in plan.splitlines() if "Cache Key" in line]
    assert {column for line in kept for column in line.split(", ")} == {"dbmask_src.city", "dbmask_src.name"}


def test_the_rows_are_the_same(reader: tuple[PostgresReader, exp.Select]) -> None:
    made, query = reader
    rows = [row for batch in made.read(query) for row in zip(*batch, strict=True)]
    made.connection.execute("SET LOCAL enable_memoize = off")
    assert sorted(rows) == sorted(row for batch in made.read(query) for row in zip(*batch, strict=True))
    assert len(rows) == 20_000
    assert len({row[1] for row in rows}) == 7
    assert len({row[2] for row in rows}) == 20_000


@pytest.mark.parametrize(
    "query",
    [
        "SELECT a, upper(b) FROM t",
        "SELECT DISTINCT F(DBMASK_KEYREF('k', 'inner'), a) FROM t",
        "SELECT count(F(DBMASK_KEYREF('k', 'inner'), a)) FROM t GROUP BY b",
        "SELECT count(F(DBMASK_KEYREF('k', 'inner'), a)) FROM t",
        "SELECT max(F(DBMASK_KEYREF('k', 'inner'), a)) OVER (ORDER BY b) FROM t",
        "SELECT F(DBMASK_KEYREF('k', 'inner'), 'a') FROM t",
        "SELECT F(DBMASK_KEYREF('k', 'inner'), 'a')",
    ],
)
def test_what_has_no_keyed_value_of_a_row_stays_as_it_is(query: str) -> None:
    parsed: Any = parse_one(query, read="postgres")
    assert memoized(parsed).sql("postgres") == parsed.sql("postgres")
