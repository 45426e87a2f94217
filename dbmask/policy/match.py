"""A policy against a schema: for every table its mode, for every column its rule, and everything that does not match.

A column's rule comes, in this order, from: the foreign key that it belongs to, its exact name in the table's exact
rule, a pattern there, a table pattern, the table's mode, ``default: keep``. Two patterns that both match are an error,
never a choice.
"""

from __future__ import annotations

from dataclasses import replace

from dbmask.errors import Problem
from dbmask.masks.base import nearest
from dbmask.masks.build import build_mask
from dbmask.policy.columns import ColumnRules
from dbmask.policy.inherit import Inheritance, with_relations
from dbmask.policy.lock import Lock
from dbmask.policy.model import Default, Policy, TableMode, TableRule
from dbmask.policy.names import is_pattern, table_glob
from dbmask.policy.resolved import Resolution, ResolvedColumn, ResolvedTable, grouped
from dbmask.schema import Schema, Table, TableKind, TableName

__all__ = ["Resolution", "ResolvedColumn", "ResolvedTable", "kept_columns", "resolve"]

_BY_DEFAULT = "default: keep"


def kept_columns(found: Resolution) -> dict[TableName, list[str]]:
    """The columns of every table that a rule keeps: what the lock file records. Partitions have none of their own."""
    return {n: list(t.columns) for n, t in found.tables.items() if t.kept and t.table.kind is not TableKind.PARTITION}


def resolve(policy: Policy, schema: Schema, lock: Lock | None = None) -> Resolution:
    """Match every rule with the schema. ``lock`` is read from beside the policy where not given.

    What does not fit is listed in the result, not raised. Raises PolicyError where the lock file cannot be read.
    """
    return _Matcher(policy, schema, Lock.beside(policy.path) if lock is None else lock).run()


