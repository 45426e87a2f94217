"""Tables in ranges of their keys, and the checksums of ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest

from dbmask.errors import ConnectorError
from dbmask.schema import Schema, Table, TableName
from dbmask.spi import Span
from dbmask_connectors._mysql_parts import KEYS, columns_of, key_spans, narrowed, span_sum
from dbmask_connectors._mysql_reader import MySQLReader
from dbmask_connectors._mysql_schema import read_schema
from dbmask_connectors._mysql_source import MySQLSource
from tests.connectors.mariadb_tools import everything, fresh, select_all, source
from tests.fix_mariadb import MariaDB

KEYS_SQL = {
    "bigint": "cast(seq as signed) * 7 - 4000",
    "int unsigned": "seq",
    "decimal(20,3)": "cast(seq as signed) / 3.0 - 100",
    "varchar(60) character set utf8mb4 collate utf8mb4_general_ci": "concat(char(65 + seq % 50), '\\'\\\\,\\n', seq, 'é')",
    "varchar(60) character set latin1": "concat('ÿ', md5(seq))",
    "varbinary(40)": "unhex(md5(seq))",
    "char(32) character set utf8mb4": "md5(seq)",
    "datetime(6)": "timestamp('2020-01-01') + interval seq * 1234567 microsecond",
    "date": "date('2020-01-01') + interval seq day",
}
UNCUT = {"double": "seq / 7", "enum('a','b')": "1 + seq % 2"}


@pytest.fixture(scope="module")
def made(mariadb: MariaDB) -> Iterator[str]:
    with fresh(mariadb, "parts", make=True) as name:
        lines = ["SET sql_mode = 'STRICT_ALL_TABLES';"]
        for at, (kind, value) in enumerate({**KEYS_SQL, **UNCUT}.items()):
            last = ", n" if "enum" in kind else ""
            lines.append(f"CREATE TABLE k{at} (k {kind} NOT NULL, n int, body varchar(200), PRIMARY KEY (k{last}));")
            lines.append(f"INSERT INTO k{at} SELECT {value}, seq, repeat(md5(seq), 3) FROM seq_1_to_900;")
        lines.append("CREATE TABLE loose (a int, body text);")
        lines.append("INSERT INTO loose SELECT seq, repeat(md5(seq), 3) FROM seq_1_to_900;")
        lines.append("CREATE TABLE pairs (a int, b int, body varchar(200), PRIMARY KEY (a, b));")
        lines.append("INSERT INTO pairs SELECT seq % 5, seq, repeat(md5(seq), 3) FROM seq_1_to_900;")
        lines.append("CREATE TABLE uniq (a int NOT NULL UNIQUE, b int UNIQUE, body varchar(200));")
        lines.append("INSERT INTO uniq SELECT seq, seq, repeat(md5(seq), 3) FROM seq_1_to_900;")
        mariadb.mysql(name, "\n".join(lines))
        mariadb.mysql(
            name, "".join(f"ANALYZE TABLE k{at};" for at in range(len(KEYS_SQL))) + "ANALYZE TABLE pairs, uniq"
        )
        yield name


def _tables(opened: MySQLSource) -> dict[str, Table]:
    return {n.name: t for n, t in opened.schema().tables.items()}


def _rows(reader: MySQLReader, table: Table, span: Span) -> list[int]:
    (target,) = (t for t in everything(reader_schema(reader)) if t.name == table.name)
    query = narrowed(select_all(target), span)
    place = target.columns.index("n" if "n" in target.columns else "b" if "b" in target.columns else "a")
    return [n for batch in reader.read(query) for n in batch[place]]


def reader_schema(reader: MySQLReader) -> Schema:
    return read_schema(reader.session, reader.session.address.database)


@pytest.mark.parametrize("at", range(len(KEYS_SQL)), ids=list(KEYS_SQL))
def test_spans_are_every_row_once(mariadb: MariaDB, made: str, at: int) -> None:
    with closing(source(mariadb, made)) as opened, opened.snapshot() as reader:
        table = _tables(opened)[f"k{at}"]
        spans = key_spans(reader.session, table, 16_384)
        assert len(spans) > 3 and spans[0].low is None and spans[-1].high is None
        assert all(s.kind == KEYS and columns_of(s) == ("k",) for s in spans)
        parts = [_rows(reader, table, Span.of(s.plain())) for s in spans]
        assert sorted(n for part in parts for n in part) == list(range(1, 901))
        assert all(parts) and max(map(len, parts)) < 900 / 2
        assert [span_sum(reader.session, s, ["k", "n"]).rows for s in spans] == list(map(len, parts))
        assert key_spans(reader.session, table, 2**62) == [replace(spans[0], high=None)]


def test_tables_that_are_not_cut(mariadb: MariaDB, made: str) -> None:
    with closing(source(mariadb, made)) as opened, opened.snapshot() as reader:
        tables = _tables(opened)
        for at in range(len(KEYS_SQL), len(KEYS_SQL) + len(UNCUT)):
            (span,) = key_spans(reader.session, tables[f"k{at}"], 4096)
            assert (span.kind, span.low, span.high) == (KEYS, None, None)
            assert span_sum(reader.session, span, ["k", "n", "body"]).rows == 900
        assert key_spans(reader.session, tables["loose"], 4096) == [Span(tables["loose"].name)]
        spans = key_spans(reader.session, tables["pairs"], 16_384)
        assert [n for n in (len(_rows(reader, tables["pairs"], s)) for s in spans) if n] == [180] * 5
        assert len(key_spans(reader.session, tables["uniq"], 16_384)) > 3


CHANGES = {
    "a value": "UPDATE {t} SET body = 'x' WHERE n = 1",
    "to null": "UPDATE {t} SET body = NULL WHERE n = 1",
    "values change places": "UPDATE {t} a, {t} b SET a.body = b.body, b.body = a.body WHERE a.n = 1 AND b.n = 2",
    "a row goes": "DELETE FROM {t} WHERE n = 1",
    "a row comes": "INSERT INTO {t} VALUES (-9999, 901, 'new')",
    "a key": "UPDATE {t} SET k = k + 1 WHERE n = 1",
    "case alone": "UPDATE {t} SET body = upper(body) WHERE n = 1",
    "a float's last digit": "UPDATE {t} SET f = f + 0.00001 WHERE n = 1",
    "bytes": "UPDATE {t} SET raw = 0x00FF WHERE n = 1",
}


def test_checksums_see_every_change(mariadb: MariaDB) -> None:
    with fresh(mariadb, "sums", make=True) as name:
        columns = "k int PRIMARY KEY, n int, body varchar(99), f float, raw mediumblob, j json, b bit(9)"
        mariadb.mysql(name, f"CREATE TABLE t ({columns}); CREATE TABLE u LIKE t;")
        fill = "SELECT seq * 10, seq, md5(seq), seq + 0.5, unhex(md5(seq)), '[1]', b'101' FROM seq_1_to_50"
        with closing(source(mariadb, name)) as opened:
            session, span = opened.session, Span(TableName(name, "t"), KEYS, None, None, '["k"]')
            listed = ["k", "n", "body", "f", "raw", "j", "b"]

            def now(table: str = "t") -> tuple[int, str]:
                found = span_sum(session, span, listed, TableName(name, table))
                return found.rows, found.sum

            mariadb.mysql(name, f"INSERT INTO t {fill}; INSERT INTO u {fill} ORDER BY seq DESC;")
            before = now()
            assert before == now("u") and before[0] == 50
            seen = {before}
            for change in CHANGES.values():
                text = change.format(t="t")
                if " VALUES " in text:
                    text = text.replace("'new')", "'new', 1, '', '[]', b'1')")
                mariadb.mysql(name, text)
                assert now() not in seen, change
                mariadb.mysql(name, f"DELETE FROM t; INSERT INTO t {fill};")
                assert now() == before
            mariadb.mysql(name, "DELETE FROM t")
            assert now() == (0, "")
            with pytest.raises(ConnectorError, match="no column gone"):
                span_sum(session, span, ["gone"])


def test_bounds_are_in_no_statement(mariadb: MariaDB, made: str) -> None:
    with mariadb.logged():
        start = mariadb.general_log.stat().st_size
        with closing(source(mariadb, made)) as opened, opened.snapshot() as reader:
            table = _tables(opened)["k0"]
            spans = key_spans(reader.session, table, 16_384)
            for span in spans:
                _rows(reader, table, span)
                span_sum(reader.session, span, ["k", "body"])
    with mariadb.general_log.open("rb") as file:
        file.seek(start)
        logged = file.read().decode("utf-8", "replace")
    assert "dbmask_bounds" in logged
    for span in spans[1:]:
        assert not re.search(rf"(?<![\w-]){re.escape(span.low)}(?!\w)", logged), span.low
