"""``dbmask verify`` on replicas that are there: what is as it should be, and everything that is not."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dbmask.cli import run as command
from dbmask.cloner import clone, verify_replica
from dbmask.cloner.certificate import Certificate
from dbmask.errors import UsageError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

SCRIPT = """
CREATE TABLE person (id integer PRIMARY KEY, mail varchar(60), born date);
CREATE TABLE visit (id integer PRIMARY KEY, person_id integer REFERENCES person (id), note varchar(60));
CREATE TABLE log (id integer PRIMARY KEY, what varchar(60) UNIQUE, CONSTRAINT above CHECK (id > 0));
CREATE TABLE scratch (x integer);
INSERT INTO person VALUES (1, 'ann@shop.example', '1990-01-02'), (2, 'bob@shop.example', NULL), (3, NULL, '1991-02-03');
INSERT INTO visit VALUES (10, 1, 'came'), (20, 2, 'went'), (30, NULL, 'rang');
INSERT INTO log VALUES (1, 'secret');
"""
POLICY = Policy.from_text("""version: 1
tables:
  person: {columns: {id: permute, mail: {mask: hash, length: 20}, born: drop}}
  visit: {columns: {id: keep, note: keep}}
  log: empty
  scratch: skip
""")


def verified(source: str, target: str, policy: Policy = POLICY, **options: Any) -> Certificate:
    return verify_replica(policy, source, target, keys=example_keys(), **options)


def failed(made: Certificate) -> dict[tuple[str, str], str]:
    return {(c.kind, c.subject): c.found for c in made.checks if not c.passed}


@pytest.fixture
def shop(tmp_path: Path) -> tuple[str, str, Path]:
    source, target = tmp_path / "s.db", tmp_path / "t.db"
    with closing(sqlite3.connect(source)) as db, db:
        db.executescript(SCRIPT)
    clone(POLICY, f"sqlite:///{source}", f"sqlite:///{target}", keys=example_keys())
    return f"sqlite:///{source}", f"sqlite:///{target}", target


def change(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(sql)


def test_a_fresh_replica_passes(shop: tuple[str, str, Path], tmp_path: Path) -> None:
    before = shop[2].read_bytes()
    made = verified(*shop[:2], certificate=tmp_path / "v.json")
    assert made.passed and made.job == "verify"
    kinds = {c.kind for c in made.checks}
    assert kinds == {"structure", "rows", "foreign key", "unchanged", "residue"}
    assert "was compared with the source" in (tmp_path / "v.html").read_text("utf-8")
    assert shop[2].read_bytes() == before


@pytest.mark.parametrize(
    ("sql", "expected", "said"),
    [
        ("UPDATE person SET mail = 'ann@shop.example'", ("residue", "main.person.mail"), "stand in main.person.mail"),
        ("DELETE FROM visit WHERE id = 10", ("rows", "main.visit"), "2 in the replica"),
        ("INSERT INTO log VALUES (1, 'x')", ("rows", "main.log"), "it is to be empty"),
        (
            "UPDATE visit SET person_id = 77 WHERE id = 10",
            ("foreign key", "main.visit.visit_person_id_fkey"),
            "1 rows refer to nothing",
        ),
        ("UPDATE visit SET note = 'to bob@shop.example'", ("residue", "main.person.mail"), "stand in main.visit.note"),
        ("CREATE TABLE copied AS SELECT * FROM person", ("structure", "copied"), "not in the source"),
        ("CREATE TABLE scratch (x)", ("structure", "main.scratch"), "`skip` is written for it"),
        ("ALTER TABLE person ADD COLUMN born", ("structure", "main.person"), "born is dropped by the policy"),
        ("ALTER TABLE person ADD COLUMN extra", ("structure", "main.person"), "extra is in the replica"),
        ("DROP TABLE log", ("structure", "main.log"), "is not there"),
        ("ALTER TABLE visit DROP COLUMN note", ("structure", "main.visit"), "column note is not there"),
        (
            "DROP TABLE log; CREATE TABLE log (id integer, what varchar(60))",
            ("structure", "main.log"),
            "primary key of id is not there; the unique key of what is not there; check constraint above is not there",
        ),
        (
            "CREATE TABLE v (id integer PRIMARY KEY, person_id integer, note varchar(60)); INSERT INTO v SELECT * FROM visit; "
            "DROP TABLE visit; ALTER TABLE v RENAME TO visit",
            ("structure", "main.visit"),
            "foreign key of person_id to main.person is not there",
        ),
    ],
)
def test_what_is_not_as_it_should_be(
    shop: tuple[str, str, Path], sql: str, expected: tuple[str, str], said: str
) -> None:
    change(shop[2], sql)
    found = failed(verified(*shop[:2]))
    assert said in found.get(expected, str(found)) and expected in found


def test_raw_rows_are_told(shop: tuple[str, str, Path], tmp_path: Path) -> None:
    """The mask was silently not applied: the replica is a plain copy."""
    policy = Policy.from_text(
        "version: 1\ntables: {person: {columns: {id: keep, mail: {mask: hash, length: 20}, born: keep}}, "
        "visit: keep, log: keep, scratch: keep}"
    )
    copied = tmp_path / "raw.db"
    with closing(sqlite3.connect(copied)) as db, db:
        db.executescript(SCRIPT)
    found = failed(verified(shop[0], f"sqlite:///{copied}", policy))
    assert set(found) == {("unchanged", "main.person.mail"), ("residue", "main.person.mail")}


def test_a_database_is_not_compared_with_itself(shop: tuple[str, str, Path]) -> None:
    with pytest.raises(UsageError, match="the same database"):
        verified(shop[0], shop[0])


def test_the_command(
    shop: tuple[str, str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBMASK_KEY", "a key of sixteen characters")
    Path("p.yaml").write_text(
        "version: 1\ntables: {person: {columns: {id: keep, mail: {mask: hash, length: 20}, born: keep}}, '*': skip}\n"
    )
    ends = ["--source", shop[0], "--target", "sqlite:///m.db"]
    assert command(["clone", "p.yaml", *ends, "--quiet"]) == 0
    capsys.readouterr()
    assert command(["certificate", "key"]) == 0
    assert command(["verify", "p.yaml", *ends, "--certificate", "v.json", "--sign-with", "certificate.key"]) == 0
    assert command(["certificate", "verify", "v.html", "--public-key", "certificate.pub"]) == 0
    assert "checks passed." in capsys.readouterr().out
    change(tmp_path / "m.db", "UPDATE person SET mail = 'ann@shop.example' WHERE id = 1")
    assert command(["verify", "p.yaml", *ends, "--quiet", "--format", "json", "--certificate", "v.json"]) == 3
    told = capsys.readouterr()
    assert '"passed": false' in told.out and "verification failed" in told.err and "ann@" not in told.out + told.err
    assert command(["verify", "p.yaml", "--source", shop[0], "--target", "sqlite:///nowhere.db"]) == 1
    assert not Path("nowhere.db").exists()


@pytest.fixture(params=["duckdb", "postgres", "mariadb"])
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, str]]:
    name = f"cmp_{os.getpid()}"
    if request.param == "duckdb":
        with duckdb.connect(str(tmp_path / "s.duckdb")) as db:
            db.execute(SCRIPT)
        yield f"duckdb:///{tmp_path / 's.duckdb'}", f"duckdb:///{tmp_path / 't.duckdb'}"
        return
    if request.param == "postgres":
        server: Postgres = request.getfixturevalue("postgres")
        source = server.create_database(f"{name}_s")
        server.psql(f"{name}_s", SCRIPT)
        yield source, server.url(f"{name}_t")
        server.drop_database(f"{name}_s")
        server.drop_database(f"{name}_t")
        return
    other: MariaDB = request.getfixturevalue("mariadb")
    source = other.create_database(f"{name}_s")
    other.mysql(f"{name}_s", SCRIPT)
    yield source, other.url(f"{name}_t")
    other.drop_database(f"{name}_s")
    other.drop_database(f"{name}_t")


def test_replicas_of_other_databases_pass(pair: tuple[str, str]) -> None:
    clone(POLICY, *pair, keys=example_keys())
    made = verified(*pair)
    assert made.passed, failed(made)
    assert {c.kind for c in made.checks} == {"structure", "rows", "foreign key", "unchanged", "residue"}


def test_constraints_that_are_gone(postgres: Postgres) -> None:
    name = f"cmp_{os.getpid()}_c"
    source = postgres.create_database(f"{name}_s")
    try:
        postgres.psql(f"{name}_s", SCRIPT)
        target = postgres.url(f"{name}_t")
        clone(POLICY, source, target, keys=example_keys())
        drop = "ALTER TABLE visit DROP CONSTRAINT visit_person_id_fkey; ALTER TABLE log DROP CONSTRAINT above"
        postgres.psql(f"{name}_t", f"{drop}; ALTER TABLE log DROP CONSTRAINT log_what_key")
        assert failed(verified(source, target)) == {
            ("structure", "public.visit"): "the foreign key of person_id to public.person is not there",
            (
                "structure",
                "public.log",
            ): "the unique key of what is not there; check constraint above is not there",
        }
    finally:
        postgres.drop_database(f"{name}_s")
        postgres.drop_database(f"{name}_t")


def test_replicas_of_another_kind_pass(postgres: Postgres, tmp_path: Path) -> None:
    name = f"cmp_{os.getpid()}_x"
    source = postgres.create_database(name)
    try:
        postgres.psql(name, SCRIPT)
        for target in (f"sqlite:///{tmp_path / 't.db'}", f"duckdb:///{tmp_path / 't.duckdb'}"):
            clone(POLICY, source, target, keys=example_keys())
            made = verified(source, target)
            assert made.passed, failed(made)
    finally:
        postgres.drop_database(name)


@pytest.mark.parametrize(
    ("mask", "type_", "value"),
    [
        ("permute", "integer", "n"),
        ("{mask: noise, sigma: 5}", "integer", "n"),
        ("imitate", "varchar(20)", "'ab-' || (n + 100000)"),
        ("{mask: imitate, unique: true}", "varchar(20)", "'ab-' || (n + 100000)"),
        ("phone", "varchar(20)", "'+420 601 ' || (n + 100000)"),
        ("{mask: checksum, type: credit_card}", "varchar(20)", "'4111 1111 0' || (n + 100000)"),
    ],
)
def test_a_mask_that_keeps_the_form_is_told_from_none(tmp_path: Path, mask: str, type_: str, value: str) -> None:
    source, target = f"sqlite:///{tmp_path / 's.db'}", f"sqlite:///{tmp_path / 't.db'}"
    rows = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 300)"
    change(
        tmp_path / "s.db",
        f"CREATE TABLE p (id integer PRIMARY KEY, v {type_}); {rows} INSERT INTO p SELECT n, {value} FROM c",
    )
    policy = "version: 1\ntables: {{p: {{columns: {{id: keep, v: {}}}}}}}"
    clone(Policy.from_text(policy.format(mask)), source, target, keys=example_keys())
    assert verified(source, target, Policy.from_text(policy.format(mask))).passed
    clone(Policy.from_text(policy.format("keep")), source, target, keys=example_keys())
    found = failed(verified(source, target, Policy.from_text(policy.format(mask))))
    assert "100.0% of 300 values stayed equal" in found["unchanged", "main.p.v"]
