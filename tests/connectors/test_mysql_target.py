"""A replica in MariaDB: everything arrives, appears at once or not at all, and replaces only what may be replaced."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from sqlglot import exp

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import ColumnType, ForeignKey, Kind, TableName
from dbmask.spi import Progress, TargetTable
from dbmask_connectors import _mysql_insert, _mysql_target
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_build import Built
from dbmask_connectors._mysql_catalog import MARKER
from dbmask_connectors._mysql_insert import Inserter
from dbmask_connectors._mysql_source import Snapshot
from dbmask_sql.dialects import dialect
from tests.connectors.mariadb_tools import (
    chinook,
    copy,
    dump_rows,
    everything,
    fresh,
    rich_database,
    select_all,
    source,
    target,
)
from tests.fix_mariadb import MariaDB

pytestmark = pytest.mark.slow

MARIA = dialect("mysql")


@pytest.fixture(scope="module")
def rich(mariadb: MariaDB) -> Iterator[str]:
    with rich_database(mariadb) as name:
        yield name


@pytest.fixture
def small(mariadb: MariaDB) -> Iterator[str]:
    with fresh(mariadb, "small", make=True) as name:
        run(
            mariadb,
            name,
            "CREATE TABLE p (id int PRIMARY KEY AUTO_INCREMENT, v varchar(20), w varchar(20), KEY (v, w))",
            "CREATE TABLE c (id int PRIMARY KEY, p int, CONSTRAINT c_p FOREIGN KEY (p) REFERENCES p (id))",
            "INSERT INTO p VALUES (1, 'one', 'a'), (2, 'two', NULL), (9, '', 'b')",
            "INSERT INTO c VALUES (1, 1), (2, 9), (3, NULL)",
            "CREATE VIEW both_of_them AS SELECT c.id, p.v FROM c JOIN p ON p.id = c.p",
            "CREATE TRIGGER p_in BEFORE INSERT ON p FOR EACH ROW SET NEW.w = coalesce(NEW.w, 'filled')",
        )
        yield name


@pytest.fixture
def replica(mariadb: MariaDB) -> Iterator[str]:
    with fresh(mariadb, "replica") as name:
        yield name
        assert databases(mariadb, name) in ([], [name]), "something is left beside the replica"


def run(server: MariaDB, name: str | None, *statements: str) -> list[tuple[Any, ...]]:
    with closing(server.connect(name)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def databases(server: MariaDB, name: str) -> list[str]:
    rows = run(server, None, "SELECT schema_name FROM information_schema.schemata ORDER BY 1")
    return [found for (found,) in rows if found.startswith(name)]


def clone(server: MariaDB, of: str, to: str, **options: Any) -> Any:
    changes = options.pop("changes", {})
    with closing(source(server, of)) as opened, closing(target(server, to)) as made:
        made.check(options.pop("overwrite", False))
        schema = opened.schema()
        return copy(opened, made, everything(schema, **changes), schema=schema, **options)


def shown(server: MariaDB, name: str, kind: str, thing: str) -> str:
    row = run(server, name, f"SHOW CREATE {kind} `{thing.replace('`', '``')}`")[0]
    text = str(row[1] if kind in ("TABLE", "VIEW", "SEQUENCE") else row[2])
    text = re.sub(r" AUTO_INCREMENT=\d+| DEFINER=`[^`]*`@`[^`]*`", "", text)
    text = re.sub(r"\n  CONSTRAINT `person_insurer`.*?(?=\n)", "", text)
    lines = [line.strip().rstrip(",") for line in text.replace(f"`{name}`.", "").replace(f"{name}.", "").splitlines()]
    return "\n".join(sorted(lines))  # keys stand in the order in which they were added


# -- everything arrives ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("python", [False, True], ids=["lines", "values"])
def test_every_row_arrives_byte_for_byte(mariadb: MariaDB, rich: str, replica: str, python: bool) -> None:
    result = clone(mariadb, rich, replica, python=python)
    with closing(source(mariadb, rich)) as opened:
        for name in opened.schema().tables:
            there = dump_rows(mariadb, rich, name)
            assert dump_rows(mariadb, replica, name) == there
            assert result.rows[name.name] == len(there)
    assert set(result.broken.values()) == {0}
    assert len(result.broken) == 5


def test_the_structure_arrives(mariadb: MariaDB, rich: str, replica: str) -> None:
    clone(mariadb, rich, replica)
    with closing(source(mariadb, rich)) as opened:
        schema = opened.schema()
    for name in schema.tables:
        assert shown(mariadb, replica, "TABLE", name.name) == shown(mariadb, rich, "TABLE", name.name)
    for kind, name_ in (
        ("VIEW", "patient"),
        ("VIEW", "a patient's view"),
        ("FUNCTION", "initials"),
        ("FUNCTION", "people"),
        ("PROCEDURE", "note_down"),
        ("TRIGGER", "visit_fill"),
        ("TRIGGER", "visit_log"),
    ):
        assert shown(mariadb, replica, kind, name_).replace(f"`{rich}`.", "") == shown(mariadb, rich, kind, name_)
    with closing(source(mariadb, replica)) as made:
        copied = made.schema()
    assert {v.name.name for v in copied.views} == {"patient", "a patient's view"}
    assert MARKER not in {n.name for n in copied.tables}


def test_the_replica_lives_on_its_own(mariadb: MariaDB, rich: str, replica: str) -> None:
    """Views, triggers, routines, sequences and counters mean the replica's own tables; the source sees nothing of it."""
    clone(mariadb, rich, replica)
    before = run(mariadb, rich, "SELECT count(*) FROM log")
    run(
        mariadb,
        replica,
        "SET sql_mode = 'ALLOW_INVALID_DATES'",
        "INSERT INTO visit (person_id, at, note) VALUES (1, '2024-01-01', 'four')",
        "CALL note_down('noted')",
        "INSERT INTO department (name) VALUES ('new')",
        "DELETE FROM person WHERE id = 3",
    )
    assert run(mariadb, replica, "SELECT id, note_length FROM visit WHERE note = 'four'") == [(1040, 4)]
    assert run(mariadb, replica, "SELECT what FROM log WHERE id > 4") == [("visit 1040",), ("noted",)]
    assert run(mariadb, replica, "SELECT id FROM department WHERE name = 'new'") == [(8,)]
    assert run(mariadb, replica, "SELECT people()") == [(3,)]
    assert run(mariadb, replica, "SELECT count(*) FROM visit WHERE person_id = 3") == [(0,)]
    assert ("Anežka Nováková",) in run(mariadb, replica, "SELECT * FROM `a patient's view`")
    assert run(mariadb, rich, "SELECT count(*) FROM log") == before
    assert run(mariadb, rich, "SELECT people()") == [(4,)]


