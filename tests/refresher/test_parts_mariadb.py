"""Refreshes of a MariaDB replica's tables in parts: what did not change goes on within the server, the rest is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_mariadb import MariaDB
from tests.refresher.swapped import Night, opened

_COLUMNS = """name varchar(80), email varchar(80) COLLATE utf8mb4_nopad_bin UNIQUE, body longtext, amount decimal(9,2),
  twice decimal(9,2) AS (amount * 2) STORED, at timestamp NOT NULL DEFAULT current_timestamp ON UPDATE current_timestamp"""
_ROWS = """concat('Name ', seq), concat('p', seq, '@mail.example'), concat('It''s \\\\', seq, '\\n"'), seq,
  '2024-01-01' + INTERVAL seq HOUR FROM seq_1_to_100"""
_LISTED = "name, email, body, amount, at"
_MASKS = '{name: redact, email: hash, body: hash, "*": keep}'

# What happened by day, how many of the ten parts are read, how many rows.
_KINDS: dict[str, tuple[str, int, int]] = {
    "idle": ("", 0, 0),
    "first_inserted": (
        "INSERT INTO {t} (id, name) VALUES (-5, 'new'), (-4, 'new'); UPDATE {t} SET body = NULL WHERE id BETWEEN 50 AND 51;"
        "DELETE FROM {t} WHERE id = 100",
        4,
        12 + 20 + 9,
    ),
    "first_updated": (
        "UPDATE {t} SET name = 'new' WHERE id = 1; DELETE FROM {t} WHERE id BETWEEN 41 AND 55; INSERT INTO {t} (name) VALUES ('new')",
        4,
        10 + 5 + 11,
    ),
    "first_deleted": (
        "DELETE FROM {t} WHERE id = 1; INSERT INTO {t} (id, name) VALUES (55, 'new'); UPDATE {t} SET amount = -1 WHERE id = 100",
        3,
        9 + 11 + 9,
    ),
    "apart": ("UPDATE {t} SET amount = -1 WHERE id IN (5, 35, 36, 95)", 3, 30),
    "key_changed": ("UPDATE {t} SET id = 200 WHERE id = 15", 2, 20),
    "swapped": (
        "UPDATE {t} SET email = NULL WHERE id = 3; UPDATE {t} SET email = 'p3@mail.example' WHERE id = 73;"
        "UPDATE {t} SET email = 'p73@mail.example' WHERE id = 3",
        2,
        20,
    ),
    "all_deleted": ("DELETE FROM {t}", 10, 0),
    "all_changed": ("UPDATE {t} SET amount = amount + 1", 10, 100),
}
_OTHERS = {
    "from_empty": "CREATE TABLE from_empty (id int PRIMARY KEY, name varchar(20))",
    "by_text": "CREATE TABLE by_text (id varchar(20) COLLATE utf8mb4_uca1400_ai_ci PRIMARY KEY, name varchar(20))",
    "by_day": "CREATE TABLE by_day (id date, n int, name varchar(20), PRIMARY KEY (id, n))",
    "by_bytes": "CREATE TABLE by_bytes (id varbinary(20) PRIMARY KEY, name varchar(20))",
    "by_float": "CREATE TABLE by_float (id double PRIMARY KEY, name varchar(20))",
    "permuted": "CREATE TABLE permuted (id int PRIMARY KEY, name varchar(20))",
    "keyless": "CREATE TABLE keyless (id int, name varchar(20))",
    "in_python": "CREATE TABLE in_python (id int PRIMARY KEY, name varchar(200))",
}
SCHEMA = (
    "\n".join(
        f"CREATE TABLE {name} (id int PRIMARY KEY AUTO_INCREMENT, {_COLUMNS});\n"
        f"INSERT INTO {name} (id, {_LISTED}) SELECT seq, {_ROWS};"
        for name in _KINDS
    )
    + "\n".join(f"{sql};" for sql in _OTHERS.values())
    + """
