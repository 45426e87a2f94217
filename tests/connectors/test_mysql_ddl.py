"""SHOW CREATE TABLE taken apart and put together again."""

from __future__ import annotations

import pytest

from dbmask.errors import ConnectorError
from dbmask.schema import Column, ColumnType, Kind, Table, TableName, Unique
from dbmask.spi import TargetTable
from dbmask_connectors._mysql_ddl import CutTable, cut_table, parse_items
from dbmask_connectors._mysql_types import declared

SQL = """CREATE TABLE `t` (
  `id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'a (nasty), `comment`',
  `na``me` varchar(20) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT 'it''s, (\\\\',
  `doc` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL CHECK (json_valid(`doc`)),
  `low` int(11) DEFAULT NULL CHECK (`low` < `high`),
  `high` int(11) DEFAULT NULL,
  `p` int(11) DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `u` (`na``me`(5),`high` DESC),
  KEY `k` (`p`) USING BTREE COMMENT 'x, y',
  FULLTEXT KEY `f` (`doc`),
  CONSTRAINT `fk` FOREIGN KEY (`p`) REFERENCES `parent` (`id`) ON DELETE SET NULL,
  CONSTRAINT `abroad` FOREIGN KEY (`p`) REFERENCES `other`.`parent` (`id`),
  CONSTRAINT `positive` CHECK (`high` > 0)
) ENGINE=InnoDB AUTO_INCREMENT=77 DEFAULT CHARSET=utf8mb4 COMMENT='AUTO_INCREMENT=5' DATA DIRECTORY='/x'
 PARTITION BY HASH (`p`)
PARTITIONS 4"""
INT = ColumnType(Kind.INTEGER, "int(11)", bits=32)
NAME = TableName("d", "t")
PARENT = TableName("d", "parent")
COLUMNS = (
    Column("id", INT, identity="auto"),
    Column("na`me", ColumnType(Kind.TEXT, "varchar(20)", length=20)),
    Column("doc", ColumnType(Kind.JSON, "longtext")),
    *(Column(n, INT) for n in ("low", "high", "p")),
)
TABLE = Table(NAME, COLUMNS, uniques=(Unique("PRIMARY", ("id",), primary=True),))
EVERY = tuple(c.name for c in COLUMNS)


def cut(
    dropped: tuple[str, ...] = (),
    types: dict[str, ColumnType] | None = None,
    present: tuple[TableName, ...] = (NAME, PARENT),
    sql: str = SQL,
    table: Table = TABLE,
    lost: tuple[str, ...] = (),
    more: tuple[str, ...] = (),
) -> tuple[CutTable, list[str]]:
    left_out: list[str] = []
    columns = tuple(c for c in (*EVERY, *more) if c not in dropped)
    target = TargetTable(table, columns, dropped, types or {})
    return cut_table(sql, target, present, lambda parent: lost, declared, left_out), left_out


def test_parts() -> None:
    head, items, tail = parse_items(SQL)
    assert head == "CREATE TABLE `t` ("
    assert [i.kind for i in items] == ["column"] * 6 + [
        "primary",
        "unique",
        "key",
        "fulltext",
        "foreign",
        "foreign",
        "check",
    ]
    assert [i.name for i in items[:6]] == list(EVERY)
    assert items[7].columns == ("na`me", "high")
    assert (items[10].ref, items[10].ref_columns) == (TableName("", "parent"), ("id",))
    assert items[11].ref == TableName("other", "parent")
    assert tail.startswith(" ENGINE=InnoDB")


def test_keys_come_after_the_rows() -> None:
    made, left_out = cut()
    assert made.keys == (
        "ADD UNIQUE KEY `u` (`na``me`(5),`high` DESC)",
        "ADD KEY `k` (`p`) USING BTREE COMMENT 'x, y'",
        "ADD FULLTEXT KEY `f` (`doc`)",
    )
    assert made.foreign_keys == (
        ("fk", "ADD CONSTRAINT `fk` FOREIGN KEY (`p`) REFERENCES `parent` (`id`) ON DELETE SET NULL"),
    )
    assert "PRIMARY KEY (`id`)" in made.create
    assert "CONSTRAINT `positive` CHECK (`high` > 0)" in made.create
    assert left_out == [
        "foreign key abroad of d.t: it refers to other.parent, in another database, which is none of the replica's"
    ]


def test_columns_stay_to_the_letter() -> None:
    made, _ = cut()
    assert "`id` int(11) NOT NULL AUTO_INCREMENT COMMENT 'a (nasty), `comment`'," in made.create
    assert "DEFAULT 'it''s, (\\\\'," in made.create


