"""Names fit an identifier and stay apart; placeholders fit their columns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dbmask.proxy.names import masked_schema, short_name
from dbmask.proxy.placeholders import constant, placeholder
from dbmask.schema import Column, ColumnType, Kind

PARTS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="\0_"), min_size=1, max_size=80), min_size=1, max_size=4
)


@given(PARTS)
def test_a_name_fits(parts: list[str]) -> None:
    assert 0 < len(short_name(*parts).encode()) <= 63


@given(PARTS, PARTS)
def test_other_parts_give_another_name(one: list[str], other: list[str]) -> None:
    assert (short_name(*one) == short_name(*other)) == (one == other)


def test_masked_schemas_are_named_by_role_and_schema() -> None:
    assert masked_schema("analyst", "public") == "dbmask_analyst_public"


def test_placeholders() -> None:
    def shown(type_: ColumnType) -> str:
        return placeholder(Column("c", type_)).sql("postgres")

    assert shown(ColumnType(Kind.TEXT, "text")) == "CAST('[masked]' AS text)"
    assert shown(ColumnType(Kind.TEXT, "character varying(3)", length=3)) == "CAST('[ma' AS character varying(3))"
    assert shown(ColumnType(Kind.DATE, "date")) == "CAST('1970-01-01' AS date)"
    assert shown(ColumnType(Kind.ENUM, "mood", values=("a",))) == "CAST(NULL AS mood)"
    assert shown(ColumnType(Kind.TEXT, "code", domain="code")) == "CAST(NULL AS code)"
    assert (
        placeholder(Column("c", ColumnType(Kind.INTEGER, "integer")), null=True).sql("postgres")
        == "CAST(NULL AS integer)"
    )
    assert constant(None).sql("mysql") == "'[masked]'"
