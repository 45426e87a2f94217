"""Reading SQLite: snapshots, keys, hostile files and values."""

from __future__ import annotations

import hashlib
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp, parse_one

from dbmask.errors import ConnectorError, UsageError
from dbmask.masks.build import example_keys
from dbmask.registry import connector_for
from dbmask_sql.dialects import column, dialect
from dbmask_sql.keyref import key_ref
from tests.connectors.copying import sqlite_file


def read(url: str, sql: str, batch_rows: int = 10_000) -> list[Any]:
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        query = parse_one(sql, read="sqlite")
        assert isinstance(query, exp.Expression)
        return list(reader.read(query, batch_rows))


def test_a_mistyped_path_is_an_error_and_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match=r"there is no file .*nope\.db"):
        connector_for("sqlite://").source(f"sqlite:///{tmp_path / 'nope.db'}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x.db?mode=ro",
        "sqlite:///x.db?cache=shared",
        "sqlite://host/x.db",
        "sqlite:///x.db?a=1",
    ],
)
def test_urls_that_name_no_file_are_refused(url: str) -> None:
    with pytest.raises(UsageError):
        connector_for("sqlite://").source(url)


def test_a_directory_and_a_text_file_are_no_databases(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match="is not a file"):
        connector_for("sqlite://").source(f"sqlite:///{tmp_path}")
    (tmp_path / "x.db").write_text("id,name\n1,secret\n" * 100)
    with pytest.raises(ConnectorError, match="not a SQLite database") as error:
        connector_for("sqlite://").source(f"sqlite:///{tmp_path / 'x.db'}")
    assert "secret" not in str(error.value)
    assert error.value.__cause__ is None


