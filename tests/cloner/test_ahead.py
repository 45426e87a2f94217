"""The search in a process of its own finds what the search in place finds; whatever becomes of the process, somebody searches."""

from __future__ import annotations

import importlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbmask.cloner import Options, ahead, clone, verify_replica
from dbmask.errors import CheckFailed, ConnectorError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask_connectors._sqlite_target import SQLiteTarget
from tests.fix_postgres import Postgres

clone_run = importlib.import_module("dbmask.cloner.run")
SCRIPT = """
CREATE TABLE person (id INTEGER PRIMARY KEY, mail TEXT);
CREATE TABLE other (id INTEGER PRIMARY KEY, x TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO person SELECT i, 'Person' || i || '@shop.example' FROM n;
INSERT INTO other SELECT id, {value} FROM person;
ANALYZE;
"""
POLICY = Policy.from_text("""version: 1
tables:
  person: {columns: {id: keep, mail: {mask: hash, length: 20}}}
  other: keep
""")
CLEAN, LEAK = "'note ' || id", "CASE WHEN id = 77 THEN 'told <' || mail || '>' END"
NAME = f"ahead_{os.getpid()}"
Make = Callable[[str], tuple[str, str]]


@pytest.fixture(params=["sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes a source, whose tables are large enough here; the URLs of both sides."""
    monkeypatch.setattr(ahead, "WORTH", 1)
    if request.param == "sqlite":

        def in_sqlite(value: str) -> tuple[str, str]:
            with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
                db.executescript(SCRIPT.format(value=value))
            return f"sqlite:///{tmp_path / 's.db'}", f"sqlite:///{tmp_path / 't.db'}"

        yield in_sqlite
        return
    server: Postgres = request.getfixturevalue("postgres")

    def in_postgres(value: str) -> tuple[str, str]:
        server.create_database(f"{NAME}_s")
        server.psql(f"{NAME}_s", SCRIPT.format(value=value))
        return server.url(f"{NAME}_s"), server.url(f"{NAME}_t")

    yield in_postgres
    for name in (f"{NAME}_s", f"{NAME}_t"):
        server.drop_database(name)


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes when the search is made in this process."""
    made: list[str] = []
    real = clone_run.search

    def search(*args: Any) -> Any:
        made.append("here")
        return real(*args)

    monkeypatch.setattr(clone_run, "search", search)
    return made


def _residue(checks: Any) -> list[tuple[str, bool, Any]]:
    return [(c.subject, c.passed, c.figures) for c in checks if c.kind == "residue"]


def test_it_gives_what_the_search_in_place_gives(make: Make, here: list[str]) -> None:
    urls = make(CLEAN)
    done = clone(POLICY, *urls, keys=example_keys()).certificate
    assert not here
    again = verify_replica(POLICY, *urls, keys=example_keys())
    assert _residue(done.checks) == _residue(again.checks) != []
    assert done.not_looked_at == again.not_looked_at


def test_it_finds_a_leak(make: Make, here: list[str]) -> None:
    with pytest.raises(CheckFailed, match=r"other\.x \(1 times"):
        clone(POLICY, *make(LEAK), keys=example_keys())
    assert not here


@pytest.mark.parametrize("moves", [False, True])
def test_it_looks_while_indexes_are_made(
    tmp_path: Path, here: list[str], monkeypatch: pytest.MonkeyPatch, moves: bool
) -> None:
    """SQLite's rows stay where they are meanwhile, unless the file vacuums itself: then it looks when all is there."""
    monkeypatch.setattr(ahead, "WORTH", 1)
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.executescript(f"PRAGMA auto_vacuum = {int(moves)};" + SCRIPT.format(value=LEAK))
        db.execute("CREATE INDEX other_x ON other (x)")
    looking: list[bool] = []
    real, finish = ahead.Ahead.look_at_rows, SQLiteTarget.finish

    def begun(self: Any, target: Any) -> None:
        self._witness.join()
        real(self, target)
        looking.append(self._looking)

    def late(self: Any, *args: Any) -> None:
        if not moves:
            assert run_ahead[0]._process.pipe.poll(30)  # it has looked, and nothing is finished yet
        finish(self, *args)

    def note(self: Any, *args: Any) -> None:
        made(self, *args)
        run_ahead.append(self)

    run_ahead: list[Any] = []
    made = ahead.Ahead.__init__
    monkeypatch.setattr(ahead.Ahead, "__init__", note)
    monkeypatch.setattr(ahead.Ahead, "look_at_rows", begun)
    monkeypatch.setattr(SQLiteTarget, "finish", late)
    with pytest.raises(CheckFailed, match=r"other\.x \(1 times"):
        clone(POLICY, f"sqlite:///{tmp_path / 's.db'}", f"sqlite:///{tmp_path / 't.db'}", keys=example_keys())
    assert looking == [not moves]
    assert not here


@pytest.mark.parametrize("when", ["at once", "when rows are there", "when it is to look"])
def test_a_process_that_is_killed_is_done_without(
    make: Make, here: list[str], when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(self: Any, *args: Any) -> None:
        os.kill(self._process.process.pid, signal.SIGKILL)
        self._process.process.join()
        real(self, *args)

    name = {"at once": "begin", "when rows are there": "look_at_rows", "when it is to look": "look"}[when]
    urls = make(LEAK)
    if name == "look_at_rows" and urls[1].startswith("postgresql"):
        name = "look"  # indexes are made under locks that would wait for those who read
    real = getattr(ahead.Ahead, name)
    monkeypatch.setattr(ahead.Ahead, name, killed)
    with pytest.raises(CheckFailed, match=r"other\.x \(1 times"):
        clone(POLICY, *urls, keys=example_keys())
    assert here == ["here"]


def test_small_tables_rates_and_subsets_do_without(
    make: Make, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def started(*_: Any) -> None:
        pytest.fail("a process was started")

    urls = make(CLEAN)
    monkeypatch.setattr(ahead.Ahead, "__init__", started)
    clone(POLICY, *urls, keys=example_keys(), options=Options(max_rate=1e9))
    clone(POLICY, *urls, keys=example_keys(), max_rows=100, overwrite=True)
    monkeypatch.setattr(ahead, "WORTH", 501)
    clone(POLICY, *urls, keys=example_keys(), overwrite=True)
    assert here == ["here"] * 3


def test_no_process_outlives_a_clone_that_fails(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    pids: list[int] = []

    def broken(*_: Any) -> None:
        raise ConnectorError("broken off")

    def note(self: Any, *args: Any) -> None:
        real(self, *args)
        pids.append(self._process.process.pid)

    real = ahead.Ahead.__init__
    monkeypatch.setattr(ahead.Ahead, "__init__", note)
    monkeypatch.setattr(clone_run, "verify_rows", broken)
    with pytest.raises(ConnectorError, match="broken off"):
        clone(POLICY, *make(CLEAN), keys=example_keys())
    assert len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_source_that_was_written_to_is_read_by_its_own_snapshot_alone(
    tmp_path: Path, here: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process would see rows that this clone does not have."""
    monkeypatch.setattr(ahead, "WORTH", 1)
    with closing(sqlite3.connect(tmp_path / "s.db")) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.executescript(SCRIPT.format(value=CLEAN))
    real = ahead.Ahead.begin

    def begin(self: Any, shared: Any, reader: Any) -> None:
        with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
            db.execute("INSERT INTO person VALUES (1000, 'Late@shop.example')")
        real(self, shared, reader)

    monkeypatch.setattr(ahead.Ahead, "begin", begin)
    done = clone(POLICY, f"sqlite:///{tmp_path / 's.db'}", f"sqlite:///{tmp_path / 't.db'}", keys=example_keys())
    assert here == ["here"]
    assert {c.figures["seen"] for c in done.certificate.checks if c.kind == "residue"} == {500}


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """A SIGKILL of the clone leaves no process behind."""
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.executescript(SCRIPT.format(value=CLEAN))
    code = (
        "import os, signal, sys, time\n"
        "from dbmask.cloner import ahead, clone, run\n"
        "from dbmask.masks.build import example_keys\n"
        "from dbmask.policy import Policy\n"
        "ahead.WORTH = 1\n"
        "def stuck(*a):\n"
        "    print(made[0], flush=True)\n"
        "    time.sleep(600)\n"
        "made, real = [], ahead.Ahead.look\n"
        "def look(self, building):\n"
        "    made.append(self._process.process.pid)\n"
        "run.verify_rows, ahead.Ahead.look = stuck, look\n"
        "clone(Policy.from_text(sys.argv[1]), *sys.argv[2:], keys=example_keys())\n"
    )
    urls = [f"sqlite:///{tmp_path / name}" for name in ("s.db", "t.db")]
    text = "version: 1\ntables: {person: {columns: {id: keep, mail: {mask: hash, length: 20}}}, other: keep}"
    with subprocess.Popen([sys.executable, "-c", code, text, *urls], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
        process.wait()
    gone = threading.Event()

    def watch() -> None:
        while Path(f"/proc/{child}").exists():
            time.sleep(0.01)
        gone.set()

    threading.Thread(target=watch, daemon=True).start()
    assert gone.wait(30)
