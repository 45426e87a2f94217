"""Plans of every shape: masks over groups, masks that read other columns, dropped and filled columns, large schemas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from dbmask.engine import masked_batches
from dbmask.errors import BindError, Problem
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Columns, Mask, Promises
from dbmask.masks.build import build_mask, example_keys
from dbmask.planner import Plan, Profile, RunsIn, build_plan, reading
from dbmask.policy import ColumnRule, GroupRule, Policy, TableRule
from dbmask.schema import ColumnType, Kind, Schema
from dbmask.spi import Capabilities
from dbmask_sql.dialects import dialect
from tests.schemas import INT, TEXT, column, fk, name, schema, table


@dataclass(frozen=True, kw_only=True)
class Swap(Mask):
    """Two columns exchanged, and a third made of both: what a mask over a group may do."""

    name: ClassVar[str] = "swap"
    columns: tuple[str, ...] = ("a", "b")
    outputs: tuple[str, ...] = ("a", "b", "both")
    in_sql: bool = False
    profiles: ClassVar[frozenset[str]] = frozenset({"clone"})

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        for each in self.columns:
            columns.other(each, "columns")
        return SwapBound(self)


@dataclass(frozen=True)
class SwapBound:
    mask: Swap

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.mask.columns

    @property
    def outputs(self) -> tuple[str, ...]:
        return self.mask.outputs

    @property
    def promises(self) -> Promises:
        return Promises(type=TEXT, value_only=False)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        a, b = columns
        return [b, a, [f"{x}{y}" for x, y in zip(a, b, strict=True)]]

    def sql(self, exprs: Sequence[Any], to: Any) -> list[Any] | None:
        a, b = exprs
        return [b, a, to.concat(a.copy(), b.copy())] if self.mask.in_sql else None


@dataclass(frozen=True, kw_only=True)
class Absent(Mask):
    """A column that is not written: by nobody, or by the database."""

    name: ClassVar[str] = "drop"

    def bind(self, columns: Columns, keys: KeyRing) -> Bound:
        return AbsentBound()


@dataclass(frozen=True)
class AbsentBound:
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @property
    def promises(self) -> Promises:
        return Promises(type=TEXT)

    def apply(self, columns: Sequence[list[Any]]) -> list[list[Any]]:
        return []

    def sql(self, exprs: Sequence[Any], to: Any) -> list[Any] | None:
        return []


def planned(rule: TableRule, db: Schema, profile: Profile = Profile.CLONE) -> Plan:
    return build_plan(Policy(tables=(rule,)), db, Capabilities("duckdb"), profile, example_keys())


T = table("t", column("id", INT), column("a"), column("b"), key="id")


def group(**params: Any) -> TableRule:
    from dbmask.masks.hash import Hash

    return TableRule(
        "t",
        columns=(ColumnRule("id", Hash(keyed=False), "p:1"),),
        groups=(GroupRule(Swap(**params), "p:2"),),
        where="p:0",
    )


TEXT_ID = table("t", column("id"), column("a"), column("b"), key="id")


def test_a_mask_over_a_group_in_python() -> None:
    plan = planned(group(), schema(TEXT_ID)).require().tables[name("t")]
    assert plan.writes == ("id", "a", "b", "both")
    assert [(c.column.name, c.mask, c.runs_in) for c in plan.columns] == [
        ("id", "hash", RunsIn.SQL),
        ("a", "swap", RunsIn.PYTHON),
        ("b", "swap", RunsIn.PYTHON),
        ("both", "swap", RunsIn.PYTHON),
    ]
    assert "no form in duckdb" in plan.columns[1].why
    part = reading(plan, "duckdb")
    assert [e.alias for e in part.query.expressions] == ["dbmask_raw_1", "dbmask_raw_2", "id"]

    class Rows:
        position = ""

        def use_keys(self, pads: Any) -> None: ...

        def read(self, query: Any, batch_rows: int = 10_000) -> Any:
            yield [["x", "y"], ["1", None], ["h1", "h2"]]

    assert list(masked_batches(Rows(), part)) == [[["h1", "h2"], ["1", None], ["x", "y"], ["x1", "yNone"]]]


def test_a_mask_over_a_group_in_sql_writes_in_table_order() -> None:
    plan = planned(group(in_sql=True), schema(TEXT_ID)).require().tables[name("t")]
    assert plan.pushed_down
    part = reading(plan, "duckdb")
    assert [e.alias for e in part.query.expressions] == ["id", "a", "b", "both"]
    assert part.ready == (0, 1, 2, 3) and part.leftover == ()


def test_what_is_wrong_with_a_group() -> None:
    found = planned(group(columns=("a", "bb")), schema(TEXT_ID))
    assert (
        Problem("public.t [p:2]", "`columns` names column 'bb', which the table does not have", "did you mean b?")
        in found.problems
    )
    other = planned(group(), schema(TEXT_ID), Profile.VIEW)
    assert "public.t [p:2]: swap cannot run in a view plan" in [str(p) for p in other.problems]
    rule = TableRule("t", columns=(ColumnRule("a", Absent(), "p:3"),), groups=(GroupRule(Swap(), "p:2"),), where="p:0")
    assert "p:3: a stands in a group of its table too (remove one)" in [
        str(p) for p in planned(rule, schema(TEXT_ID)).problems
    ]


def test_a_column_that_follows_may_stand_in_a_group() -> None:
    child = table("t", column("a"), column("b"), keys=(fk("a", "p", "id"),))
    parent = table("p", column("id"), key="id")
    rules = (TableRule("t", groups=(GroupRule(Swap(), "p:2"),), where="p:0"), TableRule("p", columns=(), where="p:9"))
    found = build_plan(
        Policy(tables=rules), schema(child, parent), Capabilities("duckdb"), Profile.CLONE, example_keys()
    )
    assert [str(p) for p in found.problems] == ["public.p.id: is not named in the policy (give it a mask, or `keep`)"]


def test_dropped_columns_and_what_hangs_on_them() -> None:
    derived = table("t", column("id"), column("a"), column("g", generated_from=("a",)), key="id")
    columns = (ColumnRule("id", Absent(), "p:1"), ColumnRule("a", Absent(), "p:2"))
    found = planned(TableRule("t", columns=columns, where="p:0"), schema(derived))
    plan = found.tables[name("t")]
    assert plan.dropped == ("id", "a") and plan.writes == ()
    said = [str(p) for p in found.problems]
    assert "public.t.id: drop would remove a key column (mask it, or drop the table with `skip`)" in said
    assert "public.t.g: is generated from a, which is dropped" in said


def test_a_reference_to_a_column_whose_mask_looks_beyond_the_value() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Beyond(Mask):
        name: ClassVar[str] = "beyond"

        def bind(self, columns: Columns, keys: KeyRing) -> Bound:
            from dbmask.masks.base import ValueBound

            return ValueBound(columns.target, Promises(type=TEXT, value_only=False, injective=True), str)

    parent, child = table("p", column("id"), key="id"), table("c", column("p"), keys=(fk("p", "p", "id"),))
    rules = (TableRule("p", columns=(ColumnRule("id", Beyond(), "p:1"),), where="p:0"), TableRule("c", where="p:2"))
    found = build_plan(
        Policy(tables=rules), schema(parent, child), Capabilities("duckdb"), Profile.CLONE, example_keys()
    )
    assert [str(p) for p in found.problems] == [
        "public.p.id: beyond depends on more than the value, and public.c.p refers to the column "
        "(use a mask that depends on nothing but the value, such as permute, hash or uuid)"
    ]


def test_filters_are_parsed_in_the_sources_dialect() -> None:
    policy = Policy.from_text("version: 1\ntables: {t: {columns: {'*': keep}, where: 'a ~ ''^x'' AND b IS NOT NULL'}}")
    plan = build_plan(policy, schema(T), Capabilities("postgres"), keys=example_keys()).require()
    text = reading(plan.tables[name("t")], "postgres").query.sql("postgres")
    assert text.endswith("""FROM "public"."t" AS "dbmask_src" WHERE a ~ '^x' AND b IS NOT NULL""")


def test_a_filter_that_is_no_condition_is_a_problem_of_the_plan() -> None:
    policy = Policy.from_text("version: 1\ntables: {t: {columns: {'*': keep}, where: 'a ='}}", "yaml", "p.yaml")
    found = build_plan(policy, schema(T), Capabilities("postgres"), keys=example_keys())
    assert [str(p) for p in found.problems] == [
        "public.t [p.yaml:2]: `where:` is no SQL condition that postgres would read"
    ]


@pytest.mark.slow
def test_a_thousand_tables_are_planned() -> None:
    many = [table(f"t{i}", column("id"), *(column(f"c{j}") for j in range(10)), key="id") for i in range(1000)]
    policy = Policy.from_text("version: 1\ntables: {'t*': {columns: {id: keep, '*': redact}}}")
    found = build_plan(policy, schema(*many), Capabilities("postgres"), keys=example_keys()).require()
    assert sum(c.masked for t in found for c in t.columns) == 10_000


def test_output_types_are_the_columns_own_where_rows_travel_as_bytes() -> None:
    small = ColumnType(Kind.TEXT, "varchar(64)", length=64)
    policy = Policy.from_text("version: 1\ntables: {t: {columns: {a: hash}}}")
    for to, expected in (("postgres", "CAST("), ("duckdb", "CAST("), ("sqlite", "CASE")):
        plan = build_plan(
            policy, schema(table("t", column("a", small)), dialect=to), Capabilities(to), keys=example_keys()
        )
        exprs = plan.tables[name("t")].units[0].exprs
        assert exprs is not None and exprs[0].sql(to).startswith(expected)
        assert dialect(to).name == to


def test_bind_errors_read_well() -> None:
    assert str(BindError("what", "hint")) == "what (hint)"
    with pytest.raises(BindError, match="names column 'x'"):
        Columns((column("a"),), {"a": column("a")}).other("x", "by")


def test_masks_that_read_the_same_column_read_it_once() -> None:
    groups = (GroupRule(Swap(), "p:2"), GroupRule(Swap(outputs=("x", "y", "z")), "p:3"))
    rule = TableRule("t", columns=(ColumnRule("id", build_mask("keep"), "p:1"),), groups=groups, where="p:0")
    plan = planned(rule, schema(TEXT_ID)).tables[name("t")]
    part = reading(plan, "duckdb")
    assert [e.alias for e in part.query.expressions] == ["dbmask_raw_1", "dbmask_raw_2", "id"]
    assert [(inputs, outputs) for _, inputs, outputs in part.leftover] == [((0, 1), (1, 2, 3)), ((0, 1), (4, 5, 6))]
