"""A replica in MariaDB: everything arrives, but for what the policy changes."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

import pytest
from sqlglot import exp

from dbmask.errors import ConnectorError
from dbmask.schema import ColumnType, Kind, TableName
from dbmask.spi import TargetTable
from dbmask_connectors._mysql_catalog import MARKER
from dbmask_sql.dialects import dialect
from tests.connectors.mariadb_tools import (
    chinook,
    copy,
    dump_rows,
    everything,
    fresh,
    run,
    select_all,
    source,
    target,
)
from tests.connectors.mysql_replicas import clone
from tests.fix_mariadb import MariaDB

pytestmark = pytest.mark.slow
MARIA = dialect("mysql")


def shown(server: MariaDB, name: str, kind: str, thing: str) -> str:
    row = run(server, name, f"SHOW CREATE {kind} `{thing.replace('`', '``')}`")[0]
    text = str(row[1] if kind in ("TABLE", "VIEW", "SEQUENCE") else row[2])
    text = re.sub(r" AUTO_INCREMENT=\d+| DEFINER=`[^`]*`@`[^`]*`", "", text)
    text = re.sub(r"\n  CONSTRAINT `person_insurer`.*?(?=\n)", "", text)
    lines = [line.strip().rstrip(",") for line in text.replace(f"`{name}`.", "").replace(f"{name}.", "").splitlines()]
    return "\n".join(sorted(lines))  # keys stand in the order in which they were added


# -- everything arrives ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("python", [False, True], ids=["lines", "values"])
def test_every_row_arrives_byte_for_byte(mariadb: MariaDB, maria_rich: str, maria_replica: str, python: bool) -> None:
    result = clone(mariadb, maria_rich, maria_replica, python=python)
    with closing(source(mariadb, maria_rich)) as opened:
        for name in opened.schema().tables:
            there = dump_rows(mariadb, maria_rich, name)
            assert dump_rows(mariadb, maria_replica, name) == there
            assert result.rows[name.name] == len(there)
    assert set(result.broken.values()) == {0}
    assert len(result.broken) == 5


def test_the_structure_arrives(mariadb: MariaDB, maria_rich: str, maria_replica: str) -> None:
    clone(mariadb, maria_rich, maria_replica)
    with closing(source(mariadb, maria_rich)) as opened:
        schema = opened.schema()
    for name in schema.tables:
        assert shown(mariadb, maria_replica, "TABLE", name.name) == shown(mariadb, maria_rich, "TABLE", name.name)
    for kind, name_ in (
        ("VIEW", "patient"),
        ("VIEW", "a patient's view"),
        ("FUNCTION", "initials"),
        ("FUNCTION", "people"),
        ("PROCEDURE", "note_down"),
        ("TRIGGER", "visit_fill"),
        ("TRIGGER", "visit_log"),
    ):
        assert shown(mariadb, maria_replica, kind, name_).replace(f"`{maria_rich}`.", "") == shown(
            mariadb, maria_rich, kind, name_
        )
    with closing(source(mariadb, maria_replica)) as made:
        copied = made.schema()
    assert {v.name.name for v in copied.views} == {"patient", "a patient's view"}
    assert MARKER not in {n.name for n in copied.tables}


def test_the_replica_lives_on_its_own(mariadb: MariaDB, maria_rich: str, maria_replica: str) -> None:
    """Views, triggers, routines, sequences and counters mean the replica's own tables; the source sees nothing of it."""
    clone(mariadb, maria_rich, maria_replica)
    before = run(mariadb, maria_rich, "SELECT count(*) FROM log")
    run(
        mariadb,
        maria_replica,
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        "INSERT INTO visit (person_id, at, note) VALUES (1, '2024-01-01', 'four')",
        "CALL note_down('noted')",
        "INSERT INTO department (name) VALUES ('new')",
        "DELETE FROM person WHERE id = 3",
    )
    assert run(mariadb, maria_replica, "SELECT id, note_length FROM visit WHERE note = 'four'") == [(1040, 4)]
    assert run(mariadb, maria_replica, "SELECT what FROM log WHERE id > 4") == [("visit 1040",), ("noted",)]
    assert run(mariadb, maria_replica, "SELECT id FROM department WHERE name = 'new'") == [(8,)]
    assert run(mariadb, maria_replica, "SELECT people()") == [(3,)]
    assert run(mariadb, maria_replica, "SELECT count(*) FROM visit WHERE person_id = 3") == [(0,)]
    assert ("Anežka Nováková",) in run(mariadb, maria_replica, "SELECT * FROM `a patient's view`")
    assert run(mariadb, maria_rich, "SELECT count(*) FROM log") == before
    assert run(mariadb, maria_rich, "SELECT people()") == [(4,)]


