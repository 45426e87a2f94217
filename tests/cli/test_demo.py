"""``dbmask demo``, within the process: what it makes, shows and leaves."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.cli import run


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DBMASK_KEY", raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    return tmp_path


def test_before_and_after_stand_side_by_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo"]) == 0
    shown = capsys.readouterr().out
    assert "tomas.vesely1@mail.example" in shown
    for mask in ("permute", "email", "phone", "checksum", "date_shift", "text"):
        assert mask in shown
    assert json.loads(Path("demo/certificate.json").read_text("utf-8"))["tables"]
    with closing(sqlite3.connect("demo/shop.db")) as before, closing(sqlite3.connect("demo/shop_masked.db")) as after:
        query = "SELECT count(*) FROM customer"
        assert before.execute(query).fetchall() == after.execute(query).fetchall() == [(60,)]
        raw = {row[0] for row in before.execute("SELECT email FROM customer")}
        assert not raw & {row[0] for row in after.execute("SELECT email FROM customer")}
        assert "Tomáš" not in {row[0] for row in after.execute("SELECT note FROM customer WHERE note IS NOT NULL")}
    assert Path("demo/demo.key").stat().st_mode & 0o777 == 0o600


def test_a_second_run_gives_the_same_answers(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["demo"]) == 0
    first = capsys.readouterr().out
    assert run(["demo"]) == 0
    assert capsys.readouterr().out == first


def test_a_key_of_the_users_is_honoured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBMASK_KEY", "hex:" + "07" * 32)
    assert run(["demo", "--dir", "other"]) == 0
    assert not Path("other/demo.key").exists()


def test_a_folder_that_cannot_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    Path("demo").write_text("in the way", "utf-8")
    assert run(["demo", "--dir", "demo/inner"]) == 2
    assert "name another folder with --dir" in capsys.readouterr().err
