"""Values that are named and computed once, repeated steps, texts of tuples: the building blocks of longer keyed masks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlglot import exp

from dbmask_sql.canonical import tuple_text
from dbmask_sql.dialects import Dialect, dialect
from dbmask_sql.dialects.base import E, column, integer, text
from dbmask_sql.keyref import key_names, key_ref

NAMED = ("duckdb", "sqlite")


def run(name: str, made: E | None, *values: Any) -> Any:
    assert made is not None
    columns = [exp.alias_(exp.Placeholder(), f"v{i}") for i in range(len(values))]
    query = exp.select(made).from_(exp.select(*columns).subquery("t")).sql(name)
    if name == "sqlite":
        with closing(sqlite3.connect(":memory:")) as db:
            return db.execute(query, values).fetchone()[0]
    import duckdb

    with duckdb.connect() as db:
        row = db.execute(query, list(values)).fetchone()
        return row[0] if row else None


def plus(a: E, b: E) -> E:
    return exp.Paren(this=exp.Add(this=a.copy(), expression=b.copy()))


@pytest.mark.parametrize("name", NAMED)
def test_several_values_are_named_at_once(name: str) -> None:
    d = dialect(name)
    made = d.let_all({"a": column("v0"), "b": integer(5)}, lambda r: plus(r["a"], plus(r["b"], r["a"])))
    assert run(name, made, 3) == 11


@pytest.mark.parametrize("name", NAMED)
def test_inner_values_may_use_outer_ones(name: str) -> None:
    d = dialect(name)
    made = d.let(column("v0"), lambda a: d.let(plus(a, a), lambda b: plus(a, b), "b") or a, "a")
    assert run(name, made, 7) == 21


@pytest.mark.parametrize("name", NAMED)
def test_steps_repeat_with_their_number(name: str) -> None:
    d = dialect(name)
    made = d.repeated(column("v0"), 5, lambda v, i: plus(plus(v, v), i))
    assert run(name, made, 1) == 58  # 1 2 5 12 27 58


def test_a_database_that_cannot_name_values_says_so() -> None:
    mysql = dialect("mysql")
    assert not mysql.names_values
    assert mysql.let(integer(1), lambda v: v) is None
    assert mysql.repeated(integer(1), 2, lambda v, _: v) is None
    assert mysql.shared(integer(1), lambda v: plus(v, v)).sql("mysql") == "(1 + 1)"


def test_keys_reach_a_lambda_from_outside() -> None:
    made = dialect("duckdb").let(integer(1), lambda v: dialect("duckdb").concat(key_ref("k", "inner"), text("x")))
    assert made is not None
    lambda_ = made.find(exp.Lambda)
    assert lambda_ is not None and key_names(made) == ["k"] and key_names(lambda_) == []


def _in(d: Dialect, values: list[str]) -> E | None:
    return d.one_of(d.plain(column("v0")), values)


@pytest.mark.parametrize("values", [["a", "b"], [f"n{i}" for i in range(2000)], ["x|y", "x;y", "x\ty", "x\x1fy"]])
def test_membership(values: list[str]) -> None:
    for name in NAMED:
        assert run(name, _in(dialect(name), values), values[-1])
        assert not run(name, _in(dialect(name), values), "y")
        assert not run(name, _in(dialect(name), values), values[0].upper())


def test_too_many_are_refused() -> None:
    for name in ("postgres", "mysql", *NAMED):
        over = dialect(name).max_literal_list + 1
        assert _in(dialect(name), [f"n{i}" for i in range(over)]) is None
        assert _in(dialect(name), []) is None


@given(st.lists(st.text(max_size=4), max_size=4), st.lists(st.text(max_size=4), max_size=4))
def test_texts_of_tuples_tell_them_apart(left: list[str], right: list[str]) -> None:
    assert (tuple_text(left) == tuple_text(right)) == (left == right)


@pytest.mark.parametrize("name", NAMED)
def test_texts_of_tuples_are_equal_in_sql(name: str) -> None:
    d = dialect(name)
    made = d.tuple_text([d.plain(column("v0")), d.plain(column("v1")), d.plain(column("v2"))])
    assert run(name, made, "a,b", "é:", None) == tuple_text(["a,b", "é:", None])
