"""A file as a table: its columns with their types, and the plan that rules or a policy make of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dbmask.errors import BindError, KeySourceError, PolicyError, Problem, UsageError
from dbmask.files.binding import TEXT
from dbmask.files.records import missing_rules
from dbmask.files.rules import Rule, RulesError
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Columns, nearest
from dbmask.planner import Profile, TablePlan, Unit, build_plan
from dbmask.policy.model import Policy, TableMode
from dbmask.policy.names import is_pattern, table_glob
from dbmask.schema import Column, ColumnType, Schema, Table, TableName
from dbmask.spi import Capabilities
from dbmask_sql.duckdb_types import scalar

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["SCHEMA", "FilePlan", "column_type", "is_nested", "plan_of_policy", "plan_of_rules"]

SCHEMA = "main"


def column_type(sql: str) -> ColumnType:
    """The type that DuckDB writes as ``sql``."""
    return ColumnType(sql=sql, **scalar(sql)._asdict())


def is_nested(sql: str) -> bool:
    """Whether values of DuckDB's type ``sql`` hold others."""
    return sql.endswith("]") or sql.startswith(("STRUCT(", "MAP(", "UNION("))


@dataclass(frozen=True)
class FilePlan:
    """What happens to the table of a file.

    ``table`` is as the masks see it; ``as_text`` names the columns that are read as texts although their own type is another;
    ``types`` are DuckDB's types of what is written; ``unruled`` passed without a rule; ``watched`` are the defaults of
    generalized columns.
    """

    plan: TablePlan
    as_text: frozenset[str] = frozenset()
    types: Mapping[str, str] = field(default_factory=dict)
    unruled: tuple[str, ...] = ()
    watched: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def in_python(self) -> FilePlan:
        """The same plan with nothing left to SQL."""
        return replace(self, plan=replace(self.plan, units=tuple(replace(u, exprs=None) for u in self.plan.units)))


def plan_of_rules(
    columns: Sequence[Column], rules: Sequence[Rule], keys: KeyRing, *, strict: bool, allow_missing: bool
) -> FilePlan:
    """Bind each rule to the column of its name; columns without one are kept.

    Raises MaskError for rules without a column, UsageError under ``strict`` for columns without a rule, RulesError for
    masks that do not fit.
    """
    by_path = {rule.path: (i, rule) for i, rule in enumerate(rules)}
    names = {c.name for c in columns}
    error = None if allow_missing else missing_rules(rules, {i for p, (i, _) in by_path.items() if p in names})
    if error is not None:
        raise UsageError(str(error))
    unruled = tuple(c.name for c in columns if c.name not in by_path)
    if strict and unruled:
        raise UsageError(f"without a rule, which --strict asks for: {', '.join(unruled)}")
    made = _Rules(keys, columns)
    for column in columns:
        rule = by_path.get(column.name)
        made.add(column, rule[1] if rule else None)
    if made.problems:
        raise RulesError(made.problems)
    table = Table(TableName(SCHEMA, "dbmask_input"), tuple(made.seen))
    plan = TablePlan(table, TableMode.MASK, (), tuple(made.units), tuple(made.dropped))
    return FilePlan(plan, frozenset(made.as_text), made.types, unruled, made.watched, tuple(made.warnings))


