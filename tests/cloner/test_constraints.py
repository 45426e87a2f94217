"""Which constraints a certificate says the database has validated."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cloner import clone
from dbmask.cloner.certificate import Certificate
from dbmask.errors import DbmaskError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from tests.fix_postgres import Postgres

SOURCE, TARGET = (f"constraints_{os.getpid()}_{what}" for what in ("source", "target"))
SCRIPT = """
CREATE TABLE p (id int PRIMARY KEY, mail varchar(99) UNIQUE, age int CHECK (age >= 0), x int CHECK (x > 0), UNIQUE (age, id));
CREATE TABLE bare (x int);
INSERT INTO p VALUES (1, 'ann@shop.example', 3, 1), (2, 'bob@shop.example', 4, 2);
"""
POLICY = """version: 1
tables: {{p: {{columns: {{id: keep, mail: {mail}, age: {age}, x: drop}}}}, bare: keep}}"""


def policy(mail: str = "hash", age: str = "keep") -> Policy:
    return Policy.from_text(POLICY.format(mail=mail, age=age), "yaml")


def told(made: Certificate) -> dict[str, dict[str, float | int | None]]:
    return {c.subject: dict(c.figures) for c in made.checks if c.kind == "constraints" and c.passed}


@pytest.fixture
def file(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.executescript(SCRIPT)
    return f"sqlite:///{tmp_path / 's.db'}"


@pytest.fixture
def server(postgres: Postgres) -> Iterator[str]:
    postgres.create_database(SOURCE)
    postgres.psql(SOURCE, SCRIPT + "ALTER TABLE p ADD CONSTRAINT late CHECK (age > 3) NOT VALID;")
    yield postgres.url(SOURCE)
    for name in (SOURCE, TARGET):
        postgres.drop_database(name)


def test_sqlite(file: str, tmp_path: Path) -> None:
    done = clone(policy(), file, f"sqlite:///{tmp_path / 't.db'}", keys=example_keys())
    assert told(done.certificate) == {"main.p": {"unique": 3, "check": 1}}


def test_into_another_kind_checks_do_not_arrive(file: str, tmp_path: Path) -> None:
    done = clone(policy(), file, f"duckdb:///{tmp_path / 't.duckdb'}", keys=example_keys())
    assert told(done.certificate) == {"main.p": {"unique": 3, "check": 0}}


def test_postgres_and_what_it_was_told_not_to_validate(server: str, postgres: Postgres) -> None:
    done = clone(policy(), server, postgres.url(TARGET), keys=example_keys())
    assert told(done.certificate) == {"public.p": {"unique": 3, "check": 1}}
    assert "public.p: constraint late is NOT VALID: the database has not looked at it" in done.certificate.not_looked_at


@pytest.mark.parametrize(("mail", "age"), [("hash", "{fixed: -1}"), ("{fixed: x}", "keep")], ids=["check", "unique"])
def test_what_breaks_one_ends_the_run(file: str, tmp_path: Path, mail: str, age: str) -> None:
    broken = policy(mail.replace("{fixed: ", "{mask: fixed, value: "), age.replace("{fixed: ", "{mask: fixed, value: "))
    with pytest.raises(DbmaskError, match=r"(?i)constraint|unique"):
        clone(broken, file, f"sqlite:///{tmp_path / 't.db'}", keys=example_keys())
    assert not (tmp_path / "t.db").exists()