DELETE FROM first_deleted WHERE id = 55;
INSERT INTO by_text SELECT concat(elt(1 + seq % 4, 'Ä', 'a', '\\\\''', 'B\\n'), seq), 'x' FROM seq_1_to_100;
INSERT INTO by_day SELECT '2024-01-01' + INTERVAL (seq DIV 4) DAY, seq, 'x' FROM seq_1_to_100;
INSERT INTO by_bytes SELECT unhex(md5(seq)), 'x' FROM seq_1_to_100;
INSERT INTO by_float SELECT seq / 7, 'x' FROM seq_1_to_100;
INSERT INTO permuted SELECT seq, 'x' FROM seq_1_to_100;
INSERT INTO keyless SELECT seq, 'x' FROM seq_1_to_100;
INSERT INTO in_python SELECT seq, 'x' FROM seq_1_to_100;
"""
)
_BY_DAY = """
INSERT INTO from_empty VALUES (1, 'x'), (2, 'y');
UPDATE by_text SET name = 'new' WHERE id = 'a1';
UPDATE by_day SET name = 'new' WHERE n = 50;
UPDATE by_bytes SET name = 'new' WHERE id = unhex(md5(3));
UPDATE by_float SET name = 'new' WHERE id < 0.2;
UPDATE permuted SET name = 'new' WHERE id = 3;
UPDATE keyless SET name = 'new' WHERE id = 3;
UPDATE in_python SET name = 'new' WHERE id IN (3, 93);
"""
POLICY = (
    "version: 1\ntables:\n"
    + "".join(f"  {name}: {{columns: {_MASKS}}}\n" for name in _KINDS)
    + "".join(
        f'  {name}: {{columns: {{name: redact, "*": keep}}}}\n'
        for name in _OTHERS
        if name not in ("permuted", "in_python")
    )
    + """  permuted: {columns: {id: permute, name: redact}}
  in_python:
    columns:
      id: keep
      name: {mask: text, matchers: {regex: [{label: A, pattern: '[a-z]+'}]}, masks: [{label: A, masks: [redact]}]}
jobs:
  nightly: {source: "env:SWAP_SOURCE", target: "env:SWAP_TARGET", keep_previous: 0}
"""
)


@pytest.fixture
def night(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    monkeypatch.setattr("dbmask.refresher.rebuild.PART_ROWS", 10)
    with opened(mariadb, tmp_path, monkeypatch, SCHEMA, POLICY) as made:
        yield made


def test_only_parts_that_changed_are_read(night: Night) -> None:
    night.refresh()
    night.sql(";".join(sql.format(t=name) for name, (sql, *_) in _KINDS.items()) + ";" + _BY_DAY)
    done = night.refresh()
    assert done.mode == "incremental", done.why
    found = {n.rpartition(".")[2]: row for n, row in done.tables.items()}
    read = {n: (found[n].chunks - found[n].chunks_reused, found[n].rows_read) for n in _KINDS}
    assert read == {n: (parts, rows) for n, (_, parts, rows) in _KINDS.items()}
    assert {found[n].chunks for n in _KINDS} == {10}
    gone = {"first_inserted": 1, "first_updated": 15, "first_deleted": 1, "key_changed": 1, "all_deleted": 100}
    assert {n: found[n].rows_gone for n in found if found[n].rows_gone} == gone
    others = {n: (found[n].chunks, found[n].chunks_reused, found[n].rows_read) for n in _OTHERS}
    assert night.replica() == night.fresh()
    assert others == {
        "from_empty": (1, 0, 2),
        "by_text": (10, 9, 10),
        "by_day": (9, 8, 12),
        "by_bytes": (10, 9, 10),
        "by_float": (1, 0, 100),
        "permuted": (1, 0, 100),
        "keyless": (1, 0, 100),
        "in_python": (10, 8, 20),
    }
    assert found["by_bytes"].why == "chosen: it has a primary key"
    assert found["permuted"].why == "its key is masked, so rows of the last run cannot be told from those that changed"
    assert found["keyless"].why == "chosen: it has no primary key in the replica, so changed rows cannot be replaced"
    again = night.refresh()
    assert (again.mode, again.rows_read) == ("incremental", 0)


_FEW = """
CREATE TABLE one (id int PRIMARY KEY, name varchar(20));
CREATE TABLE two (id date, n int, name varchar(20), PRIMARY KEY (id, n));
INSERT INTO two SELECT '2024-01-01' + INTERVAL (seq DIV 4) DAY, seq, 'x' FROM seq_1_to_100;
"""
_FEW_POLICY = """version: 1
tables:
  one: {columns: {name: redact, "*": keep}}
  two: {columns: {name: redact, "*": keep}}
jobs:
  nightly: {source: "env:SWAP_SOURCE", target: "env:SWAP_TARGET", keep_previous: 0}
"""


@pytest.fixture
def few(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    monkeypatch.setattr("dbmask.refresher.rebuild.PART_ROWS", 10)
    with opened(mariadb, tmp_path, monkeypatch, _FEW, _FEW_POLICY) as made:
        yield made


def test_a_table_that_grew_is_cut_anew(few: Night) -> None:
    few.refresh()
    few.sql("INSERT INTO one SELECT seq, 'x' FROM seq_1_to_100")
    few.sql("INSERT INTO two SELECT '2025-01-01', seq, 'y' FROM seq_1_to_500")
    assert few.refresh().rows_read == 100 + 500 + 9  # the last part, to which the new ones were added
    few.sql("UPDATE one SET name = 'new' WHERE id = 55; UPDATE two SET name = 'new' WHERE n = 55")
    one, two = few.refresh().tables.values()
    assert (one.chunks, one.rows_read) == (10, 10)
    assert two.chunks_reused == two.chunks - 2
    assert few.replica() == few.fresh()