def test_what_cannot_arrive_is_said(mariadb: MariaDB, rich: str, replica: str) -> None:
    result = clone(mariadb, rich, replica)
    said = "\n".join((*result.structure.left_out, *result.created)).replace(rich, "db")
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


def test_chinook(mariadb: MariaDB, replica: str) -> None:
    with fresh(mariadb, "chinook", make=True) as name:
        chinook(mariadb, name)
        result = clone(mariadb, name, replica)
        assert sum(result.rows.values()) == 15_607
        assert set(result.broken.values()) == {0}
        with closing(source(mariadb, name)) as opened:
            for each in opened.schema().tables:
                assert dump_rows(mariadb, replica, each) == dump_rows(mariadb, name, each)
                assert shown(mariadb, replica, "TABLE", each.name) == shown(mariadb, name, "TABLE", each.name)


# -- what the policy changes -------------------------------------------------------------------------------------------


def test_dropped_columns_go_with_what_stands_on_them(mariadb: MariaDB, small: str, replica: str) -> None:
    result = clone(mariadb, small, replica, changes={"p": {"dropped": ("v",)}})
    said = "\n".join((*result.structure.left_out, *result.created)).replace(small, "db")
    assert "index v of db.p: column v is dropped" in said
    assert "view db.both_of_them: there is no such column" in said
    assert run(mariadb, replica, "SELECT * FROM p") == [(1, "a"), (2, None), (9, "b")]
    assert result.broken == {f"{small}.c.c_p": 0}


def test_skipped_tables_go_with_what_reads_them(mariadb: MariaDB, small: str, replica: str) -> None:
    run(mariadb, small, "CREATE PROCEDURE q() SELECT * FROM p", "CREATE VIEW ids AS SELECT id FROM both_of_them")
    result = clone(mariadb, small, replica, changes={"p": {"skip": True}})
    said = [line.replace(small, "db") for line in result.structure.left_out]
    assert said == [
        "foreign key c_p of db.c: table db.p is not in the replica",
        "procedure db.q: it refers to db.p, which is not in the replica",
        "view db.both_of_them: it reads db.p, which is not in the replica",
        "view db.ids: it reads db.both_of_them, which is not in the replica",
    ]
    assert run(mariadb, replica, "SHOW FULL TABLES") == [("c", "BASE TABLE"), (MARKER, "BASE TABLE")]


