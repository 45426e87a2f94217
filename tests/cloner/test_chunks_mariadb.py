"""Clones in chunks from MariaDB to MariaDB: several sessions on one moment, the ledger, and going on where a run stopped."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dbmask.cloner.copying import Outcome, copy_chunk
from dbmask.cloner.progress import Quiet
from dbmask.errors import ConnectorError, UsageError
from dbmask.keys import KeyRing, MasterKey
from dbmask.spi import Progress, TargetTable
from dbmask.state import State
from dbmask_connectors._mysql_insert import Inserter
from dbmask_connectors._mysql_target import MySQLTarget
from tests.cloner.crashing import expected, run_clone
from tests.cloner.crashing_mariadb import MariaPlace, MariaWriter, contents, leftovers, make, replica_rows, unmake
from tests.fix_mariadb import MariaDB

NAME = f"mchunks_{os.getpid()}"
ROWS = 900
CLEAN: dict[str, list[Any]] = {"sessions": [], "databases": []}


@pytest.fixture
def place(mariadb: MariaDB, tmp_path: Path) -> Iterator[MariaPlace]:
    made = MariaPlace(mariadb, f"{NAME}_source", f"{NAME}_target", tmp_path)
    make(made, ROWS)
    yield made
    left = leftovers(made)
    unmake(made)
    mariadb.drop_database(f"{NAME}_fresh")
    assert left == CLEAN


def fresh(place: MariaPlace) -> list[Any]:
    """What a clone in one session makes of the source as it is now."""
    run_clone(place, f"{NAME}_fresh", overwrite=True)
    return contents(place, f"{NAME}_fresh")


def test_workers_make_the_same_replica(place: MariaPlace) -> None:
    with MariaWriter(place, 1):
        busy = run_clone(place, state=place.state, moving={"jobs": 3})
    assert (
        busy.certificate.passed and busy.certificate.snapshot
    )  # all readers stood at one position, or keys would break
    done = run_clone(place, state=place.state, moving={"jobs": 2})
    assert replica_rows(place) == expected(place)
    assert contents(place) == fresh(place)
    assert done.certificate.passed
    assert {n.name: c for n, c in done.chunks.items() if c[0] > 1}.keys() >= {"person", "item"}
    assert all(reused == 0 for _, reused in done.chunks.values())
    with State(place.state) as state:
        run, _ = state.runs()
        assert (run.status, run.phase, run.jobs, run.building) == ("done", "", 2, "")
        assert {t.name: t.rows for t in state.tables(run.id)} == {str(n): r for n, r in done.rows.items()}
        assert state.chunks(run.id) == []
    with pytest.raises(UsageError, match="nothing to resume"):
        run_clone(place, state=place.state, resume=True)


CHANGES = """
UPDATE person SET email = 'changed@mail.example' WHERE id = 700;
DELETE FROM item WHERE id = 97 OR id = 970;
UPDATE event SET day = '2021-06-06' WHERE id = 3;
DELETE FROM note WHERE id = 17;
INSERT INTO loose VALUES ('new', 'row');
"""


def _fail(*_: Any) -> None:
    raise ConnectorError("the server went away")


def arm(monkeypatch: pytest.MonkeyPatch, phase: str, after: int = 30) -> None:
    """Make a clone fail as a database would, in a phase of it."""
    calls = itertools.count()

    def copy(*args: Any) -> Outcome:
        if next(calls) >= after:
            _fail()
        return copy_chunk(*args)

    if phase == "rows":
        monkeypatch.setattr("dbmask.cloner.loading.copy_chunk", copy)
    elif phase == "verify":
        monkeypatch.setattr("dbmask.cloner.run._verify", _fail)
    else:
        monkeypatch.setattr(MySQLTarget, phase, _fail)


@pytest.mark.parametrize("phase", ["rows", "finish", "verify", "publish"])
def test_a_run_is_resumed(place: MariaPlace, monkeypatch: pytest.MonkeyPatch, phase: str) -> None:
    run_clone(place)  # the old replica
    old = contents(place)
    place.sql("UPDATE item SET amount = amount + 1 WHERE id = 1")
    arm(monkeypatch, phase)
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(place, state=place.state)
    monkeypatch.undo()
    assert contents(place) == old
    left = leftovers(place)
    assert len(left["databases"]) == 1 and not left["sessions"]
    with State(place.state) as state:
        run = state.runs(1)[0]
        assert (run.status, run.phase) == ("failed", phase)
        written = [c for c in state.chunks(run.id) if c.done]
        assert written and all(bool(c.checksum) == (not c.name.endswith(".loose")) for c in written)
    place.sql(CHANGES)
    done = run_clone(place, state=place.state, resume=True, moving={"jobs": 2} if phase == "finish" else {})
    assert contents(place) == fresh(place) and done.certificate.passed
    reused = {n.name: c for n, c in done.chunks.items()}
    assert sum(r for _, r in reused.values()) > 0 and reused["loose"][1] == 0
    if phase != "rows":
        assert reused["item"][1] == reused["item"][0] - 2 and reused["person"][1] == reused["person"][0] - 1
    with State(place.state) as state:
        assert state.runs(1)[0].status == "done"


def test_a_second_resume_stands_on_the_first(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    for after, change in ((20, "UPDATE person SET name = 'X' WHERE id = 1"), (3, "DELETE FROM item WHERE id = 2000")):
        arm(monkeypatch, "rows", after)
        with pytest.raises(ConnectorError, match="went away"):
            run_clone(place, state=place.state, resume=after == 3)
        monkeypatch.undo()
        place.sql(change)
    arm(monkeypatch, "finish")
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(place, state=place.state, resume=True)
    monkeypatch.undo()
    place.sql("UPDATE note SET body = 'y' WHERE id < 10")
    done = run_clone(place, state=place.state, resume=True, moving={"jobs": 2})
    assert contents(place) == fresh(place)
    reused = {n.name: r for n, (_, r) in done.chunks.items()}
    assert all(reused[name] > 0 for name in ("person", "item", "note"))


def test_what_cannot_be_resumed(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    arm(monkeypatch, "finish")
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(place, state=place.state)
    monkeypatch.undo()
    with pytest.raises(UsageError, match="the masking key is another"):
        run_clone(place, state=place.state, resume=True, keys=KeyRing(MasterKey(b"x" * 32)))
    place.sql("ALTER TABLE note ADD COLUMN more text")
    with pytest.raises(UsageError, match="the source's structure has changed"):
        run_clone(place, state=place.state, resume=True)
    place.sql("ALTER TABLE note DROP COLUMN more")
    for name in leftovers(place)["databases"]:
        place.server.drop_database(name)
    done = run_clone(place, state=place.state, resume=True)  # nothing is left of it: all is read again
    assert contents(place) == fresh(place) and not any(reused for _, reused in done.chunks.values())


class Told(Quiet):
    """Remembers what a clone says."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def phase(self, name: str) -> None:
        """Remember it."""
        self.said.append(name)