def test_relative_and_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = sqlite_file(tmp_path / "a b#c.db", "CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    assert read(url, "SELECT x FROM t") == [[[1]]]
    monkeypatch.chdir(tmp_path)
    assert read("sqlite:///a%20b#c.db", "SELECT x FROM t") == [[[1]]]


def test_identity_is_the_same_through_every_link(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "a.db", "CREATE TABLE t (x)")
    (tmp_path / "soft.db").symlink_to(tmp_path / "a.db")
    os.link(tmp_path / "a.db", tmp_path / "hard.db")
    names = ["a.db", "soft.db", "hard.db"]
    connector = connector_for(url)
    assert len({connector.target(f"sqlite:///{tmp_path / n}").identity() for n in names}) == 1
    with closing(connector.source(url)) as source:
        assert source.identity() == connector.target(url).identity() != ""
    assert connector.target(f"sqlite:///{tmp_path / 'other.db'}").identity() == ""


def test_batches_are_columns(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "a.db", "CREATE TABLE t (x, y); INSERT INTO t VALUES (1, 'a'), (2, NULL), (3, x'00');")
    assert read(url, "SELECT x, y FROM t", 2) == [[[1, 2], ["a", None]], [[3], [b"\0"]]]
    assert read(url, "SELECT x FROM t WHERE x > 5") == []


def test_text_that_is_no_utf8_keeps_its_bytes(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "a.db", "CREATE TABLE t (x TEXT); INSERT INTO t VALUES (CAST(x'61ff62' AS TEXT));")
    (value,) = read(url, "SELECT x FROM t")[0][0]
    assert value == "a\udcffb"
    assert value.encode("utf-8", "surrogateescape") == b"a\xffb"


def test_keyed_functions_equal_python(tmp_path: Path) -> None:
    url = sqlite_file(
        tmp_path / "a.db",
        "CREATE TABLE t (x); INSERT INTO t VALUES ('žluť'), (''), (NULL), (12), (CAST(x'61ff62' AS TEXT)), ('a' || char(0) || 'b');",
    )
    key = example_keys().column("hash")
    prf = dialect("sqlite").prf_hex(exp.cast(column("x"), "TEXT"), key.name)
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        reader.use_keys({key.name: key.pads})
        (batch,) = reader.read(exp.select(prf).from_("t"))
    values = ["žluť".encode(), b"", None, b"12", b"a\xffb", b"a\0b"]
    assert batch == [[None if v is None else key.prf(v).hex() for v in values]]


def test_keyed_functions_in_a_utf16_database(tmp_path: Path) -> None:
    script = "PRAGMA encoding = 'UTF-16be'; CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('žluť'), ('😀');"
    url = sqlite_file(tmp_path / "a.db", script)
    key = example_keys().column("hash")
    d = dialect("sqlite")
    query = exp.select(d.prf_hex(column("x"), key.name), d.sha256_hex(d.utf8(column("x")))).from_("t")
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        reader.use_keys({key.name: key.pads})
        (batch,) = reader.read(query)
    texts = ["žluť".encode(), "😀".encode()]
    assert batch == [[key.prf(t).hex() for t in texts], [hashlib.sha256(t).hexdigest() for t in texts]]


def test_a_key_that_was_not_given_is_an_error(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "a.db", "CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('secret');")
    query = exp.select(dialect("sqlite").prf_hex(column("x"), "unknown")).from_("t")
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        with pytest.raises(ConnectorError, match="raised exception") as error:
            list(reader.read(query))
        assert "secret" not in str(error.value)
        with pytest.raises(ConnectorError, match="by its name"):
            list(reader.read(exp.select(key_ref("k", "inner"))))


def test_errors_do_not_quote_values(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "a.db", "CREATE TABLE t (x TEXT); INSERT INTO t VALUES ('secret');")
    with pytest.raises(ConnectorError, match="SQLite refused the statement") as error:
        read(url, "SELECT json_extract(x, '$.a') FROM t")
    assert "secret" not in str(error.value)
    with pytest.raises(ConnectorError, match="no such table: nope"):
        read(url, "SELECT 1 FROM nope")


def test_a_source_cannot_be_written(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "a.db", "CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    with pytest.raises(ConnectorError, match="readonly"):
        read(url, "DELETE FROM t")


WRITER = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=0.1)
db.execute("INSERT INTO t VALUES (2)")
db.commit()
"""


@pytest.mark.parametrize("mode", ["wal", "delete"])
def test_a_snapshot_does_not_see_what_others_write(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.db"
    url = sqlite_file(path, f"PRAGMA journal_mode = {mode}; CREATE TABLE t (x); INSERT INTO t VALUES (1);")
    query = exp.select("x").from_("t")
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        done = subprocess.run([sys.executable, "-c", WRITER, str(path)], check=False, capture_output=True)
        assert (done.returncode == 0) is (mode == "wal")
        assert list(reader.read(query)) == [[[1]]]
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        assert list(reader.read(query)) == [[[1, 2] if mode == "wal" else [1]]]


def test_rows_that_are_in_the_wal_only_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    url = sqlite_file(path, "PRAGMA journal_mode = WAL; CREATE TABLE t (x);")
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("PRAGMA wal_autocheckpoint = 0")
        db.execute("INSERT INTO t VALUES (7)")
        db.commit()
        assert (tmp_path / "a.db-wal").stat().st_size > 0
        assert read(url, "SELECT x FROM t") == [[[7]]]


def test_a_file_on_a_read_only_medium_needs_no_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = sqlite_file(tmp_path / "a.db", "PRAGMA journal_mode = WAL; CREATE TABLE t (x); INSERT INTO t VALUES (1);")

    class Medium:
        f_flag = os.ST_RDONLY

    monkeypatch.setattr(os, "statvfs", lambda _: Medium)
    assert read(url, "SELECT x FROM t") == [[[1]]]
    assert [p.name for p in tmp_path.iterdir()] == ["a.db"]  # no -shm, which could not be made there


def test_a_closed_source_opens_again_and_closes_twice(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "a.db", "CREATE TABLE t (x)")
    source = connector_for(url).source(url)
    source.close()
    source.close()
    assert len(source.schema().tables) == 1
    assert source.privileges([]) == {}
    source.close()


def test_position_tells_the_file_without_its_content(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "a.db", "CREATE TABLE t (x)")
    with closing(connector_for(url).source(url)) as source, source.snapshot() as reader:
        assert reader.position.startswith("2 pages, file changed 2")