def test_what_cannot_arrive_is_said(mariadb: MariaDB, maria_rich: str, maria_replica: str) -> None:
    result = clone(mariadb, maria_rich, maria_replica)
    said = "\n".join((*result.structure.left_out, *result.created)).replace(maria_rich, "db")
    for thing in (
        "foreign key person_insurer of db.person: it refers to db_other.insurer, in another database",
        "procedure db.pay: it refers to db_other.insurer",
        "trigger db.person_paid: it refers to db_other.insurer",
        "view db.insured: it reads db_other.insurer",
        "event db.nightly",
        "snapshot db.old_style: engine MYISAM has none",
        "history db.versioned",
    ):
        assert thing in said
    assert len(said.splitlines()) == 7


def test_chinook(mariadb: MariaDB, maria_replica: str) -> None:
    with fresh(mariadb, "chinook", make=True) as name:
        chinook(mariadb, name)
        result = clone(mariadb, name, maria_replica)
        assert sum(result.rows.values()) == 15_607
        assert set(result.broken.values()) == {0}
        with closing(source(mariadb, name)) as opened:
            for each in opened.schema().tables:
                assert dump_rows(mariadb, maria_replica, each) == dump_rows(mariadb, name, each)
                assert shown(mariadb, maria_replica, "TABLE", each.name) == shown(mariadb, name, "TABLE", each.name)


# -- what the policy changes -------------------------------------------------------------------------------------------


