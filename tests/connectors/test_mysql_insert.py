"""Rows that stay within one MariaDB server."""

from __future__ import annotations

import time
from contextlib import closing
from typing import Any

import pytest

from dbmask.schema import TableName
from dbmask.spi import Progress, TargetTable
from dbmask_connectors import _mysql_insert, _mysql_target
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_insert import Inserter
from dbmask_connectors._mysql_source import Snapshot
from tests.connectors.mariadb_tools import (
    copy,
    dump_rows,
    everything,
    run,
    select_all,
    source,
    target,
)
from tests.connectors.mysql_replicas import clone, databases
from tests.fix_mariadb import MariaDB

pytestmark = pytest.mark.slow


@pytest.fixture
def inserting(monkeypatch: pytest.MonkeyPatch) -> list[int | None]:
    """Even small tables are worth it; what came of each try."""
    results: list[int | None] = []
    copied = Inserter.copy

    def noted(self: Inserter, table: TargetTable, progress: Progress, undo: str) -> int | None:
        results.append(copied(self, table, progress, undo))
        return results[-1]

    monkeypatch.setattr(_mysql_target, "WORTH_ROWS", 0)
    monkeypatch.setattr(Inserter, "copy", noted)
    return results


def test_a_kept_table_stays_within_the_server(
    mariadb: MariaDB, maria_linked: str, maria_replica: str, inserting: list[int | None]
) -> None:
    seen: list[int] = []
    result = clone(mariadb, maria_linked, maria_replica, progress=seen.append)
    assert result.rows == {"c": 3, "p": 3}
    assert inserting == [3, 3]
    assert sum(seen) == 6
    for name in ("c", "p"):
        assert dump_rows(mariadb, maria_replica, TableName(maria_replica, name)) == dump_rows(
            mariadb, maria_linked, TableName(maria_linked, name)
        )


def test_rows_written_after_the_snapshot_do_not_come(
    mariadb: MariaDB, maria_linked: str, maria_replica: str, inserting: list[int | None]
) -> None:
    """INSERT ... SELECT sees them; the proof finds out, and the rows come from the snapshot after all."""
    with closing(source(mariadb, maria_linked)) as opened, closing(target(mariadb, maria_replica)) as made:
        schema = opened.schema()
        tables = everything(schema)
        structure = opened.structure(schema, tables)
        made.begin()
        made.create(structure)
        with opened.snapshot() as reader:
            assert isinstance(reader, Snapshot)
            run(
                mariadb,
                maria_linked,
                "INSERT INTO p VALUES (50, 'late', 'x')",
                "INSERT INTO c VALUES (50, 50)",
                "UPDATE p SET v = 'changed' WHERE id = 1",
            )
            seen: list[int] = []
            for table in tables:
                assert made.relay(opened, reader, table, select_all(table), seen.append) == 3
            assert sum(seen) == 6
            assert inserting == [None, None]
        made.finish(structure, lambda text: None)
        assert set(made.check_foreign_keys(structure).values()) == {0}
        made.publish()
    assert run(mariadb, maria_replica, "SELECT id, v FROM p ORDER BY id") == [(1, "one"), (2, "two"), (9, "")]


@pytest.mark.usefixtures("inserting")
def test_a_target_user_who_may_not_read_the_source_gets_its_rows_anyway(
    mariadb: MariaDB, maria_linked: str, maria_replica: str
) -> None:
    name = f"w_{maria_replica}"[:60]
    run(
        mariadb,
        None,
        f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'pw'",
        f"GRANT ALL ON `{maria_replica}%`.* TO {name}@'127.0.0.1'",
    )
    try:
        url = f"mysql://{name}:pw@127.0.0.1:{mariadb.port}/{maria_replica}"
        made = _mysql_target.MySQLTarget(Address.parse(url))
        with closing(source(mariadb, maria_linked)) as opened, closing(made):
            made.check(False)
            result = copy(opened, made, everything(opened.schema()))
        assert result.rows == {"c": 3, "p": 3}
    finally:
        run(mariadb, None, f"DROP USER {name}@'127.0.0.1'")


@pytest.mark.usefixtures("inserting")
def test_a_log_of_statements_takes_no_insert(
    mariadb: MariaDB, maria_linked: str, maria_replica: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mysql_insert, "leaves_statement_log", lambda session: False)
    monkeypatch.setattr(Inserter, "_run", lambda *args: pytest.fail("it was inserted"))
    assert clone(mariadb, maria_linked, maria_replica).rows == {"c": 3, "p": 3}


@pytest.mark.usefixtures("inserting")
def test_ctrl_c_ends_what_runs_on_the_server(
    mariadb: MariaDB, maria_linked: str, maria_replica: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(mariadb, maria_linked, "INSERT INTO p SELECT seq, repeat('x', 20), repeat('y', 20) FROM seq_100_to_200000")

    def interrupted(self: Inserter, *args: Any) -> int:
        time.sleep(0.2)
        raise KeyboardInterrupt

    monkeypatch.setattr(Inserter, "_watched", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clone(mariadb, maria_linked, maria_replica)
    rows = run(mariadb, None, "SELECT info FROM information_schema.processlist WHERE info LIKE 'INSERT INTO `p`%'")
    assert rows == []
    assert databases(mariadb, maria_replica) == []
