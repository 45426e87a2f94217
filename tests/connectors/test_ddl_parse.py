"""CREATE TABLE statements taken apart and cut."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import ConnectorError
from dbmask.schema import Column, ColumnType, Kind, Table, TableName
from dbmask.spi import TargetTable
from dbmask_connectors._ddl_cut import cut_table
from dbmask_connectors._ddl_parse import names_in, parse_table, tokens, unquote
from dbmask_connectors._sqlite_types import declared

SQL = """CREATE TABLE [a "b] -- with, a ( comment
(
  id INTEGER PRIMARY KEY /* , */ AUTOINCREMENT,
  "na,me" VARCHAR(10, 2) CONSTRAINT c1 NOT NULL ON CONFLICT ROLLBACK DEFAULT ('a,(b' || ')') COLLATE NOCASE,
  `x` DOUBLE PRECISION DEFAULT -1.5 CHECK (x > 1 AND (x < 2)) UNIQUE,
  [y z] REFERENCES other ON DELETE SET NULL ON UPDATE SET DEFAULT MATCH FULL NOT DEFERRABLE INITIALLY DEFERRED NOT NULL,
  g AS (id * 2) VIRTUAL,
  h TEXT GENERATED ALWAYS AS (lower("na,me")) STORED,
  CONSTRAINT u UNIQUE (id, "na,me" COLLATE NOCASE DESC) ON CONFLICT IGNORE
  CONSTRAINT f FOREIGN KEY (id, x) REFERENCES "o.ther" (a, b) DEFERRABLE INITIALLY DEFERRED,
  CHECK (id <> 5)
) WITHOUT ROWID, STRICT"""


def test_columns_their_types_and_clauses() -> None:
    parsed = parse_table(SQL)
    assert parsed is not None
    assert [c.name for c in parsed.columns] == ["id", "na,me", "x", "y z", "g", "h"]
    types = [SQL[c.type_start : c.type_end] for c in parsed.columns]
    assert types == ["INTEGER", "VARCHAR(10, 2)", "DOUBLE PRECISION", "", "", "TEXT"]
    kinds = [[x.kind for x in c.clauses] for c in parsed.columns]
    assert kinds == [
        ["PRIMARY"],
        ["NOT", "DEFAULT", "COLLATE"],
        ["DEFAULT", "CHECK", "UNIQUE"],
        ["REFERENCES", "NOT"],
        ["AS"],
        ["GENERATED"],
    ]
    name = parsed.column("NA,ME")
    assert name is not None
    assert [(c.name, c.body) for c in name.clauses] == [("c1", ""), ("", "('a,(b' || ')')"), ("", "NOCASE")]
    assert [c.clauses[-1].body for c in parsed.columns[4:]] == ["id * 2", 'lower("na,me")']
    assert parsed.options == " WITHOUT ROWID, STRICT"
    assert parsed.column("nobody") is None


def test_table_constraints_without_commas_between_them() -> None:
    parsed = parse_table(SQL)
    assert parsed is not None
    found = [(c.kind, c.name, c.columns, c.ref_table, c.deferrable) for c in parsed.constraints]
    assert found == [
        ("UNIQUE", "u", ("id", "na,me"), "", False),
        ("FOREIGN", "f", ("id", "x"), "o.ther", True),
        ("CHECK", "", (), "", False),
    ]
    assert [c.body for c in parsed.checks] == ["x > 1 AND (x < 2)", "id <> 5"]
    assert [(c.ref_table, columns) for c, columns in parsed.foreign_keys] == [
        ("other", ("y z",)),
        ("o.ther", ("id", "x")),
    ]


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE t", "CREATE TABLE t (", "CREATE TABLE t ()", "CREATE VIEW v AS SELECT 1", ""]
)
def test_what_is_no_table_is_not_taken_for_one(sql: str) -> None:
    assert parse_table(sql) is None


@pytest.mark.parametrize(
    ("quoted", "name"), [('"a""b"', 'a"b'), ("`a``b`", "a`b"), ("[a b]", "a b"), ("'it''s'", "it's"), ("x", "x")]
)
def test_names_lose_their_quotes(quoted: str, name: str) -> None:
    assert unquote(quoted) == name


def test_brackets_are_names_in_sqlite_and_lists_in_duckdb() -> None:
    assert [t.text for t in tokens("a [b c] d")] == ["a", "[b c]", "d"]
    assert [t.text for t in tokens("x[']']", brackets=False)] == ["x", "[", "']'", "]"]
    parsed = parse_table("CREATE TABLE t(a INTEGER[3], b STRUCT(x INTEGER, y VARCHAR) DEFAULT(NULL))", brackets=False)
    assert parsed is not None
    assert [c.name for c in parsed.columns] == ["a", "b"]


def test_columns_that_an_expression_names() -> None:
    assert names_in("lower(A) || 'b' || [c d]", ("a", "b", "c d", "e")) == ("a", "c d")


TABLE = Table(
    TableName("main", "t"),
    tuple(Column(n, ColumnType(Kind.INTEGER, "INTEGER")) for n in ("id", "na,me", "x", "y z", "g", "h")),
)


def cut(
    sql: str, dropped: tuple[str, ...], present: set[str], types: dict[str, ColumnType] | None = None
) -> tuple[str, list[str]]:
    lost: list[str] = []
    target = TargetTable(TABLE, (), dropped, types or {})
    return cut_table(sql, target, present, declared, lost), lost


def test_nothing_to_cut_keeps_every_byte() -> None:
    assert cut(SQL, (), {"OTHER", "o.ther"}) == (SQL, [])


def test_a_dropped_column_takes_its_constraints_along() -> None:
    made, lost = cut(SQL, ("x", "h"), {"other", "o.ther"})
    parsed = parse_table(made)
    assert parsed is not None
    assert [c.name for c in parsed.columns] == ["id", "na,me", "y z", "g"]
    assert [c.kind for c in parsed.constraints] == ["UNIQUE", "CHECK"]
    assert lost == ["foreign key f of main.t: column x is dropped"]
    assert made.startswith(
        'CREATE TABLE [a "b] -- with, a ( comment\n(\n  id INTEGER PRIMARY KEY /* , */ AUTOINCREMENT'
    )
    assert made.endswith(") WITHOUT ROWID, STRICT")


def test_foreign_keys_to_tables_that_do_not_come_are_cut() -> None:
    made, lost = cut(SQL, (), {"o.ther"})
    parsed = parse_table(made)
    assert parsed is not None
    assert [c.ref_table for c, _ in parsed.foreign_keys] == ["o.ther"]
    assert lost == ["foreign key of main.t: table other is not in the replica"]
    assert "NOT NULL" in made.partition("[y z]")[2].partition("\n")[0]


def test_a_mask_that_makes_text_of_numbers_changes_the_declared_type() -> None:
    made, _ = cut(
        "CREATE TABLE t (id INTEGER, x INTEGER NOT NULL, y)",
        (),
        set(),
        {"x": ColumnType(Kind.TEXT, "INTEGER", length=8)},
    )
    assert made == "CREATE TABLE t (id INTEGER,\n  x VARCHAR(8) NOT NULL,\n  y)"
    same, _ = cut("CREATE TABLE t (id INTEGER)", (), set(), {"id": ColumnType(Kind.INTEGER, "INTEGER", bits=64)})
    assert same == "CREATE TABLE t (id INTEGER)"


def test_a_statement_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ConnectorError, match="could not be read"):
        cut("CREATE TABLE t AS SELECT 1", ("x",), set())
    with pytest.raises(ConnectorError, match="without columns"):
        cut("CREATE TABLE t (x)", ("x",), set())


names = st.text(
    st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=8
)
quotes = st.sampled_from(['"', "`"])


@given(
    st.lists(
        st.tuples(names, quotes, st.sampled_from(["", "TEXT", "DECIMAL(3, 1)", "INT NOT NULL"])),
        min_size=2,
        max_size=6,
        unique_by=lambda c: c[0].lower(),
    )
)
def test_what_is_cut_out_is_what_sqlite_no_longer_has(columns: list[tuple[str, str, str]]) -> None:
    shown = ", ".join(f"{q}{n.replace(q, q * 2)}{q} {t}" for n, q, t in columns)
    dropped = columns[0][0]
    table = Table(TableName("main", "t"), tuple(Column(n, ColumnType(Kind.TEXT)) for n, _, _ in columns))
    made = cut_table(f"CREATE TABLE t ({shown})", TargetTable(table, (), (dropped,)), set(), declared, [])
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(made)
        assert [r[1] for r in db.execute("PRAGMA table_info(t)")] == [n for n, _, _ in columns[1:]]