def test_empty_tables_have_no_rows(mariadb: MariaDB, small: str, replica: str) -> None:
    clone(mariadb, small, replica, changes={"c": {"rows": False}})
    assert run(mariadb, replica, "SELECT count(*) FROM c") == [(0,)]
    run(mariadb, replica, "INSERT INTO c VALUES (1, 2)")


def test_a_column_that_a_trigger_fills(mariadb: MariaDB, small: str, replica: str) -> None:
    """It stands before the rows come, where a column is left to it; else it leaves kept NULLs alone."""
    clone(mariadb, small, replica)
    assert run(mariadb, replica, "SELECT w FROM p ORDER BY id") == [("a",), (None,), ("b",)]
    clone(mariadb, small, replica, changes={"p": {"filled": ("w",)}})
    assert run(mariadb, replica, "SELECT w FROM p ORDER BY id") == [("filled",)] * 3
    assert run(
        mariadb, replica, "SELECT count(*) FROM information_schema.triggers WHERE trigger_schema = DATABASE()"
    ) == [(1,)]


def test_a_mask_that_makes_another_type(mariadb: MariaDB, small: str, replica: str) -> None:
    types = {"p": ColumnType(Kind.TEXT, length=64)}
    masks = {"c": {"p": lambda c: MARIA.concat(exp.Literal.string("ž"), MARIA.to_text(c))}}
    with closing(source(mariadb, small)) as opened, closing(target(mariadb, replica)) as made:
        schema = opened.schema()
        child = schema.tables[TableName(small, "c")]
        with pytest.raises(ConnectorError, match=r"foreign key c\.c_p"):  # text cannot refer to an integer
            copy(opened, made, everything(schema, c={"types": types}), schema=schema, masks=masks)
        alone = [TargetTable(child, ("id", "p"), (), types)]
        copy(opened, made, alone, schema=schema, masks=masks)
    assert run(mariadb, replica, "SELECT p FROM c ORDER BY id") == [("ž1",), ("ž9",), (None,)]
    assert "`p` varchar(64) DEFAULT NULL" in shown(mariadb, replica, "TABLE", "c")


def test_masked_rows(mariadb: MariaDB, rich: str, replica: str) -> None:
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
    clone(mariadb, rich, replica, masks=masks, pads=pads)
    shown_ = "latin, wide, kana, en, b12 + 0, b1 + 0, u, ip, `dec`, length(vc), vb = vc"
    rows = run(mariadb, replica, f"SELECT {shown_} FROM every_type WHERE vc IS NOT NULL AND vb IS NOT NULL")
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
    mariadb: MariaDB, small: str, replica: str, python: bool, column: str, value: str | None, said: str
) -> None:
    """LOAD DATA LOCAL would store something else and warn."""
    run(mariadb, small, "ALTER TABLE p ADD n int NOT NULL DEFAULT 4")
    literal: exp.Expression = exp.null() if value is None else exp.Literal.string(value)
    with closing(source(mariadb, small)) as opened, closing(target(mariadb, replica)) as made:
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


def test_a_text_that_is_no_text_is_an_error(mariadb: MariaDB, small: str, replica: str) -> None:
    with closing(source(mariadb, small)) as opened, closing(target(mariadb, replica)) as made:
        schema = opened.schema()
        parent = next(t for t in everything(schema) if t.name.name == "p")
        made.begin()
        made.create(opened.structure(schema, [parent]))
        with pytest.raises(ConnectorError, match="character set"), made.sink(parent) as sink:
            sink.write([[1], ["\udcff"], ["w"]])


