"""Ctrl-C within a long statement: it ends, and what it worked on can still be used."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp, parse_one

from dbmask.registry import connector_for
from dbmask.spi import Progress
from dbmask_connectors._interruptible import Interruptible
from tests.connectors.copying import duckdb_file, plain_query, sqlite_file, target_tables

LONG = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000000000) SELECT count(*) AS x FROM n",
    "duckdb": "SELECT count(*) AS x FROM range(1000000000000) AS r(i) WHERE hash(i) % 7 = 3",
}


@contextmanager
def ctrl_c(after: float = 0.3) -> Iterator[None]:
    """Expect the block to be ended by a Ctrl-C, soon after it came."""
    main = threading.main_thread().ident
    assert main is not None
    timer = threading.Timer(after, signal.pthread_kill, (main, signal.SIGINT))
    began = time.monotonic()
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            yield
    finally:
        timer.cancel()
    assert time.monotonic() - began < 20


def source_of(kind: str, folder: Path) -> str:
    if kind == "sqlite":
        return sqlite_file(folder / "a.db", "CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1);")
    return duckdb_file(folder / "a.duckdb", "CREATE TABLE t (x INTEGER); INSERT INTO t VALUES (1);")


def parsed(sql: str, kind: str) -> exp.Expression:
    made = parse_one(sql, read=kind)
    assert isinstance(made, exp.Expression)
    return made


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_reading(tmp_path: Path, kind: str) -> None:
    url = source_of(kind, tmp_path)
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        with ctrl_c():
            list(reader.read(parsed(LONG[kind], kind)))
        assert list(reader.read(parsed("SELECT x FROM t", kind))) == [[[1]]]


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_relaying(tmp_path: Path, kind: str) -> None:
    url = source_of(kind, tmp_path)
    counts: list[int] = []
    progress: Progress = counts.append
    connector = connector_for(url)
    target = connector.target(f"{kind}:///{tmp_path / 'b'}")
    with closing(connector.source(url)) as source, closing(target), source.snapshot() as reader:
        schema = source.schema()
        (table,) = target_tables(schema)
        target.begin()
        target.create(source.structure(schema, [table]))
        with ctrl_c():
            target.relay(source, reader, table, parsed(LONG[kind], kind), progress)
        target.abort()
        target.begin()  # as a second run would
        target.create(source.structure(schema, [table]))
        assert target.relay(source, reader, table, plain_query(table), progress) == 1
    assert counts == [1]
    assert len(list(tmp_path.iterdir())) == 1


def test_calls_give_what_they_give_and_raise_what_they_raise() -> None:
    with closing(Interruptible(lambda: None)) as waiting:
        assert waiting.run(divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            waiting.run(divmod, 7, 0)


class _Statement:
    """Runs until it is stopped while it runs; stopped beforehand it runs all the same, as SQLite's statements do."""

    def __init__(self) -> None:
        self.began, self.stopped, self.calls = threading.Event(), threading.Event(), 0

    def __call__(self) -> None:
        time.sleep(0.1)
        self.began.set()
        assert self.stopped.wait(20)

    def stop(self) -> None:
        self.calls += 1
        if self.began.is_set():
            self.stopped.set()


def test_a_statement_that_is_about_to_begin_is_ended_too() -> None:
    statement = _Statement()
    runner = Interruptible(statement.stop)
    with ctrl_c(0.02):
        runner.run(statement)
    assert statement.calls >= 2
    assert runner.run(int, "7") == 7
    runner.close()


def test_a_signal_that_meets_the_hand_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that was handed over goes on, whatever line of the hand-over the signal met."""
    statement = _Statement()
    runner = Interruptible(statement.stop)
    hand_over = runner._thread.submit

    def interrupted(*arguments: Any) -> None:
        hand_over(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner._thread, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        runner.run(statement)
    monkeypatch.undo()
    assert statement.stopped.is_set() or not statement.began.is_set()
    assert runner.run(int, "7") == 7
    runner.close()
