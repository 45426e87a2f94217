"""A SELECT gives through the proxy what it gives on a masked clone made by the same policy and key."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given, settings

from dbmask.cloner.run import clone
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from tests.proxy.queries import selects
from tests.proxy.shop import POLICY, Shop

Both = tuple[psycopg.Connection[Any], psycopg.Connection[Any]]


@pytest.fixture(scope="module")
def both(place: Shop) -> Iterator[Both]:
    """The proxy, and the clone."""
    name = f"masked_{os.getpid()}"
    target = place.postgres.url(name)
    try:
        clone(Policy.from_text(POLICY, "yaml"), place.plain, target, keys=example_keys(), keep_previous=0)
        with (
            psycopg.connect(place.proxy.url(), autocommit=True) as one,
            psycopg.connect(target, autocommit=True) as other,
        ):
            for connection in (one, other):
                connection.execute("SET statement_timeout = '10s'")
            yield one, other
    finally:
        place.postgres.drop_database(name)


def answer(connection: psycopg.Connection[Any], query: str) -> Any:
    """Columns and rows, or the SQLSTATE."""
    try:
        cursor = connection.execute(query.encode())
        return [(c.name, c.type_code) for c in cursor.description or ()], cursor.fetchall()
    except psycopg.Error as error:
        return error.sqlstate


# What the clone answered.
seen: list[Any] = []


@settings(max_examples=150, derandomize=True, database=None)
@given(query=selects())
def test_the_proxy_answers_as_a_masked_clone_does(both: Both, query: str) -> None:
    through, cloned = (answer(connection, query) for connection in both)
    seen.append(cloned)
    assert through == cloned, query


def test_most_of_these_queries_have_rows() -> None:
    answered = [a for a in seen if not isinstance(a, str)]
    assert len(answered) > len(seen) * 0.8 and sum(bool(rows) for _, rows in answered) > len(seen) * 0.3


@pytest.mark.parametrize("table", ["person", "town", "visit", "part", "part_a", "named", "costs", "pgbench_accounts"])
def test_whole_tables_are_the_clones(both: Both, table: str) -> None:
    for text in (f"SELECT * FROM {table} ORDER BY 1, 2", f"SELECT row_to_json(x)::text FROM {table} x ORDER BY 1"):
        through, cloned = (answer(connection, text) for connection in both)
        assert through[1] == cloned[1] and through[1]
