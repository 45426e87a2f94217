"""Masks that may give a value back as it was say how probable that is, and it is so."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from dbmask.keys import KeyRing, MasterKey
from dbmask.masks.base import Columns
from dbmask.masks.build import build_mask
from dbmask.schema import Column, ColumnType, Kind

INT = ColumnType(Kind.INTEGER, "integer", bits=32)
TEXT = ColumnType(Kind.TEXT, "text")
MONEY = ColumnType(Kind.DECIMAL, "numeric(8,2)", precision=8, scale=2)


def bound(params: dict[str, Any], type_: ColumnType, key: int) -> Any:
    keys = KeyRing(MasterKey(bytes([key]) * 32))
    column = Column("v", type_)
    return build_mask(params).bind(Columns((column,), {"v": column}, (), "t", 100), keys)


@pytest.mark.parametrize(
    ("params", "type_", "values"),
    [
        ({"mask": "permute"}, INT, range(1, 400)),
        ({"mask": "permute", "low": 0, "high": 9}, INT, range(10)),
        ({"mask": "imitate"}, TEXT, [f"{c}{d}" for c in "abcXYZ" for d in range(10)]),
        ({"mask": "imitate", "unique": True}, TEXT, [f"{a:02d}" for a in range(100)]),
        ({"mask": "imitate", "force_change": True}, TEXT, ["a", "5", "-", "a-5", ""]),
        ({"mask": "phone"}, TEXT, ["+420 601 234 567", "5", "-", "+1"]),
        ({"mask": "noise", "sigma": 3}, INT, range(-200, 200)),
        ({"mask": "noise", "sigma": 3, "min_val": 0, "max_val": 50}, INT, range(51)),
        ({"mask": "noise", "epsilon": 0.9, "sensitivity": 2, "mechanism": "laplace"}, INT, range(300)),
        ({"mask": "noise", "sigma": 0.02}, MONEY, [Decimal(n) / 100 for n in range(300)]),
    ],
)
def test_as_many_stay_as_is_said(params: dict[str, Any], type_: ColumnType, values: Sequence[Any]) -> None:
    stayed = 0
    mean = variance = 0.0
    for key in range(12):
        made = bound(params, type_, key)
        results = made.apply([list(values)])[0]
        stayed += sum(a == b for a, b in zip(values, results, strict=True) if a != "")
        chances = [made.stays(v) for v in values if v != ""]
        mean += sum(chances)
        variance += sum(p * (1 - p) for p in chances)
    assert abs(stayed - mean) <= 6 * math.sqrt(variance) + 3


@pytest.mark.parametrize(
    ("type_", "values"),
    [
        ("credit_card", ["4111 1111 1111 1111", "5500 0000 0000 0004"]),
        ("cz_rc", ["710319/2745"]),
        ("iban", ["CZ65 0800 0000 1920 0014 5399"]),
    ],
)
@pytest.mark.parametrize("unique", [False, True])
def test_numbers_of_a_kind_hardly_ever_stay(type_: str, values: list[str], unique: bool) -> None:
    made = bound({"mask": "checksum", "type": type_, "unique": unique}, TEXT, 1)
    assert all(made.stays(v) < 1e-2 for v in values)
    assert not set(made.apply([values])[0]) & set(values)
    assert bound({"mask": "checksum", "type": type_, "keep_prefix": 8}, TEXT, 1).stays(values[0][:11]) == 1.0


def test_where_no_step_is_fixed_nothing_is_said() -> None:
    assert bound({"mask": "noise", "sigma": 1.0}, ColumnType(Kind.FLOAT, "double"), 1).stays is None