def test_options_without_counter_and_place() -> None:
    made, _ = cut()
    assert made.create.endswith(
        ") ENGINE=InnoDB  DEFAULT CHARSET=utf8mb4 COMMENT='AUTO_INCREMENT=5' \n PARTITION BY HASH (`p`)\nPARTITIONS 4"
    )


def test_dropped_columns() -> None:
    made, left_out = cut(dropped=("p", "high"))
    assert "`p`" not in made.create
    assert "PARTITION" not in made.create
    assert made.foreign_keys == ()
    assert made.keys == ("ADD FULLTEXT KEY `f` (`doc`)",)
    assert "CHECK (`low`" not in made.create
    assert left_out[:-1] == [
        "check of d.t.low: the column is not what it was",
        "unique key u of d.t: column high is dropped",
        "index k of d.t: column p is dropped",
        "foreign key fk of d.t: column p is dropped",
        "foreign key abroad of d.t: column p is dropped",
        "check positive of d.t: column high is dropped",
    ]
    assert left_out[-1] == "partitions of d.t: column p is dropped"


def test_a_parent_that_is_not_there_or_lost_its_column() -> None:
    made, left_out = cut(present=(NAME,))
    assert made.foreign_keys == ()
    assert "foreign key fk of d.t: table d.parent is not in the replica" in left_out
    made, left_out = cut(lost=("id",))
    assert made.foreign_keys == ()
    assert "foreign key fk of d.t: column id of d.parent is dropped" in left_out


def test_other_types() -> None:
    made, left_out = cut(
        types={"na`me": ColumnType(Kind.TEXT, length=64), "doc": ColumnType(Kind.TEXT), "p": ColumnType(Kind.DATE)}
    )
    assert "`na``me` varchar(64) CHARACTER SET latin1 COLLATE latin1_bin NOT NULL DEFAULT" in made.create
    assert "`doc` longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin DEFAULT NULL,\n" in made.create
    assert "`p` date DEFAULT NULL" in made.create
    assert "check of d.t.doc: the column is not what it was" in left_out
    made, _ = cut(types={"na`me": ColumnType(Kind.INTEGER, bits=64)})
    assert "`na``me` bigint NOT NULL DEFAULT" in made.create  # a number has no character set
    made, _ = cut(types={"p": ColumnType(Kind.INTEGER, "int(11)", bits=32)})
    assert "`p` int(11) DEFAULT NULL" in made.create


def test_columns_that_masks_add() -> None:
    made, _ = cut(more=("score",), types={"score": ColumnType(Kind.FLOAT)})
    assert "  `score` double\n)" in made.create
    made, _ = cut(more=("note",))
    assert "  `note` longtext\n)" in made.create


@pytest.mark.parametrize(
    ("sql", "kept"),
    [
        # No primary key: a unique one takes its place.
        ("CREATE TABLE `t` (\n `id` int,\n UNIQUE KEY `u` (`id`),\n KEY `k` (`id`)\n)", ("ADD KEY `k` (`id`)",)),
        ("CREATE TABLE `t` (\n `id` int,\n KEY `k` (`id`)\n) WITH SYSTEM VERSIONING", ()),
    ],
)
def test_keys_that_cannot_wait(sql: str, kept: tuple[str, ...]) -> None:
    table = Table(NAME, (Column("id", INT),))
    made, _ = cut(sql=sql, table=table)
    assert made.keys == kept


def test_a_counter_needs_its_key() -> None:
    sql = "CREATE TABLE `t` (\n `a` int,\n `id` int AUTO_INCREMENT,\n PRIMARY KEY (`a`,`id`),\n KEY `k` (`id`),\n KEY `l` (`a`)\n)"
    columns = (Column("a", INT), Column("id", INT, identity="auto"))
    table = Table(NAME, columns, uniques=(Unique("PRIMARY", ("a", "id"), primary=True),))
    made, _ = cut(sql=sql, table=table)
    assert made.keys == ("ADD KEY `l` (`a`)",)


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE `t`", "CREATE TABLE `t` (`a` int", "CREATE TABLE `t` (,)", "CREATE TABLE `t` (LIKE `u`)"]
)
def test_what_cannot_be_read_is_an_error(sql: str) -> None:
    with pytest.raises(ConnectorError, match="could not be read"):
        cut(sql=sql)


def test_a_table_without_columns() -> None:
    with pytest.raises(ConnectorError, match="without columns"):
        cut(dropped=EVERY)
