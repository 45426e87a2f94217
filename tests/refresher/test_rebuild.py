"""Parts that are read together: every one once, in order, and not too many of them at a time."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from dbmask.refresher.rebuild import readings
from dbmask_connectors._mysql_compare import runs

_PARTS = st.sets(st.integers(0, 400)).map(sorted)


@given(_PARTS)
def test_readings(parts: list[int]) -> None:
    made = readings(parts)
    assert [part for group in made for part in group] == parts
    assert all(group and len(group) <= 64 and len(list(runs(group, 401))) <= 8 for group in made)


@given(_PARTS, st.integers(1, 50))
def test_runs(parts: list[int], most: int) -> None:
    made = list(runs(parts, most))
    assert [part for first, after in made for part in range(first, after)] == parts
    assert all(0 < after - first <= most for first, after in made)
    assert all(a[1] < b[0] or a[1] - a[0] == most for a, b in itertools.pairwise(made))


def test_neighbours_are_one_stretch() -> None:
    assert readings(list(range(64))) == [list(range(64))]
    assert readings([0, 1, 5]) == [[0, 1, 5]]
    assert len(readings(list(range(0, 40, 2)))) == 3
