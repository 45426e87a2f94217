"""Which rows a relay copies: filters that name other tables, CTEs and table functions read the source, not the replica."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlglot import exp, parse_one

from dbmask.spi import TargetTable
from tests.connectors.copying import copy, duckdb_file, duckdb_rows, plain_query, sqlite_file, sqlite_rows

SCRIPT = """
CREATE TABLE t (id INTEGER PRIMARY KEY, ref INTEGER);
CREATE TABLE other (id INTEGER);
INSERT INTO t VALUES (1, 10), (2, 20), (3, 30), (4, NULL);
INSERT INTO other VALUES (10), (30);
"""


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("ref IN (SELECT id FROM other)", [1, 3]),
        ("ref IN (SELECT main.other.id FROM main.other)", [1, 3]),
        ('EXISTS (SELECT 1 FROM "other" AS o WHERE o.id = ref) OR id = 4', [1, 3, 4]),
        ("id IN (WITH other AS (SELECT 2 AS id) SELECT id FROM other)", [2]),
        ("id > (SELECT min(id) FROM t)", [2, 3, 4]),
        ("ref IS NULL OR ref > 20", [3, 4]),
    ],
)
def test_filters_read_the_source(tmp_path: Path, kind: str, condition: str, expected: list[int]) -> None:
    def filtered(table: TargetTable) -> exp.Select:
        query = plain_query(table)
        return query.where(parse_one(condition, read=kind)) if table.name.name == "t" else query

    make, rows = (sqlite_file, sqlite_rows) if kind == "sqlite" else (duckdb_file, duckdb_rows)
    source = make(tmp_path / "a", SCRIPT)
    done = copy(source, f"{kind}:///{tmp_path / 'b'}", select=filtered)
    assert done.relayed and all(done.relayed.values())
    assert [r[0] for r in rows(tmp_path / "b", "SELECT id FROM t ORDER BY 1")] == expected


@pytest.mark.parametrize(
    ("kind", "condition"),
    [
        ("sqlite", "id IN (SELECT value FROM json_each('[1, 3]'))"),
        ("duckdb", "id IN (SELECT i FROM range(1, 4, 2) AS r(i))"),
    ],
)
def test_table_functions_are_no_tables(tmp_path: Path, kind: str, condition: str) -> None:
    def filtered(table: TargetTable) -> exp.Select:
        query = plain_query(table)
        return query.where(parse_one(condition, read=kind)) if table.name.name == "t" else query

    make, rows = (sqlite_file, sqlite_rows) if kind == "sqlite" else (duckdb_file, duckdb_rows)
    copy(make(tmp_path / "a", SCRIPT), f"{kind}:///{tmp_path / 'b'}", select=filtered)
    assert rows(tmp_path / "b", "SELECT id FROM t ORDER BY 1") == [(1,), (3,)]


def test_slices_keep_the_filter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask_connectors._sqlite_relay._SLICE", 1)

    def filtered(table: TargetTable) -> exp.Select:
        query = plain_query(table)
        return query.where(parse_one("ref = 10 OR ref IS NULL", read="sqlite")) if table.name.name == "t" else query

    copy(sqlite_file(tmp_path / "a", SCRIPT), f"sqlite:///{tmp_path / 'b'}", select=filtered)
    assert sqlite_rows(tmp_path / "b", "SELECT id FROM t ORDER BY 1") == [(1,), (4,)]
