"""Replicas of another kind of database: what crosses, under which names, and what is told not to."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from dbmask.errors import ConnectorError
from dbmask.registry import connector_for
from dbmask.schema import (
    Check,
    Column,
    ColumnType,
    ForeignKey,
    Index,
    Kind,
    Schema,
    Sequence,
    Table,
    TableName,
    Trigger,
    Unique,
    View,
)
from dbmask.spi import Structure, Target, TargetTable
from tests.connectors.copying import (
    FIXTURES,
    Chosen,
    copy,
    duckdb_file,
    duckdb_rows,
    sqlite_file,
    sqlite_rows,
    statement,
)

INT = ColumnType(Kind.INTEGER, "integer", bits=32)
TEXT = ColumnType(Kind.TEXT, "text")


def public(name: str) -> TableName:
    return TableName("public", name)


PERSON = Table(
    public("person"),
    (
        Column("id", INT, nullable=False, identity="by default"),
        Column(
            "name",
            ColumnType(Kind.TEXT, "character varying(20)", length=20),
            nullable=False,
            default="'n/a'::character varying",
        ),
        Column("amount", ColumnType(Kind.DECIMAL, "numeric")),
        Column("mood", ColumnType(Kind.ENUM, "mood", values=("sad", "it's"))),
        Column("tags", ColumnType(Kind.ARRAY, "text[]", element=TEXT)),
        Column("seen", ColumnType(Kind.TIMESTAMPTZ, "timestamp with time zone"), default="now()"),
        Column("odd", TEXT, default="my_function(1)"),
        Column("broken", TEXT, default="((("),
        Column("upper", TEXT, generated="upper((name)::text)", generated_from=("name",)),
        Column("fancy", TEXT, generated="my_function(name)", generated_from=("name",)),
        Column("boss", INT),
        Column("gone", INT),
    ),
    uniques=(
        Unique("person_pkey", ("id",), primary=True),
        Unique("person_name_key", ("name",)),
        Unique("person_name_index", ("name",)),
        Unique("half", ("boss",), partial=True),
        Unique("lost", ("gone", "name")),
    ),
    foreign_keys=(
        ForeignKey("person_boss", ("boss",), public("person"), ("id",)),
        ForeignKey("person_gone", ("gone",), public("person"), ("id",)),
        ForeignKey("declared", ("boss",), public("person"), ("id",), declared=True),
    ),
    indexes=(
        Index("person_name_index", ("name",), True, "CREATE UNIQUE INDEX person_name_index ON person (name)"),
        Index("by_boss", ("boss",), False, "CREATE INDEX by_boss ON person (boss)"),
        Index("by_lower", (), False, "CREATE INDEX by_lower ON person (lower(name))"),
        Index("by_part", ("boss",), False, "CREATE INDEX by_part ON person (boss) WHERE boss > 5"),
    ),
    checks=(Check("amount_check", "amount > 0", ("amount",)),),
    triggers=(Trigger("audit"),),
    comment="people",
)
VISIT = Table(
    public("visit"),
    (
        Column(
            "id",
            ColumnType(Kind.INTEGER, "bigint", bits=64),
            nullable=False,
            default="nextval('visit_id_seq'::regclass)",
        ),
        Column("person", INT, nullable=False, comment="who"),
        Column("other", INT),
    ),
    uniques=(Unique("visit_pkey", ("id",), primary=True),),
    foreign_keys=(
        ForeignKey("visit_person", ("person",), public("person"), ("id",), deferrable=True),
        ForeignKey("visit_other", ("other",), TableName("hr", "person"), ("id",)),
        ForeignKey("visit_nowhere", ("other",), public("nowhere"), ("id",)),
    ),
    indexes=(Index("by_boss", ("other",), False, "CREATE INDEX by_boss ON visit (other)"),),
)
HR_PERSON = Table(
    TableName("hr", "person"),
    (Column("id", INT, nullable=False), Column("n", INT, identity="always")),
    uniques=(Unique("hr_person_pkey", ("id",), primary=True),),
)
SCHEMA = Schema(
    "postgres",
    {t.name: t for t in (HR_PERSON, PERSON, VISIT)},
    views=(View(public("named")),),
    sequences=(Sequence(public("visit_id_seq"), (public("visit"), "id")),),
    default_schema="public",
)
NONE = [None, None]
ROWS: dict[str, list[list[Any]]] = {
    "hr.person": [[1], [10]],
    "public.person": [
        [1, 2],
        ["Ann", "Bob"],
        [None, None],
        ["sad", "it's"],
        [["a"], []],
        [None, None],
        [None, None],
        [None, None],
        [None, 1],
    ],
    "public.visit": [[7, 9], [1, 2], [1, None]],
}


def built(kind: str, path: Path) -> tuple[str, ...]:
    """Build a replica of SCHEMA with its rows; what could not arrive."""
    tables = tuple(
        TargetTable(
            t,
            tuple(c.name for c in t.columns if c.generated is None and c.name != "gone"),
            ("gone",) if t is PERSON else (),
        )
        for t in SCHEMA.tables.values()
    )
    structure = Structure("postgres", SCHEMA, tables)
    target: Target = connector_for(f"{kind}://").target(f"{kind}:///{path}")
    with closing(target):
        target.check(overwrite=False)
        target.begin()
        lost = target.create(structure)
        for table in tables:
            with target.sink(table) as sink:
                sink.write(ROWS[str(table.name)])
        target.finish(structure, lambda _: None)
        assert target.check_foreign_keys(structure) == {
            "public.person.person_boss": 0,
            "public.person.declared": 0,
            "public.visit.visit_person": 0,
            "public.visit.visit_other": 0,
        }
        with target.reader() as reader:
            assert list(reader.read(statement(HR_PERSON, ["id", "n"]))) == [[[1], [10]]]
            assert sorted(next(reader.read(statement(VISIT, ["id"])))[0]) == [7, 9]
        target.publish()
        with target.reader() as reader:
            assert list(reader.read(statement(HR_PERSON, ["id", "n"]))) == [[[1], [10]]]
    return lost


WORDS = "in another database's words"
BOTH = {
    f'the default of public.person."odd": {WORDS}',
    f'the default of public.person."broken": {WORDS}',
    f'the values of generated column public.person."fancy": {WORDS}',
    "foreign key visit_nowhere of public.visit: public.nowhere is not in the replica",
    "foreign key person_gone of public.person: a column of it is dropped",
    "unique key half of public.person: partial, or over a dropped column",
    "unique key lost of public.person: partial, or over a dropped column",
    "index by_lower of public.person: partial, on an expression or on a dropped column",
    "index by_part of public.person: partial, on an expression or on a dropped column",
    f"check amount_check of public.person: {WORDS}",
    f"trigger audit of public.person: {WORDS}",
    f"view public.named: {WORDS}",
}


def test_postgres_into_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "b.db"
    lost = built("sqlite", path)
    assert set(lost) == BOTH | {
        'decimals of more than 15 digits in public.person."amount": SQLite rounds them',
        'the numbering of hr.person."n": SQLite numbers an integer primary key only',
        "comments: SQLite has none",
    }
    listed = "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master WHERE type = '%s' AND name NOT LIKE 'sqlite%%' ORDER BY 1)"
    assert sqlite_rows(path, listed % "table") == [("hr_person,person,visit",)]
    assert sqlite_rows(path, listed % "index") == [("by_boss,visit_by_boss",)]
    assert sqlite_rows(path, "SELECT id, name, mood, tags, upper, boss FROM person") == [
        (1, "Ann", "sad", '["a"]', "ANN", None),
        (2, "Bob", "it's", "[]", "BOB", 1),
    ]
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA foreign_keys = ON")
        assert db.execute("INSERT INTO visit (person) VALUES (1) RETURNING id").fetchall() == [(10,)]
        assert db.execute("INSERT INTO person DEFAULT VALUES RETURNING id, name, seen IS NOT NULL").fetchall() == [
            (3, "n/a", 1)
        ]
        db.execute("INSERT INTO visit (person) VALUES (99)")  # deferred
        with pytest.raises(sqlite3.IntegrityError):
            db.commit()


def test_postgres_into_duckdb(tmp_path: Path) -> None:
    path = tmp_path / "b.duckdb"
    lost = built("duckdb", path)
    assert set(lost) == BOTH | {
        'the decimals of public.person."amount": they come as DOUBLE',
        "foreign key person_boss of public.person: it refers to its own table, and rows would have to come before others",
        "foreign key visit_other of public.visit: it goes between schemas",
    }
    assert duckdb_rows(path, "SELECT schema_name, table_name FROM duckdb_tables() ORDER BY 1, 2") == [
        ("hr", "person"),
        ("main", "person"),
        ("main", "visit"),
    ]
    assert duckdb_rows(path, "SELECT index_name FROM duckdb_indexes() ORDER BY 1") == [("by_boss",), ("visit_by_boss",)]
    assert duckdb_rows(path, 'SELECT id, name, mood, tags, "upper", boss FROM person') == [
        (1, "Ann", "sad", ["a"], "ANN", None),
        (2, "Bob", "it's", [], "BOB", 1),
    ]
    assert duckdb_rows(path, "SELECT comment FROM duckdb_tables() WHERE comment IS NOT NULL") == [("people",)]
    assert duckdb_rows(path, "SELECT comment FROM duckdb_columns() WHERE comment IS NOT NULL AND NOT internal") == [
        ("who",)
    ]
    with duckdb.connect(str(path)) as db:
        assert db.execute("INSERT INTO visit (person) VALUES (1) RETURNING id").fetchall() == [(10,)]
        assert db.execute("INSERT INTO person (boss) VALUES (1) RETURNING id, name, seen IS NOT NULL").fetchall() == [
            (3, "n/a", True)
        ]
        assert db.execute("INSERT INTO hr.person (id) VALUES (5) RETURNING n").fetchall() == [(11,)]


def empty_structure(*tables: Table) -> Structure:
    schema = Schema("postgres", {t.name: t for t in tables}, default_schema="public")
    return Structure("postgres", schema, tuple(TargetTable(t, tuple(c.name for c in t.columns)) for t in tables))


def created(kind: str, folder: Path, structure: Structure) -> tuple[str, ...]:
    with closing(connector_for(f"{kind}://").target(f"{kind}:///{folder / 'b'}")) as target:
        target.begin()
        return target.create(structure)


@pytest.mark.parametrize("kind", ["sqlite", "duckdb"])
@pytest.mark.parametrize("twin", ["PERSON", "a"])
def test_names_that_differ_by_case_alone_are_refused(tmp_path: Path, kind: str, twin: str) -> None:
    other = Table(public(twin), (Column("x", INT), Column("X" if twin == "a" else "y", INT)))
    with pytest.raises(ConnectorError, match="case makes no difference"):
        created(kind, tmp_path, empty_structure(PERSON, other))
    assert list(tmp_path.iterdir()) == []


def keyed(name: str, ref: str, *uniques: Unique) -> Table:
    key = ForeignKey(f"{name}_{ref}", ("ref",), public(ref), ("id",))
    return Table(public(name), (Column("id", INT), Column("ref", INT)), uniques=uniques, foreign_keys=(key,))


def test_circles_of_tables_are_cut_for_duckdb_and_kept_for_sqlite(tmp_path: Path) -> None:
    primary = Unique("p", ("id",), primary=True)
    structure = empty_structure(keyed("a", "b", primary), keyed("b", "a", primary))
    assert created("sqlite", tmp_path, structure) == ()
    assert created("duckdb", tmp_path, structure) == ("foreign key a_b of public.a: it closes a circle of tables",)


def test_a_foreign_key_that_duckdb_refuses_is_told(tmp_path: Path) -> None:
    parent = Table(public("p"), (Column("id", INT),))
    assert created("duckdb", tmp_path, empty_structure(parent, keyed("c", "p"))) == (
        "foreign key c_p of public.c: DuckDB refuses it",
    )


def test_duckdb_into_sqlite(tmp_path: Path) -> None:
    source = duckdb_file(tmp_path / "a.duckdb", (FIXTURES / "duckdb_rich.sql").read_text("utf-8"))
    done = copy(source, f"sqlite:///{tmp_path / 'b.db'}", Chosen(("skipped",)))
    assert not any(done.relayed.values())
    assert not any(done.broken.values())
    shown = "SELECT huge, uhuge, salary, seen_tz, wait, home, tags, settings, hex(photo), token, active, seen, born FROM person ORDER BY id"
    assert sqlite_rows(tmp_path / "b.db", shown) == [
        (
            "170141183460469231731687303715884105727",
            "340282366920938463463374607431768211455",
            12.34,
            "2020-01-01 08:00:00.500000+00:00",
            "1 month 2 days 00:00:03",
            "{'street': 'Main, 1', 'zip': '12\"3'}",
            '["a","b\'c",null]',
            '{"a": [1, 2.50]}',
            "00FF",
            "00112233-4455-6677-8899-aabbccddeeff",
            0,
            "2020-01-01 10:00:00.123456",
            "1980-02-29",
        ),
        ("-1", None, -0.01, "infinity", "-1 year", None, "[]", "null", "", None, 1, "-infinity", "infinity"),
        (
            None,
            None,
            99999.99,
            "290000-01-01 00:00:00+00",
            None,
            None,
            None,
            None,
            "",
            None,
            1,
            "290000-01-01 00:00:00",
            "0044-03-15 (BC)",
        ),
    ]
    assert sqlite_rows(tmp_path / "b.db", "SELECT id, boss, second, name FROM hr_employee ORDER BY id")[0] == (
        0,
        3,
        None,
        "D",
    )


CODE = "00112233-4455-6677-8899-aabbccddeeff"
CLEAN = f"""
CREATE TABLE team (id INTEGER PRIMARY KEY AUTOINCREMENT, name VARCHAR(20) NOT NULL UNIQUE);
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born DATE, seen DATETIME, amount DECIMAL(10, 2), rate REAL, active BOOLEAN,
  photo BLOB, doc JSON, any_thing, team INTEGER REFERENCES team, code UUID);
