"""``dbmask rollback`` and ``--keep-previous``."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cli import run

CLONE = ["clone", "p.yaml", "--source", "sqlite:///shop.db", "--target", "sqlite:///masked.db", "--quiet"]
BACK = ["rollback", "sqlite:///masked.db"]


def change(name: str, sql: str) -> None:
    with closing(sqlite3.connect(name)) as db, db:
        db.executescript(sql)


def count() -> int:
    with closing(sqlite3.connect("masked.db")) as db:
        return int(db.execute("SELECT count(*) FROM p").fetchone()[0])


@pytest.fixture(autouse=True)
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBMASK_KEY", "a key of sixteen characters")
    change("shop.db", "CREATE TABLE p (id INTEGER PRIMARY KEY, mail TEXT); INSERT INTO p VALUES (1, 'a@b.example')")
    Path("p.yaml").write_text("version: 1\ntables: {p: {columns: {id: keep, mail: hash}}}\n", "utf-8")


def test_the_previous_replica_serves_again(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(CLONE) == 0
    assert run([*BACK, "--list"]) == 0
    assert "No previous replica is kept" in capsys.readouterr().err
    assert run(BACK) == 2
    assert "no previous replica is kept beside this target" in capsys.readouterr().err
    change("shop.db", "INSERT INTO p VALUES (2, 'c@d.example')")
    assert run(CLONE) == 0
    capsys.readouterr()
    assert run([*BACK, "--list", "--format", "json"]) == 0
    (kept,) = json.loads(capsys.readouterr().out)
    assert run([*BACK, "--list"]) == 0
    assert capsys.readouterr().out == f"{kept['name']}  replaced {kept['replaced']}\n"
    assert count() == 2
    assert run(BACK) == 0
    assert count() == 1 and "serves again" in capsys.readouterr().out
    assert run([*BACK, "--to", "nowhere"]) == 2
    capsys.readouterr()
    assert run([*BACK, "--format", "json"]) == 0
    assert count() == 2 and set(json.loads(capsys.readouterr().out)) == {"restored", "replaced"}


def test_none_is_kept_where_none_is_wanted() -> None:
    for _ in range(2):
        assert run([*CLONE, "--keep-previous", "0"]) == 0
    assert not list(Path.cwd().glob("masked.db.*"))
    assert run([*CLONE, "--keep-previous", "-1"]) == 2
