"""``dbmask preview``: masked rows, as a clone would hold them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cli import run

POLICY = """version: 1
tables:
  person: {columns: {id: keep, name: {mask: redact, keep_start: 1}, mail: {mask: imitate}}}
  town: empty
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBMASK_KEY", "hex:" + "07" * 32)
    with closing(sqlite3.connect("s.db")) as db, db:
        db.executescript(
            "CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, mail TEXT); CREATE TABLE town (name TEXT);"
            "INSERT INTO person VALUES (1, 'Annabel', 'ann@mail.example'), (2, 'Bob', NULL), (3, 'Cyril', 'c@mail.example');"
        )
    Path("p.yaml").write_text(POLICY, "utf-8")


ARGS = ["preview", "p.yaml", "--source", "sqlite:///s.db", "--table"]


def test_rows_are_those_of_a_clone(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ARGS, "person", "--rows", "2", "--format", "json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert run(["clone", "p.yaml", "--source", "sqlite:///s.db", "--target", "sqlite:///t.db", "--quiet"]) == 0
    capsys.readouterr()
    with closing(sqlite3.connect("t.db")) as db:
        rows = db.execute("SELECT id, name, mail FROM person ORDER BY id LIMIT 2").fetchall()
    assert [tuple(row.values()) for row in shown] == rows
    assert run([*ARGS, "main.person"]) == 0
    text = capsys.readouterr().out
    assert "A******" in text and "Annabel" not in text and "ann@mail" not in text


def test_narrow_terminals_get_blocks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "24")
    assert run([*ARGS, "person", "--rows", "1"]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()][:2] == [["id", "1"], ["name", "A******"]]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("persn", "there is no table main.persn (did you mean main.person?)"),
        ("town", "main.town is empty in the policy: it has no rows in a replica"),
        ("a..b", "not a name"),
    ],
)
def test_tables_that_cannot_be_shown(table: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*ARGS, table]) == 2
    assert message in capsys.readouterr().err