def test_a_row_too_long_for_a_line_travels_as_values(mariadb: MariaDB, replica: str) -> None:
    """QUOTE and CONCAT give NULL beyond max_allowed_packet, which must not become one."""
    with fresh(mariadb, "wide", make=True) as name:
        limit = run(mariadb, None, "SELECT @@max_allowed_packet")[0][0]
        run(
            mariadb,
            name,
            "CREATE TABLE t (id int PRIMARY KEY, a longtext, b longtext)",
            f"INSERT INTO t VALUES (1, 'x', 'y'), (2, repeat('a', {limit // 2 + 100}), repeat('b', {limit // 2 + 100})), (3, NULL, '')",
        )
        result = clone(mariadb, name, replica)
        assert result.rows == {"t": 3}
        assert run(mariadb, replica, "CHECKSUM TABLE t")[0][1] == run(mariadb, name, "CHECKSUM TABLE t")[0][1]


# -- within one server -------------------------------------------------------------------------------------------------


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
    mariadb: MariaDB, small: str, replica: str, inserting: list[int | None]
) -> None:
    seen: list[int] = []
    result = clone(mariadb, small, replica, progress=seen.append)
    assert result.rows == {"c": 3, "p": 3}
    assert inserting == [3, 3]
    assert sum(seen) == 6
    for name in ("c", "p"):
        assert dump_rows(mariadb, replica, TableName(replica, name)) == dump_rows(
            mariadb, small, TableName(small, name)
        )


