"""``dbmask check``: drift against the lock file, for a scheduled job that holds no key."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cli import run

CHECK = ["check", "p.yaml", "--source", "sqlite:///shop.db"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("DBMASK_KEY", "SHOP_KEY"):
        monkeypatch.delenv(name, raising=False)
    change("CREATE TABLE town (name TEXT); CREATE TABLE person (id INTEGER, name TEXT)")
    Path("p.yaml").write_text(
        "version: 1\nkey: env:SHOP_KEY\ntables: {town: keep, person: {columns: {id: keep, name: hash}}}\n", "utf-8"
    )
    return tmp_path


def change(sql: str) -> None:
    with closing(sqlite3.connect("shop.db")) as db, db:
        db.executescript(sql)


def test_a_new_column_is_drift_until_it_is_accepted(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(CHECK) == 0
    assert "Not recorded yet: main.town (run with --accept, or clone once)" in capsys.readouterr().err
    assert run([*CHECK, "--accept"]) == 0
    assert "dbmask.lock: 1 tables recorded" in capsys.readouterr().err
    change("ALTER TABLE town ADD COLUMN mayor TEXT; ALTER TABLE person ADD COLUMN mail TEXT")
    assert run(CHECK) == 3
    said = capsys.readouterr().err
    assert "main.town.mayor: was added after `keep` was recorded for its table" in said
    assert "main.person.mail: is not named in the policy" in said
    assert run([*CHECK, "--accept"]) == 3
    assert "mayor" not in capsys.readouterr().err.replace("main.person", "")


def test_a_changed_policy_is_mentioned(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CHECK, "--accept"]) == 0
    assert "The policy has changed" not in capsys.readouterr().err
    text = Path("p.yaml").read_text("utf-8")
    Path("p.yaml").write_text(f"# a comment changes nothing\n{text}", "utf-8")
    assert run(CHECK) == 0
    assert "The policy has changed" not in capsys.readouterr().err
    Path("p.yaml").write_text(text.replace("name: hash", "name: redact"), "utf-8")
    assert run(CHECK) == 0
    assert "The policy has changed since dbmask.lock was written" in capsys.readouterr().err


def test_a_broken_lock_file_is_said_to_be_one(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("dbmask.lock").write_text("<<<<<<< HEAD", "utf-8")
    assert run(CHECK) == 2
    assert "dbmask.lock: cannot be read as a lock file" in capsys.readouterr().err
