"""Cloning from end to end on SQLite: what arrives, what is checked, and that nothing half-done stays."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbmask.cloner import CloneResult, clone
from dbmask.cloner.order import foreign_key_order
from dbmask.errors import CheckFailed, ConnectorError, MaskError, PlanError, UsageError
from dbmask.masks.base import ValueBound
from dbmask.masks.build import example_keys
from dbmask.masks.redact import Redact
from dbmask.planner import RunsIn
from dbmask.policy import Policy
from tests.schemas import INT, column, fk, table

SCRIPT = """
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, mail TEXT, boss INTEGER REFERENCES person (id));
CREATE TABLE visit (id INTEGER PRIMARY KEY, person_id INTEGER NOT NULL REFERENCES person (id), note TEXT);
CREATE TABLE log (what TEXT);
CREATE TABLE scratch (x TEXT);
CREATE INDEX visit_person ON visit (person_id);
CREATE VIEW named AS SELECT v.id, p.name FROM visit v JOIN person p ON p.id = v.person_id;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO person
SELECT i, 'Name ' || i, CASE i % 10 WHEN 0 THEN NULL WHEN 1 THEN '' ELSE 'm' || i || '@x.example' END, nullif(i / 2, 0) FROM n;
INSERT INTO visit SELECT id * 3, id, 'about ' || name FROM person;
INSERT INTO log VALUES ('secret');
"""
POLICY = """version: 1
tables:
  person: {columns: {id: keep, name: redact, mail: {mask: hash, length: 20}}}
  visit: {columns: {id: keep, note: {mask: hash, keyed: false, algo: sha512}}}
  log: empty
  scratch: skip
"""


def database(path: Path, script: str = SCRIPT) -> str:
    with closing(sqlite3.connect(path)) as db, db:
        db.executescript(script)
    return f"sqlite:///{path}"


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as db:
        return db.execute(query).fetchall()


@pytest.fixture
def source(tmp_path: Path) -> str:
    return database(tmp_path / "source.db")


def run(source: str, target: Path, text: str = POLICY, **options: Any) -> CloneResult:
    policy = Policy.from_text(text, "yaml")
    return clone(policy, source, f"sqlite:///{target}", keys=example_keys(), **options)


def test_a_clone_arrives_masked_and_whole(source: str, tmp_path: Path) -> None:
    replica = tmp_path / "replica.db"
    done = run(source, replica, certificate=tmp_path / "c.json")
    assert {str(n): r for n, r in done.rows.items()} == {"main.person": 500, "main.visit": 500}
    names = {r[0] for r in rows(replica, "SELECT name FROM sqlite_master")}
    assert {"person", "visit", "log", "visit_person", "named"} <= names and "scratch" not in names
    assert rows(replica, "SELECT count(*) FROM log") == [(0,)]
    assert rows(replica, "SELECT name, mail FROM person WHERE id IN (10, 11) ORDER BY id") == [
        ("*******", None),
        ("*******", ""),
    ]
    assert rows(replica, "SELECT count(*) FROM named") == [(500,)]
    assert rows(replica, "SELECT count(*) FROM person WHERE mail LIKE '%@%' OR name LIKE 'Name%'") == [(0,)]
    assert {len(r[0]) for r in rows(replica, "SELECT note FROM visit")} == {128}
    assert done.certificate.passed
    facts = json.loads((tmp_path / "c.json").read_text("utf-8"))
    assert facts["passed"] and facts["key_fingerprint"] == example_keys().fingerprint()
    kinds = {(c["kind"], c["subject"]) for c in facts["checks"]}
    assert {("rows", "main.visit"), ("unchanged", "main.person.mail")} <= kinds
    assert any(kind == "foreign key" for kind, _ in kinds)
    text = (tmp_path / "c.json").read_text("utf-8")
    assert "Name 7" not in text and "m7@x" not in text


def test_the_same_value_gives_the_same_answer_in_sql_and_in_python(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_sql, by_python = tmp_path / "a.db", tmp_path / "b.db"
    run(source, by_sql)
    monkeypatch.setattr(ValueBound, "sql", lambda self, exprs, dialect: None)
    done = run(source, by_python)
    assert {c.runs_in for t in done.plan for c in t.columns} == {RunsIn.PYTHON}
    query = "SELECT p.id, name, mail, note FROM person p JOIN visit v ON v.person_id = p.id ORDER BY p.id"
    assert rows(by_sql, query) == rows(by_python, query)


def test_a_plan_with_problems_reads_and_writes_nothing(source: str, tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="is not named in the policy"):
        run(source, tmp_path / "replica.db", "version: 1\ntables: {person: {columns: {id: keep}}}")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source.db"]


def test_source_and_target_must_differ_whatever_they_are_called(source: str, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "source.db")
    for same in (tmp_path / "source.db", link):
        with pytest.raises(UsageError, match="the same database"):
            run(source, same, overwrite=True)


def test_a_target_that_is_not_ours_is_not_overwritten_unasked(source: str, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    database(other, "CREATE TABLE precious (x); INSERT INTO precious VALUES (1)")
    before = other.read_bytes()
    with pytest.raises(UsageError, match="--overwrite"):
        run(source, other)
    assert other.read_bytes() == before
    run(source, other, overwrite=True)
    assert rows(other, "SELECT count(*) FROM person") == [(500,)]
    run(source, other)  # made by dbmask: it may be replaced


def test_a_mistyped_source_makes_no_file(tmp_path: Path) -> None:
    with pytest.raises((ConnectorError, UsageError), match=r"nothing\.db"):
        run(f"sqlite:///{tmp_path / 'nothing.db'}", tmp_path / "replica.db")
    assert list(tmp_path.iterdir()) == []


def test_a_mask_that_is_silently_not_applied_is_found(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbmask.masks.hash import Hash

    real = Hash.bind

    def broken(self: Hash, columns: Any, keys: Any) -> Any:
        bound = real(self, columns, keys)
        object.__setattr__(bound, "expression", lambda value, dialect: value)
        return bound

    monkeypatch.setattr(Hash, "bind", broken)
    with pytest.raises(
        CheckFailed, match=r"main\.person\.mail: 100\.0% of 400 values stayed equal, 0\.0% allowed under hash"
    ):
        run(source, tmp_path / "replica.db")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source.db"]


def test_what_a_mask_without_a_key_leaves_is_told_from_what_it_forgot(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of the names consist of what redact writes itself: they may stay, and the others may not."""
    with closing(sqlite3.connect(tmp_path / "source.db")) as db, db:
        db.execute("UPDATE person SET name = '****' WHERE id <= 250")
    done = run(source, tmp_path / "replica.db")
    (check,) = [c for c in done.certificate.checks if (c.kind, c.subject) == ("unchanged", "main.person.name")]
    assert check.passed and check.figures["equal"] == 250 and check.figures["allowed"] == 0.5
    monkeypatch.setattr(Redact, "_sql", lambda self, value, dialect: value)
    with pytest.raises(
        CheckFailed, match=r"main\.person\.name: 100\.0% of 500 values stayed equal, 50\.0% allowed under redact"
    ):
        run(source, tmp_path / "replica.db")


