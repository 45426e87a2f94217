"""What a plan finds by itself: each problem, with its place and what to do about it."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dbmask.errors import PlanError
from dbmask.keys import KeyRing
from dbmask.masks.build import example_keys
from dbmask.planner import Plan, Profile, RunsIn, build_plan, plan
from dbmask.planner.checks import expected_collisions
from dbmask.policy import Policy
from dbmask.schema import ColumnType, Kind, Schema
from dbmask.spi import Capabilities
from tests.schemas import INT, column, fk, name, schema, table, varchar

POSTGRES = Capabilities("postgres")


def made(text: str, db: Schema, capabilities: Capabilities = POSTGRES, keys: KeyRing | None = None) -> Plan:
    policy = Policy.from_text(f"version: 1\ntables:\n{text}", "yaml", "p.yaml")
    return build_plan(policy, db, capabilities, Profile.CLONE, keys or example_keys())


def said(text: str, db: Schema) -> list[str]:
    return [str(p) for p in made(text, db).problems]


def test_unique_columns_need_injective_masks_and_collisions_are_counted() -> None:
    db = schema(table("t", column("id"), column("b"), key="id", unique=("b",), rows=100_000))
    found = said("  t: {columns: {id: {mask: hash, length: 4}, b: redact}}", db)
    assert found[0].startswith(
        "public.t.id: hash may give two values the same result, and the column is in the primary key: about 4"
    )
    assert "collisions in 100,000 rows" in found[0]
    assert found[1].startswith(
        "public.t.b: redact may give two values the same result, and the column is in unique key u_0 (use keep"
    )
    assert said("  t: {columns: {id: hash, b: keep}}", db) == []


def test_rare_collisions_are_said_too() -> None:
    db = schema(table("t", column("id"), key="id", rows=1000))
    assert "collisions expected" in said("  t: {columns: {id: {mask: hash, length: 20}}}", db)[0]


def test_a_composite_key_holds_where_a_part_of_it_does() -> None:
    db = schema(table("t", column("a"), column("b"), key="a", unique=("a b",)))
    assert said("  t: {columns: {a: hash, b: redact}}", db) == []
    alone = schema(table("t", column("a"), column("b"), unique=("a b",)))
    assert "unique key u_0" in said("  t: {columns: {a: hash, b: redact}}", alone)[0]


def test_a_shuffled_column_stays_unique_alone_and_breaks_a_composite_key() -> None:
    alone = schema(table("t", column("id"), column("b"), key="id", unique=("b",)))
    assert said("  t: {columns: {id: hash, b: shuffle}}", alone) == []
    both = schema(table("t", column("id"), column("a"), column("b"), key="id", unique=("a b",)))
    assert "unique key u_0" in said("  t: {columns: {id: hash, a: keep, b: shuffle}}", both)[0]


@pytest.mark.parametrize(
    ("kind", "hint"),
    [(Kind.INTEGER, "use permute"), (Kind.UUID, "use uuid"), (Kind.TEXT, "use keep, full-length hash")],
)
def test_the_hint_names_a_mask_that_fits(kind: Kind, hint: str) -> None:
    from dbmask.planner.checks import _injective_hint

    one = table("t", column("a", ColumnType(kind)))
    assert _injective_hint(one, "a").startswith(hint)
    assert _injective_hint(one, "gone").startswith("use keep")


def test_keys_whose_equality_is_looser_than_bytes_are_refused_under_keyed_masks() -> None:
    folded = ColumnType(Kind.TEXT, "citext", folded=True)
    db = schema(table("t", column("id", folded), key="id"))
    assert "tells apart values that the column's collation holds equal" in said("  t: {columns: {id: hash}}", db)[0]
    assert said("  t: {columns: {id: keep}}", db) == []


def test_types_and_lengths() -> None:
    db = schema(table("t", column("n", INT), column("s", varchar(20)), column("u", ColumnType(Kind.UUID, "uuid"))))
    assert said("  t: {columns: {n: redact, s: hash, u: hash}}", db) == [
        "public.t.n [p.yaml:3]: redact makes text, and the column is integer (use fixed, null, or generalize with method: floor)",
        "public.t.s [p.yaml:3]: hash gives 64 characters, and the column is varchar(20) "
        "(set `length: 20` or less, or use a mask that keeps the length, such as imitate)",
        "public.t.u [p.yaml:3]: hash makes text, and the column is uuid (use uuid)",
    ]


def test_a_keyed_mask_without_a_key_is_a_problem_of_the_plan() -> None:
    db = schema(table("t", column("s")))
    found = made("  t: {columns: {s: hash}}", db, keys=KeyRing(None))
    assert "no key was given" in str(found.problems[0])
    with pytest.raises(PlanError, match="no key was given"):
        found.require()


def test_references_to_tables_that_are_not_there() -> None:
    parent = table("p", column("id"), key="id")
    child = table("c", column("p"), keys=(fk("p", "p", "id"),))
    found = said("  p: skip\n  c: {columns: {p: keep}}", schema(parent, child))
    assert found == [
        "public.c: foreign key fk_p refers to public.p, which is `skip` (clone public.p too, or skip public.c)"
    ]
    assert said("  p: empty\n  c: empty", schema(parent, child)) == []
    assert "which is `empty`" in said("  p: empty\n  c: keep", schema(parent, child))[0]


def test_uncovered_columns_and_unreadable_tables() -> None:
    db = schema(table("t", column("a"), column("b")))
    policy = Policy.from_text("version: 1\ntables: {t: {columns: {a: keep}}}")
    found = build_plan(policy, db, POSTGRES, keys=example_keys(), unreadable={name("t"): "permission denied"})
    assert [str(p) for p in found.problems] == [
        "public.t.b: is not named in the policy (give it a mask, or `keep`)",
        "public.t: cannot be read: permission denied",
    ]


def test_where_masks_run_and_why() -> None:
    db = schema(table("t", column("a"), column("b"), column("c", generated_from=("a",))))
    found = made("  t: {columns: {a: redact, b: hash}}", db)
    runs = {c.column.name: (c.mask, c.runs_in, c.why) for c in found.tables[name("t")].columns}
    assert runs == {
        "a": ("redact", RunsIn.SQL, "a at p.yaml:3"),
        "b": ("hash", RunsIn.SQL, "b at p.yaml:3"),
        "c": ("recompute", RunsIn.DATABASE, "generated by the database"),
    }
    assert found.tables[name("t")].pushed_down
    assert found.tables[name("t")].writes == ("a", "b")
    assert [t.name for t in found] == [name("t")]
    assert found.require() is found


def test_keyed_masks_run_in_python_where_keys_cannot_reach_the_session() -> None:
    db = schema(table("t", column("a"), column("b")))
    standby = Capabilities("postgres", keys_in_session=False, keyed_why_not="a standby has no temporary tables")
    found = made("  t: {columns: {a: redact, b: hash}}", db, standby)
    plans = {c.column.name: c for c in found.tables[name("t")].columns}
    assert plans["a"].runs_in is RunsIn.SQL
    assert plans["b"].runs_in is RunsIn.PYTHON
    assert plans["b"].why == "b at p.yaml:3; a standby has no temporary tables"
    assert not found.tables[name("t")].pushed_down
    silent = made("  t: {columns: {a: redact, b: hash}}", db, Capabilities("postgres", keys_in_session=False))
    assert "without a trace" in silent.tables[name("t")].columns[1].why


def test_masks_without_a_form_in_sql_run_in_python() -> None:
    db = schema(table("t", column("a")))
    found = made("  t: {columns: {a: {mask: hash, keyed: false, algo: sha512}}}", db)
    assert (
        found.tables[name("t")].columns[0].why
        == "a at p.yaml:3; hash has no form in postgres that is equal to Python's"
    )


def test_a_foreign_key_is_bound_as_the_column_that_it_refers_to() -> None:
    parent = table("p", column("id", varchar(64)), key="id")
    child = table("c", column("p", varchar(70)), keys=(fk("p", "p", "id"),))
    found = made("  p: {columns: {id: hash}}\n  c: {columns: {}}", schema(parent, child))
    assert found.problems == ()
    assert found.tables[name("c")].columns[0].mask == "hash"


def test_the_public_plan_needs_a_source_or_a_schema() -> None:
    policy = Policy.from_text("version: 1\ntables: {t: keep}")
    db = schema(table("t", column("a")))
    assert plan(policy, schema=db, profile="file", keys=example_keys()).profile is Profile.FILE
    with pytest.raises(TypeError, match="source URL or a schema"):
        plan(policy)


@given(st.integers(0, 10**7), st.integers(1, 10**18))
def test_expected_collisions_are_between_none_and_all(rows: int, outcomes: int) -> None:
    count = expected_collisions(rows, outcomes)
    assert 0 <= count <= max(rows - 1, 0) + 1e-6 * rows


@pytest.mark.parametrize(
    ("rows", "outcomes", "expected"), [(0, 5, 0), (1, 5, 0), (23, 365, 0.68), (100_000, 45_000, 59_877), (5, 1, 4)]
)
def test_expected_collisions_of_known_problems(rows: int, outcomes: int, expected: float) -> None:
    assert math.isclose(expected_collisions(rows, outcomes), expected, rel_tol=0.02, abs_tol=1e-9)


def test_a_column_that_a_trigger_fills_from_masked_ones_may_not_be_kept() -> None:
    from dbmask.schema import Trigger

    base = table("t", column("name"), column("search"), column("other"))
    seen = Trigger("fill", timing="before insert", fills=("search", "gone"), reads=("name",))
    blind = Trigger("blind", timing="before insert", fills=("other",))
    db = schema(replace(base, triggers=(seen, blind)))
    assert said("  t: {columns: {name: redact, search: keep, other: redact}}", db) == [
        "public.t.search: keep would carry over what trigger fill made of name before masking "
        "(use recompute, so that the trigger fills it from masked values, or mask it)"
    ]
    assert said("  t: {columns: {name: redact, search: redact, other: redact}}", db) == []
    assert said("  t: {columns: {name: keep, search: keep, other: keep}}", db) == []
    assert "blind made of name" in said("  t: {columns: {name: redact, search: hash, other: keep}}", db)[0]
