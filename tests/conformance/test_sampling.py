"""Every database picks the rows for a sample that Python picks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlglot import exp

from dbmask.cloner.sampling import is_picked, row_sample
from dbmask.schema import ColumnType, Kind
from tests.conformance.engines import Engine
from tests.conformance.setups import KEYS

BIG = ColumnType(Kind.INTEGER, "bigint", bits=64)
TEXT = ColumnType(Kind.TEXT, "text")
FLAG = ColumnType(Kind.BOOLEAN, "boolean")
INTEGERS = [-(2**63) + 1, -(2**31), -7, -1, 0, 1, 2, 3, 2**31 - 2, 2**31 - 1, 2**31, 2**63 - 1, *range(50, 90)]
TEXTS = ["", "a", "ž🙂", "x|y", *(f"k{i}" for i in range(len(INTEGERS) - 4))]


@pytest.mark.parametrize("modulus", [2, 7])
@pytest.mark.parametrize(
    ("columns", "types"),
    [
        ([INTEGERS], [BIG]),
        ([INTEGERS, INTEGERS[::-1]], [BIG, BIG]),
        ([TEXTS], [TEXT]),
        ([TEXTS[::-1], INTEGERS], [TEXT, BIG]),
    ],
    ids=["integer", "integers", "text", "text-and-integer"],
)
def test_the_same_rows(engine: Engine, columns: list[list[Any]], types: list[ColumnType], modulus: int) -> None:
    def picked(keys: Sequence[exp.Expression], dialect: Any) -> list[exp.Expression]:
        made = row_sample(keys, types, dialect.name, modulus)
        assert made is not None
        return [made]

    got = engine.evaluate(types, columns, picked, KEYS, [FLAG])
    assert got is not None
    want = is_picked(columns, types, modulus)
    assert [bool(v) for v in got.made[0]] == want
    assert 0 < sum(want) < len(want)