class _Rules:
    """Rules on their way to units."""

    def __init__(self, keys: KeyRing, columns: Sequence[Column]) -> None:
        from dbmask_sql.dialects import dialect

        self.keys = keys
        self.dialect = dialect("duckdb")
        self.available = {c.name: c for c in columns}
        self.seen: list[Column] = []
        self.units: list[Unit] = []
        self.dropped: list[str] = []
        self.as_text: set[str] = set()
        self.types: dict[str, str] = {}
        self.watched: dict[str, str] = {}
        self.warnings: list[str] = []
        self.problems: list[Problem] = []

    def add(self, column: Column, rule: Rule | None) -> None:
        """Bind the rule of a column; None keeps it."""
        from dbmask.masks.build import build_mask
        from dbmask.planner.model import SOURCE_ALIAS
        from dbmask_sql.dialects.base import column as ref

        if rule is not None and rule.drops:
            self.seen.append(column)
            self.dropped.append(column.name)
            return
        mask = build_mask("keep") if rule is None else rule.mask
        classic = rule is not None and rule.classic and not rule.keeps and rule.mask.name != "noise"
        if classic and not column.type.is_text:
            self.as_text.add(column.name)
            column = replace(column, type=TEXT)
        self.seen.append(column)
        try:
            bound: Bound = mask.bind(Columns((column,), {**self.available, column.name: column}), self.keys)
        except (BindError, KeySourceError) as error:
            self.problems.append(Problem(rule.where if rule else "", f"{column.name}: {error}"))
            return
        exprs: tuple[exp.Expression, ...] | None = None
        sql = bound.sql([ref(name, SOURCE_ALIAS) for name in bound.inputs], self.dialect)
        if sql is not None:
            exprs = tuple(sql)
        self.units.append(Unit(mask, bound, exprs))
        made = bound.promises.type
        self.types[column.name] = "VARCHAR" if made.is_text else column.type.sql if made.sql != "" else "VARCHAR"
        if rule is not None and rule.default is not None:
            self.watched[column.name] = rule.default
        if rule is not None and rule.mask.name == "noise":
            self.warnings += [f"{column.name}: {text}" for text in bound.promises.warnings]


def plan_of_policy(columns: Sequence[Column], policy: Policy, keys: KeyRing, name: str) -> FilePlan:
    """The plan of the policy's table ``name`` over the file's columns.

    Where no table has the name and the policy has one table alone, that is meant. Raises UsageError, and PlanError with every problem.
    """
    schema, rule_name = _table_rule(policy, name)
    table = Table(TableName(schema, rule_name), tuple(columns))
    rules = tuple(r for r in policy.tables if _speaks_of(r.name, table.name))
    alone = replace(policy, tables=rules, relations=(), notes=())
    made = build_plan(
        alone, Schema("duckdb", {table.name: table}, default_schema=schema), Capabilities("duckdb"), Profile.FILE, keys
    ).require()
    plan = made.tables[table.name]
    if plan.mode in (TableMode.EMPTY, TableMode.SKIP):
        raise UsageError(f"the policy says `{plan.mode}` of {plan.name}: there is nothing to write")
    known = {c.name: c.type.sql for c in columns}
    types = {c.column.name: c.out_type.sql or "VARCHAR" for c in plan.columns}
    types |= {c.column.name: known[c.column.name] for c in plan.columns if c.mask == "keep" and c.column.name in known}
    warnings = tuple(str(w) for w in made.warnings)
    renamed = replace(plan, table=replace(plan.table, name=TableName(SCHEMA, "dbmask_input")))
    return FilePlan(renamed, types=types, warnings=warnings)


def _table_rule(policy: Policy, name: str) -> tuple[str, str]:
    """Schema and name under which the policy knows the table."""
    exact = {}
    for rule in policy.tables:
        if not is_pattern(rule.name):
            parsed = TableName.parse(rule.name, SCHEMA)
            exact[rule.name] = parsed
            if name in (parsed.name, str(parsed), rule.name):
                return parsed.schema, parsed.name
    if any(_speaks_of(r.name, TableName(SCHEMA, name)) for r in policy.tables if is_pattern(r.name)):
        return SCHEMA, name
    if len(exact) == 1 and len(policy.tables) == 1:
        only = next(iter(exact.values()))
        return only.schema, only.name
    listed = [r.name for r in policy.tables]
    hint = nearest(name, listed)
    what = f"the policy has no table {name!r}, as the file is called"
    raise PolicyError([Problem(policy.path, what, f"name it with --table{'; ' + hint if hint else ''}")])


def _speaks_of(rule: str, table: TableName) -> bool:
    if is_pattern(rule):
        return bool(table_glob(rule, SCHEMA)(table))
    return TableName.parse(rule, table.schema) == table
