"""Values as the server writes them: whatever stands in them, in many batches or one."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from itertools import count

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from dbmask.errors import ConnectorError
from dbmask.registry import connector_for
from dbmask.spi import ReadsTexts
from dbmask_connectors._postgres_reader import PostgresReader
from tests.fix_postgres import Postgres

HOSTILE = ["", "\\N", "\\", "\\\\N", "a\tb", "a\nb", "a\r\nb", "\b\f\v", "\\t", "'\"", "\u00e9\U0001f642", None]
VALUES = st.lists(
    st.tuples(
        *[
            st.one_of(
                st.sampled_from(HOSTILE), st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
            )
        ]
        * 2
    ),
    max_size=20,
)
_numbers = count(1)


def query(text: str) -> exp.Select:
    parsed = parse_one(text, read="postgres")
    assert isinstance(parsed, exp.Select)
    return parsed


@pytest.fixture(scope="module")
def database(postgres: Postgres) -> Iterator[tuple[str, psycopg.Connection[tuple[object, ...]]]]:
    name = f"texts_{os.getpid()}"
    url = postgres.create_database(name)
    with psycopg.connect(url, autocommit=True) as c:
        yield url, c
    postgres.drop_database(name)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=VALUES)
def test_texts_are_those_that_were_written(
    database: tuple[str, psycopg.Connection[tuple[object, ...]]], rows: list[tuple[str | None, str | None]]
) -> None:
    url, c = database
    name = f"t{next(_numbers)}"
    c.execute(f"CREATE TABLE {name} (n int, a text, b text)".encode())
    with c.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {name} VALUES (%s, %s, %s)".encode(), [(i, *r) for i, r in enumerate(rows)])
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        assert isinstance(reader, ReadsTexts)
        wanted = query(f"SELECT a, n, b FROM {name} ORDER BY n")
        found = [row for batch in reader.read_texts(wanted) for row in zip(*batch, strict=True)]
    assert found == [(a, str(i), b) for i, (a, b) in enumerate(rows)]


def test_a_reading_that_is_left_or_fails_leaves_the_snapshot_usable(postgres_db: str) -> None:
    with closing(connector_for(postgres_db).source(postgres_db)) as source, source.snapshot() as reader:
        assert isinstance(reader, PostgresReader)
        numbers = query("SELECT n FROM generate_series(1, 100000) AS n")
        reading = reader.read_texts(numbers)
        assert next(reading)[0][:3] == ["1", "2", "3"]
        with pytest.raises(ConnectorError, match="stands open"):
            next(reader.read_texts(numbers))
        assert isinstance(reading, Generator)
        reading.close()
        with pytest.raises(ConnectorError):
            list(reader.read_texts(query("SELECT 1 / (n - 5) FROM generate_series(1, 9) AS n")))
        assert len([v for batch in reader.read_texts(numbers) for v in batch[0]]) == 100_000
