"""What makes a MariaDB refresh a full clone, and what becomes of first clones that are killed."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from dbmask.errors import ConnectorError
from dbmask_connectors._mysql_session import Session
from tests.fix_mariadb import MariaDB
from tests.refresher.swapped import Night, opened

SCHEMA = """
CREATE TABLE Person (id int PRIMARY KEY, name varchar(80), bare varchar(80));
CREATE TABLE item (id int PRIMARY KEY, person int, label varchar(80), FOREIGN KEY (person) REFERENCES Person (id));
INSERT INTO Person SELECT seq, concat('Name ', seq), concat('NAME ', seq) FROM seq_1_to_300;
INSERT INTO item SELECT seq, 1 + seq % 300, concat('rawlabel ', seq) FROM seq_1_to_300;
"""
POLICY = """version: 1
tables:
  Person: {columns: {id: keep, name: redact, bare: redact}}
  item: {columns: {label: redact, "*": keep}}
jobs:
  nightly: {source: "env:SWAP_SOURCE", target: "env:SWAP_TARGET", keep_previous: 0}
"""


@pytest.fixture
def night(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    with opened(mariadb, tmp_path, monkeypatch, SCHEMA, POLICY) as made:
        yield made


def _folding(self: Session, name: str, variable: Any = Session.variable) -> Any:
    frame = inspect.currentframe()
    asked = frame is not None and frame.f_back is not None and frame.f_back.f_code.co_name == "why_whole"
    return 1 if asked and name == "lower_case_table_names" else variable(self, name)


def test_what_no_rename_of_single_tables_carries(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.sql("CREATE SEQUENCE numbers")
    night.refresh()
    assert night.refresh().why == "sequences follow the rows of all tables"
    night.sql("DROP SEQUENCE numbers")
    night.sql("CREATE TRIGGER baring BEFORE INSERT ON Person FOR EACH ROW SET NEW.bare = upper(NEW.name)")
    night.policy = night.policy.replace("bare: redact", "bare: recompute")
    whys = ["the structure of source or replica has changed", "triggers that fill columns may read other tables"]
    assert [night.refresh().why for _ in whys] == whys
    with monkeypatch.context() as patch:
        patch.setattr(Session, "variable", _folding)
        done = night.refresh()
    assert (done.mode, done.why) == ("clone", "the target's server folds the names of tables")
    assert night.replica() == night.fresh()


def _killed(night: Night) -> None:
    killed = night.start()
    assert killed.stderr is not None
    assert any(line.startswith("indexes") for line in killed.stderr)
    killed.kill()
    killed.communicate()


def test_runs_that_were_killed_are_made_good(night: Night) -> None:
    _killed(night)
    night.sql("UPDATE item SET label = 'After the fall' WHERE id = 3")
    done = night.refresh()
    assert done.mode == "clone" and night.beside() == []
    assert sum(row.chunks_reused for row in done.tables.values()) == 1, "the table that nobody wrote to stands"
    last = night.replica()
    night.sql("UPDATE item SET label = 'After the fall, too' WHERE id = 4")
    _killed(night)
    assert night.replica() in (last, fresh := night.fresh())
    assert night.refresh().mode == "incremental" and night.replica() == fresh and night.beside() == []


def test_nobody_writes_to_a_replica_whose_rows_go_on(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.refresh()
    night.sql("UPDATE item SET label = 'new' WHERE id = 3")
    tried: list[str] = []
    run = Session.run

    def meddling(self: Session, sql: str, *more: Any, **named: Any) -> Any:
        if not tried and "dbmask_chunks" in sql:
            read = night.rows("SELECT count(*) FROM item", database=night.target)
            try:
                night.rows("SET STATEMENT lock_wait_timeout=0 FOR DELETE FROM item", database=night.target)
            except pymysql.err.OperationalError as error:
                tried.append(f"{read} {error.args[0]}")
        return run(self, sql, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", meddling)
        night.refresh()
    assert tried == ["[(300,)] 1205"]
    assert night.replica() == night.fresh()
    monkeypatch.setattr("dbmask_connectors._mysql_carry.PATIENCE", 0)
    with night.server.connect(night.target, autocommit=False) as writer, writer.cursor() as cursor:
        cursor.execute("UPDATE item SET label = 'not yet' WHERE id = 5")
        with pytest.raises(ConnectorError, match="keeping the replica as it is"):
            night.refresh()


def test_a_lock_that_was_lost_ends_the_run(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.refresh()
    last = night.replica()
    night.sql("UPDATE item SET label = 'new' WHERE id = 3")
    run, holding = Session.run, list[int]()

    def ending(self: Session, sql: str, *more: Any, **named: Any) -> Any:
        if sql.startswith("LOCK TABLES"):
            holding.append(self.thread)
        if "dbmask_chunks" in sql and holding:
            night.rows(f"KILL CONNECTION {holding.pop()}")
        return run(self, sql, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", ending)
        with pytest.raises(ConnectorError, match="keeping the replica as it is"):
            night.refresh()
    assert night.replica() == last and night.beside() == []
    assert night.refresh().mode == "incremental" and night.replica() == night.fresh()


_RAW = """
CREATE TABLE keyed (id varchar(20) PRIMARY KEY, name varchar(20));
CREATE TABLE marked (id varchar(20) PRIMARY KEY, name varchar(20), seen varchar(20));
INSERT INTO keyed SELECT concat('rawkey-', 100 + seq), 'x' FROM seq_1_to_40;
INSERT INTO marked SELECT concat('rawkey-', 100 + seq), 'x', concat('rawmark-', 100 + seq) FROM seq_1_to_40;
"""
_HIDING = """version: 1
tables:
  keyed: {columns: {name: redact, "*": keep}}
  marked: {columns: {name: redact, "*": keep}}
jobs:
  nightly:
    source: "env:SWAP_SOURCE"
    target: "env:SWAP_TARGET"
    keep_previous: 0
    tables: {marked: {mode: watermark, column: seen}}
"""


def test_raw_keys_reach_no_log_of_the_server_and_no_file(
    mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dbmask.refresher.rebuild.PART_ROWS", 5)
    with opened(mariadb, tmp_path, monkeypatch, _RAW, _HIDING) as night:
        night.refresh()
        night.sql("UPDATE keyed SET name = 'new' WHERE id LIKE '%7'; DELETE FROM marked WHERE id LIKE '%7'")
        with mariadb.logged():
            start = mariadb.general_log.stat().st_size
            done = night.refresh()
        assert [(row.mode, row.rows_read, row.rows_gone) for row in done.tables.values()] == [
            ("diff", 20, 0),
            ("watermark", 1, 4),
        ]
        with mariadb.general_log.open("rb") as log:
            log.seek(start)
            said = log.read()
        kept = b"".join(path.read_bytes() for path in tmp_path.glob("state.db*"))
        assert b"dbmask_bounds" in said and b"dbmask_all_keys" in said
        assert not any(raw in said or raw in kept for raw in (b"rawkey-", b"rawmark-"))
        assert night.replica() == night.fresh()