def test_what_a_trigger_fills_is_filled_from_masked_values(tmp_path: Path) -> None:
    script = """
    CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, words TEXT, loud TEXT GENERATED ALWAYS AS (upper(name)) STORED);
    CREATE TRIGGER fill AFTER INSERT ON person BEGIN UPDATE person SET words = new.name || '!' WHERE id = new.id; END;
    INSERT INTO person (id, name) VALUES (1, 'Ann'), (2, 'Bob');
    """
    text = "version: 1\ntables: {person: {columns: {id: keep, name: {mask: redact, keep_start: 1}, words: recompute, loud: recompute}}}"
    run(database(tmp_path / "source.db", script), tmp_path / "replica.db", text)
    query = "SELECT name, words, loud FROM person ORDER BY id"
    assert rows(tmp_path / "source.db", query) == [("Ann", "Ann!", "ANN"), ("Bob", "Bob!", "BOB")]
    assert rows(tmp_path / "replica.db", query) == [("A**", "A**!", "A**"), ("B**", "B**!", "B**")]


def test_a_mask_that_fails_says_where_and_leaves_nothing(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(self: Redact, value: Any) -> str:
        raise RuntimeError(f"cannot mask {value}")

    monkeypatch.setattr(Redact, "_value", fails)
    monkeypatch.setattr(Redact, "_sql", lambda self, value, dialect: None)
    with pytest.raises(MaskError) as error:
        run(source, tmp_path / "replica.db")
    assert str(error.value) == "main.person.name: redact: a value could not be masked (RuntimeError)"
    assert error.value.__cause__ is None and error.value.__suppress_context__
    assert sorted(p.name for p in tmp_path.iterdir()) == ["source.db"]


def test_rows_that_refer_to_filtered_ones_go_with_them(source: str, tmp_path: Path) -> None:
    text = POLICY.replace("note: {mask: hash, keyed: false, algo: sha512}}}", "note: keep}, where: 'id <= 30'}")
    done = run(source, tmp_path / "few.db", text)
    assert {str(n): r for n, r in done.rows.items()}["main.visit"] == 10
    orphaned = POLICY.replace("length: 20}}}", "length: 20}}, where: 'id <= 250'}")
    done = run(source, tmp_path / "orphans.db", orphaned)
    assert {str(n): r for n, r in done.rows.items()} == {"main.person": 250, "main.visit": 250}
    query = "SELECT count(*) FROM visit v LEFT JOIN person p ON p.id = v.person_id WHERE p.id IS NULL"
    assert rows(tmp_path / "orphans.db", query) == [(0,)]


def test_keep_is_recorded_and_what_comes_later_is_drift(source: str, tmp_path: Path) -> None:
    path = tmp_path / "policy" / "p.yaml"
    path.parent.mkdir()
    path.write_text("version: 1\ntables: {person: keep, visit: keep, log: keep, scratch: skip}\n", "utf-8")
    policy = Policy.load(path)
    elsewhere = replace(policy, path=str(tmp_path / "gone" / "p.yaml"))
    with pytest.raises(UsageError, match=r"dbmask\.lock cannot be written: there is no folder .*check --accept"):
        clone(elsewhere, source, f"sqlite:///{tmp_path / 'r.db'}", keys=example_keys())
    assert not (tmp_path / "r.db").exists()
    clone(policy, source, f"sqlite:///{tmp_path / 'r.db'}", keys=example_keys())
    assert json.loads((path.parent / "dbmask.lock").read_text("utf-8"))["keep"]["p.yaml"]["main.log"] == ["what"]
    database(tmp_path / "source.db", "ALTER TABLE log ADD COLUMN who TEXT")
    with pytest.raises(PlanError, match=r"main\.log\.who: was added after"):
        clone(policy, source, f"sqlite:///{tmp_path / 'r.db'}", keys=example_keys())
    assert "who" not in str(rows(tmp_path / "r.db", "SELECT sql FROM sqlite_master WHERE name = 'log'"))


@pytest.fixture
def big(tmp_path: Path) -> Iterator[str]:
    script = """
CREATE TABLE big (id INTEGER PRIMARY KEY, a TEXT, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400000)
INSERT INTO big SELECT i, hex(randomblob(40)), hex(randomblob(40)) FROM n;
"""
    yield database(tmp_path / "big.db", script)


def start(source: str, target: Path, policy: Path) -> subprocess.Popen[str]:
    command = [
        sys.executable,
        "-m",
        "dbmask",
        "clone",
        str(policy),
        "--source",
        source,
        "--target",
        f"sqlite:///{target}",
    ]
    root = Path(__file__).parent.parent.parent
    paths = os.pathsep.join(str(root / p) for p in (".", "sql", "connectors"))
    environ = {**os.environ, "PYTHONPATH": paths, "DBMASK_KEY": "hex:" + "01" * 32}
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_clone_leaves_no_half_target(big: str, tmp_path: Path, kind: signal.Signals) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text(
        "version: 1\ntables: {big: {columns: {id: keep, a: hash, b: {mask: hash, keyed: false, algo: sha512}}}}\n",
        "utf-8",
    )
    target = tmp_path / "replica.db"
    process = start(big, target, policy)
    deadline = time.monotonic() + 30
    while len(list(tmp_path.iterdir())) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)  # until the building area is there
    time.sleep(0.2)
    process.send_signal(kind)
    _, shown = process.communicate(timeout=30)
    assert process.returncode != 0
    assert not target.exists()
    assert "Traceback" not in shown
    if kind is signal.SIGINT:
        assert "Interrupted" in shown
        assert sorted(p.name for p in tmp_path.iterdir()) == ["big.db", "p.yaml"]
    again = start(big, target, policy)
    _, shown = again.communicate(timeout=120)
    assert again.returncode == 0, shown
    assert sorted(p.name for p in tmp_path.iterdir()) == ["big.db", "p.yaml", "replica.db"]


