"""MariaDB as a source: one snapshot, values as they are, errors that tell no values."""

from __future__ import annotations

import datetime as dt
import re
import time
import uuid
from contextlib import closing
from decimal import Decimal
from typing import Any

import pytest
from sqlglot import exp, parse_one

from dbmask.errors import ConnectorError
from tests.connectors.mariadb_tools import PADS, run, source
from tests.fix_mariadb import MariaDB


def parsed(sql: str) -> exp.Select:
    made = parse_one(sql, read="mysql")
    assert isinstance(made, exp.Select)
    return made


def query(name: str, *columns: str) -> exp.Select:
    return parsed(f"SELECT {', '.join(columns)} FROM `{name}`.`t` AS dbmask_src ORDER BY id")


# -- the snapshot ------------------------------------------------------------------------------------------------------


def test_a_snapshot_sees_one_moment(mariadb: MariaDB, maria_small: str) -> None:
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
        run(
            mariadb,
            maria_small,
            "UPDATE t SET v = 'later' WHERE id = 1",
            "DELETE FROM t WHERE id = 2",
            "INSERT INTO t VALUES (4, 'x')",
        )
        assert list(reader.read(query(maria_small, "id", "v"))) == [[[1, 2, 3], ["a", "ž", ""]]]
        assert re.fullmatch(r"binlog\.\d+:\d+", reader.position)


def test_a_snapshot_locks_nothing(mariadb: MariaDB, maria_small: str) -> None:
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
        reader.use_keys(PADS)
        assert [len(b[0]) for b in reader.read(query(maria_small, "id"))] == [3]
        with closing(mariadb.connect(maria_small)) as connection, connection.cursor() as cursor:
            cursor.execute("SET innodb_lock_wait_timeout = 1")
            cursor.execute("UPDATE t SET v = 'free'")


def test_rows_come_in_batches_of_at_most_what_is_asked_for(mariadb: MariaDB, maria_small: str) -> None:
    run(mariadb, maria_small, "INSERT INTO t SELECT seq, 'v' FROM seq_10_to_3000")
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
        sizes = [len(batch[0]) for batch in reader.read(query(maria_small, "id", "v"), 1_000)]
    assert sum(sizes) == 2_994
    assert max(sizes) <= 1_000


def test_rows_that_nobody_reads_are_cancelled(mariadb: MariaDB, maria_small: str) -> None:
    run(mariadb, maria_small, "CREATE TABLE big AS SELECT seq AS id, repeat('x', 4000) AS v FROM seq_1_to_30000")
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
        big = parsed(f"SELECT v FROM `{maria_small}`.big")
        assert next(iter(reader.read(big)))
        assert [len(b[0]) for b in reader.read(query(maria_small, "id"))] == [3]


def test_two_readings_at_once_are_refused(mariadb: MariaDB, maria_small: str) -> None:
    run(mariadb, maria_small, "CREATE TABLE big AS SELECT seq AS id, repeat('x', 4000) AS v FROM seq_1_to_30000")
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
        first = reader.read(parsed(f"SELECT v FROM `{maria_small}`.big"))
        next(first)
        with pytest.raises(ConnectorError, match="still being read"):
            next(reader.read(query(maria_small, "id")))
        assert sum(len(b[0]) for b in first) > 0


def test_a_connection_that_is_cut(mariadb: MariaDB, maria_small: str) -> None:
    run(mariadb, maria_small, "CREATE TABLE big AS SELECT seq AS id, repeat('x', 4000) AS v FROM seq_1_to_30000")
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
        rows = reader.read(parsed(f"SELECT v FROM `{maria_small}`.big"))
        next(rows)
        run(mariadb, maria_small, f"KILL CONNECTION {reader.session.thread}")
        with pytest.raises(ConnectorError, match=r"connection was lost|cancelled|error 19\d\d") as caught:
            list(rows)
        assert "xxxx" not in str(caught.value)
        with pytest.raises(ConnectorError, match="connection was lost"):
            next(reader.read(query(maria_small, "id")))


def test_an_interrupted_reading_ends_on_the_server(mariadb: MariaDB, maria_small: str) -> None:
    with closing(source(mariadb, maria_small)) as one:
        with pytest.raises(KeyboardInterrupt), one.snapshot() as reader:
            thread = reader.session.thread
            raise KeyboardInterrupt
        with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
            for _ in range(50):
                cursor.execute(f"SELECT 1 FROM information_schema.processlist WHERE id = {thread}")
                if not cursor.fetchall():
                    return
                time.sleep(0.1)
    pytest.fail("the session lives on")


