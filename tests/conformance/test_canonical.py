"""Canonical text in SQL is canonical text in Python: for every kind, every engine, every hostile value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbmask.masks.build import example_keys
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonical_text
from tests.conformance.engines import Engine
from tests.conformance.values import hostile, strategy

TYPES = [
    ColumnType(Kind.TEXT),
    ColumnType(Kind.TEXT, length=20),
    ColumnType(Kind.TEXT, length=20, padded=True),
    ColumnType(Kind.ENUM, values=("", "red", "Žlutá", "it's")),
    *(ColumnType(Kind.INTEGER, bits=b) for b in (8, 16, 32, 64)),
    ColumnType(Kind.DECIMAL, precision=30, scale=10),
    ColumnType(Kind.DECIMAL, precision=9, scale=2),
    ColumnType(Kind.DECIMAL, precision=12, scale=0),
    ColumnType(Kind.FLOAT),
    ColumnType(Kind.BOOLEAN),
    ColumnType(Kind.DATE),
    ColumnType(Kind.TIME),
    ColumnType(Kind.TIMESTAMP),
    ColumnType(Kind.TIMESTAMPTZ),
    ColumnType(Kind.UUID),
    ColumnType(Kind.JSON),
]

# What each engine leaves to Python, so that a form that is lost is seen.
WITHOUT = {
    "postgres": {Kind.FLOAT, Kind.JSON},
    "mysql": {Kind.FLOAT, Kind.JSON, Kind.TIME},
    "sqlite": set(),
    "duckdb": {Kind.JSON, Kind.TIME},
}


def _check(engine: Engine, type_: ColumnType, values: list[Any]) -> None:
    def build(exprs: list[Any], dialect: Any) -> list[Any] | None:
        made = dialect.canonical(exprs[0], type_.kind, type_.padded)
        return None if made is None else [made]

    got = engine.evaluate([type_], [values], build, example_keys())
    assert (got is None) == (type_.kind in WITHOUT[engine.name])
    if got is None:
        return
    text = canonical_text(type_.kind, type_.padded)
    # What the driver reads and what was put in have the same canonical text, and SQL makes the same of them.
    assert got.made[0] == [None if v is None else text(v) for v in got.raw[0]]
    if (engine.name, type_.kind) != ("sqlite", Kind.DECIMAL):  # there, a number of 17 digits is a float
        assert got.made[0] == [None if v is None else text(v) for v in values]


@pytest.mark.parametrize("type_", TYPES, ids=lambda t: f"{t.kind}-{t.length or t.bits or t.precision or ''}")
def test_hostile_values(engine: Engine, type_: ColumnType) -> None:
    _check(engine, type_, hostile(type_))


@pytest.mark.parametrize(
    "type_",
    [t for t in TYPES if t.kind not in (Kind.JSON, Kind.ENUM, Kind.TIME)],
    ids=lambda t: f"{t.kind}-{t.length or t.bits or t.precision or ''}",
)
def test_any_value(engine: Engine, type_: ColumnType) -> None:
    @settings(max_examples=15)
    @given(st.lists(strategy(type_), min_size=20, max_size=150))
    def run(values: list[Any]) -> None:
        _check(engine, type_, values)

    run()