def test_tables_are_copied_behind_those_that_they_refer_to() -> None:
    a = table("a", column("id", INT), column("b", INT), keys=(fk("b", "b", "id"), fk("b", "a", "id")))
    b = table("b", column("id", INT), column("c", INT), keys=(fk("c", "c", "id"), fk("c", "elsewhere", "id")))
    c = table("c", column("id", INT))
    assert [str(n) for n in foreign_key_order([a, b, c])] == ["public.c", "public.b", "public.a"]
    circle = table("c", column("id", INT), keys=(fk("id", "a", "id"),))
    assert sorted(str(n) for n in foreign_key_order([a, b, circle])) == ["public.a", "public.b", "public.c"]


@pytest.mark.parametrize("where", ["sql", "python"])
def test_of_large_tables_the_same_sample_is_read_on_both_sides(
    source: str, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbmask.cloner.verify.SAMPLE_ROWS", 50)
    if where == "python":
        monkeypatch.setattr("dbmask.cloner.verify.row_sample", lambda *_: None)
    done = run(source, tmp_path / "replica.db")
    check = next(c for c in done.certificate.checks if c.subject == "main.person.name" and c.kind == "unchanged")
    assert check.figures["sampled_1_in"] == 10
    assert check.figures["seen"] == 50  # the same rows, picked in SQL and in Python
    assert check.figures["missing"] == 0 and "over the whole table" in check.found
