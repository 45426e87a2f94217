"""A sample is about as large as asked for and spread over the table; many values at a time are judged as each alone.

That databases pick the same rows is in tests/conformance/test_sampling.py.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.cloner.prints import Membership, distinct, key_prints, value_prints
from dbmask.cloner.sampling import is_picked, row_sample
from dbmask.planner.telling import LEAST, long_words, may_hold, telling, telling_among, with_words, words
from dbmask.schema import ColumnType, Kind
from dbmask_sql.canonical import canonical_text
from dbmask_sql.dialects.base import column
from dbmask_sql.sqlite_functions import register

BIG = ColumnType(Kind.INTEGER, "bigint", bits=64)


def test_a_sample_is_as_large_as_asked_for_and_prefers_no_pattern() -> None:
    for step in (1, 2, 3, 7, 100, 16_807, 2**32, 2**31 - 1 + 5):
        keys = [k * step for k in range(1, 20_001)]
        for modulus in (2, 3, 10):
            picked = is_picked([keys], [BIG], modulus)
            assert sum(picked) == pytest.approx(len(keys) / modulus, rel=0.05)
            halves = sum(picked[:10_000]), sum(picked[10_000:])
            assert halves[0] == pytest.approx(halves[1], rel=0.1)


def test_whatever_stands_in_an_integer_key_of_sqlite_is_one_sample_on_both_sides() -> None:
    picked = row_sample([column("k0")], [BIG], "sqlite", 2)
    assert picked is not None
    odd: list[Any] = [5, "x", 1.5, b"\x00", "12ab", -3]
    with closing(sqlite3.connect(":memory:")) as db:
        register(db, {})
        db.execute("CREATE TABLE t (k0)")
        db.executemany("INSERT INTO t VALUES (?)", [(v,) for v in odd])
        got = [v for (v,) in db.execute(f"SELECT k0 FROM t WHERE {picked.sql(dialect='sqlite')} ORDER BY rowid")]
    assert got == [v for v, one in zip(odd, is_picked([odd], [BIG], 2), strict=True) if one]


@given(st.lists(st.integers(-50, 50)), st.lists(st.integers(-50, 50)))
def test_membership(known: list[int], asked: list[int]) -> None:
    import numpy as np

    ordered, times = distinct(np.array(known, np.int64))
    assert ordered.tolist() == sorted(set(known))
    assert times.tolist() == [known.count(v) for v in sorted(set(known))]
    assert Membership(ordered).among(np.array(asked, np.int64)).tolist() == [v for v in asked if v in known]


@pytest.mark.parametrize(
    ("kind", "left", "right"),
    [
        (Kind.DECIMAL, [1, 1.5, None, "2.50"], [1.0, "1.50", None, 2.5]),
        (Kind.INTEGER, [0, 5, -(2**63), 2**64, None, "x"], [0.0, "5", str(-(2**63)), str(2**64), None, "x"]),
        (Kind.DATE, ["2020-01-31", "", None], ["2020-01-31 00:00:00", "", None]),
        (Kind.TEXT, ["a", None, "", 7], ["a", None, "", "7"]),
        (Kind.BYTES, [b"a", None, b""], [bytearray(b"a"), None, memoryview(b"")]),
    ],
)
def test_equal_values_have_equal_fingerprints(kind: Kind, left: list[Any], right: list[Any]) -> None:
    type_ = ColumnType(kind, kind.value)
    prints = value_prints(left, type_).tolist()
    assert prints == value_prints(right, type_).tolist()
    assert len(set(prints)) == len({str(v) for v in left if v not in (None, "", b"")}) + (0 in prints)
    assert [p == 0 for p in prints] == [v in (None, "", b"") for v in left]
    assert key_prints([left], [type_]).tolist() == prints


@given(st.lists(st.floats() | st.integers(-(10**30), 10**30), min_size=1))
def test_numbers_are_told_apart_as_their_texts(values: list[Any]) -> None:
    type_ = ColumnType(Kind.DECIMAL, "numeric")
    text = canonical_text(Kind.DECIMAL)
    assert value_prints(values, type_).tolist() == [hash(text(v)) for v in values]


@given(st.lists(st.dates().map(str) | st.sampled_from(["2020-1-1", "20-01-0101", "2020-W01-1", "2020-01-01 00:00:00"])))
def test_dates_are_told_apart_as_their_texts(values: list[str]) -> None:
    text = canonical_text(Kind.DATE)
    assert value_prints(values, ColumnType(Kind.DATE, "date")).tolist() == [hash(text(v)) for v in values]


CHARACTERS = st.sampled_from("aZž 0123456789@-:.,;'\"<>()[]{}|=\t\x1f\x1c🙂\xa0²")
PIECES = st.sampled_from(["2024-01-31", "12345", "ab1c", "a b c d ", "@x"])


@given(st.lists(st.text(CHARACTERS, min_size=1) | st.lists(PIECES, min_size=1).map("".join)))
def test_many_texts_tell_what_each_tells(texts: list[str]) -> None:
    assert sorted(telling_among(texts)) == sorted(t for t in texts if telling(t))
    chosen = with_words(texts)
    assert set(chosen) <= {t for t in texts if may_hold(t)}
    assert {t for t in texts if may_hold(t) and (_long(t) or (words(t) and t[0] in '{["'))} <= set(chosen)
    assert sorted(long_words(texts)) == sorted(w for t in texts for w in words(t) or [t] if len(w) >= LEAST)


def _long(text: str) -> bool:
    return any(len(w) >= LEAST for w in words(text))
