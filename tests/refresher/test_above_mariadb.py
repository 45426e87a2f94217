"""The modes `append` and `watermark` of a MariaDB replica's refresh: what is above the highest value is read, the rest goes on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from random import Random
from typing import Any

import pymysql
import pytest

from dbmask.state.store import TableRow
from dbmask_connectors._mysql_session import Session
from tests.fix_mariadb import MariaDB
from tests.refresher.swapped import Night, opened

_WATERMARKS = ("marked", "python_key", "two_keys", "lasting", "hidden", "passed")
_APPENDS = ("log", "log_keyless", "log_changed", "log_hidden", "log_empty")
_TWO = "a int, b varchar(20) COLLATE utf8mb4_general_ci, name varchar(20), seen datetime(6), PRIMARY KEY (a, b)"
_SHAPES = {
    **dict.fromkeys((*_APPENDS, *_WATERMARKS, "parted"), "id int PRIMARY KEY, name varchar(20), seen datetime(6)"),
    "log_keyless": "id int, name varchar(20), seen datetime(6)",
    "two_keys": _TWO,
}


def _schema(names: Iterable[str]) -> str:
    made = []
    for name in names:
        made.append(f"CREATE TABLE {name} ({_SHAPES[name]});")
        key = "seq, concat(char(65 + seq))" if name == "two_keys" else "seq"
        rows = f"INSERT INTO {name} SELECT {key}, concat('n', seq), '2024-01-01' + INTERVAL seq HOUR FROM seq_1_to_20;"
        made.append("" if name == "log_empty" else rows)
    return "\n".join(made)


_MASKS = '{name: redact, "*": keep}'
_KEYS = {"hidden": "{id: permute, name: redact, seen: keep}"}
_JOB = """jobs:
  nightly:
    source: "env:SWAP_SOURCE"
    target: "env:SWAP_TARGET"
    keep_previous: 0
    tables:
      "log*": {mode: append, column: id}
      "parted": {mode: diff}
      lasting: {mode: watermark, column: seen, deletes: none}
      "*": {mode: watermark, column: seen, deletes: key_scan}
"""


def _policy(names: Iterable[str]) -> str:
    tables = "".join(f"  {n}: {{columns: {_KEYS.get(n, _MASKS)}}}\n" for n in names)
    return f"version: 1\ntables:\n{tables}{_JOB}"


@pytest.fixture
def night(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    with opened(
        mariadb, tmp_path, monkeypatch, _schema((*_APPENDS, *_WATERMARKS)), _policy((*_APPENDS, *_WATERMARKS))
    ) as made:
        yield made


@pytest.fixture
def few(mariadb: MariaDB, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Night]:
    names = ("log", "marked", "two_keys", "parted")
    monkeypatch.setattr("dbmask.refresher.rebuild.PART_ROWS", 3)
    with opened(mariadb, tmp_path, monkeypatch, _schema(names), _policy(names)) as made:
        yield made


def _done(night: Night) -> dict[str, TableRow]:
    done = night.refresh()
    assert done.mode == "incremental", done.why
    return {n.rpartition(".")[2]: row for n, row in done.tables.items()}


def _told(rows: dict[str, TableRow], *names: str) -> dict[str, tuple[str, int, int]]:
    return {n: (rows[n].mode, rows[n].rows_read, rows[n].rows_gone) for n in names}


def test_what_is_above_is_read(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    night.refresh()
    summed: list[str] = []
    run = Session.run

    def noted(self: Session, sql: str, *more: Any, **named: Any) -> Any:
        if "SUM(" in sql and night.source in sql:
            summed.append(sql)
        return run(self, sql, *more, **named)

    monkeypatch.setattr(Session, "run", noted)
    idle = _done(night)
    assert {n for n, r in idle.items() if r.rows_read} == set()
    assert all(" WHERE " in sql or "`hidden`" in sql for sql in summed), "a checksum of all rows"
    night.sql("""
