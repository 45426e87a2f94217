from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import bind, in_python

TEXT = ColumnType(Kind.TEXT, "text")
INT = ColumnType(Kind.INTEGER, "integer", bits=32)
NAMED: dict[str, Any] = {"others": {"id": INT}, "row_key": ("id",)}


@given(st.lists(st.one_of(st.none(), st.text(max_size=3))))
def test_the_same_values_come_out(values: list[str | None]) -> None:
    rows: dict[str, list[Any]] = {"v": list(values), "id": list(range(len(values)))}
    made = in_python(bind("shuffle", TEXT, **NAMED), rows)
    assert Counter(made) == Counter(values)
    assert [v is None for v in made] == [v is None for v in values]
    assert [v == "" for v in made] == [v == "" for v in values]


def test_the_order_of_reading_does_not_matter() -> None:
    bound = bind("shuffle", INT, **NAMED)
    rows: dict[str, list[Any]] = {"v": [i * i for i in range(500)], "id": list(range(500))}
    made = dict(zip(rows["id"], in_python(bound, rows), strict=True))
    turned = {n: v[::-1] for n, v in rows.items()}
    assert dict(zip(turned["id"], in_python(bound, turned), strict=True)) == made
    moved = sum(made[i] != i * i for i in range(500))
    assert moved > 480


def test_it_needs_the_whole_column_and_says_so() -> None:
    bound = bind("shuffle", TEXT, **NAMED)
    assert getattr(bound, "whole_column", False)
    assert bound.promises.permutes and not bound.promises.value_only
    assert not bound.promises.warnings
    assert "no primary key" in bind("shuffle", TEXT).promises.warnings[0]
    assert build_mask("secure_shuffle").profiles == {"clone", "file"}


def test_domains_give_other_orders() -> None:
    rows: dict[str, list[Any]] = {"v": list(range(50)), "id": list(range(50))}
    one_order = in_python(bind("shuffle", INT, **NAMED), rows)
    assert in_python(bind({"mask": "shuffle", "domain": "x"}, INT, **NAMED), rows) != one_order