def test_a_table_altered_after_the_snapshot_is_an_error_without_values(mariadb: MariaDB, maria_small: str) -> None:
    with closing(source(mariadb, maria_small)) as one, one.snapshot() as reader:
        run(mariadb, maria_small, "ALTER TABLE t ADD COLUMN w int, FORCE")
        with pytest.raises(ConnectorError, match="definition changed"):
            list(reader.read(query(maria_small, "id")))


# -- values ------------------------------------------------------------------------------------------------------------


def values(reader: Any, name: str, column: str) -> list[Any]:
    made = parsed(f"SELECT `{column}` FROM `{name}`.every_type AS dbmask_src ORDER BY id")
    return [v for batch in reader.read(made) for v in batch[0]]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("ubi", [None, 2**64 - 1, 0, 1, 1]),
        ("f", [None, 0.10000000149011612, 16777216.0, -3.4028234663852886e38, 1.401298464324817e-45]),
        ("d", [None, 0.1, 1e308, -2.2250738585072014e-308, 0.30000000000000004]),
        ("b1", [None, True, False, None, True]),
        ("b64", [None, 2**64 - 1, 0, 5, 1]),
        ("dt", [None, dt.date(2024, 2, 29), "0000-00-00", "2024-00-00", dt.date(9999, 12, 31)]),
        ("tm", [None, dt.time(23, 59, 59, 999999), "-838:59:59.000000", dt.time(0), dt.time(12, 0, 0, 1)]),
        (
            "dtm",
            [
                None,
                dt.datetime(2024, 2, 29, 12, 0, 0, 1),
                "0000-00-00 00:00:00.000000",
                "2024-02-31 00:00:00.000000",
                dt.datetime(9999, 12, 31, 23, 59, 59),
            ],
        ),
        (
            "ts",
            [
                None,
                dt.datetime(2024, 2, 29, 12, 0, 0, 1, dt.UTC),
                dt.datetime(1970, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
                None,
                dt.datetime(2038, 1, 19, 3, 14, 7, 999999, dt.UTC),
            ],
        ),
        ("y", [None, 2024, 0, 1901, 2155]),
        ("ch", [None, "char", "", "a'b", "עברית"]),
        ("latin", [None, "lu\u0165ou?k\u00fd", "", "'", "x"]),
        ("wide", [None, "漢字😀", "", "", "x"]),
        ("kana", [None, "カタカナ表", "", "ソ", "x"]),
        ("bn", [None, b"ab\0\0\0", b"\0" * 5, b"\\'\0\0\0", b"x\0\0\0\0"]),
        ("vb", [None, b"\0\1\n\r\t'\\\"\x2c\x1a\0", b"", b"\\", b"x"]),
        ("en", [None, "ž", "a", None, "a"]),
        ("st", [None, "x,z", "", None, "y"]),
        ("js", [None, '{"k": "v\\n"}', '""', "[1.10]", "true"]),
        ("u", [None, "919a3c15-e6df-11f1-a84b-02fc00000001", "00000000-0000-0000-0000-000000000000", None, None]),
        ("ip", [None, "2001:db8::1", "::", None, None]),
    ],
)  # fmt: skip
def test_values(mariadb: MariaDB, maria_rich: str, column: str, expected: list[Any]) -> None:
    with closing(source(mariadb, maria_rich)) as one, one.snapshot() as reader:
        found = values(reader, maria_rich, column)
    if column in ("latin", "vb"):  # what latin1 could not hold was lost when the fixture was written
        assert [type(v) for v in found] == [type(v) for v in expected]
        assert found[2:] == expected[2:]
        return
    assert found == expected
    assert [type(v) for v in found] == [type(v) for v in expected]


def test_decimals_keep_all_their_digits(mariadb: MariaDB, maria_rich: str) -> None:
    with closing(source(mariadb, maria_rich)) as one, one.snapshot() as reader:
        found = values(reader, maria_rich, "dec")
    assert found[1] == Decimal("12345678901234567890123456789012345.123456789012345678901234567890")
    assert found[2] == Decimal("-0.000000000000000000000000000001")


def test_a_uuid_reads_as_text_that_is_one(mariadb: MariaDB, maria_rich: str) -> None:
    with closing(source(mariadb, maria_rich)) as one, one.snapshot() as reader:
        found = values(reader, maria_rich, "u")
    assert uuid.UUID(str(found[1])).hex == "919a3c15e6df11f1a84b02fc00000001"
