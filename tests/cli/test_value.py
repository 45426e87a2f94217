"""``dbmask value`` within the process: answers, audit, and what has none."""

from __future__ import annotations

import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cli import run

POLICY = """version: 1
tables:
  person:
    columns:
      id: permute
      name: {mask: redact, keep_start: 1}
      note: {mask: when, if: {column: name, equals: Ann}, then: redact, else: keep}
"""


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBMASK_KEY", "hex:" + "07" * 32)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with closing(sqlite3.connect("s.db")) as db, db:
        db.execute("CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, note TEXT)")
    Path("p.yaml").write_text(POLICY, "utf-8")


def ask(column: str, monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO("Annabel\nBob\n"))
    return run(["value", "p.yaml", column, "--source", "sqlite:///s.db", *more])


def test_answers_and_audit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("person.name", monkeypatch) == 0
    assert capsys.readouterr().out == "A******\nB**\n"
    (line,) = Path("state/dbmask/audit.jsonl").read_text("utf-8").splitlines()
    entry = json.loads(line)
    assert (entry["column"], entry["values"], entry["policy"]) == ("person.name", 2, "p.yaml")
    assert "Annabel" not in line


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("person.note", "a value cannot be masked without its row"),
        ("name", "expected schema.table.column"),
        ("nobody.name", "there is no table main.nobody"),
        ("person.nmae", "has no column 'nmae' (did you mean name?)"),
        ("person..name", "not a name"),
    ],
)
def test_columns_without_an_answer(
    column: str, message: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(column, monkeypatch) == 2
    out = capsys.readouterr()
    assert message in out.err and out.out == ""


def test_no_answer_without_an_audit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("person.name", monkeypatch, "--audit", "p.yaml/audit") == 2
    out = capsys.readouterr()
    assert "cannot be recorded" in out.err and out.out == ""
