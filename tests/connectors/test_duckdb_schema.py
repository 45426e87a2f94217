"""What the DuckDB connector reads of a structure."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from dbmask.errors import ConnectorError
from dbmask.registry import connector_for
from dbmask.schema import ColumnType, ForeignKey, Kind, Schema, Sequence, TableName
from dbmask_connectors._duckdb_schema import index_columns, sequence_of
from dbmask_connectors._types_duckdb import column_type, declared, is_lossless
from tests.connectors.copying import FIXTURES, duckdb_file


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Schema:
    path = tmp_path_factory.mktemp("rich") / "rich.duckdb"
    return schema_of(duckdb_file(path, (FIXTURES / "duckdb_rich.sql").read_text("utf-8")))


def schema_of(url: str) -> Schema:
    with closing(connector_for(url).source(url)) as source:
        return source.schema()


def main(name: str) -> TableName:
    return TableName("main", name)


@pytest.mark.parametrize(
    ("sql", "kind"),
    [
        ("VARCHAR", Kind.TEXT),
        ("BOOLEAN", Kind.BOOLEAN),
        ("FLOAT", Kind.FLOAT),
        ("DATE", Kind.DATE),
        ("TIME", Kind.TIME),
        ("TIMESTAMP_NS", Kind.TIMESTAMP),
        ("TIMESTAMP WITH TIME ZONE", Kind.TIMESTAMPTZ),
        ("UUID", Kind.UUID),
        ("JSON", Kind.JSON),
        ("BLOB", Kind.BYTES),
        ("STRUCT(a INTEGER, b VARCHAR)", Kind.OTHER),
        ("MAP(VARCHAR, INTEGER)", Kind.OTHER),
        ("UNION(num INTEGER, str VARCHAR)", Kind.OTHER),
        ("INTERVAL", Kind.OTHER),
        ("BIT", Kind.OTHER),
        ("TIME WITH TIME ZONE", Kind.OTHER),
    ],
)
def test_kinds(sql: str, kind: Kind) -> None:
    assert column_type(sql) == ColumnType(kind, sql)


@pytest.mark.parametrize(
    ("sql", "bits", "unsigned"),
    [
        ("TINYINT", 8, False),
        ("USMALLINT", 16, True),
        ("INTEGER", 32, False),
        ("UBIGINT", 64, True),
        ("HUGEINT", 128, False),
        ("UHUGEINT", 128, True),
    ],
)
def test_integers(sql: str, bits: int, unsigned: bool) -> None:
    made = column_type(sql)
    assert (made.kind, made.bits, made.unsigned) == (Kind.INTEGER, bits, unsigned)
    assert declared(made) == sql


def test_decimals_enums_and_lists() -> None:
    assert column_type("DECIMAL(18,3)") == ColumnType(Kind.DECIMAL, "DECIMAL(18,3)", precision=18, scale=3)
    assert column_type("ENUM('a', 'it''s, ok')").values == ("a", "it's, ok")
    nested = column_type("DECIMAL(4,1)[][3]")
    assert nested.kind is Kind.ARRAY
    assert nested.element is not None and nested.element.element == column_type("DECIMAL(4,1)")
    assert is_lossless(nested)
    assert not is_lossless(column_type("INTERVAL[]"))
    assert not is_lossless(ColumnType(Kind.ARRAY))


@pytest.mark.parametrize(
    ("type_", "sql"),
    [
        (ColumnType(Kind.TEXT, "varchar(20)", length=20), "VARCHAR"),
        (ColumnType(Kind.INTEGER, "mediumint", bits=24), "INTEGER"),
        (ColumnType(Kind.INTEGER, "int"), "BIGINT"),
        (ColumnType(Kind.DECIMAL, "numeric(10,2)", precision=10, scale=2), "DECIMAL(10,2)"),
        (ColumnType(Kind.DECIMAL, "numeric"), "DOUBLE"),
        (ColumnType(Kind.DECIMAL, "decimal(65,30)", precision=65, scale=30), "DOUBLE"),
        (ColumnType(Kind.ENUM, "mood", values=("a", "it's")), "ENUM('a', 'it''s')"),
        (ColumnType(Kind.ENUM, "mood"), "VARCHAR"),
        (ColumnType(Kind.ARRAY, "text[]", element=ColumnType(Kind.TEXT)), "VARCHAR[]"),
        (ColumnType(Kind.ARRAY, "?"), "JSON"),
        (ColumnType(Kind.OTHER, "tsvector"), "VARCHAR"),
        (ColumnType(Kind.TIMESTAMPTZ, "timestamptz"), "TIMESTAMP WITH TIME ZONE"),
    ],
)
def test_types_of_other_databases(type_: ColumnType, sql: str) -> None:
    assert declared(type_) == sql
    with duckdb.connect() as db:
        db.execute(f"CREATE TABLE t (x {sql})")


def test_columns(schema: Schema) -> None:
    person = schema.tables[main("person")]
    by_name = {c.name: c for c in person.columns}
    assert by_name["id"].default == "nextval('person_seq')"
    assert not by_name["id"].nullable
    assert by_name["email"].comment == "where they read"
    assert by_name["feels"].type.values == ("sad", "it's ok", "happy, very")
    assert by_name["initial"].generated_from == ('we"ird, name',)
    assert by_name["initial"].default is None
    assert by_name["salary"].default is not None
    assert person.comment == "people; it's them"
    assert person.rows == 3
    code = schema.tables[main("country")].column("code")
    assert code is not None and code.type.folded


def test_keys_checks_and_indexes(schema: Schema) -> None:
    person = schema.tables[main("person")]
    assert [u.columns for u in person.uniques] == [("id",), ("email",), ("salary", "token")]
    assert person.primary_key == ("id",)
    assert [k.ref_table for k in person.foreign_keys] == [main("country")]
    employee = TableName("hr", "employee")
    assert schema.tables[employee].foreign_keys == (
        ForeignKey("employee_boss_id_fkey", ("boss",), employee, ("id",)),
        ForeignKey("employee_second_id_fkey", ("second",), employee, ("id",)),
    )
    assert [c.columns for c in person.checks] == [('we"ird, name',)]
    assert [(i.name, i.columns, i.unique) for i in person.indexes] == [
        ("person_born", ("born",), False),
        ("person_lower", (), True),
    ]


def test_sequences_and_views(schema: Schema) -> None:
    assert set(schema.sequences) == {
        Sequence(main("person_seq"), (main("person"), "id"), 1, 102),
        Sequence(TableName("hr", "odd one"), (TableName("hr", "employee"), "id"), -2, None),
        Sequence(main("unused"), None, 1, None),
    }
    reads = {str(v.name): v.reads for v in schema.views}
    assert reads == {
        "hr.staff": (TableName("hr", "employee"),),
        "main.counted": (TableName("hr", "staff"),),
        "main.secrets": (main("skipped"),),
        "main.taxed": (main("person"),),
    }


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ('CREATE INDEX "i (x" ON s.t(a, "b c");', ("a", "b c")),
        ("CREATE UNIQUE INDEX i ON t((lower(a)));", ()),
        ("CREATE INDEX i ON t(a, (b + 1));", ()),
    ],
)
def test_columns_of_an_index(sql: str, columns: tuple[str, ...]) -> None:
    assert index_columns(sql) == columns


@pytest.mark.parametrize(
    ("default", "sequence"),
    [
        (None, None),
        ("5", None),
        ("nextval('s')", main("s")),
        ('CAST(nextval(\'"a b"."s.q"\') AS INTEGER)', TableName("a b", "s.q")),
        ("nextval('db.hr.s')", TableName("hr", "s")),
        ("nextval(concat('s', '1'))", None),
        ("'nextval(''s'')'", None),
    ],
)
def test_sequences_of_defaults(default: str | None, sequence: TableName | None) -> None:
    assert sequence_of(default) == sequence


def test_a_view_that_sqlglot_does_not_read_is_there_all_the_same(tmp_path: Path) -> None:
    url = duckdb_file(tmp_path / "a.duckdb", "CREATE TABLE t (x INTEGER); CREATE VIEW v AS FROM t SELECT x;")
    assert [v.name for v in schema_of(url).views] == [main("v")]


def test_a_missing_file_is_an_error_and_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(ConnectorError, match="there is no file"):
        schema_of(f"duckdb:///{tmp_path / 'nope.duckdb'}")
    assert list(tmp_path.iterdir()) == []
