from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import BindError, MaskError, PolicyError
from dbmask.masks._permutation import Permutation
from dbmask.masks.build import build_mask
from dbmask.schema import ColumnType, Kind
from tests.masks.engines import KEYS, bind, in_duckdb, in_postgres, in_python, numbers, one

if TYPE_CHECKING:
    import psycopg

INT = ColumnType(Kind.INTEGER, "integer", bits=32)
BIG = ColumnType(Kind.INTEGER, "bigint", bits=64)
EDGES = [0, 1, 9, 10, 99, 100, -1, -9, -10, 2**31 - 1, -(2**31), 2**63 - 1, -(2**63), 10**18, 10**18 - 1, None]


@pytest.mark.parametrize("size", [*range(1, 120), 1000, 9_000, 90_001])
def test_a_permutation_is_one(size: int) -> None:
    run = Permutation(KEYS.column("permute"), size, f"{size:09d}")
    assert sorted(map(run, range(size))) == list(range(size))


def test_a_permutation_of_large_numbers_has_an_answer_for_each() -> None:
    size = 10**60 + 7
    run = Permutation(KEYS.column("permute"), size, "x")
    given = [0, 1, size - 1, size // 2, *range(10**30, 10**30 + 500)]
    made = [run(n) for n in given]
    assert len(set(made)) == len(given)
    assert all(0 <= n < size for n in made)
    assert sum(n > size // 2 for n in made) > len(made) // 3  # neighbours do not stay together


def test_neighbours_are_spread_evenly() -> None:
    run = Permutation(KEYS.column("permute"), 9_000, "000009000")
    counts = [0] * 9
    for n in range(900):
        counts[run(n) // 1000] += 1
    assert max(counts) < 150 > 50 < min(counts)


@given(st.integers(-(2**31), 2**31 - 1))
def test_digits_and_sign_are_kept(value: int) -> None:
    made = one("permute", INT, value)
    assert len(str(made)) == len(str(value))
    assert (made < 0) == (value < 0)


def test_small_classes_are_bijections() -> None:
    for first, last in [(0, 9), (10, 99), (-99, -10), (-9, -1)]:
        values = list(range(first, last + 1))
        assert sorted(in_python(bind("permute", INT), {"v": values})) == values


def test_the_top_of_the_type_stays_free_for_the_sequence() -> None:
    top = 2**31 - 2**27
    bound = bind("permute", INT)
    made = in_python(bound, {"v": [10**9 + n for n in numbers(2000, top - 10**9)]})
    assert max(made) <= top
    assert min(in_python(bound, {"v": [2**31 - 1, top + 1]})) > top


def test_the_same_number_masks_alike_whatever_the_width() -> None:
    assert one("permute", INT, 123_456) == one("permute", BIG, 123_456)


@given(st.integers(1, 500), st.data())
def test_low_and_high_are_a_range_of_their_own(width: int, data: st.DataObject) -> None:
    low = data.draw(st.integers(-1000, 1000))
    bound = bind({"mask": "permute", "low": low, "high": low + width}, INT)
    inside = list(range(low, low + width + 1))
    assert sorted(in_python(bound, {"v": inside})) == inside
    outside = [n for n in range(-1600, 1600) if n not in range(low, low + width + 1)]
    made = in_python(bound, {"v": outside})
    assert len(set(made)) == len(outside)
    assert not set(made) & set(inside)


def test_decimals_without_places() -> None:
    type_ = ColumnType(Kind.DECIMAL, "numeric(20,0)", precision=20, scale=0)
    made = one("permute", type_, Decimal(10**19))
    assert isinstance(made, Decimal)
    assert 10**19 <= made < 10**20


@pytest.mark.parametrize(
    ("type_", "hint"),
    [
        (ColumnType(Kind.TEXT, "text"), "imitate"),
        (ColumnType(Kind.UUID, "uuid"), "uuid"),
        (ColumnType(Kind.DECIMAL, "numeric(9,2)", precision=9, scale=2), "noise"),
        (ColumnType(Kind.BOOLEAN, "boolean"), "fixed"),
    ],
)
def test_other_types_are_refused(type_: ColumnType, hint: str) -> None:
    with pytest.raises(BindError, match=hint):
        bind("permute", type_)


def test_a_range_outside_the_type_is_refused() -> None:
    with pytest.raises(BindError, match="outside the range"):
        bind({"mask": "permute", "low": 0, "high": 2**40}, INT)
    with pytest.raises(PolicyError, match="low must be less"):
        build_mask({"mask": "permute", "low": 5, "high": 5})


def test_what_is_no_integer_raises_without_the_value() -> None:
    for value in (1.5, "secret", 2**31):
        with pytest.raises(MaskError) as raised:
            one("permute", INT, value)
        assert "secret" not in str(raised.value)


def _values() -> list[Any]:
    short = [n % 10**digits for digits in range(1, 19) for n in numbers(5, 10**18, digits)]
    return [*EDGES, *(n - 2**63 for n in numbers(40, 2**64)), *short]


@pytest.mark.parametrize("spec", ["permute", {"mask": "permute", "low": 100, "high": 10**15}])
def test_duckdb_agrees(spec: Any) -> None:
    bound = bind(spec, BIG)
    values = _values()
    assert in_duckdb(bound, {"v": "BIGINT"}, {"v": values}) == in_python(bound, {"v": values})


@pytest.mark.parametrize("spec", ["permute", {"mask": "permute", "low": 100, "high": 10**15}])
def test_postgres_agrees(spec: Any, pg: psycopg.Connection[Any]) -> None:
    bound = bind(spec, BIG)
    values = _values()
    assert in_postgres(bound, {"v": "bigint"}, {"v": values}, pg) == in_python(bound, {"v": values})


def test_a_whole_64_bit_range_runs_in_python() -> None:
    from dbmask_sql.dialects import dialect
    from dbmask_sql.dialects.base import column

    bound = bind({"mask": "permute", "low": -(2**63), "high": 2**63 - 1}, BIG)
    assert bound.sql([column("v")], dialect("duckdb")) is None
    assert in_python(bound, {"v": [5]}) != [5]
