"""The generic connector: what crosses, what is told, that all masks run in Python and give what they give elsewhere."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dbmask.cloner import clone
from dbmask.cloner.compare import verify_replica
from dbmask.errors import CheckFailed, ConnectorError, DbmaskError, PlanError, UsageError
from dbmask.masks.build import example_keys
from dbmask.planner import RunsIn
from dbmask.policy import Policy
from dbmask.registry import connector_for
from tests.connectors.copying import copy, sqlite_file, sqlite_rows
from tests.connectors.mariadb_tools import fresh
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

SCRIPT = """
CREATE TABLE team (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, size INTEGER DEFAULT -1, colour VARCHAR(9) DEFAULT 'it''s: 5%');
CREATE TABLE person (id INTEGER PRIMARY KEY, name VARCHAR(20), born DATE, seen DATETIME, amount DECIMAL(10, 2), rate REAL,
  active BOOLEAN, photo BLOB, doc JSON, team INTEGER REFERENCES team,
  upper_ TEXT GENERATED ALWAYS AS (upper(name)) STORED);
CREATE INDEX by_name ON person (name);
CREATE VIEW named AS SELECT name FROM person;
INSERT INTO team VALUES (3, 'Red: :x', 1, NULL), (9, 'Grün', 2, '');
INSERT INTO person VALUES
  (1, 'Ann', '1980-02-29', '2020-01-01 10:00:00', 12.3, 1.5, 1, x'00ff', '{"a":1}', 3),
  (2, NULL, NULL, '2020-01-01T10:00:00.25', '7.25', 2, 0, NULL, NULL, NULL);
"""
POLICY = """version: 1
default: keep
tables:
  team: {columns: {name: {mask: hash, length: 64}, "*": keep}}
  person:
    where: active IS NOT NULL
    columns: {id: permute, name: redact, born: {mask: date_shift, days: 50}, amount: {mask: noise, sigma: 2}, "*": keep}
