"""Introspection of MariaDB: every field of the schema, read in a fixed number of queries."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from dbmask.schema import Column, ColumnType, Kind, Schema, Table, TableKind, TableName
from dbmask_connectors._mysql_schema import view_reads
from dbmask_connectors._mysql_types import column_type, declared, labels
from tests.connectors.mariadb_tools import fresh, rich_database, source
from tests.fix_mariadb import MariaDB


@pytest.fixture(scope="module")
def rich(mariadb: MariaDB) -> Iterator[Schema]:
    with rich_database(mariadb) as name, closing(source(mariadb, name)) as opened:
        yield opened.schema()


def table(schema: Schema, name: str) -> Table:
    return schema.tables[TableName(schema.default_schema, name)]


def column(schema: Schema, name: str, column: str) -> Column:
    found = table(schema, name).column(column)
    assert found is not None
    return found


def test_tables_and_what_is_none(rich: Schema) -> None:
    assert rich.dialect == "mysql"
    assert "MariaDB" in rich.version
    assert {n.schema for n in rich.tables} == {rich.default_schema}
    assert sorted(n.name for n in rich.tables) == [
        "counter",
        "department",
        "every_type",
        "log",
        "old_style",
        "person",
        "reading",
        "tag",
        "versioned",
        "visit",
        "we `ird.tbl",
    ]
    assert table(rich, "department").comment == 'wards; and "offices"'
    assert table(rich, "department").rows is not None
    assert (table(rich, "department").bytes or 0) > 0
    assert rich.left_out == (f"event {rich.default_schema}.nightly: a replica runs no jobs",)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("ti", ColumnType(Kind.INTEGER, "tinyint(4)", bits=8)),
        ("mi", ColumnType(Kind.INTEGER, "mediumint(8) unsigned", bits=24, unsigned=True)),
        ("ubi", ColumnType(Kind.INTEGER, "bigint(20) unsigned zerofill", bits=64, unsigned=True)),
        ("dec", ColumnType(Kind.DECIMAL, "decimal(65,30)", precision=65, scale=30)),
        ("f", ColumnType(Kind.FLOAT, "float")),
        ("b1", ColumnType(Kind.BOOLEAN, "bit(1)")),
        ("b12", ColumnType(Kind.OTHER, "bit(12)")),
        ("dt", ColumnType(Kind.DATE, "date")),
        ("tm", ColumnType(Kind.TIME, "time(6)")),
        ("dtm", ColumnType(Kind.TIMESTAMP, "datetime(6)")),
        ("ts", ColumnType(Kind.TIMESTAMPTZ, "timestamp(6)")),
        ("y", ColumnType(Kind.INTEGER, "year(4)", bits=16, unsigned=True)),
        ("ch", ColumnType(Kind.TEXT, "char(10)", length=10, padded=True, folded=True)),
        ("vc", ColumnType(Kind.TEXT, "varchar(300)", length=300, folded=True)),
        ("tx", ColumnType(Kind.TEXT, "text", folded=True)),
        ("vb", ColumnType(Kind.BYTES, "varbinary(300)", length=300)),
        ("bl", ColumnType(Kind.BYTES, "longblob")),
        ("en", ColumnType(Kind.ENUM, "enum('a','ž')", values=("a", "ž"), folded=True)),
        ("st", ColumnType(Kind.OTHER, "set('x','y','z')", values=("x", "y", "z"), folded=True)),
        ("js", ColumnType(Kind.JSON, "longtext", folded=True)),
        ("u", ColumnType(Kind.UUID, "uuid")),
        ("g", ColumnType(Kind.OTHER, "geometry")),
    ],
)
def test_types(rich: Schema, name: str, expected: ColumnType) -> None:
    assert column(rich, "every_type", name).type == expected


def test_columns(rich: Schema) -> None:
    department = column(rich, "department", "id")
    assert (department.nullable, department.identity, department.type.unsigned) == (False, "auto", True)
    named = column(rich, "department", "name")
    assert (named.default, named.comment) == ("'none'", "it's a \\ name")
    assert column(rich, "person", "sex").type.values == ("f", "m", "x", 'it\'s "other", really')
    full = column(rich, "person", "full_name")
    assert full.generated is not None
    assert full.generated_from == ("first_name", "last_name")
    assert column(rich, "person", "email_domain").generated_from == ("email",)
    assert column(rich, "person", "born").default is None
    assert column(rich, "person", "created").default == "current_timestamp()"
    assert column(rich, "person", "active").type.kind is Kind.INTEGER  # it holds 2 and -128
    assert column(rich, "person", "secret").name == "secret"


def test_equality_looser_than_bytes(rich: Schema) -> None:
    """By case, accents, or trailing spaces; char(n) has none of the last."""
    assert column(rich, "person", "first_name").type.folded
    assert column(rich, "person", "last_name").type.folded
    assert not column(rich, "person", "email").type.folded
    assert not column_type("char", "char(3)", 3, collation="utf8mb4_bin").folded
    assert not column_type("varchar", "varchar(3)", 3, collation="utf8mb4_0900_bin").folded
    assert column_type("varchar", "varchar(3)", 3, collation="latin1_general_cs").folded


def test_keys(rich: Schema) -> None:
    person = table(rich, "person")
    assert person.primary_key == ("id",)
    assert [(u.name, u.columns, u.primary) for u in person.uniques] == [
        ("person_email", ("email",), False),
        ("PRIMARY", ("id",), True),
    ]
    assert table(rich, "we `ird.tbl").primary_key == ("a b", "c.d")
    found = {k.name: k for k in table(rich, "visit").foreign_keys}
    assert found["visit_weird"].columns == ("w_a", "w_c")
    assert found["visit_weird"].ref_table == TableName(rich.default_schema, "we `ird.tbl")
    assert found["visit_weird"].ref_columns == ("a b", "c.d")
    abroad = next(k for k in person.foreign_keys if k.name == "person_insurer")
    assert abroad.ref_table == TableName(f"{rich.default_schema}_other", "insurer")
    assert {k.ref_table.name for k in table(rich, "department").foreign_keys} == {"department", "person"}
    indexes = {i.name: i for i in person.indexes}
    assert indexes["by_name"].sql == "KEY `by_name` (`last_name`(10), `first_name`)"
    assert indexes["words"].sql == "FULLTEXT KEY `words` (`first_name`)"
    assert indexes["person_email"].unique


def test_checks_triggers_and_partitions(rich: Schema) -> None:
    checks = {c.name: c for c in table(rich, "person").checks}
    assert checks["born_late"].columns == ("born",)
    assert checks["details"].sql == "json_valid(`details`)"
    triggers = table(rich, "visit").triggers
    assert {(t.name, t.timing) for t in triggers} == {("visit_log", "after insert"), ("visit_fill", "before insert")}
    reading = table(rich, "reading")
    assert reading.kind is TableKind.PARTITIONED
    assert reading.partition_key == ("device", "taken")


def test_views_and_what_they_read(rich: Schema) -> None:
    reads = {v.name.name: [str(n).rpartition(".")[2] for n in v.reads] for v in rich.views}
    assert reads == {"patient": ["person", "visit"], "a patient's view": ["patient"], "insured": ["person", "insurer"]}


def test_view_reads_sees_relations_alone() -> None:
    sql = (
        "select `t`.`a` AS `from`,(select max(`shop`.`x`.`id`) from `shop`.`x` where `shop`.`x`.`t` = `t`.`id`) AS `m` "
        "from ((`shop`.`t` join `o`.`u` `b` on(`b`.`id` = `t`.`id`)) left join (select 1 AS `1` from `shop`.`v`) `d` on(1))"
    )
    names = [("shop", "x"), ("shop", "t"), ("o", "u"), ("shop", "v")]
    assert view_reads(sql, "shop") == tuple(TableName(*n) for n in names)


def test_sequences(rich: Schema) -> None:
    (sequence,) = rich.sequences
    assert sequence.name.name == "ticket_no"
    assert sequence.increment == 10
    assert sequence.owner == (TableName(rich.default_schema, "visit"), "id")


def test_the_number_of_queries_does_not_grow_with_tables(mariadb: MariaDB) -> None:
    with fresh(mariadb, "many", make=True) as name, closing(source(mariadb, name)) as opened:

        def asked() -> int:
            before = int(opened.session.run("SHOW SESSION STATUS LIKE 'Questions'")[0][1])
            opened.schema()
            return int(opened.session.run("SHOW SESSION STATUS LIKE 'Questions'")[0][1]) - before

        few = asked()
        with closing(mariadb.connect(name)) as connection, connection.cursor() as cursor:
            for number in range(40):
                cursor.execute(f"CREATE TABLE t{number} (id int PRIMARY KEY, p int, KEY (p), CHECK (p > 0))")
        assert asked() == few


def test_a_name_that_differs_by_case_is_another_database(mariadb: MariaDB) -> None:
    with fresh(mariadb, "case", make=True) as name:
        upper = name.upper()
        mariadb.create_database(upper)
        try:
            with closing(mariadb.connect(upper)) as connection, connection.cursor() as cursor:
                cursor.execute("CREATE TABLE elsewhere (id int)")
            with closing(source(mariadb, name)) as opened:
                assert not opened.schema().tables
        finally:
            mariadb.drop_database(upper)


@pytest.mark.parametrize(
    ("made", "sql"),
    [
        (ColumnType(Kind.TEXT, length=64), "varchar(64)"),
        (ColumnType(Kind.TEXT, length=20_000), "longtext"),
        (ColumnType(Kind.TEXT), "longtext"),
        (ColumnType(Kind.BYTES, length=32), "varbinary(32)"),
        (ColumnType(Kind.INTEGER, bits=16, unsigned=True), "smallint unsigned"),
        (ColumnType(Kind.DECIMAL, precision=10, scale=2), "decimal(10,2)"),
        (ColumnType(Kind.TIMESTAMPTZ), "timestamp(6)"),
        (ColumnType(Kind.ARRAY), "longtext"),
    ],
)
def test_declared(made: ColumnType, sql: str) -> None:
    assert declared(made) == sql


def test_labels() -> None:
    assert labels("enum('a','it''s','','x,y')") == ("a", "it's", "", "x,y")
