"""Refreshes of a MariaDB replica: the tables that changed are built beside it and swapped, and no others."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

import pymysql
import pytest

from dbmask.errors import CheckFailed, ConnectorError
from dbmask_connectors._mysql_session import Session
from tests.fix_mariadb import MariaDB
from tests.refresher.swapped import Night, opened

SCHEMA = """
CREATE TABLE person (id int PRIMARY KEY AUTO_INCREMENT, name varchar(80) NOT NULL,
  email varchar(80) COLLATE utf8mb4_nopad_bin UNIQUE, boss int,
  CONSTRAINT boss FOREIGN KEY (boss) REFERENCES person (id));
CREATE TABLE item (id int PRIMARY KEY, person int NOT NULL, label varchar(80), amount decimal(9,2),
  twice decimal(9,2) AS (amount * 2) STORED,
  CONSTRAINT owner FOREIGN KEY (person) REFERENCES person (id) ON DELETE CASCADE);
CREATE TABLE part (id int PRIMARY KEY, item int, note varchar(80),
  CONSTRAINT whole FOREIGN KEY (item) REFERENCES item (id) ON DELETE SET NULL);
CREATE TABLE loose (what varchar(40), who varchar(80));
CREATE TABLE alone (id int PRIMARY KEY, body text);
CREATE VIEW totals AS SELECT person, sum(amount) AS total FROM item GROUP BY person;
CREATE TRIGGER stamped BEFORE INSERT ON part FOR EACH ROW SET NEW.note = concat('t', NEW.note);
INSERT INTO person (id, name, email, boss) SELECT seq, concat('Name ', seq), concat('p', seq, '@mail.example'),
  nullif(seq DIV 10, 0) FROM seq_1_to_40;
INSERT INTO item (id, person, label, amount) SELECT seq, 1 + seq % 40, concat('label ', seq), seq FROM seq_1_to_90;
INSERT INTO part SELECT seq, 1 + seq % 90, concat('note ', seq) FROM seq_1_to_30;
INSERT INTO loose SELECT md5(seq), concat('Who ', seq) FROM seq_1_to_20;
INSERT INTO alone SELECT seq, concat('Body ', seq) FROM seq_1_to_20;
"""
POLICY = """version: 1
tables:
  person: {columns: {id: permute, name: redact, email: hash, "*": keep}}
  item: {columns: {label: redact, "*": keep}}
  part: {columns: {note: redact, "*": keep}}
  loose: {columns: {who: redact, "*": keep}}
  alone: {columns: {body: redact, "*": keep}}
jobs:
  nightly: {source: "env:SWAP_SOURCE", target: "env:SWAP_TARGET", keep_previous: 1}