def test_dropped_columns_go_with_what_stands_on_them(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    result = clone(mariadb, maria_linked, maria_replica, changes={"p": {"dropped": ("v",)}})
    said = "\n".join((*result.structure.left_out, *result.created)).replace(maria_linked, "db")
    assert "index v of db.p: column v is dropped" in said
    assert "view db.both_of_them: there is no such column" in said
    assert run(mariadb, maria_replica, "SELECT * FROM p") == [(1, "a"), (2, None), (9, "b")]
    assert result.broken == {f"{maria_linked}.c.c_p": 0}


def test_skipped_tables_go_with_what_reads_them(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    run(mariadb, maria_linked, "CREATE PROCEDURE q() SELECT * FROM p", "CREATE VIEW ids AS SELECT id FROM both_of_them")
    result = clone(mariadb, maria_linked, maria_replica, changes={"p": {"skip": True}})
    said = [line.replace(maria_linked, "db") for line in result.structure.left_out]
    assert said == [
        "foreign key c_p of db.c: table db.p is not in the replica",
        "procedure db.q: it refers to db.p, which is not in the replica",
        "view db.both_of_them: it reads db.p, which is not in the replica",
        "view db.ids: it reads db.both_of_them, which is not in the replica",
    ]
    assert run(mariadb, maria_replica, "SHOW FULL TABLES") == [("c", "BASE TABLE"), (MARKER, "BASE TABLE")]


def test_empty_tables_have_no_rows(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    clone(mariadb, maria_linked, maria_replica, changes={"c": {"rows": False}})
    assert run(mariadb, maria_replica, "SELECT count(*) FROM c") == [(0,)]
    run(mariadb, maria_replica, "INSERT INTO c VALUES (1, 2)")


def test_a_column_that_a_trigger_fills(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    """It stands before the rows come, where a column is left to it; else it leaves kept NULLs alone."""
    clone(mariadb, maria_linked, maria_replica)
    assert run(mariadb, maria_replica, "SELECT w FROM p ORDER BY id") == [("a",), (None,), ("b",)]
    clone(mariadb, maria_linked, maria_replica, changes={"p": {"filled": ("w",)}})
    assert run(mariadb, maria_replica, "SELECT w FROM p ORDER BY id") == [("filled",)] * 3
    assert run(
        mariadb, maria_replica, "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
    ) == [(1,)]


def test_a_mask_that_makes_another_type(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    types = {"p": ColumnType(Kind.TEXT, length=64)}
    masks = {"c": {"p": lambda c: MARIA.concat(exp.Literal.string("ž"), MARIA.to_text(c))}}
    with closing(source(mariadb, maria_linked)) as opened, closing(target(mariadb, maria_replica)) as made:
        schema = opened.schema()
        child = schema.tables[TableName(maria_linked, "c")]
        with pytest.raises(ConnectorError, match=r"foreign key c\.c_p"):  # text cannot refer to an integer
            copy(opened, made, everything(schema, c={"types": types}), schema=schema, masks=masks)
        alone = [TargetTable(child, ("id", "p"), (), types)]
        copy(opened, made, alone, schema=schema, masks=masks)
    assert run(mariadb, maria_replica, "SELECT p FROM c ORDER BY id") == [("ž1",), ("ž9",), (None,)]
    assert "`p` varchar(64) DEFAULT NULL" in shown(mariadb, maria_replica, "TABLE", "c")


def test_masked_rows(mariadb: MariaDB, maria_rich: str, maria_replica: str) -> None:
    """Expressions into every character set and kind of column, with keys, in one line with kept columns."""
    pads = {"k": (b"\x36" * 64, b"\x5c" * 64)}

    def hashed(column: exp.Expression) -> exp.Expression:
        text = MARIA.canonical(column, Kind.TEXT)
        assert text is not None
        return MARIA.substr(MARIA.prf_hex(text, "k"), 1, 12)

    def fixed(value: str) -> Any:
        return lambda column: exp.Literal.string(value)

    masks = {
        "every_type": {
            "latin": fixed("Süd"),
            "wide": fixed("漢字"),
            "kana": fixed("カタ"),
            "en": fixed("ž"),
            "b12": lambda c: exp.Literal.number(7),
            "b1": lambda c: exp.true(),
            "vc": hashed,
            "vb": hashed,
            "u": fixed("919a3c15-e6df-11f1-a84b-02fc00000001"),
            "ip": fixed("::7"),
            "dec": lambda c: exp.Literal.number("1.5"),
        }
    }
    clone(mariadb, maria_rich, maria_replica, masks=masks, pads=pads)
    shown_ = "latin, wide, kana, en, b12 + 0, b1 + 0, u, ip, `dec`, length(vc), vb = vc"
    rows = run(mariadb, maria_replica, f"SELECT {shown_} FROM every_type WHERE vc IS NOT NULL AND vb IS NOT NULL")
    assert len(rows) == 4
    for row in rows:
        assert [str(v) for v in row[:8]] == [
            "Süd",
            "漢字",
            "カタ",
            "ž",
            "7",
            "1",
            "919a3c15-e6df-11f1-a84b-02fc00000001",
            "::7",
        ]
        assert (float(row[8]), row[9]) == (1.5, 12)


@pytest.mark.parametrize("python", [False, True], ids=["lines", "values"])
@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("v", "x" * 21, "too long for its column"),
        ("id", "no number", "not of its type|does not fit|is no date, time or number"),
        ("id", "99999999999", "out of its column's range"),
        ("id", "1", "unique key would hold a value twice .*PRIMARY"),
        ("n", None, "NULL in a NOT NULL column"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error(
    mariadb: MariaDB, maria_linked: str, maria_replica: str, python: bool, column: str, value: str | None, said: str
) -> None:
    """LOAD DATA LOCAL would store something else and warn."""
    run(mariadb, maria_linked, "ALTER TABLE p ADD n int NOT NULL DEFAULT 4")
    literal: exp.Expression = exp.null() if value is None else exp.Literal.string(value)
    with closing(source(mariadb, maria_linked)) as opened, closing(target(mariadb, maria_replica)) as made:
        schema = opened.schema()
        parent = next(t for t in everything(schema) if t.name.name == "p")
        made.begin()
        made.create(opened.structure(schema, [parent]))
        with pytest.raises(ConnectorError, match=said) as caught, opened.snapshot() as reader:
            if python:
                with made.sink(parent) as sink:
                    row = {"id": 5, "v": "v", "w": "w", "n": 1, column: value}
                    sink.write([[row[c]] * 2 for c in parent.columns])
            else:
                query = select_all(parent, {column: lambda c: literal.copy()})
                made.relay(opened, reader, parent, query, lambda rows: None)
        assert "no number" not in str(caught.value)
        assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_a_text_that_is_no_text_is_an_error(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    with closing(source(mariadb, maria_linked)) as opened, closing(target(mariadb, maria_replica)) as made:
        schema = opened.schema()
        parent = next(t for t in everything(schema) if t.name.name == "p")
        made.begin()
        made.create(opened.structure(schema, [parent]))
        with pytest.raises(ConnectorError, match="character set"), made.sink(parent) as sink:
            sink.write([[1], ["\udcff"], ["w"]])


def test_a_row_too_long_for_a_line_travels_as_values(mariadb: MariaDB, maria_replica: str) -> None:
    """QUOTE and CONCAT give NULL beyond max_allowed_packet, which must not become one."""
    with fresh(mariadb, "wide", make=True) as name:
        limit = run(mariadb, None, "SELECT @@max_allowed_packet")[0][0]
        run(
            mariadb,
            name,
            "CREATE TABLE t (id int PRIMARY KEY, a longtext, b longtext)",
            f"INSERT INTO t VALUES (1, 'x', 'y'), (2, repeat('a', {limit // 2 + 100}), repeat('b', {limit // 2 + 100})), (3, NULL, '')",
        )
        result = clone(mariadb, name, maria_replica)
        assert result.rows == {"t": 3}
        assert run(mariadb, maria_replica, "CHECKSUM TABLE t")[0][1] == run(mariadb, name, "CHECKSUM TABLE t")[0][1]