class _Matcher:
    """One matching; problems gather as it goes."""

    def __init__(self, policy: Policy, schema: Schema, lock: Lock) -> None:
        self.policy = policy
        self.schema = schema
        self.lock = lock
        self.tables, self.problems = with_relations(policy.relations, schema.tables, schema.default_schema)
        self.warnings: list[Problem] = [*policy.notes]
        self.drift: list[Problem] = []
        self.keep = build_mask("keep")
        self.patterns = [(r, table_glob(r.name, schema.default_schema)) for r in policy.tables if is_pattern(r.name)]
        self.matched: dict[int, list[Table]] = {id(rule): [] for rule, _ in self.patterns}
        self.exact: dict[TableName, TableRule] = {}

    def run(self) -> Resolution:
        """Resolve tables, then what foreign keys and parents hand down, then say what is left over on either side."""
        for rule in self.policy.tables:
            if not is_pattern(rule.name):
                self._name_exactly(rule)
        leaders = {n: self._table(t) for n, t in self.tables.items() if not self._parents(t)}
        made = self._follow(leaders)
        for resolved in made.values():
            self._uncovered(resolved)
        self._unmatched()
        if self.policy.default is Default.KEEP:
            self.warnings.append(self._by_default(made))
        return Resolution(
            made, tuple(dict.fromkeys(self.problems)), tuple(dict.fromkeys(self.warnings)), tuple(self.drift)
        )

    def _name_exactly(self, rule: TableRule) -> None:
        name = TableName.parse(rule.name, self.schema.default_schema)
        if name in self.exact:
            self.problems.append(Problem(rule.where, f"{name} is named twice", f"first at {self.exact[name].where}"))
            return
        self.exact[name] = rule
        table = self.tables.get(name)
        if table is None:
            self.problems.append(Problem(rule.where, *self._no_such_table(name)))
        elif table.kind is TableKind.PARTITION and self._parents(table):
            what = f"{name} is a partition and follows {table.parents[0]}"
            self.problems.append(Problem(rule.where, what, "name the partitioned table alone"))

    def _no_such_table(self, name: TableName) -> tuple[str, str]:
        if any(v.name == name for v in self.schema.views):
            return f"{name} is a view: views follow the tables that they read", "take it out of the policy"
        return f"there is no table {name}", nearest(str(name), [str(n) for n in self.tables])

    # -- tables with rules of their own ------------------------------------------------------------------------

    def _table(self, table: Table) -> ResolvedTable:
        exact = self.exact.get(table.name)
        patterns = [rule for rule, matches in self.patterns if matches(table.name)]
        for pattern in patterns:
            self.matched[id(pattern)].append(table)
        if exact is None and len(patterns) > 1:
            listed = " and ".join(f"{r.name} ({r.where})" for r in patterns)
            what = f"is matched by two patterns, {listed}"
            self.problems.append(Problem(str(table.name), what, "name the table exactly"))
        rule = exact or (patterns[0] if patterns else None)
        if rule is None:
            kept = self.policy.default is Default.KEEP
            mode, why = (TableMode.KEEP, _BY_DEFAULT) if kept else (TableMode.MASK, "")
            return ResolvedTable(table, mode, self._kept(table, _BY_DEFAULT) if kept else {}, why=why)
        why = f"{rule.name} at {rule.where}"
        if rule.mode is TableMode.KEEP:
            columns = self._locked(table, why)
            return ResolvedTable(table, rule.mode, columns, filter=rule.filter, why=why, kept=True)
        if rule.mode is not TableMode.MASK:
            return ResolvedTable(table, rule.mode, why=why)
        rules = ColumnRules(table, exact, patterns)
        found = rules.resolve()
        self.problems += rules.problems
        self.warnings += rules.warnings
        resolved = ResolvedTable(table, rule.mode, found, rules.groups, rule.filter, why)
        if self.policy.default is Default.KEEP:
            missing = {n: c for n, c in self._kept(table, _BY_DEFAULT).items() if n not in grouped(resolved)}
            resolved = replace(resolved, columns={**missing, **found})
        return resolved

    def _kept(self, table: Table, why: str) -> dict[str, ResolvedColumn]:
        return {c.name: ResolvedColumn(c, None if c.generated else self.keep, why) for c in table.columns}

    def _locked(self, table: Table, why: str) -> dict[str, ResolvedColumn]:
        """The columns of a kept table, without those that came after they were recorded."""
        kept = self._kept(table, why)
        known = self.lock.columns(table.name)
        if known is None:  # not recorded yet: the columns of today are what `keep` means
            return kept
        for name in [n for n in kept if n not in known]:
            what = "was added after `keep` was recorded for its table"
            hint = "give the table's columns masks, or accept it with `dbmask check --accept`"
            self.drift.append(Problem(f"{table.name}.{name}", what, hint))
            del kept[name]
        return kept

    # -- tables that follow others -----------------------------------------------------------------------------

    def _parents(self, table: Table) -> list[TableName]:
        """The tables that a table follows: what it is a partition of, or inherits from and is not named beside."""
        parents = [p for p in table.parents if p in self.tables]
        follows = table.kind is TableKind.PARTITION or (table.kind is TableKind.CHILD and table.name not in self.exact)
        return parents if follows else []

    def _leader(self, name: TableName) -> TableName:
        """The table at the top of those that a table follows."""
        while parents := self._parents(self.tables[name]):
            name = parents[0]
        return name

    def _follow(self, leaders: dict[TableName, ResolvedTable]) -> dict[TableName, ResolvedTable]:
        same = {n: self._leader(n) for n in self.tables if n not in leaders}
        inheritance = Inheritance(self.tables, leaders, same)
        done: dict[TableName, ResolvedTable] = {}

        def settle(name: TableName) -> ResolvedTable:
            if name not in done:
                parents = [settle(p) for p in self._parents(self.tables[name])]
                resolved = self._follower(self.tables[name], parents) if parents else leaders[name]
                done[name], problems = inheritance.follow(resolved)
                self.problems += problems
            return done[name]

        return {name: settle(name) for name in self.tables}

    def _follower(self, table: Table, parents: list[ResolvedTable]) -> ResolvedTable:
        first = parents[0]
        columns: dict[str, ResolvedColumn] = {}
        for parent in parents:
            if parent.mode is not first.mode:
                what = f"inherits from {first.table.name} (`{first.mode}`) and {parent.table.name} (`{parent.mode}`)"
                self.problems.append(Problem(str(table.name), what, "name it in the policy"))
            for column in table.columns:
                above = parent.columns.get(column.name)
                if above is not None and columns.get(column.name, above).mask != above.mask:
                    what = f"has different masks in {first.table.name} and {parent.table.name}"
                    self.problems.append(Problem(f"{table.name}.{column.name}", what, "name the table in the policy"))
                elif above is not None:
                    columns[column.name] = replace(above, column=column, named=bool(above.where))
        why = f"follows {first.table.name}" if first.why else ""
        if first.kept and table.kind is TableKind.CHILD:  # it may have columns of its own, which are recorded too
            columns = {**self._locked(table, why), **columns}
        elif first.mode is TableMode.KEEP and table.kind is TableKind.CHILD:
            columns = {**self._kept(table, why), **columns}
        return replace(first, table=table, columns=columns, why=why)

    # -- what is left over -------------------------------------------------------------------------------------

    def _uncovered(self, resolved: ResolvedTable) -> None:
        table = resolved.table
        if resolved.mode is not TableMode.MASK or table.kind is TableKind.PARTITION:
            return
        if not resolved.why and not resolved.columns:
            listed = ", ".join(c.name for c in table.columns)
            what = f"is not named in the policy (columns: {listed})"
            self.problems.append(Problem(str(table.name), what, "give it columns, or `keep`, `empty` or `skip`"))
            return
        groups = grouped(resolved)
        for column in table.columns:
            if column.name not in resolved.columns and column.name not in groups:
                what = "is not named in the policy"
                self.problems.append(Problem(f"{table.name}.{column.name}", what, "give it a mask, or `keep`"))

    def _unmatched(self) -> None:
        for rule, _ in self.patterns:
            tables = self.matched[id(rule)]
            if not tables:
                self.warnings.append(Problem(rule.where, f"no table matches {rule.name}"))
            else:
                problems, warnings = ColumnRules.unmatched(rule, tables)
                self.problems += problems
                self.warnings += warnings

    def _by_default(self, made: dict[TableName, ResolvedTable]) -> Problem:
        listed = [str(n) for n, t in made.items() if t.why == _BY_DEFAULT]
        listed += [
            f"{n}.{c}"
            for n, t in made.items()
            for c, one in t.columns.items()
            if t.why != _BY_DEFAULT and one.why == _BY_DEFAULT
        ]
        more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
        said = f"{', '.join(listed[:12])}{more}" if listed else "which is nothing today"
        return Problem(self.policy.path, "`default: keep` copies what the policy does not name", said)