def test_rows_written_after_the_snapshot_do_not_come(
    mariadb: MariaDB, small: str, replica: str, inserting: list[int | None]
) -> None:
    """INSERT ... SELECT sees them; the proof finds out, and the rows come from the snapshot after all."""
    with closing(source(mariadb, small)) as opened, closing(target(mariadb, replica)) as made:
        schema = opened.schema()
        tables = everything(schema)
        structure = opened.structure(schema, tables)
        made.begin()
        made.create(structure)
        with opened.snapshot() as reader:
            assert isinstance(reader, Snapshot)
            run(
                mariadb,
                small,
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
    assert run(mariadb, replica, "SELECT id, v FROM p ORDER BY id") == [(1, "one"), (2, "two"), (9, "")]


@pytest.mark.usefixtures("inserting")
def test_a_target_user_who_may_not_read_the_source_gets_its_rows_anyway(
    mariadb: MariaDB, small: str, replica: str
) -> None:
    name = f"w_{replica}"[:60]
    run(
        mariadb,
        None,
        f"CREATE USER {name}@'127.0.0.1' IDENTIFIED BY 'pw'",
        f"GRANT ALL ON `{replica}%`.* TO {name}@'127.0.0.1'",
    )
    try:
        url = f"mysql://{name}:pw@127.0.0.1:{mariadb.port}/{replica}"
        made = _mysql_target.MySQLTarget(Address.parse(url))
        with closing(source(mariadb, small)) as opened, closing(made):
            made.check(False)
            result = copy(opened, made, everything(opened.schema()))
        assert result.rows == {"c": 3, "p": 3}
    finally:
        run(mariadb, None, f"DROP USER {name}@'127.0.0.1'")


@pytest.mark.usefixtures("inserting")
def test_a_log_of_statements_takes_no_insert(
    mariadb: MariaDB, small: str, replica: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_mysql_insert, "leaves_statement_log", lambda session: False)
    monkeypatch.setattr(Inserter, "_run", lambda *args: pytest.fail("it was inserted"))
    assert clone(mariadb, small, replica).rows == {"c": 3, "p": 3}


@pytest.mark.usefixtures("inserting")
def test_ctrl_c_ends_what_runs_on_the_server(
    mariadb: MariaDB, small: str, replica: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(mariadb, small, "INSERT INTO p SELECT seq, repeat('x', 20), repeat('y', 20) FROM seq_100_to_200000")

    def interrupted(self: Inserter, *args: Any) -> int:
        time.sleep(0.2)
        raise KeyboardInterrupt

    monkeypatch.setattr(Inserter, "_watched", interrupted)
    with pytest.raises(KeyboardInterrupt):
        clone(mariadb, small, replica)
    rows = run(mariadb, None, "SELECT info FROM information_schema.processlist WHERE info LIKE 'INSERT INTO `p`%'")
    assert rows == []
    assert databases(mariadb, replica) == []


# -- all or nothing ----------------------------------------------------------------------------------------------------


def test_nothing_shows_before_it_is_published(mariadb: MariaDB, small: str, replica: str) -> None:
    with closing(source(mariadb, small)) as opened, closing(target(mariadb, replica)) as made:
        schema = opened.schema()
        tables = everything(schema)
        structure = opened.structure(schema, tables)
        assert made.identity() == ""
        made.begin()
        made.create(structure)
        made.finish(structure, lambda text: None)
        assert replica not in databases(mariadb, replica)
        with made.reader() as reader:
            assert list(reader.read(select_all(tables[0]))) == []
        made.publish()
        assert databases(mariadb, replica) == [replica]
        assert made.identity() not in ("", opened.identity())
        with made.reader() as reader:
            assert list(reader.read(select_all(tables[0]))) == []


def test_a_replica_takes_the_place_of_the_last_one(mariadb: MariaDB, small: str, replica: str) -> None:
    clone(mariadb, small, replica)
    run(mariadb, replica, "UPDATE p SET v = 'edited'")
    run(mariadb, small, "INSERT INTO p VALUES (10, 'ten', 'x')", "ALTER VIEW both_of_them AS SELECT 1 AS one FROM c")
    clone(mariadb, small, replica)
    assert run(mariadb, replica, "SELECT v FROM p ORDER BY id") == [("one",), ("two",), ("",), ("ten",)]
    assert run(mariadb, replica, "SELECT one FROM both_of_them LIMIT 1") == [(1,)]
    run(mariadb, replica, "INSERT INTO c VALUES (77, 10)")


def test_the_database_keeps_the_sources_character_set(mariadb: MariaDB, replica: str) -> None:
    with fresh(mariadb, "latin") as name:
        mariadb.create_database(name, "CHARACTER SET latin2 COLLATE latin2_bin")
        run(mariadb, name, "CREATE TABLE t (id int PRIMARY KEY, v varchar(5))")
        clone(mariadb, name, replica)
    rows = run(
        mariadb, None, f"SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{replica}'"
    )
    assert rows == [("latin2_bin",)]


@pytest.mark.parametrize("there", [False, True])
def test_a_failed_run_leaves_what_was_there(
    mariadb: MariaDB, small: str, replica: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if there:
        clone(mariadb, small, replica)
    monkeypatch.setattr(Built, "finish", lambda self, progress: self.session.run("SELECT nonsense"))
    with pytest.raises(ConnectorError, match="no such column"):
        clone(mariadb, small, replica)
    assert databases(mariadb, replica) == [replica] * there
    if there:
        assert run(mariadb, replica, "SELECT count(*) FROM both_of_them") == [(2,)]


def test_a_swap_that_fails_is_undone(
    mariadb: MariaDB, small: str, replica: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables have changed places, then a view cannot be made: they change back, with all that hung on them."""
    clone(mariadb, small, replica)
    run(
        mariadb,
        replica,
        "UPDATE p SET v = 'served'",
        "CREATE FUNCTION mine() RETURNS int DETERMINISTIC RETURN 7",
        "CREATE VIEW my_view AS SELECT v, mine() AS m FROM p",
        "CREATE VIEW a_view AS SELECT m FROM my_view",
        "CREATE TRIGGER mine_too AFTER INSERT ON c FOR EACH ROW SET @seen = 1",
        "CREATE EVENT my_event ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM c",
    )
    finish = Built.finish

    def spoilt(self: Built, progress: Any) -> None:
        finish(self, progress)
        last = self.programs[-1]
        self.programs.append(type(last)("view", "nonsense", "", "CREATE VIEW nonsense AS SELECT * FROM not_there"))

    monkeypatch.setattr(Built, "finish", spoilt)
    with pytest.raises(ConnectorError, match="view nonsense: there is no such table"):
        clone(mariadb, small, replica, overwrite=True)
    assert databases(mariadb, replica) == [replica]
    assert run(mariadb, replica, "SELECT DISTINCT v FROM my_view") == [("served",)]
    assert run(mariadb, replica, "SELECT DISTINCT m FROM a_view") == [(7,)]
    assert run(mariadb, replica, "INSERT INTO c VALUES (90, 9)", "SELECT @seen") == [(1,)]
    assert [row[1] for row in run(mariadb, replica, "SHOW EVENTS")] == ["my_event"]


def test_what_dead_runs_left_is_cleared(mariadb: MariaDB, small: str, replica: str) -> None:
    with closing(source(mariadb, small)) as opened:
        schema = opened.schema()
        dead = target(mariadb, replica)
        dead.begin()
        dead.create(opened.structure(schema, everything(schema)))
        mariadb.create_database(f"{replica}__dbmask_mine")  # of another making
        with (
            closing(target(mariadb, replica)) as second,
            pytest.raises(ConnectorError, match="another run is building"),
        ):
            second.begin()
        dead.session.kill()
    left = databases(mariadb, replica)
    assert len(left) == 2
    clone(mariadb, small, replica)
    assert databases(mariadb, replica) == [replica, f"{replica}__dbmask_mine"]
    mariadb.drop_database(f"{replica}__dbmask_mine")


def test_ctrl_c_leaves_nothing(mariadb: MariaDB, small: str, replica: str) -> None:
    def interrupt(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clone(mariadb, small, replica, progress=interrupt)
    assert databases(mariadb, replica) == []


# -- what may be replaced ----------------------------------------------------------------------------------------------


def test_what_dbmask_did_not_make_is_not_overwritten(mariadb: MariaDB, small: str, replica: str) -> None:
    mariadb.create_database(replica)
    clone(mariadb, small, replica)  # it was empty
    mariadb.create_database(replica)
    run(mariadb, replica, "CREATE TABLE precious (id int)")
    with pytest.raises(UsageError, match="is not empty and was not made by dbmask"):
        clone(mariadb, small, replica)
    clone(mariadb, small, replica, overwrite=True)
    assert ("precious",) not in run(mariadb, replica, "SHOW TABLES")


def test_what_was_added_to_a_replica_is_not_lost_unseen(mariadb: MariaDB, small: str, replica: str) -> None:
    clone(mariadb, small, replica)
    clone(mariadb, small, replica)
    run(mariadb, replica, "CREATE TABLE precious (id int)")
    with pytest.raises(UsageError, match="precious was added since"):
        clone(mariadb, small, replica)


@pytest.mark.parametrize(
    "thing", ["CREATE PROCEDURE q() SELECT 1", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1"]
)
def test_a_database_with_programs_alone_is_not_empty(mariadb: MariaDB, replica: str, thing: str) -> None:
    mariadb.create_database(replica)
    run(mariadb, replica, thing)
    with closing(target(mariadb, replica)) as made, pytest.raises(UsageError, match="is not empty"):
        made.check(False)


def test_the_servers_own_databases_are_not_to_be_had(mariadb: MariaDB) -> None:
    with closing(target(mariadb, "mysql")) as made, pytest.raises(UsageError, match="server's own"):
        made.check(True)


def test_source_and_target_are_one(mariadb: MariaDB, small: str) -> None:
    with closing(source(mariadb, small)) as opened, closing(target(mariadb, small)) as made:
        assert opened.identity() == made.identity()
        tables = everything(opened.schema())
        made.begin()
        made.create(opened.structure(opened.schema(), tables))
        with opened.snapshot() as reader, pytest.raises(UsageError, match="one database"):
            made.relay(opened, reader, tables[0], select_all(tables[0]), lambda rows: None)
    assert databases(mariadb, small) == [small]


def test_long_names(mariadb: MariaDB, small: str) -> None:
    name = "n" * 64
    mariadb.drop_database(name)
    try:
        clone(mariadb, small, name)
        clone(mariadb, small, name)
        assert databases(mariadb, "n" * 20) == [name]
    finally:
        mariadb.drop_database(name)


def test_foreign_keys_are_counted(mariadb: MariaDB, small: str, replica: str) -> None:
    masks = {"c": {"p": lambda c: exp.Add(this=c, expression=exp.Literal.number(1))}}
    with closing(source(mariadb, small)) as opened, closing(target(mariadb, replica)) as made:
        schema = opened.schema()
        child, parent = everything(schema)
        declared = ForeignKey("", ("id",), parent.name, ("id",), declared=True)
        table = type(child.table)(**{**vars(child.table), "foreign_keys": (*child.table.foreign_keys, declared)})
        tables = [TargetTable(table, child.columns), parent]
        result = copy(opened, made, tables, schema=schema, masks=masks)
    assert result.broken == {f"{small}.c.c_p": 1, f"{small}.c.id": 1}


def test_other_databases_structure_is_refused(mariadb: MariaDB, small: str, replica: str) -> None:
    with closing(source(mariadb, small)) as opened, closing(target(mariadb, replica)) as made:
        structure = opened.structure(opened.schema(), [])
        with pytest.raises(ConnectorError, match="nothing is being built"):
            made.create(structure)
        made.begin()
        with pytest.raises(UsageError, match="postgres"):
            made.create(type(structure)(**{**vars(structure), "dialect": "postgres"}))
