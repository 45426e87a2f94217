"""Constraints tried on masked rows before the run."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dbmask.keys import KeyRing
from dbmask.masks.base import ValueBound
from dbmask.masks.build import example_keys
from dbmask.planner import Plan, plan, plan_source
from dbmask.planner.tries import try_constraints
from dbmask.policy import Policy
from dbmask.registry import connector_for
from dbmask.schema import Check, ColumnType, Kind, TableKind
from tests.schemas import column, schema, table

SCRIPT = """
CREATE TABLE t (
  id INTEGER PRIMARY KEY,
  code TEXT CONSTRAINT short CHECK (length(code) <= 8),
  name TEXT CHECK (name <> 'x' OR name IS NULL),
  rest TEXT
);
INSERT INTO t VALUES (1, 'a', 'ab', 'r'), (2, 'b', NULL, 'r'), (3, NULL, 'c', 'r');
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.executescript(SCRIPT)
    return f"sqlite:///{tmp_path / 's.db'}"


def made(url: str, columns: str, keys: KeyRing | None = None) -> Plan:
    return plan(
        Policy.from_text(f"version: 1\ntables: {{t: {{columns: {columns}}}}}"), url, keys=keys or example_keys()
    )


def test_masked_rows_that_break_a_check_are_a_problem(url: str) -> None:
    found = made(url, "{id: keep, code: hash, name: keep, rest: hash}")
    assert [str(p) for p in found.problems] == [
        "main.t: 2 of at most 1,000 masked rows break constraint short (choose masks whose results the constraint allows)"
    ]


def test_masked_rows_that_hold_are_none(url: str) -> None:
    found = made(url, "{id: keep, code: {mask: hash, length: 8}, name: redact, rest: keep}")
    assert found.problems == () and found.warnings == ()


def test_constraints_that_no_mask_touches_are_not_tried(url: str) -> None:
    assert made(url, "{id: keep, code: keep, name: keep, rest: redact}").warnings == ()


def test_what_cannot_be_tried_is_said(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ValueBound, "sql", lambda self, exprs, dialect: None)
    found = made(url, "{id: keep, code: hash, name: keep, rest: keep}")
    assert "cannot be tried beforehand because a mask runs in Python" in str(found.warnings[0])


@pytest.mark.parametrize("condition", ["no_such_function(code)", "((", "code ="])
def test_conditions_that_cannot_be_read_or_run_are_said(url: str, condition: str) -> None:
    policy = Policy.from_text("version: 1\ntables: {t: {columns: {id: keep, code: hash, '*': keep}}}")
    keys = example_keys()
    with closing(connector_for(url).source(url)) as source:
        bare = plan_source(policy, source, keys=keys)
        one = next(iter(bare.schema.tables.values()))
        odd = type(one)(one.name, one.columns, uniques=one.uniques, checks=(Check("odd", condition, ("code",)),))
        tried = plan(
            policy,
            schema=replace(bare.schema, tables={odd.name: odd}),
            capabilities=source.capabilities,
            keys=keys,
        )
        found = try_constraints(tried, source, keys)
    assert [str(w) for w in found.warnings] == ["main.t: constraint odd cannot be tried beforehand"]


def test_rows_that_would_find_no_partition(url: str) -> None:
    text = ColumnType(Kind.TEXT, "TEXT")
    parent = table("main.t", column("id"), column("code", text), kind=TableKind.PARTITIONED)
    parent = type(parent)(parent.name, parent.columns, parent.kind, partition_key=("code",))
    low = table("main.low", column("id"), column("code", text), kind=TableKind.PARTITION, parents=("main.t",))
    parts = []
    for name, condition in (("low", "(code < 'b')"), ("high", "CHECK (code >= 'b' AND code < 'c')")):
        checks = (Check("partition", condition, ("code",)),)
        parts.append(type(low)(type(low.name)("main", name), low.columns, low.kind, low.parents, checks=checks))
    db = schema(parent, *parts, dialect="sqlite")
    for mask, broken in (("{mask: redact, char: z}", 1), ("{mask: redact, char: a}", 0)):
        policy = Policy.from_text(f"version: 1\ntables: {{main.t: {{columns: {{id: keep, code: {mask}}}}}}}")
        with closing(connector_for(url).source(url)) as source:
            tried = plan(policy, schema=db, capabilities=source.capabilities, keys=example_keys()).require()
            found = try_constraints(tried, source, example_keys())
        assert len(found.problems) == broken
        assert all("break the partitions' bounds" in str(p) for p in found.problems)


def test_a_table_that_may_not_be_read_is_a_problem(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(connector_for(url).source(url)) as source:
        monkeypatch.setattr(type(source), "privileges", lambda self, tables: {tables[0]: "permission denied"})
        policy = Policy.from_text("version: 1\ntables: {t: keep}")
        assert [str(p) for p in plan_source(policy, source).problems] == ["main.t: cannot be read: permission denied"]


@pytest.mark.parametrize("expression", ["(({value}", "{value} +", "SELECT 1; SELECT 2"])
def test_an_expression_that_the_database_cannot_read_is_a_problem(url: str, expression: str) -> None:
    found = made(url, f"{{id: keep, code: {{mask: sql, expression: '{expression}'}}, name: keep, rest: keep}}")
    (problem,) = found.problems
    assert problem.where.startswith("main.t.code")
    assert "sqlite" in problem.what