@pytest.mark.parametrize("grants", ["SELECT", "SELECT, LOCK TABLES", "SELECT, CREATE TEMPORARY TABLES"])
def test_what_a_user_may_do_decides_on_readers(place: MariaPlace, grants: str) -> None:
    user = f"reader_{os.getpid()}"
    place.server.mysql(
        "", f"CREATE USER {user} IDENTIFIED BY 'pw'; GRANT {grants}, SHOW VIEW, TRIGGER ON {place.source}.* TO {user}"
    )
    try:
        told = Told()
        url = place.server.url(place.source, user, "pw")
        run_clone(place, state=place.state, source_url=url, moving={"jobs": 2}, show=told)
        assert replica_rows(place) == expected(place)
        one = [said for said in told.said if said.startswith("one session reads: ")]
        assert len(one) == ("LOCK TABLES" not in grants)
        assert all("FLUSH TABLES WITH READ LOCK: this user lacks a privilege" in said for said in one)
    finally:
        place.server.mysql("", f"DROP USER {user}")


def test_tables_without_transactions(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.sql("ALTER TABLE loose ENGINE=MyISAM; ALTER TABLE note ENGINE=Aria")
    arm(monkeypatch, "rows", 8)
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(place, state=place.state)
    monkeypatch.undo()
    done = run_clone(place, state=place.state, resume=True)
    assert contents(place) == fresh(place) and done.certificate.passed


def test_masked_keys_stand_or_fall_by_the_table(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    place.sql("CREATE TABLE tagged (tag varchar(64) COLLATE utf8mb4_nopad_bin PRIMARY KEY, what varchar(200))")
    place.sql(
        "INSERT INTO tagged SELECT md5(seq), repeat(md5(seq), 4) FROM seq_1_to_900; CREATE TABLE tagged2 LIKE tagged;"
    )
    place.sql("INSERT INTO tagged2 SELECT * FROM tagged; ANALYZE TABLE tagged, tagged2")
    more = 'tagged: {columns: {tag: {mask: hash}, "*": keep}}\n'
    policy = f"  {more}  {more.replace('tagged', 'tagged2')}"
    monkeypatch.setattr("tests.cloner.crashing.POLICY", _policy() + policy)
    keeping = pytest.MonkeyPatch()
    arm(keeping, "finish")
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(place, state=place.state)
    keeping.undo()
    place.sql("UPDATE tagged SET what = 'x' WHERE tag = md5(5); DELETE FROM tagged WHERE tag = md5(6)")
    done = run_clone(place, state=place.state, resume=True)
    reused = {n.name: c for n, c in done.chunks.items()}
    assert reused["tagged"][1] == 0 < reused["tagged"][0] and reused["tagged2"][1] == reused["tagged2"][0] > 1
    run_clone(place, f"{NAME}_fresh", overwrite=True)
    rows = []
    for name in (place.target, f"{NAME}_fresh"):
        rows.append(place.server.mysql(name, "SELECT * FROM tagged ORDER BY 1; SELECT * FROM tagged2 ORDER BY 1"))
    assert rows[0] == rows[1] and rows[0]


def _policy() -> str:
    from tests.cloner.crashing import POLICY

    return POLICY


def test_ddl_waits_while_a_clone_reads(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    import pymysql

    calls, refused = itertools.count(), []

    def copy(*args: Any) -> Outcome:
        if next(calls) == 4:
            with place.server.connect(place.source) as other, other.cursor() as cursor:
                cursor.execute("SET lock_wait_timeout = 1")
                with pytest.raises(pymysql.err.OperationalError, match="Lock wait timeout"):
                    cursor.execute("TRUNCATE loose")
            refused.append(True)
        return copy_chunk(*args)

    monkeypatch.setattr("dbmask.cloner.loading.copy_chunk", copy)
    assert run_clone(replace(place)).certificate.passed and refused
    assert replica_rows(place) == expected(place)


@pytest.mark.parametrize("quiet", [True, False])
def test_chunks_that_stay_within_the_server(place: MariaPlace, monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    tried: list[int | None] = []
    copied = Inserter.copy

    def copy(self: Inserter, table: TargetTable, progress: Progress, undo: str) -> int | None:
        assert undo == "ROLLBACK TO SAVEPOINT dbmask_rows"
        if not quiet:
            place.sql("INSERT INTO kept SELECT max(a) + 1, 'written meanwhile' FROM kept")
        tried.append(copied(self, table, progress, undo))
        return tried[-1]

    place.sql(
        "CREATE TABLE kept (a int PRIMARY KEY, b text); INSERT INTO kept SELECT seq, md5(seq) FROM seq_1_to_900; ANALYZE TABLE kept"
    )
    monkeypatch.setattr("dbmask_connectors._mysql_target.WORTH_ROWS", 0)
    monkeypatch.setattr(Inserter, "copy", copy)
    monkeypatch.setattr("tests.cloner.crashing.POLICY", _policy() + '  kept: {columns: {"*": keep}}\n')
    done = run_clone(place, state=place.state)
    assert tried == [900 if quiet else None] and done.certificate.passed
    assert place.server.mysql(place.target, "SELECT count(*), max(a) FROM kept") == "900\t900\n"
    (whole,) = [c for n, c in done.chunks.items() if n.name == "kept"]
    assert whole == (1, 0)  # though it is as large as what comes in several chunks
    with State(place.state) as state:
        assert state.runs(1)[0].status == "done"
