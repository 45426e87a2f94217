"""What commands share."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from dbmask.cli import run

POLICY = "version: 1\ntables: {t: {columns: {id: keep}}}\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    with contextlib.closing(sqlite3.connect(tmp_path / "s.db")) as db:
        db.execute("CREATE TABLE t (id integer PRIMARY KEY)")
    (tmp_path / "p.yaml").write_text(POLICY)
    return tmp_path


def test_a_url_may_stand_elsewhere(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a variable or a file, so that it is in no list of processes."""
    monkeypatch.setenv("A_SOURCE", f"sqlite:///{shop / 's.db'}")
    (shop / "url").write_text(f"sqlite:///{shop / 't.db'}\n")
    words = ["clone", str(shop / "p.yaml"), "--source", "env:A_SOURCE", "--target", f"file:{shop / 'url'}"]
    state = ["--state", f"sqlite:///{shop / 'state.db'}"]
    assert run([*words, *state, "--key-file", _key(shop)]) == 0
    assert (shop / "t.db").exists()


@pytest.mark.parametrize(
    ("url", "says"),
    [("env:NOT_SET_HERE", "NOT_SET_HERE is not set"), ("file:/nowhere/url", "No such file")],
    ids=["no variable", "no file"],
)
def test_a_url_that_is_not_there_is_wrong_usage(
    shop: Path, capsys: pytest.CaptureFixture[str], url: str, says: str
) -> None:
    """And says which."""
    assert run(["plan", str(shop / "p.yaml"), "--source", url]) == 2
    told = capsys.readouterr().err
    assert "--source" in told and says in told


def _key(folder: Path) -> str:
    (folder / "key").write_text("0123456789abcdef0123")
    return str(folder / "key")