"""


@pytest.fixture
def night(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    with opened(mariadb, tmp_path, monkeypatch, SCHEMA, POLICY) as made:
        yield made


def test_only_tables_that_changed_are_built(night: Night) -> None:
    assert night.refresh().mode == "clone"
    before = night.storage()
    done = night.refresh()
    assert (done.mode, done.rows_read, done.rows_written) == ("incremental", 0, 0)
    assert night.storage() == before and night.replica() == night.fresh()
    night.sql("UPDATE item SET label = 'Tonight' WHERE id = 3; DELETE FROM item WHERE id = 4")
    done = night.refresh()
    assert (done.mode, done.rows_read) == ("incremental", 89 + 30), done.why  # part's rows followed by SET NULL
    after = night.storage()
    assert {n for n in before if before[n] != after.get(n)} == {"item", "part", "dbmask_replica"}
    assert night.replica() == night.fresh() and night.beside() == []


_DAYS = (
    "UPDATE person SET name = 'W{n}' WHERE id = {one}",
    "INSERT INTO person (name, email, boss) VALUES ('W{n}', 'w{n}@mail.example', {one})",
    "UPDATE person SET boss = {one} WHERE id = {other}",
    "DELETE FROM person WHERE id = {one} AND id NOT IN (SELECT boss FROM (SELECT boss FROM person WHERE boss > 0) b)",
    "UPDATE item SET amount = {n} % 1000 WHERE id BETWEEN {one} AND {other}",
    "INSERT INTO item (id, person, label) SELECT 1000 + {n}, min(id), 'W' FROM person",
    "DELETE FROM item WHERE id % 7 = {n} % 7",
    "UPDATE part SET note = 'W{n}' WHERE id = {one}",
    "UPDATE part SET item = NULL WHERE id = {one}",
    "INSERT INTO loose VALUES ('w{n}', 'w'), ('w{n}', 'w')",
    "DELETE FROM loose LIMIT 1",
    "TRUNCATE loose",
    "UPDATE alone SET id = id + 100, body = 'W{n}' WHERE id = {one}",
    "DELETE FROM alone",
)


def _a_day(night: Night, random: Random) -> list[str]:
    done = []
    with closing(night.server.connect(night.source)) as connection, connection.cursor() as cursor:
        for _ in range(random.randrange(1, 4)):
            sql = random.choice(_DAYS).format(
                n=random.randrange(10**8), one=random.randrange(1, 45), other=random.randrange(1, 45)
            )
            with suppress(pymysql.err.IntegrityError):
                cursor.execute(sql)
                done.append(sql)
    return done


def _mischief(night: Night, random: Random) -> str:
    """What a refresh must see through: other masks, and others who write to the replica."""
    chosen = random.randrange(8)
    if chosen == 0:
        old, new = random.choice([("label: redact", "label: hash"), ("body: redact", "body: hash")])
        old, new = (old, new) if old in night.policy else (new, old)
        night.policy = night.policy.replace(old, new)
        return f"{old} -> {new}"
    if chosen == 1:
        said = random.choice(["UPDATE alone SET body = 'x'", "DELETE FROM loose", "UPDATE item SET label = 'x'"])
        night.sql(said, replica=True)
        return said
    return ""


def test_random_histories_equal_a_fresh_clone(night: Night) -> None:
    random = Random(2)  # noqa: S311 - a history that can be told again
    night.refresh()
    for _ in range(4):
        said = [*_a_day(night, random), _mischief(night, random)]
        done = night.refresh()
        assert done.mode == "incremental" or " -> " in said[-1], (said, done.why)
        assert night.replica() == night.fresh(), said
    assert all("was_" in name for name in night.beside())


def test_a_parent_alone_is_swapped_under_its_children(night: Night) -> None:
    night.refresh()
    before = night.storage()
    night.sql("UPDATE person SET name = 'Tonight' WHERE id = 3")
    assert night.refresh().rows_read == 40
    after = night.storage()
    assert {n for n in before if before[n] != after.get(n)} == {"person", "dbmask_replica"}
    assert night.replica() == night.fresh()
    with pytest.raises(pymysql.err.IntegrityError):
        night.rows("INSERT INTO item (id, person) VALUES (9999, 7777777)", database=night.target)


def test_changes_by_others_are_undone_or_forbidden(night: Night) -> None:
    night.refresh()
    night.sql("UPDATE alone SET body = 'meddled' WHERE id = 1", replica=True)
    night.policy = night.policy.replace("keep_previous: 1", "on_local_change: fail")
    with pytest.raises(CheckFailed, match="alone: somebody else wrote"):
        night.refresh()
    night.policy = night.policy.replace("on_local_change: fail", "keep_previous: 1")
    done = night.refresh()
    assert (done.mode, done.rows_read) == ("incremental", 20) and night.replica() == night.fresh()
    night.sql("ALTER TABLE alone ADD COLUMN more int", replica=True)
    assert night.refresh().mode == "clone" and night.replica() == night.fresh()
    (kept,) = night.beside()
    night.sql("UPDATE alone SET body = 'Tonight, and longer'")
    assert night.refresh().mode == "incremental" and night.beside() == [kept]


class Killed(BaseException):
    """The process is gone."""


def _within(function: str) -> bool:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_name != function:
        frame = frame.f_back
    return frame is not None


def test_a_run_that_dies_within_the_swap_is_made_good(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before statements that write, the first and the last among them; nothing more reaches the server."""
    night.policy = night.policy.replace("keep_previous: 1", "keep_previous: 0")
    night.refresh()
    run = Session.run
    killed = []
    for at in (1, 7, 8, 9, 12, 14):
        night.sql(f"UPDATE person SET name = repeat('n', {at}); UPDATE part SET note = repeat('n', {at})")
        left: list[int] = [at]
        dead: list[str] = []

        def counted(
            self: Session, sql: str, *more: Any, left: list[int] = left, dead: list[str] = dead, **named: Any
        ) -> Any:
            writes = not sql.startswith(("SELECT", "SHOW", "SET", "USE", "INSERT"))
            if writes and _within("_swap"):
                left[0] -= 1
            if dead or left[0] == 0:
                dead.append(sql)
                raise Killed
            return run(self, sql, *more, **named)

        with monkeypatch.context() as patch, suppress(Killed):
            patch.setattr(Session, "run", counted)
            night.refresh()
        killed.append(dead[0].split()[0])
        assert night.refresh().mode == "incremental"
        names = {name for _, name, *_ in night.rows("SELECT * FROM person", database=night.target)}
        assert names == {"*" * at} and night.replica() and night.beside() == [], dead[0]
    assert killed == ["CREATE", "DROP", "RENAME", "CREATE", "ALTER", "ALTER"], killed
    assert night.replica() == night.fresh()


def test_a_swap_that_fails_is_undone_with_its_foreign_keys(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.refresh()
    last, run, failed = night.replica(), Session.run, list[str]()
    night.sql("UPDATE person SET name = 'n'; UPDATE part SET note = 'n'")

    def failing(self: Session, sql: str, *more: Any, **named: Any) -> Any:
        if "ADD CONSTRAINT `whole`" in sql and _within("install"):
            failed.append(sql)
            raise ConnectorError("the server says no")
        return run(self, sql, *more, **named)

    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", failing)
        with pytest.raises(ConnectorError, match="says no"):
            night.refresh()
    assert failed and night.replica() == last and night.beside() == []
    assert night.refresh().mode == "incremental" and night.replica() == night.fresh()
