"""Clones with the anonymizer on PostgreSQL and MariaDB: columns that it adds, types as their drivers give them."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator

import pytest

from dbmask.cloner import clone
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

POLICY = """
version: 1
tables:
  insured:
    anonymizer:
      rc: birth_number
      birthDate: born
      firstName: first_name
      birthDayMin: 1901-01-01
      birthDayMax: 2008-04-23
      nameLookupFileName: builtin:cs
      unique: true
      on_invalid: keep
      scorer: [{key: AA_FN_NOT_CHANGED, explainAs: name, score: 30}, {key: AA_BD_NOT_CHANGED, score: 0.5}]
      explanationColumn: expl
      scoreColumn: score
    columns: {id: keep}
"""
TABLE = "CREATE TABLE insured (id int PRIMARY KEY, birth_number {number} UNIQUE, born {born}, first_name varchar(12))"
ROWS = [
    (1, "7103192745", dt.datetime(1971, 3, 19, 8, 30), "Jan"),
    (2, "711301/123", dt.datetime(1850, 1, 1), "Xyxyxyx"),
    (3, None, None, None),
]
INSERT = "INSERT INTO insured VALUES (%s, %s, %s, %s)"
QUERY = "SELECT birth_number, born, first_name, score, expl FROM insured ORDER BY id"
NAMES = tuple(f"anonymizer_{os.getpid()}_{which}" for which in ("source", "target"))


@pytest.fixture
def in_postgres(postgres: Postgres) -> Iterator[Postgres]:
    postgres.create_database(NAMES[0])
    with postgres.connect(NAMES[0]) as connection:
        connection.execute(TABLE.format(number="char(13)", born="timestamp"))
        connection.cursor().executemany(INSERT, ROWS)
    yield postgres
    for name in NAMES:
        postgres.drop_database(name)


@pytest.fixture
def in_mariadb(mariadb: MariaDB) -> Iterator[MariaDB]:
    mariadb.create_database(NAMES[0])
    with mariadb.connect(NAMES[0]) as connection, connection.cursor() as cursor:
        cursor.execute(TABLE.format(number="varchar(11)", born="datetime(6)"))
        cursor.executemany(INSERT, ROWS)
    yield mariadb
    for name in NAMES:
        mariadb.drop_database(name)


def check(source: str, target: str) -> None:
    result = clone(Policy.from_text(POLICY), source, target, keys=example_keys())
    assert all(c.passed for c in result.certificate.checks), result.certificate.checks


def check_rows(rows: list[tuple[object, ...]]) -> None:
    numbers = [None if r[0] is None else str(r[0]).rstrip() for r in rows]
    assert numbers[0] == "7009092794"
    assert numbers[1] == "711301/123"
    assert rows[0][1] == dt.datetime(1970, 9, 9, 8, 30)
    assert rows[1][1:3] == (dt.datetime(1850, 1, 1), "Xyxyxyx")
    assert rows[0][2] not in ("Jan", None)
    assert [r[3] for r in rows] == [0, 30.5, 0]
    assert [r[4] for r in rows] == ["", "name AA_BD_NOT_CHANGED", ""]
    assert rows[2][:3] == (None, None, None)


def test_in_postgres(in_postgres: Postgres) -> None:
    check(*(in_postgres.url(n) for n in NAMES))
    with in_postgres.connect(NAMES[1]) as connection:
        check_rows(connection.execute(QUERY).fetchall())


def test_in_mariadb(in_mariadb: MariaDB) -> None:
    check(*(in_mariadb.url(n) for n in NAMES))
    with in_mariadb.connect(NAMES[1]) as connection, connection.cursor() as cursor:
        cursor.execute(QUERY)
        check_rows(list(cursor.fetchall()))
