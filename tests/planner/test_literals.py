"""Definitions that hold values of masked columns are an error until the policy names the object."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from dbmask.cloner import clone
from dbmask.errors import PlanError, UsageError
from dbmask.masks.build import example_keys
from dbmask.planner import plan
from dbmask.planner.ddl import literals, objects
from dbmask.policy import Policy
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

POLICY = """version: 1
default: keep
{more}
tables:
  person: {{columns: {{id: keep, mail: {{mask: hash, length: 20}}, born: {{mask: date_shift, days: 9}}, code: permute}}}}
"""
PERSON = """CREATE TABLE person (id integer PRIMARY KEY, mail varchar(60){default}, born date, code integer);
INSERT INTO person VALUES (1, 'ann@shop.example', '1990-01-02', 123456), (2, 'bob@shop.example', NULL, 7);
"""


def problems(url: str, more: str = "") -> dict[str, str]:
    made = plan(Policy.from_text(POLICY.format(more=more)), url, keys=example_keys())
    return {p.where: p.what for p in made.problems}


def sqlite(tmp_path: Path, extra: str, default: str = "") -> str:
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.executescript(PERSON.format(default=default) + extra)
    return f"sqlite:///{tmp_path / 's.db'}"


@pytest.mark.parametrize(
    ("extra", "default", "where", "column"),
    [
        ("", " DEFAULT 'ann@shop.example'", "main.person", "main.person.mail"),
        ("", " CHECK (mail <> 'bob@shop.example' OR id > 0)", "main.person", "main.person.mail"),
        ("CREATE TABLE other (id integer, x text DEFAULT 'ann@shop.example')", "", "main.other", "main.person.mail"),
        (
            "CREATE VIEW her AS SELECT id FROM person WHERE mail = 'ann@shop.example'",
            "",
            "main.her",
            "main.person.mail",
        ),
        ("CREATE INDEX few ON person (id) WHERE code = 123456", "", "main.few", "main.person.code"),
        ("CREATE VIEW day AS SELECT id FROM person WHERE born = '1990-01-02'", "", "main.day", "main.person.born"),
        (
            "CREATE TRIGGER tell AFTER INSERT ON person BEGIN UPDATE person SET mail = 'ann@shop.example'; END",
            "",
            "main.tell",
            "main.person.mail",
        ),
    ],
)
def test_a_literal_is_a_problem_until_its_object_is_named(
    tmp_path: Path, extra: str, default: str, where: str, column: str
) -> None:
    url = sqlite(tmp_path, extra, default)
    found = problems(url)
    assert set(found) == {where} and column in found[where]
    assert not any(raw in str(found) for raw in ("ann@", "bob@", "123456", "1990"))
    assert problems(url, f"allow_ddl: ['{where}']") == problems(url, f"allow_ddl: [{where.partition('.')[2]}]") == {}


def test_a_clone_stops_before_anything_is_read_and_its_certificate_names_what_was_allowed(tmp_path: Path) -> None:
    url = sqlite(tmp_path, "", " DEFAULT 'ann@shop.example'")
    target = f"sqlite:///{tmp_path / 't.db'}"
    with pytest.raises(PlanError, match=r"main\.person: its definition holds a literal"):
        clone(Policy.from_text(POLICY.format(more="")), url, target, keys=example_keys())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["s.db"]
    policy = Policy.from_text(POLICY.format(more="allow_ddl: [person]"))
    done = clone(policy, url, target, keys=example_keys())
    assert list(done.certificate.literals) == ["main.person"] and "ann@" not in str(done.certificate.as_dict())


def test_what_tells_of_nobody_is_no_problem(tmp_path: Path) -> None:
    rows = "INSERT INTO person SELECT id * 10 + n, 'none', NULL, 7 FROM person, (SELECT 1 AS n UNION SELECT 2 UNION SELECT 3);"
    many = (
        rows + rows.replace("* 10", "* 1000") + "CREATE VIEW v AS SELECT id FROM person WHERE mail = 'none' OR code = 7"
    )
    assert problems(sqlite(tmp_path, many)) == {}


def test_the_list_is_a_list(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a list of objects"):
        problems(sqlite(tmp_path, "", " DEFAULT 'ann@shop.example'"), "allow_ddl: person")


def test_duckdb(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "s.duckdb")) as db:
        db.execute(PERSON.format(default="") + "COMMENT ON COLUMN person.mail IS 'such as bob@shop.example'")
    url = f"duckdb:///{tmp_path / 's.duckdb'}"
    assert set(problems(url)) == {"main.person"}
    assert problems(url, "allow_ddl: [person]") == {}


@pytest.fixture
def pg(postgres: Postgres) -> Iterator[str]:
    name = f"ddl_{os.getpid()}"
    yield postgres.create_database(name)
    postgres.drop_database(name)


@pytest.mark.parametrize(
    ("sql", "where"),
    [
        ("ALTER TABLE person ALTER mail SET DEFAULT 'ann@shop.example'", "public.person"),
        ("ALTER TABLE person ADD CONSTRAINT c CHECK (mail <> E'ann@shop.example' OR id > 0)", "public.person"),
        ("COMMENT ON COLUMN person.mail IS 'ask ann@shop.example'", "public.person"),
        ("COMMENT ON TABLE person IS 'ann@shop.example'", "public.person"),
        (
            "CREATE TABLE part (id int, mail text) PARTITION BY LIST (mail);"
            "CREATE TABLE part_ann PARTITION OF part FOR VALUES IN ('ann@shop.example')",
            "public.part",
        ),
        ("CREATE FUNCTION f(a int) RETURNS text LANGUAGE sql AS $x$ SELECT 'ann@shop.example' $x$", "public.f"),
        ("CREATE SCHEMA app; CREATE VIEW app.v AS SELECT 123456 AS n", "app.v"),
        ("CREATE INDEX few ON person (id) WHERE born = '1990-01-02'", "public.few"),
    ],
)
def test_postgres(postgres: Postgres, pg: str, sql: str, where: str) -> None:
    postgres.psql(pg.rpartition("/")[2], PERSON.format(default="") + sql)
    found = problems(pg)
    assert [w.removesuffix("_ann") for w in found] == [where]
    assert problems(pg, f"allow_ddl: [{', '.join(found)}]") == {}


def test_mariadb(mariadb: MariaDB) -> None:
    name = f"ddl_{os.getpid()}"
    url = mariadb.create_database(name)
    try:
        script = PERSON.format(default=" DEFAULT 'bob@shop.example'").replace(
            "code integer)", "code integer COMMENT 'ann@shop.example')"
        )
        mariadb.mysql(name, script + "CREATE VIEW v AS SELECT id FROM person WHERE mail = 'ann@shop.example';")
        assert set(problems(url)) == {f"{name}.person", f"{name}.v"}
        assert problems(url, "allow_ddl: [person, v]") == {}
    finally:
        mariadb.drop_database(name)


def test_literals_of_every_form() -> None:
    sql = """-- seen by ann@shop.example
    CREATE FUNCTION "f'x" AS $b$ SELECT 'one', E'tw\\'o', '{"k": "ann2@shop.example"}' $b$ /* 'not' */ DEFAULT -98765, 1234, 'it''s'"""
    found = literals(sql)
    assert {"ann@shop.example", "one", "tw'o", "ann2@shop.example", "-98765", "it's"} <= found
    assert not {"1234", "not", "x"} & found


@pytest.mark.parametrize(
    ("entry", "dialect", "shown"),
    [
        ("COMMENT\0public\0COLUMN person.mail\0x", "postgres", "public.person"),
        ("CHECK CONSTRAINT\0public\0person c\0x", "postgres", "public.person"),
        ("FUNCTION\0-\0f(integer, text)\0x", "postgres", "public.f"),
        ("view\0v\0sql_mode = ''\0x", "mysql", "public.v"),
        ('CREATE UNIQUE INDEX IF NOT EXISTS "we ird" ON t (x)', "sqlite", 'public."we ird"'),
        ('COMMENT ON COLUMN "main"."p"."mail" IS \'x\'', "duckdb", "main.p"),
        ("PRAGMA x = 1", "sqlite", "a setting"),
        ('CREATE TABLE "" (x)', "sqlite", "a setting"),
    ],
)
def test_objects_are_called_as_policies_call_them(entry: str, dialect: str, shown: str) -> None:
    assert objects(entry, dialect, "public")[0] == shown
