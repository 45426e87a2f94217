"""Every documented example of every mask is a known answer."""

from __future__ import annotations

from typing import Any

import pytest

from dbmask.masks.base import Case, Columns
from dbmask.masks.build import build_mask
from dbmask.registry import mask_classes
from dbmask.schema import Column
from tests.masks.engines import KEYS

CASES = [
    pytest.param(name, case, id=f"{name}-{i}")
    for name, cls in sorted(mask_classes().items())
    for i, case in enumerate(cls.cases)
]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_documented_example(name: str, case: Case) -> None:
    mask = build_mask({"mask": name, **case.params})
    available = {"v": Column("v", case.type), **{n: Column(n, t) for n, t in case.types.items()}}
    row: dict[str, Any] = {**case.row, "v": case.given}
    bound = mask.bind(Columns((available["v"],), available, tuple(case.row) if name == "noise" else ()), KEYS)
    if not bound.outputs:
        assert case.expected is None
        return
    made = bound.apply([[row[n]] for n in bound.inputs])[0][0]
    assert made == case.expected
    assert type(made) is type(case.expected)