"""
SHOWN = "SELECT id, name, born, seen, amount, team FROM person ORDER BY seen"


@pytest.fixture
def source(tmp_path: Path) -> str:
    return sqlite_file(tmp_path / "a.db", SCRIPT)


def test_sqlite_into_sqlite(source: str, tmp_path: Path) -> None:
    done = copy(f"generic+{source}", f"generic+sqlite:///{tmp_path / 'b.db'}")
    assert done.lost == (
        "building beside: tables show while they are filled, since only an empty database is taken",
        "what foreign keys do ON DELETE and ON UPDATE",
        "view main.named: in another database's words",
    )
    assert done.structure.left_out == (
        "triggers, checks, comments and other schemas: this connector does not see them",
    )
    assert done.broken == {"main.person.team": 0}
    assert sqlite_rows(tmp_path / "b.db", "SELECT * FROM person ORDER BY id") == [
        (1, "Ann", "1980-02-29", "2020-01-01 10:00:00", 12.3, 1.5, 1, b"\0\xff", '{"a":1}', 3, "ANN"),
        (2, None, None, "2020-01-01T10:00:00.25", 7.25, 2.0, 0, None, None, None, None),
    ]
    assert sqlite_rows(tmp_path / "b.db", "SELECT name FROM team ORDER BY id") == [("Red: :x",), ("Grün",)]
    with closing(sqlite3.connect(tmp_path / "b.db")) as db:
        assert db.execute("INSERT INTO team (name) VALUES ('x') RETURNING id, size, colour").fetchall() == [
            (10, -1, "it's: 5%")
        ]
        db.commit()
        db.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(sqlite3.IntegrityError):
            db.execute("UPDATE person SET team = 5")


def test_masks_run_in_python_and_give_what_they_give_in_sql(source: str, tmp_path: Path) -> None:
    policy = Policy.from_text(POLICY, "yaml")
    done = clone(policy, f"generic+{source}", f"generic+sqlite:///{tmp_path / 'b.db'}", keys=example_keys())
    assert done.certificate.passed
    runs = {c.runs_in for t in done.plan for c in t.columns if c.mask not in ("keep", "recompute")}
    assert runs == {RunsIn.PYTHON}
    clone(policy, source, f"sqlite:///{tmp_path / 'c.db'}", keys=example_keys())
    made = sqlite_rows(tmp_path / "b.db", SHOWN)
    assert made == sqlite_rows(tmp_path / "c.db", SHOWN) and "Ann" not in str(made)
    names = "SELECT name FROM team ORDER BY id"
    assert sqlite_rows(tmp_path / "b.db", names) == sqlite_rows(tmp_path / "c.db", names)
    replica = f"generic+sqlite:///{tmp_path / 'b.db'}"
    assert verify_replica(policy, f"generic+{source}", replica, keys=example_keys()).passed


def test_what_is_there_is_not_replaced(source: str, tmp_path: Path) -> None:
    there = sqlite_file(tmp_path / "b.db", "CREATE TABLE mine (x); INSERT INTO mine VALUES (1);")
    with closing(connector_for(f"generic+{there}").target(f"generic+{there}")) as target:
        for overwrite in (False, True):
            with pytest.raises(UsageError, match="fills empty databases only"):
                target.check(overwrite)
    assert sqlite_rows(tmp_path / "b.db", "SELECT x FROM mine") == [(1,)]


def test_a_run_that_fails_leaves_nothing(source: str, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as db, db:
        db.execute("INSERT INTO person (id, team) VALUES (3, 99)")
    policy = Policy.from_text(POLICY.replace("active IS NOT NULL", "1 = 1"), "yaml")
    with pytest.raises(CheckFailed, match="1 rows refer to nothing"):
        clone(policy, f"generic+{source}", f"generic+sqlite:///{tmp_path / 'b.db'}", keys=example_keys())
    assert not list(tmp_path.glob("b.db*"))


@pytest.mark.parametrize(
    ("source_policy", "error"),
    [
        ("version: 1\ntables: {team: keep}", PlanError),  # a table that is not named
        ('version: 1\ntables: {person: keep, team: {columns: {name: hash, "*": keep}}}', PlanError),  # a default
        ('version: 1\ntables: {person: keep, team: keep}\nsubset: "5%"', DbmaskError),
    ],
    ids=["policy", "literal", "subset"],
)
@pytest.mark.parametrize("folder", ["", "nowhere/"])
def test_a_refused_target_leaves_no_file(
    source: str, tmp_path: Path, source_policy: str, error: type[DbmaskError], folder: str
) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as db, db:
        db.execute("UPDATE team SET name = 'it''s: 5%' WHERE id = 3")
    with pytest.raises((error, UsageError) if folder else error):
        place = f"generic+sqlite:///{tmp_path / folder}/b.db"
        clone(Policy.from_text(source_policy, "yaml"), f"generic+{source}", place, keys=example_keys())
    assert not list(tmp_path.glob("b.db*")) and not (tmp_path / "nowhere").exists()


def test_a_default_that_is_a_value_of_a_masked_column_is_a_problem(source: str, tmp_path: Path) -> None:
    text = 'version: 1\n{}\ntables: {{person: keep, team: {{columns: {{name: hash, "*": keep}}}}}}'
    with closing(sqlite3.connect(tmp_path / "a.db")) as db, db:
        db.execute("UPDATE team SET name = 'it''s: 5%' WHERE id = 3")
    place = f"generic+sqlite:///{tmp_path / 'b.db'}"
    with pytest.raises(
        PlanError, match=r"main\.team: its definition holds a literal that equals a value of main\.team\.name"
    ):
        clone(Policy.from_text(text.format(""), "yaml"), f"generic+{source}", place, keys=example_keys())
    allowed = Policy.from_text(text.format("allow_ddl: [team]"), "yaml")
    assert clone(allowed, f"generic+{source}", place, keys=example_keys()).certificate.literals == ["main.team"]


def test_which_databases_it_takes() -> None:
    for url in ("generic+sqlite:///x", "oracle+oracledb://x", "mssql+pyodbc://x", "oracle://x"):
        assert connector_for(url).name == "generic"
    assert connector_for("mysql+pymysql://x").name == "mysql"
    for url in ("nosuch://x", "generic2://x", "x"):
        with pytest.raises(UsageError):
            connector_for(url)
    with pytest.raises(UsageError, match="SQLAlchemy knows no such database"):
        connector_for("generic+nosuch://x").source("generic+nosuch://x")
    with pytest.raises(UsageError, match="driver oracledb"):
        connector_for("oracle+oracledb://x").source("oracle+oracledb://x")
    with pytest.raises(ConnectorError, match="no such file"):
        connector_for("generic+sqlite:///nowhere.db").source("generic+sqlite:///nowhere.db")


MARIADB = """
CREATE TABLE team (id int AUTO_INCREMENT PRIMARY KEY, name varchar(80) COLLATE utf8mb4_nopad_bin NOT NULL UNIQUE) CHARSET utf8mb4;
CREATE TABLE person (id int AUTO_INCREMENT PRIMARY KEY, name varchar(20), born date, seen datetime(6), at timestamp(6) NULL,
  amount decimal(10, 2), big bigint unsigned, span time(3), bit_ bit(1), flags bit(9), mood enum('sad', 'it''s'), blob_ blob, year_ year,
  active bool, team int, body longtext, u uuid, FOREIGN KEY (team) REFERENCES team (id), KEY (name(5))) CHARSET utf8mb4;
INSERT INTO team VALUES (3, 'Red'), (9, 'Grün');
INSERT INTO person VALUES
 (1, 'Änn\\\\ 😀', '1980-02-29', '2020-01-01 10:00:00.25', '2020-01-01 10:00:00.25', 12.30, 18446744073709551615, '-100:00:00.5', b'1',
  b'100000001', 'it''s', 0x00FF, 2024, 1, 3, 'x', '919a3c15-e6df-11f1-a84b-02fc00000001'),
 (2, NULL, NULL, '1999-12-31 23:59:59', NULL, NULL, 0, '10:00:00', b'0', NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL);
