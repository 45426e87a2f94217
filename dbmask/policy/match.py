"""A policy against a schema: for every table its mode, for every column its rule, and everything that does not match.

A column's rule comes, in this order, from: the foreign key that it belongs to, its exact name in the table's exact
rule, a pattern there, a table pattern, the table's mode. Two patterns that both match are an error, never a choice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from dbmask.errors import Problem
from dbmask.masks.base import nearest
from dbmask.masks.build import build_mask
from dbmask.policy.inherit import ResolvedColumn, ResolvedTable, group_columns, inherit
from dbmask.policy.lock import Lock
from dbmask.policy.model import ColumnRule, Default, Policy, TableMode, TableRule
from dbmask.schema import Column, Schema, Table, TableKind, TableName

__all__ = ["Resolution", "ResolvedColumn", "ResolvedTable", "is_pattern", "kept_columns", "resolve"]


@dataclass(frozen=True)
class Resolution:
    """Every table of a schema, resolved. ``drift`` lists columns that came after the lock file was written."""

    tables: Mapping[TableName, ResolvedTable]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    drift: tuple[Problem, ...] = ()


def is_pattern(name: str) -> bool:
    """Whether a name in a policy is a pattern: it holds ``*`` or ``?`` outside quotes."""
    return not name.startswith('"') and any(c in name for c in "*?")


def bare(name: str) -> str:
    """A column's name without the quotes that a policy may put around it.

    >>> bare('"a""b"')
    'a"b'
    """
    return name[1:-1].replace('""', '"') if len(name) > 1 and name[0] == name[-1] == '"' else name


def kept_columns(found: Resolution) -> dict[TableName, list[str]]:
    """The columns of every ``keep`` table: what the lock file records."""
    return {n: list(t.columns) for n, t in found.tables.items() if t.mode is TableMode.KEEP}


def resolve(policy: Policy, schema: Schema, lock: Lock | None = None) -> Resolution:
    """Match every rule with the schema. ``lock`` is read from beside the policy where not given."""
    return _Matcher(policy, schema, Lock.beside(policy.path) if lock is None else lock).run()


class _Matcher:
    """One matching; problems gather as it goes."""

    def __init__(self, policy: Policy, schema: Schema, lock: Lock) -> None:
        self.policy = policy
        self.schema = schema
        self.lock = lock
        self.problems: list[Problem] = []
        self.warnings: list[Problem] = []
        self.drift: list[Problem] = []
        self.used: set[int] = set()
        self.patterns = [r for r in policy.tables if is_pattern(r.name)]
        self.exact: dict[TableName, TableRule] = {}

    def run(self) -> Resolution:
        """Resolve tables, then what foreign keys hand down, then say what is left over on either side."""
        for rule in self.policy.tables:
            if not is_pattern(rule.name):
                self._name_exactly(rule)
        tables = {name: self._table(table) for name, table in self.schema.tables.items()}
        followed = inherit(self.policy, tables)
        self.problems += followed.problems
        for resolved in followed.tables.values():
            self._uncovered(resolved)
        self._unmatched()
        if self.policy.default is Default.KEEP:
            self.warnings.append(Problem(self.policy.path, "`default: keep` copies what the policy does not name"))
        return Resolution(followed.tables, tuple(self.problems), tuple(self.warnings), tuple(self.drift))

    def _name_exactly(self, rule: TableRule) -> None:
        try:
            name = TableName.parse(rule.name, self.schema.default_schema)
        except ValueError as error:
            self.problems.append(Problem(rule.where, f"table name {rule.name!r}: {error}"))
            return
        if name in self.exact:
            self.problems.append(Problem(rule.where, f"{name} is named twice", f"first at {self.exact[name].where}"))
            return
        self.exact[name] = rule
        table = self.schema.tables.get(name)
        if table is None:
            self.problems.append(Problem(rule.where, *self._no_such_table(name)))
        elif table.kind is TableKind.PARTITION and table.parents:
            what = f"{name} is a partition and follows {table.parents[0]}"
            self.problems.append(Problem(rule.where, what, "name the partitioned table alone"))

    def _no_such_table(self, name: TableName) -> tuple[str, str]:
        if any(v.name == name for v in self.schema.views):
            return f"{name} is a view: views follow the tables that they read", "take it out of the policy"
        return f"there is no table {name}", nearest(str(name), [str(n) for n in self.schema.tables])

    # -- tables --------------------------------------------------------------------------------------------------

    def _table(self, table: Table) -> ResolvedTable:
        parent = next((p for p in table.parents if p in self.schema.tables), None)
        exact = self.exact.get(table.name)
        if parent is not None and (
            table.kind is TableKind.PARTITION or (table.kind is TableKind.CHILD and exact is None)
        ):
            return self._follower(table, parent)
        patterns = [r for r in self.patterns if self._matches(r.name, table.name)]
        self.used.update(id(r) for r in patterns)
        rule = exact or self._pattern_mode(table, patterns)
        if rule is None:
            kept = self.policy.default is Default.KEEP
            columns = self._kept(table, "default: keep") if kept else {}
            return ResolvedTable(table, TableMode.KEEP if kept else TableMode.MASK, columns)
        why = f"{rule.name} at {rule.where}"
        if rule.mode is TableMode.KEEP:
            return ResolvedTable(table, rule.mode, self._locked(table, why), filter=rule.filter, why=why)
        if rule.mode is not TableMode.MASK:
            return ResolvedTable(table, rule.mode, why=why)
        return self._columns(table, rule, patterns)

    def _matches(self, pattern: str, name: TableName) -> bool:
        schema, dot, table = pattern.rpartition(".")
        if not dot:
            return name.schema == self.schema.default_schema and fnmatchcase(name.name, table)
        return fnmatchcase(name.schema, schema) and fnmatchcase(name.name, table)

    def _pattern_mode(self, table: Table, patterns: list[TableRule]) -> TableRule | None:
        if len(patterns) > 1 and any(r.mode is not TableMode.MASK for r in patterns):
            listed = " and ".join(f"{r.name} ({r.where})" for r in patterns)
            self.problems.append(
                Problem(str(table.name), f"is matched by two patterns, {listed}", "name the table exactly")
            )
        return patterns[0] if patterns else None

    def _follower(self, table: Table, parent: TableName) -> ResolvedTable:
        above = self._table(self.schema.tables[parent])
        columns = {c.name: replace(above.columns[c.name], column=c) for c in table.columns if c.name in above.columns}
        why = f"follows {parent}" if above.why or above.columns else ""
        return replace(above, table=table, columns=columns, why=why)

    def _kept(self, table: Table, why: str) -> dict[str, ResolvedColumn]:
        keep = build_mask("keep")
        return {c.name: ResolvedColumn(c, None if c.generated else keep, why) for c in table.columns}

    def _locked(self, table: Table, why: str) -> dict[str, ResolvedColumn]:
        kept = self._kept(table, why)
        known = self.lock.columns(table.name)
        if known is None:  # not recorded yet: the columns of today are what `keep` means
            return kept
        for name in [n for n in kept if n not in known]:
            self.drift.append(
                Problem(
                    f"{table.name}.{name}",
                    "was added after `keep` was recorded for its table",
                    "give the table's columns masks, or accept it with `dbmask check --accept`",
                )
            )
            del kept[name]
        return kept

    # -- columns -------------------------------------------------------------------------------------------------

    def _columns(self, table: Table, rule: TableRule, patterns: list[TableRule]) -> ResolvedTable:
        exact = [] if is_pattern(rule.name) else [rule]
        groups = tuple(g for r in (*exact, *patterns) for g in r.groups)
        grouped = {name for g in groups for name in group_columns(g)}
        found: dict[str, ResolvedColumn] = {}
        for column in table.columns:
            one = self._rule_of(table, column.name, exact, patterns)
            if one is not None and column.name in grouped:
                self.problems.append(
                    Problem(one.where, f"{column.name} stands in a group of its table too", "remove one")
                )
            elif column.name in grouped:
                continue
            elif column.generated:
                found[column.name] = self._generated(table, column, one)
            elif one is not None:
                found[column.name] = ResolvedColumn(column, one.mask, f"{one.name} at {one.where}", one.where)
        for one in rule.columns if exact else ():
            if is_pattern(one.name):
                if not any(fnmatchcase(c.name, one.name) for c in table.columns):
                    self.warnings.append(Problem(one.where, f"no column of {table.name} matches {one.name}"))
            elif table.column(bare(one.name)) is None:
                hint = nearest(one.name, [c.name for c in table.columns])
                self.problems.append(Problem(one.where, f"{table.name} has no column {one.name!r}", hint))
        return ResolvedTable(table, TableMode.MASK, found, groups, rule.filter, f"{rule.name} at {rule.where}")

    def _generated(self, table: Table, column: Column, rule: ColumnRule | None) -> ResolvedColumn:
        """A generated column is computed from masked values again, whatever a pattern says of it; it may be dropped."""
        if rule is not None and rule.mask.name == "drop":
            return ResolvedColumn(column, rule.mask, f"{rule.name} at {rule.where}", rule.where)
        if rule is not None and not is_pattern(rule.name) and rule.mask.name not in ("keep", "recompute"):
            what = f"{table.name}.{column.name} is generated by the database, which takes no other value"
            self.problems.append(
                Problem(rule.where, what, "leave the line out: it follows the columns that it is made of")
            )
        return ResolvedColumn(column, None, "generated by the database")

    def _rule_of(self, table: Table, name: str, exact: list[TableRule], patterns: list[TableRule]) -> ColumnRule | None:
        for rules in (exact, patterns):
            named = [c for r in rules for c in r.columns if not is_pattern(c.name) and bare(c.name) == name]
            globbed = [c for r in rules for c in r.columns if is_pattern(c.name) and fnmatchcase(name, c.name)]
            for hits in (named, globbed):
                if len(hits) > 1:
                    listed = " and ".join(f"{c.name} ({c.where})" for c in hits)
                    what = f"is matched by two rules, {listed}"
                    self.problems.append(
                        Problem(f"{table.name}.{name}", what, "name the column exactly in one of them")
                    )
                if hits:
                    return hits[0]
        return None

    # -- what is left over ---------------------------------------------------------------------------------------

    def _uncovered(self, resolved: ResolvedTable) -> None:
        table = resolved.table
        if resolved.mode is not TableMode.MASK or table.kind is TableKind.PARTITION:
            return
        if not resolved.why and not resolved.columns:
            listed = ", ".join(c.name for c in table.columns)
            what = f"is not named in the policy (columns: {listed})"
            self.problems.append(Problem(str(table.name), what, "give it columns, or `keep`, `empty` or `skip`"))
            return
        grouped = {name for g in resolved.groups for name in group_columns(g)}
        for column in table.columns:
            if column.name not in resolved.columns and column.name not in grouped:
                what = "is not named in the policy"
                self.problems.append(Problem(f"{table.name}.{column.name}", what, "give it a mask, or `keep`"))

    def _unmatched(self) -> None:
        for rule in self.patterns:
            if id(rule) not in self.used:
                self.warnings.append(Problem(rule.where, f"no table matches {rule.name}"))