INSERT INTO log VALUES (21, 'new', NULL), (22, 'new', NULL);
INSERT INTO log_keyless VALUES (21, 'new', NULL), (22, 'new', NULL), (22, 'new', NULL);
INSERT INTO log_changed VALUES (21, 'new', NULL); DELETE FROM log_changed WHERE id = 3;
INSERT INTO log_hidden VALUES (-1, 'new', NULL), (30, 'new', NULL);
INSERT INTO log_empty VALUES (1, 'new', NULL);
UPDATE marked SET name = 'newer', seen = '2025-01-01' WHERE id IN (3, 20); DELETE FROM marked WHERE id IN (5, 6);
INSERT INTO marked VALUES (21, 'new', '2025-01-02'), (22, 'new', NULL);
UPDATE python_key SET name = 'newer' WHERE id = 20;
UPDATE two_keys SET name = 'newer', b = 'zZ', seen = '2025-01-01' WHERE a = 3; DELETE FROM two_keys WHERE a = 4;
UPDATE lasting SET name = 'newer', seen = '2025-01-01' WHERE id = 3; DELETE FROM lasting WHERE id = 5;
INSERT INTO lasting VALUES (21, 'new', '2025-01-02');
UPDATE hidden SET name = 'newer' WHERE id = 20;
INSERT INTO passed VALUES (-1, 'late', '2023-01-01')""")
    rows = _done(night)
    assert _told(rows, *_APPENDS) == {
        "log": ("append", 2, 0),
        "log_keyless": ("append", 3, 0),
        "log_changed": ("full", 20, 1),
        "log_hidden": ("full", 22, 0),
        "log_empty": ("full", 1, 0),
    }
    assert rows["log_changed"].why == "`append` would leave 21 rows where the source has 20"
    assert _told(rows, *_WATERMARKS) == {
        "marked": ("watermark", 4, 2),
        "python_key": ("watermark", 1, 0),
        "two_keys": ("watermark", 2, 2),
        "lasting": ("watermark", 3, 0),
        "hidden": ("full", 20, 0),
        "passed": ("full", 21, 0),
    }
    assert rows["passed"].why == "`watermark` would leave 20 rows where the source has 21"
    assert rows["hidden"].why.startswith("its key is masked")
    fresh, here = night.fresh(), night.replica()
    assert [n for (n,) in night.rows("SELECT id FROM lasting ORDER BY id", database=night.target)] == list(range(1, 22))
    assert len(here.pop("lasting")) == 21
    assert here == {n: found for n, found in fresh.items() if n != "lasting"}
    assert {n for n, r in _done(night).items() if r.rows_read} == set()


_DAYS = (
    "INSERT INTO log SELECT coalesce(max(id), 0) + 1 + seq, 'w{n}', now(6) FROM log, seq_1_to_3 GROUP BY seq",
    "INSERT INTO marked SELECT {n} + 1000, 'w{n}', coalesce(max(seen), now(6)) + INTERVAL 1 SECOND FROM marked",
    "UPDATE marked, (SELECT max(seen) AS top FROM marked) m SET name = 'w{n}', seen = top + INTERVAL 1 SECOND WHERE id % 7 = {n} % 7",
    "UPDATE marked, (SELECT max(seen) AS top FROM marked) m SET id = id + 5000, seen = top WHERE id = {n} % 20",
    "UPDATE marked SET seen = NULL WHERE id % 9 = {n} % 9",
    "DELETE FROM marked WHERE id % 5 = {n} % 5",
    "DELETE FROM marked",
    "DELETE FROM log WHERE id < 4",
    "UPDATE two_keys, (SELECT max(seen) AS top FROM two_keys) m SET name = 'w{n}', b = 'w{n}', seen = top WHERE a = {n} % 20",
    "DELETE FROM two_keys LIMIT 1",
    "UPDATE parted SET id = id + 30, name = 'w{n}' WHERE id = {n} % 20",
    "UPDATE parted SET name = 'w{n}' WHERE id BETWEEN {n} % 20 AND {n} % 25",
    "DELETE FROM parted WHERE id > {n} % 40",
    "INSERT IGNORE INTO parted SELECT seq - 10, 'w{n}', now(6) FROM seq_1_to_60 WHERE seq % 9 = {n} % 9",
)


def test_random_histories(few: Night) -> None:
    random = Random(2)  # noqa: S311 - a history that can be told again
    few.refresh()
    modes = set()
    for _ in range(3):
        chosen = [*random.choices(_DAYS, k=random.randrange(1, 4)), *[_DAYS[0]] * random.randrange(2)]
        said = [sql.format(n=random.randrange(10**6)) for sql in chosen]
        with closing(few.server.connect(few.source)) as connection, connection.cursor() as cursor:
            for sql in said:
                with suppress(pymysql.err.IntegrityError):
                    cursor.execute(sql)
        modes |= {row.mode for row in _done(few).values() if row.rows_read}
        assert few.replica() == few.fresh(), said
    assert {"append", "watermark", "diff"} <= modes
