"""The schema model: names as SQL quotes them, ranges of integers, primary keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.schema import Column, ColumnType, Kind, Table, TableName, Unique, split_name

NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(NAMES, NAMES)
def test_a_written_name_reads_back(schema: str, name: str) -> None:
    table = TableName(schema, name)
    assert TableName.parse(str(table)) == table
    assert TableName.parse(str(TableName("", name)), schema) == table


def test_names_as_in_sql() -> None:
    assert str(TableName("public", 'we"ird tbl')) == 'public."we""ird tbl"'
    assert split_name('"a.b".c') == ["a.b", "c"]


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", 'a"b', '"a', '"a"b', "a..b", '""'])
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        split_name(text)


def test_three_parts_are_too_many() -> None:
    with pytest.raises(ValueError, match="3 parts"):
        TableName.parse("a.b.c")


def test_integer_ranges() -> None:
    assert ColumnType(Kind.INTEGER, bits=16).int_range == (-32768, 32767)
    assert ColumnType(Kind.INTEGER, bits=8, unsigned=True).int_range == (0, 255)
    assert ColumnType(Kind.INTEGER).int_range == (-(2**63), 2**63 - 1)


def test_types_say_what_they_are() -> None:
    assert str(ColumnType(Kind.TEXT, "varchar(10)")) == "varchar(10)"
    assert str(ColumnType(Kind.DATE)) == "date"
    assert ColumnType(Kind.TEXT).is_text and not ColumnType(Kind.ENUM).is_text
    assert ColumnType(Kind.TIMESTAMPTZ).is_temporal and not ColumnType(Kind.TIME).is_temporal


def test_tables_know_their_columns_and_key() -> None:
    name = TableName("public", "t")
    table = Table(name, (Column("b", ColumnType(Kind.TEXT)), Column("a", ColumnType(Kind.INTEGER))))
    assert table.primary_key == ()
    assert table.column("a") is table.columns[1]
    assert table.column("A") is None
    keyed = Table(name, table.columns, uniques=(Unique("u", ("b",)), Unique("p", ("a", "b"), primary=True)))
    assert keyed.primary_key == ("a", "b")