"""
ALL = "SELECT id, name, born, seen, at, amount, big, span, bit_, flags + 0, mood, blob_, year_, team, body FROM person ORDER BY seen"


@pytest.fixture
def mariadb_source(mariadb: MariaDB) -> Iterator[str]:
    with fresh(mariadb, "generic", make=True) as name:
        mariadb.mysql(name, MARIADB)
        yield name


def test_mariadb_into_mariadb_as_by_its_own_connector(mariadb: MariaDB, mariadb_source: str) -> None:
    policy = Policy.from_text(POLICY, "yaml")
    made = []
    for prefix in ("generic+", ""):
        with fresh(mariadb, "copy", make=True) as name:
            source, target = mariadb.url(mariadb_source), mariadb.url(name)
            done = clone(policy, f"{prefix}{source}", f"{prefix}{target}", keys=example_keys())
            assert done.certificate.passed
            with closing(mariadb.connect(name)) as connection, connection.cursor() as cursor:
                cursor.execute(ALL)
                made.append(list(cursor.fetchall()))
                cursor.execute("SELECT name FROM team ORDER BY id")
                made.append(list(cursor.fetchall()))
    generic, own = made[:2], made[2:]
    assert [[v for i, v in enumerate(r) if i != 8] for r in generic[0]] == [
        [v for i, v in enumerate(r) if i != 8] for r in own[0]
    ]
    assert generic[1] == own[1]


def test_generic_mariadb_into_postgres(mariadb: MariaDB, postgres: Postgres, mariadb_source: str, replica: str) -> None:
    done = copy(f"generic+{mariadb.url(mariadb_source)}", postgres.url(replica))
    assert list(done.broken.values()) == [0]
    with postgres.connect(replica) as connection:
        shown = "SELECT name, at::text, big::text, span::text, bit_, flags, mood, encode(blob_, 'hex'), year_ FROM person ORDER BY id"
        assert connection.execute(shown).fetchone() == (
            *("Änn\\ 😀", "2020-01-01 10:00:00.25+00", "18446744073709551615", "-100:00:00.5", True, "257"),
            *("it's", "00ff", 2024),
        )


def test_sqlite_into_mariadb(source: str, mariadb: MariaDB) -> None:
    """MariaDB's own connector takes MariaDB alone."""
    with fresh(mariadb, "replica", make=True) as name:
        with pytest.raises(UsageError, match=r"generic\+mysql://"):
            copy(source, mariadb.url(f"{name}_x"))
        done = copy(source, f"generic+{mariadb.url(name)}")
        assert list(done.broken.values()) == [0]
        with closing(mariadb.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT name, born, seen, amount + 0, rate, active, photo, doc, team FROM person ORDER BY id"
            )
            rows = [tuple(map(str, row)) for row in cursor.fetchall()]
            cursor.execute("INSERT INTO team (name) VALUES ('x') RETURNING id, size")
            assert cursor.fetchall() == ((10, -1),)
        assert rows == [
            *(("Ann", "1980-02-29", "2020-01-01 10:00:00", "12.30", "1.5", "1", str(b"\0\xff"), '{"a":1}', "3"),),
            *(("None", "None", "2020-01-01 10:00:00.250000", "7.25", "2.0", "0", "None", "None", "None"),),
        ]


def test_a_subset_is_refused(source: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="a subset cannot be taken from this kind of database"):
        clone(
            Policy.from_text(POLICY, "yaml"),
            f"generic+{source}",
            f"generic+sqlite:///{tmp_path / 'b.db'}",
            share="50%",
            keys=example_keys(),
        )


def test_mariadb_into_duckdb(mariadb: MariaDB, mariadb_source: str, tmp_path: Path) -> None:
    """By both connectors, with the values that a clone into MariaDB would have; spans of time are intervals."""
    policy = Policy.from_text(POLICY, "yaml")
    made: list[tuple[list[Any], list[Any]]] = []
    for prefix in ("", "generic+"):
        path = tmp_path / f"{len(made)}.duckdb"
        done = clone(policy, f"{prefix}{mariadb.url(mariadb_source)}", f"duckdb:///{path}", keys=example_keys())
        assert done.certificate.passed
        with closing(duckdb.connect(str(path))) as db:
            db.execute("SET TimeZone = 'UTC'")
            place = db.execute(
                "SELECT table_schema FROM information_schema.tables WHERE table_name = 'team'"
            ).fetchone()
            assert place is not None
            db.execute(f'USE "{path.stem}"."{place[0]}"')
            shown = """SELECT name, "at"::varchar, big::varchar, epoch(span), mood::varchar, hex(blob_), year_, team FROM person
                ORDER BY seen"""
            made.append((db.execute(shown).fetchall(), db.execute("SELECT name FROM team ORDER BY id").fetchall()))
    assert made[0] == made[1]
    assert made[0][0][1] == (
        *("******", "2020-01-01 10:00:00.25+00", "18446744073709551615", -360000.5),
        *("it's", "00FF", 2024, 3),
    )
    with fresh(mariadb, "copy", make=True) as name:
        clone(policy, mariadb.url(mariadb_source), mariadb.url(name), keys=example_keys())
        with closing(mariadb.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT name FROM team ORDER BY id")
            assert list(cursor.fetchall()) == made[0][1]
