"""Databases group their rows themselves, and the figures are those of the same rows in a file."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbmask.analytics import AnalyticsError, risk
from dbmask.analytics.readers import read_groups, read_table
from dbmask.errors import UsageError
from tests.fix_mariadb import MariaDB

Row = tuple[int, Any, Any, Any, Any]

# What a collation holds equal is not equal in a file: case, accents, spaces at the end.
ROWS: list[Row] = [
    (1, "Praha", 30, "2001-02-03", "Flu"),
    (2, "praha", 30, "2001-02-03", "flu"),
    (3, "Práha", 30, "2001-02-03", "Flu"),
    (4, "Praha ", 30, "2001-02-03", "Flu"),
    (5, "Praha", 30, "2001-02-03", "Flu "),
    (6, None, None, None, None),
    (7, None, None, None, "Flu"),
    (8, "Zlín", -1, "1999-12-31", 'it\'s "50" %s\\'),
]
FIELDS = ["city", "age", "born", "diagnosis"]
NAMES = ["id", *FIELDS]


def _sqlite(path: Path) -> str:
    with sqlite3.connect(path) as db:
        db.execute(
            "CREATE TABLE visits (id integer PRIMARY KEY, city text COLLATE NOCASE, age int, born date,"
            " diagnosis text COLLATE RTRIM)"
        )
        db.executemany("INSERT INTO visits VALUES (?, ?, ?, ?, ?)", ROWS)
    db.close()
    return f"sqlite:///{path}"


@pytest.fixture(params=["postgres", "mariadb", "sqlite"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the table ``visits``, whose collations fold as much as they can."""
    if request.param == "sqlite":
        return _sqlite(tmp_path / "visits.db")
    url: str = request.getfixturevalue(f"{request.param}_db")
    if request.param == "postgres":
        with psycopg.connect(url, autocommit=True) as pg:
            pg.execute(b"CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level1', deterministic = false)")
            pg.execute(
                "CREATE TABLE visits (id int PRIMARY KEY, city text COLLATE loose, age smallint, born date,"
                " diagnosis text COLLATE loose)"
            )
            with pg.cursor() as cursor:
                cursor.executemany("INSERT INTO visits VALUES (%s, %s, %s, %s, %s)", ROWS)
        return url
    server: MariaDB = request.getfixturevalue("mariadb")
    with server.connect(url.rsplit("/", 1)[1]) as my, my.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE visits (id int PRIMARY KEY, city varchar(20), age tinyint, born date, diagnosis varchar(40))"
            " COLLATE utf8mb4_general_ci"
        )
        cursor.executemany("INSERT INTO visits VALUES (%s, %s, %s, %s, %s)", ROWS)
    return url


def _records() -> list[dict[str, Any]]:
    return [dict(zip(NAMES, row, strict=True)) for row in ROWS]


def _figures(results: list[Any]) -> list[dict[str, Any]]:
    return [{k: v for k, v in r.summary.items() if k != "emd_values"} for r in results]


@pytest.mark.parametrize("sensitive", ["diagnosis", "age"])
def test_groups_give_the_figures_of_the_rows(database: str, sensitive: str) -> None:
    qis = [f for f in FIELDS if f != sensitive]
    frame = read_groups(database, "visits", [*qis, sensitive])
    assert frame.total == len(ROWS)
    found, wanted = risk.run_frame(frame, qis, sensitive), risk.run(_records(), qis, sensitive)
    assert _figures(found) == _figures(wanted)
    assert [sorted(r.summary["emd_values"]) for r in found[2:]] == [r.summary["emd_values"] for r in wanted[2:]]


def test_equal_rows_are_one_group(database: str) -> None:
    frame = read_groups(database, "visits", ["born"])
    assert sorted(zip(frame.columns["born"].labels, frame.weights.tolist(), strict=True)) == [  # type: ignore[union-attr]
        ("1999-12-31", 1),
        ("2001-02-03", 5),
        ("None", 2),
    ]


def test_rows_come_in_the_order_of_their_key(database: str) -> None:
    frame = read_table(database, "visits")
    assert list(frame.columns) == NAMES
    column = frame.columns["city"]
    assert [column.labels[c] for c in column.codes] == [str(row[1]) for row in ROWS]


def test_wrong_questions(database: str) -> None:
    with pytest.raises(AnalyticsError, match="'nope' not found"):
        read_groups(database, "visits", ["nope"])
    with pytest.raises(UsageError, match="no table"):
        read_groups(database, "visitors", ["city"])


def test_types_without_an_equality(postgres_db: str) -> None:
    with psycopg.connect(postgres_db, autocommit=True) as pg:
        pg.execute(
            "CREATE TABLE t (j json, p point, x xml, a int[], n numeric, c char(4), b bytea, d timestamptz, u uuid)"
        )
        line = (
            "INSERT INTO t VALUES ('{\"a\": 1}', '(1,2)', '<a/>', '{1,2}', 1.50, 'ab', '\\xff', '2001-02-03', "
            "'0d5c1c5e-6a2f-4d5e-8a3b-2f1e0c9b8a7d')"
        )
        pg.execute(line.encode())
        pg.execute(line.encode())
    names = list("jpxancbdu")
    frame = read_groups(postgres_db, "t", names)
    assert (frame.rows, frame.total) == (1, 2)
    (k,) = risk.run_frame(frame, names, None)
    assert k.summary["k_min"] == 2


def test_keys_sort_alike_whatever_the_collation(postgres_db: str, mariadb: MariaDB, mariadb_db: str) -> None:
    keys = ["a", "B", "c", "ž", "Z", "_"]
    with psycopg.connect(postgres_db, autocommit=True) as pg:
        pg.execute('CREATE TABLE t (k text COLLATE "en-x-icu" PRIMARY KEY)')
        with pg.cursor() as cursor:
            cursor.executemany("INSERT INTO t VALUES (%s)", [(k,) for k in keys])
    with mariadb.connect(mariadb_db.rsplit("/", 1)[1]) as my, my.cursor() as cursor:
        cursor.execute("CREATE TABLE t (k varchar(9) PRIMARY KEY) COLLATE utf8mb4_general_ci")
        cursor.executemany("INSERT INTO t VALUES (%s)", [(k,) for k in ["a", "B", "c", "z", "_"]])
    assert list(read_table(postgres_db, "t").columns["k"].labels) == sorted(keys)
    assert list(read_table(mariadb_db, "t").columns["k"].labels) == ["B", "_", "a", "c", "z"]


def test_an_empty_table_is_an_error(postgres_db: str) -> None:
    with psycopg.connect(postgres_db, autocommit=True) as pg:
        pg.execute("CREATE TABLE t (q int)")
    with pytest.raises(AnalyticsError, match="empty"):
        risk.run_frame(read_groups(postgres_db, "t", ["q"]), ["q"], None)
    with pytest.raises(UsageError, match="no primary key"):
        read_table(postgres_db, "t")
