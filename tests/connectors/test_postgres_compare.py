"""Parts of a table by its key: as large as asked, whatever the key's values look like as text."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import ComparableSource


@pytest.mark.parametrize(
    ("kind", "key"),
    [
        ("bigint", "i * 7 - 3000"),
        ("numeric", "i * 0.5 - 100"),
        ("text", "'Key ' || i"),
        ("uuid", "md5(i::text)::uuid"),
        ("timestamptz", "timestamptz '1999-12-31' + i * interval '7 hours'"),
    ],
    ids=["bigint", "numeric", "text", "uuid", "timestamptz"],
)
def test_parts_are_of_even_size_and_know_their_rows(postgres_db: str, kind: str, key: str) -> None:
    with psycopg.connect(postgres_db, autocommit=True) as c:
        c.execute(
            f"CREATE TABLE t (id {kind} PRIMARY KEY, v text); INSERT INTO t SELECT {key}, 'x' FROM generate_series(1, 5000) i"
        )
    with closing(connector_for(postgres_db).source(postgres_db)) as source:
        assert isinstance(source, ComparableSource)
        table = source.schema().tables[TableName("public", "t")]
        with source.snapshot() as reader:
            bounds = source.bounds(reader, table, "id", 500)
            parts = source.part_sums(reader, table, "id", bounds, "", ("id", "v"))
    assert len(bounds) == 9
    assert [p.rows for p in parts] == [500] * 10
    assert len({p.sum for p in parts}) == 10