INSERT INTO team VALUES (3, 'Red'), (9, 'Grün');
INSERT INTO person VALUES
  (1, 'Ann', '1980-02-29', '2020-01-01 10:00:00', 12.3, 1.5, 1, x'00ff', '{{"a":1}}', 5, 3, '{CODE}'),
  (2, NULL, NULL, '2020-01-01T10:00:00.25', '7.25', 2, 0, NULL, NULL, 'text', NULL, NULL);
"""


def test_sqlite_into_duckdb(tmp_path: Path) -> None:
    done = copy(sqlite_file(tmp_path / "a.db", CLEAN), f"duckdb:///{tmp_path / 'b.duckdb'}", batch_rows=1)
    assert done.lost == ()
    shown = "SELECT COLUMNS(* EXCLUDE (id, photo))::VARCHAR, hex(photo) FROM person ORDER BY id"
    assert duckdb_rows(tmp_path / "b.duckdb", shown) == [
        ("Ann", "1980-02-29", "2020-01-01 10:00:00", "12.30", "1.5", "true", '{"a":1}', "5", "3", CODE, "00FF"),
        (None, None, "2020-01-01 10:00:00.25", "7.25", "2.0", "false", None, "text", None, None, None),
    ]
    with duckdb.connect(str(tmp_path / "b.duckdb")) as db:
        assert db.execute("INSERT INTO team (name) VALUES ('Blue') RETURNING id").fetchall() == [(10,)]


def test_a_value_that_only_sqlite_takes_is_told_by_its_column(tmp_path: Path) -> None:
    url = sqlite_file(
        tmp_path / "a.db", "CREATE TABLE t (id INTEGER PRIMARY KEY, born DATE); INSERT INTO t VALUES (1, 'secret');"
    )
    with pytest.raises(ConnectorError, match=r'main\.t\."born": a value does not fit') as error:
        copy(url, f"duckdb:///{tmp_path / 'b.duckdb'}")
    assert "secret" not in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == ["a.db"]
