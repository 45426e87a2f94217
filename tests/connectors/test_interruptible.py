"""Ctrl-C within a long statement: it ends, and what it worked on can still be used."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

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
