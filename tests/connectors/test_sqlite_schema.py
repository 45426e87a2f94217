"""What the SQLite connector reads of a structure."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dbmask.registry import connector_for
from dbmask.schema import ColumnType, ForeignKey, Kind, Schema, TableName, Unique
from dbmask_connectors._sqlite_types import column_type, declared
from tests.connectors.copying import FIXTURES, sqlite_file


@pytest.fixture(scope="module")
def rich(tmp_path_factory: pytest.TempPathFactory) -> str:
    return sqlite_file(tmp_path_factory.mktemp("rich") / "rich.db", (FIXTURES / "sqlite_rich.sql").read_text("utf-8"))


def schema_of(url: str) -> Schema:
    with closing(connector_for(url).source(url)) as source:
        return source.schema()


@pytest.fixture(scope="module")
def schema(rich: str) -> Iterator[Schema]:
    yield schema_of(rich)


def main(name: str) -> TableName:
    return TableName("main", name)


@pytest.mark.parametrize(
    ("text", "kind", "length", "precision", "scale"),
    [
        ("VARCHAR(40)", Kind.TEXT, 40, None, None),
        ("NVARCHAR (20)", Kind.TEXT, 20, None, None),
        ("character varying(5)", Kind.TEXT, 5, None, None),
        ("text", Kind.TEXT, None, None, None),
        ("CLOB", Kind.TEXT, None, None, None),
        ("INTEGER", Kind.INTEGER, None, None, None),
        ("UNSIGNED BIG INT", Kind.INTEGER, None, None, None),
        ("TINYINT(1)", Kind.INTEGER, None, None, None),
        ("POINT", Kind.INTEGER, None, None, None),
        ("DECIMAL(10, 2)", Kind.DECIMAL, None, 10, 2),
        ("NUMERIC", Kind.DECIMAL, None, None, None),
        ("numeric(5)", Kind.DECIMAL, None, 5, 0),
        ("DOUBLE PRECISION", Kind.FLOAT, None, None, None),
        ("FLOAT", Kind.FLOAT, None, None, None),
        ("DATE", Kind.DATE, None, None, None),
        ("DATETIME", Kind.TIMESTAMP, None, None, None),
        ("timestamp with time zone", Kind.TIMESTAMPTZ, None, None, None),
        ("BOOLEAN", Kind.BOOLEAN, None, None, None),
        ("BLOB", Kind.BYTES, None, None, None),
        ("VARBINARY(16)", Kind.BYTES, 16, None, None),
        ("UUID", Kind.UUID, None, None, None),
        ("JSON", Kind.JSON, None, None, None),
        ("", Kind.OTHER, None, None, None),
        ("ANY", Kind.OTHER, None, None, None),
    ],
)
def test_types(text: str, kind: Kind, length: int | None, precision: int | None, scale: int | None) -> None:
    made = column_type(text)
    assert (made.kind, made.length, made.precision, made.scale) == (kind, length, precision, scale)
    assert made.sql == text
    assert made.bits == (64 if kind is Kind.INTEGER else None)


@pytest.mark.parametrize("kind", [k for k in Kind if k not in (Kind.ENUM, Kind.ARRAY, Kind.OTHER)])
def test_a_declared_kind_reads_back_as_itself(kind: Kind) -> None:
    assert column_type(declared(ColumnType(kind, bits=64))).kind is kind


def test_wide_integers_are_declared_as_text_lest_they_become_floats() -> None:
    assert declared(ColumnType(Kind.INTEGER, "HUGEINT", bits=128)) == "TEXT"


def test_columns(schema: Schema) -> None:
    person = schema.tables[main("person")]
    by_name = {c.name: c for c in person.columns}
    assert by_name["id"].identity == "auto"
    assert not by_name["id"].nullable
    assert by_name["first_name"].default == "'n/a'"
    assert by_name["last_name"].type.folded
    assert not by_name["first_name"].type.folded
    assert by_name["full_name"].generated == "first_name || ' ' || last_name"
    assert by_name["full_name"].type.sql == "TEXT"
    assert by_name["initials"].generated_from == ("first_name", "last_name")
    assert by_name["anything"].type.kind is Kind.OTHER
    assert person.primary_key == ("id",)
    assert person.rows == 4


def test_a_unique_index_that_folds_makes_its_column_folded(schema: Schema) -> None:
    name = schema.tables[main("team")].column("name")
    assert name is not None
    assert name.type.folded


def test_keys_without_rowid_and_strict_are_never_null(schema: Schema) -> None:
    for table, column in (("country", "code"), ("strict_one", "k")):
        found = schema.tables[main(table)].column(column)
        assert found is not None
        assert not found.nullable
        assert found.identity is None


def test_foreign_keys(schema: Schema) -> None:
    assert schema.tables[main("person")].foreign_keys == (
        ForeignKey("person_country_code_fkey", ("country_code",), main("country"), ("code",)),
        ForeignKey("boss", ("boss_id",), main("person"), ("id",), deferrable=True),
        ForeignKey("person_team_id_fkey", ("team_id",), main("team"), ("id",)),
    )
    assert schema.tables[main("shipment")].foreign_keys == (
        ForeignKey("shipment_ord_lin_fkey", ("ord", "lin"), main("order line"), ("order", "line no")),
    )


def test_unique_keys_and_indexes(schema: Schema) -> None:
    person = schema.tables[main("person")]
    assert [u.columns for u in person.uniques] == [("id",), ("email",), ("last_name", "first_name", "id")]
    assert [(i.name, i.columns, i.unique) for i in person.indexes] == [
        ("person_name", ("last_name", "first_name", "id"), True),
        ("person_active", ("born",), False),
        ("person_lower", (), False),
    ]
    assert Unique("order line_pkey", ("order", "line no"), primary=True) in schema.tables[main("order line")].uniques


def test_checks_triggers_and_views(schema: Schema) -> None:
    person = schema.tables[main("person")]
    assert [(c.name, c.columns) for c in person.checks] == [
        ("person_check1", ("salary",)),
        ("named_check", ("first_name", "email")),
    ]
    assert [(t.name, t.timing) for t in person.triggers] == [("person_audit", "after")]
    reads = {v.name.name: v.reads for v in schema.views}
    assert reads["people"] == (main("person"), main("team"))
    assert reads["secrets"] == (main("skipped"),)
    assert reads["broken"] == ()


def test_virtual_tables_and_their_shadows_are_left_out(tmp_path: Path) -> None:
    url = sqlite_file(tmp_path / "v.db", "CREATE VIRTUAL TABLE notes USING fts5(body); CREATE TABLE t (x);")
    made = schema_of(url)
    assert list(made.tables) == [main("t")]
    assert made.left_out == ("virtual table main.notes: its module keeps the data in tables of its own",)


def test_a_foreign_key_to_nothing_is_told(tmp_path: Path) -> None:
    script = """
    CREATE TABLE a (x INTEGER REFERENCES gone, y INTEGER REFERENCES b (nope), z INTEGER REFERENCES b);
    CREATE TABLE b (p INTEGER PRIMARY KEY);"""
    made = schema_of(sqlite_file(tmp_path / "f.db", script))
    assert [k.columns for k in made.tables[main("a")].foreign_keys] == [("z",)]
    assert len(made.left_out) == 2


def test_two_foreign_keys_of_one_name_are_told_apart(tmp_path: Path) -> None:
    script = "CREATE TABLE b (p INTEGER PRIMARY KEY, q UNIQUE); CREATE TABLE a (x REFERENCES b (p) REFERENCES b (q));"
    made = schema_of(sqlite_file(tmp_path / "f.db", script))
    keys = made.tables[main("a")].foreign_keys
    assert [(k.name, k.ref_columns) for k in keys] == [("a_x_fkey", ("p",)), ("a_x_fkey2", ("q",))]


def test_an_integer_key_that_is_no_rowid_is_no_identity(tmp_path: Path) -> None:
    script = """
    CREATE TABLE a (x INTEGER PRIMARY KEY DESC); CREATE TABLE b (x INT PRIMARY KEY);
    CREATE TABLE c (x INTEGER, PRIMARY KEY (x)); CREATE TABLE d (x INTEGER PRIMARY KEY) WITHOUT ROWID;"""
    made = schema_of(sqlite_file(tmp_path / "f.db", script))
    assert [t.columns[0].identity for t in made.tables.values()] == [None, None, "auto", None]


def test_a_large_file_is_not_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask_connectors._sqlite_schema._COUNTABLE", 0)
    url = sqlite_file(
        tmp_path / "f.db",
        """CREATE TABLE a (x INTEGER PRIMARY KEY); INSERT INTO a VALUES (1), (70); CREATE TABLE b (x); CREATE INDEX i ON b (x);
        INSERT INTO b VALUES (1), (2), (3); CREATE TABLE w (x PRIMARY KEY) WITHOUT ROWID; ANALYZE b;""",
    )
    assert {n.name: t.rows for n, t in schema_of(url).tables.items()} == {"a": 70, "b": 3, "w": None}


def test_a_thousand_tables_are_read_in_a_moment(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "many.db")) as db:
        for n in range(1_000):
            db.execute(f"CREATE TABLE t{n} (id INTEGER PRIMARY KEY, a TEXT, b INT REFERENCES t0, UNIQUE (a, b))")
    assert len(schema_of(f"sqlite:///{tmp_path / 'many.db'}").tables) == 1_000
