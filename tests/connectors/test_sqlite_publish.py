"""Publishing SQLite replicas: nothing half-done is ever seen, and nobody else's file is lost."""

from __future__ import annotations

import os
import resource
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.errors import ConnectorError, DbmaskError, UsageError
from dbmask.registry import connector_for
from tests.connectors.copying import copy, plain_query, sqlite_file, sqlite_rows, target_tables
from tests.connectors.sqlite_building import SKIPPED, building, contents, rich_file, target_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rich_file(tmp_path_factory.mktemp("rich"))


def test_a_file_of_somebody_elses_is_not_replaced_unless_told_to(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "b.db"
    sqlite_file(replica, "CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1);")
    with pytest.raises(UsageError, match="was not made by dbmask"):
        copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    assert sqlite_rows(replica, "SELECT * FROM theirs") == [(1,)]
    target_of(replica).check(overwrite=True)
    replica.write_text("no database at all")
    with pytest.raises(UsageError, match="was not made by dbmask"):
        target_of(replica).check(overwrite=False)


def test_empty_files_and_replicas_may_be_replaced(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "b.db"
    replica.touch()
    copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    with closing(sqlite3.connect(replica)) as db:
        db.execute("VACUUM")
        db.execute("PRAGMA optimize")
        db.execute("INSERT INTO audit VALUES ('a', 'b')")
        db.commit()
    copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    assert sqlite_rows(replica, "SELECT count(*) FROM audit") == [(0,)]
    sqlite_file(tmp_path / "c.db", "PRAGMA user_version = 1")
    target_of(tmp_path / "c.db").check(overwrite=False)
    sqlite_file(tmp_path / "d.db", "CREATE TABLE t (x); ANALYZE;")
    with pytest.raises(UsageError):
        target_of(tmp_path / "d.db").check(overwrite=False)


def test_the_source_is_never_the_target(rich: Path, tmp_path: Path) -> None:
    source = tmp_path / "a.db"
    url = sqlite_file(source, "CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    (tmp_path / "soft.db").symlink_to(source)
    os.link(source, tmp_path / "hard.db")
    for name in ("a.db", "soft.db", "hard.db"):
        with closing(connector_for(url).source(url)) as opened, closing(target_of(tmp_path / name)) as target:
            schema = opened.schema()
            (table,) = target_tables(schema)
            target.begin()
            target.create(opened.structure(schema, [table]))
            with opened.snapshot() as reader, pytest.raises(UsageError, match="one file"):
                target.relay(opened, reader, table, plain_query(table), lambda _: None)
    assert sqlite_rows(source, "SELECT * FROM t") == [(1,)]


def test_a_symlink_stays_and_what_it_points_to_is_replaced(rich: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link.db").symlink_to(tmp_path / "real" / "b.db")
    copy(f"sqlite:///{rich}", f"sqlite:///{tmp_path / 'link.db'}", SKIPPED)
    assert (tmp_path / "link.db").is_symlink()
    assert (tmp_path / "real" / "b.db").is_file()


def test_nothing_shows_before_publish_and_abort_leaves_nothing(rich: Path, tmp_path: Path) -> None:
    with building(rich, tmp_path / "b.db") as (target, _):
        assert not (tmp_path / "b.db").exists()
        assert len(list(tmp_path.iterdir())) == 1
        assert stat.S_IMODE(next(tmp_path.iterdir()).stat().st_mode) == 0o700
        target.abort()
        assert list(tmp_path.iterdir()) == []
        target.abort()
        with pytest.raises(ConnectorError, match="nothing is being built"):
            target.publish()
        with pytest.raises(ConnectorError, match="nothing is being built"):
            target.create(None)  # type: ignore[arg-type]


def test_what_a_dead_run_left_is_cleared_and_a_living_one_is_not(rich: Path, tmp_path: Path) -> None:
    dead = tmp_path / ".b.db.dbmask-building-1234-0123abcd"
    dead.mkdir()
    (dead / "replica").write_text("half of a database")
    other = tmp_path / ".b.db.dbmask-building-notes"
    other.mkdir()
    with building(rich, tmp_path / "b.db"):
        living = {p.name for p in tmp_path.iterdir()}
        assert dead.name not in living
        assert len(living) == 2
        with building(rich, tmp_path / "b.db"):
            assert living < {p.name for p in tmp_path.iterdir()}
    assert [p.name for p in tmp_path.iterdir()] == [other.name]


def test_permissions_follow_the_file_that_is_replaced_else_the_umask(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "b.db"
    before = os.umask(0o027)
    try:
        copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    finally:
        os.umask(before)
    assert stat.S_IMODE(replica.stat().st_mode) == 0o640
    replica.chmod(0o604)
    copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    assert stat.S_IMODE(replica.stat().st_mode) == 0o604


KILLED = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA journal_mode = WAL")
db.execute("DELETE FROM shipment")
db.commit()
os._exit(0)
"""


def test_the_log_of_the_old_file_is_not_applied_to_the_new_one(rich: Path, tmp_path: Path) -> None:
    replica = tmp_path / "b.db"
    copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    subprocess.run([sys.executable, "-c", KILLED, str(replica)], check=True)
    assert (tmp_path / "b.db-wal").stat().st_size > 0
    copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    assert [p.name for p in tmp_path.iterdir()] == ["b.db"]
    assert contents(replica, "shipment") == contents(rich, "shipment")


def test_a_replica_in_use_is_not_replaced_under_its_readers_log(
    rich: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replica = tmp_path / "b.db"
    copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
    monkeypatch.setattr("dbmask_connectors._sqlite_target._PATIENCE", 50)
    with closing(sqlite3.connect(replica)) as db:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("DELETE FROM shipment")
        db.commit()
        db.execute("BEGIN")
        db.execute("SELECT * FROM team").fetchall()
        with pytest.raises(ConnectorError, match="is in use"):
            copy(f"sqlite:///{rich}", f"sqlite:///{replica}", SKIPPED)
        assert db.execute("SELECT count(*) FROM shipment").fetchall() == [(0,)]


@pytest.mark.parametrize("name", ["nowhere/b.db", "/proc/b.db", ""])
def test_a_directory_that_cannot_be_written_is_told(tmp_path: Path, name: str) -> None:
    target = target_of(tmp_path / name)
    with pytest.raises(DbmaskError, match=r"does not exist|cannot be written|no file can be made|is a directory"):
        target.begin()
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, signal, sys
from contextlib import closing
from dbmask.errors import ConnectorError
from tests.connectors.copying import copy
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    copy(sys.argv[1], sys.argv[2])
except ConnectorError as error:
    print(error)
    sys.exit(1)
"""


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    assert resource.RLIM_INFINITY in resource.getrlimit(resource.RLIMIT_FSIZE)
    script = """CREATE TABLE t (x); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000)
    INSERT INTO t SELECT hex(randomblob(200)) FROM c;"""
    source = sqlite_file(tmp_path / "a.db", script)
    (tmp_path / "out").mkdir()
    root = Path(__file__).parent.parent.parent
    paths = os.pathsep.join(str(root / p) for p in (".", "sql", "connectors"))
    command = [sys.executable, "-c", FULL, source, f"{kind}:///{tmp_path / 'out' / 'b'}"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "disk" in done.stdout
    assert list((tmp_path / "out").iterdir()) == []


WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("INSERT INTO t VALUES (2)")
db.execute("INSERT INTO u VALUES (2)")
db.commit()
"""


@pytest.mark.parametrize("when", ["before", "between"])
def test_relayed_tables_are_one_snapshot_while_others_write(tmp_path: Path, when: str) -> None:
    source = tmp_path / "a.db"
    script = "PRAGMA journal_mode = WAL; CREATE TABLE t (x); CREATE TABLE u (x); INSERT INTO t VALUES (1); INSERT INTO u VALUES (1);"
    url = sqlite_file(source, script)
    write = [sys.executable, "-c", WRITER, str(source)]
    relayed = []
    with closing(connector_for(url).source(url)) as opened, closing(target_of(tmp_path / "b.db")) as target:
        schema = opened.schema()
        tables = target_tables(schema)
        structure = opened.structure(schema, tables)
        target.begin()
        target.create(structure)
        with opened.snapshot() as reader:
            if when == "before":
                subprocess.run(write, check=True)
            for table in tables:
                count = target.relay(opened, reader, table, plain_query(table), lambda _: None)
                relayed.append(count is not None)
                if count is None:
                    with target.sink(table) as sink:
                        for batch in reader.read(plain_query(table)):
                            sink.write(batch)
                if when == "between":
                    subprocess.run(write, check=True)
            target.finish(structure, lambda _: None)
        target.publish()
    # Where the file was written to after the snapshot began, the relay declines, and the snapshot itself is read.
    assert relayed == [when == "between"] * 2
    for name in ("t", "u"):
        assert sqlite_rows(tmp_path / "b.db", f"SELECT x FROM {name}") == [(1,)]


def test_a_relay_may_follow_a_sink(rich: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{rich}"
    with closing(connector_for(url).source(url)) as opened, closing(target_of(tmp_path / "b.db")) as target:
        schema = opened.schema()
        tables = {t.name.name: t for t in target_tables(schema)}
        target.begin()
        target.create(opened.structure(schema, list(tables.values())))
        with opened.snapshot() as reader:
            with target.sink(tables["audit"]) as sink:
                sink.write([["a"], ["b"]])
            assert target.relay(opened, reader, tables["team"], plain_query(tables["team"]), lambda _: None) == 3
