"""A part of a database in which every foreign key holds.

1. What `where:` excludes is out, and so is every row that refers to what is out.
2. Each table contributes rows of itself: children of rows that a parent contributed, or a sample.
3. What those rows refer to comes besides, in the end through every foreign key, circles included.

Sets of keys are held by the reader's session; the database that is read is not written to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

from dbmask.cloner.copying import TableJob
from dbmask.cloner.subset_graph import Edge, Graph
from dbmask.cloner.subset_rules import Subset, subset_of
from dbmask.cloner.subset_sql import Rows
from dbmask.errors import UsageError
from dbmask.keys import KeyRing
from dbmask.planner import Plan, TablePlan, pads_for, reading
from dbmask.policy.model import Policy
from dbmask.schema import Schema, Table, TableName
from dbmask.spi import Held, HoldsKeys, Reader

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["Choice", "picked_plans"]


@dataclass(frozen=True)
class Choice:
    """What a clone is to choose: ``subset``, and whether there is anything to choose at all."""

    subset: Subset = field(default_factory=Subset)
    needed: bool = False

    @classmethod
    def of(cls, policy: Policy, plan: Plan, share: str | None, max_rows: int | None, resume: bool = False) -> Choice:
        """What policy and command line ask for. Raises PolicyError, and UsageError where a subset is to be resumed."""
        subset = subset_of(policy, plan.schema, share, max_rows)
        needed = _needed(subset, [t for t in plan if t.writes], plan.schema.tables)
        if needed and resume:
            raise UsageError("a subset is read in one piece: it cannot be resumed, clone without --resume")
        return cls(subset, needed)

    def picking(
        self, jobs: Mapping[TableName, TableJob], schema: Schema, dialect: str, keys: KeyRing
    ) -> Callable[[Reader], dict[TableName, TableJob]] | None:
        """What makes jobs of jobs once there is a reader; None where every row is wanted."""
        if not self.needed:
            return None

        def pick(reader: Reader) -> dict[TableName, TableJob]:
            made = self.picked([j.plan for j in jobs.values()], schema, reader, dialect, keys)
            return {n: TableJob(made[n], reading(made[n], dialect), j.target) for n, j in jobs.items()}

        return pick

    def picked(
        self, plans: Sequence[TablePlan], schema: Schema, reader: Reader, dialect: str, keys: KeyRing
    ) -> dict[TableName, TablePlan]:
        """The plans, as :func:`picked_plans` makes them where there is anything to choose."""
        if not self.needed:
            return {p.name: p for p in plans}
        return picked_plans(plans, schema.tables, self.subset, reader, dialect, keys)

    def left_out(self, plans: Iterable[TablePlan]) -> list[str]:
        """What is to be said of tables that have not all of their rows."""
        return [f"{plan.name}: rows outside of the subset" for plan in plans if plan.picked is not None]


def _needed(subset: Subset, plans: Sequence[TablePlan], known: Mapping[TableName, Table]) -> bool:
    """Whether rows have to be chosen: by a subset, or because rows refer to a table that has a `where:`."""
    filtered = {p.name for p in plans if p.filter}
    if not subset and not filtered:
        return False
    graph = Graph([p.table for p in plans], known)
    return bool(subset) or any(e.parent in filtered for edges in graph.edges.values() for e in edges)


def picked_plans(
    plans: Sequence[TablePlan],
    known: Mapping[TableName, Table],
    subset: Subset,
    reader: Reader,
    dialect: str,
    keys: KeyRing,
) -> dict[TableName, TablePlan]:
    """The plans with the condition that picks their rows; ``known`` are the schema's tables.

    The conditions mean something to queries of this reader alone. Raises UsageError where its session can hold no keys,
    ConnectorError where a query fails.
    """
    if not isinstance(reader, HoldsKeys):
        raise UsageError("a subset cannot be taken from this kind of database: its sessions hold no sets of keys")
    return _Picker(plans, known, subset, reader, dialect, keys).run()


class _Holder(Reader, HoldsKeys, Protocol):
    """A reader that can hold keys."""


class _Picker:
    """One choice of rows. ``allowed`` and ``chosen`` hold a table's rows, or None where that is all of them."""

    def __init__(
        self,
        plans: Sequence[TablePlan],
        known: Mapping[TableName, Table],
        subset: Subset,
        reader: _Holder,
        dialect: str,
        keys: KeyRing,
    ) -> None:
        self.plans = {p.name: p for p in plans}
        self.graph = Graph([p.table for p in plans], known)
        self.subset = subset
        self.reader = reader
        self.dialect = dialect
        self.keys = keys
        self.rows = {p.name: Rows(p.table, reader, dialect, keys) for p in plans}
        self.allowed: dict[TableName, Held | None] = {}
        self.chosen: dict[TableName, Held | None] = {}
        self.partial: set[TableName] = set()  # tables whose own contribution is less than what is allowed
        self._counted: dict[TableName, int] = {}

    def run(self) -> dict[TableName, TablePlan]:
        """Choose; parents first for what is allowed and contributed, children first for what is referred to."""
        for group in self.graph.groups:
            self._allow(group)
        for group in self.graph.groups:
            for name in group:
                self.chosen[name] = self._contribution(name)
        for group in reversed(self.graph.groups):
            self._complete(group)
        made = {}
        for name, plan in self.plans.items():
            held = self.chosen[name]
            picked = None if held is None else self.rows[name].among(held)
            made[name] = replace(plan, filter=None if picked is not None else plan.filter, picked=picked)
        return made

    def _hold(self, query: exp.Select) -> Held:
        self.reader.use_keys(pads_for([query], self.keys))
        return self.reader.hold(query)

    def _copy(self, name: TableName, held: Held) -> Held:
        """The same set once more: MariaDB lets a query name a temporary table but once."""
        from sqlglot import exp

        return self.reader.hold(exp.select(*self._columns(name)).from_(held.relation))

    def _columns(self, name: TableName) -> list[exp.Expr]:
        from sqlglot import exp

        return [exp.column(c, quoted=True) for c in self.rows[name].names()]

    # -- what is allowed -----------------------------------------------------------------------------------------

    def _allow(self, group: Sequence[TableName]) -> None:
        """The rows of a group that `where:` leaves, without those that refer to others."""
        from sqlglot import exp, parse_one

        for name in group:
            held = None
            if self.plans[name].filter:
                condition = exp.Paren(this=parse_one(str(self.plans[name].filter), read=self.dialect))
                held = self._hold(self.rows[name].ids().where(condition))
            self.allowed[name] = held
            for edge in self.graph.edges[name]:
                if not self.graph.inner(edge):
                    self._restrict(edge)
        changed = self.graph.circular(group)
        while changed:
            changed = False
            for name in group:
                for edge in self.graph.edges[name]:
                    if self.graph.inner(edge):
                        changed |= self._restrict(edge)

    def _restrict(self, edge: Edge) -> bool:
        """Take away what refers to a row that is not allowed; whether there was any."""
        from sqlglot import exp

        parents = self.allowed[edge.parent]
        if parents is None:
            return False
        rows, before = self.rows[edge.child], self.allowed[edge.child]
        if edge.child == edge.parent:
            parents = self._copy(edge.parent, parents)
        good = exp.or_(exp.Not(this=rows.refers(edge)), rows.refers_into(edge, self.rows[edge.parent], parents))
        query = rows.ids().where(good)
        held = self._hold(query if before is None else query.where(rows.among(before)))
        self.allowed[edge.child] = held
        return before is None or held.rows < before.rows

    # -- what a table contributes --------------------------------------------------------------------------------

    def _contribution(self, name: TableName) -> Held | None:
        """The rows that a table contributes of itself; None where that is all of them."""
        if name in self.subset.whole:
            return self.allowed[name]
        share = self.subset.shares.get(name, self.subset.share)
        followed = [] if name in self.subset.shares else self._followed(name)
        most = self.subset.most.get(name)
        if share is None and not followed and most is None:
            return self.allowed[name]
        self.partial.add(name)
        made: Held | None = None
        for condition in self._parts(name, followed, share):
            part = self._hold(self._own(name, condition, most))
            made = part if made is None else self.reader.extend(made, part)
        assert made is not None  # noqa: S101 - there is a part for rows that follow nothing
        if most is not None and made.rows > most:
            ordered = self._columns(name)
            from sqlglot import exp

            made = self.reader.hold(
                exp.select(*ordered).from_(made.relation).order_by(*self._columns(name)).limit(most)
            )
        return made

    def _own(self, name: TableName, condition: exp.Expr | None, most: int | None) -> exp.Select:
        rows, allowed = self.rows[name], self.allowed[name]
        query = rows.ids()
        if not rows.id_names:
            query = query.distinct()
        if condition is not None:
            query = query.where(condition)
        if allowed is not None:
            query = query.where(rows.among(allowed))
        return query if most is None else query.order_by(*rows.identity()).limit(most)

    def _parts(self, name: TableName, followed: Sequence[Edge], share: Fraction | None) -> list[exp.Expr | None]:
        """Conditions that no row meets two of: a row follows the first key by which it refers to anything, or none."""
        from sqlglot import exp

        rows = self.rows[name]
        parts: list[exp.Expr | None] = []
        none_before: list[exp.Expr] = []
        for edge in followed:
            parent = self.chosen[edge.parent]
            assert parent is not None  # noqa: S101 - only partial tables are followed
            into = rows.refers_into(edge, self.rows[edge.parent], parent)
            parts.append(exp.and_(*[e.copy() for e in none_before], rows.refers(edge), into))
            none_before.append(exp.Not(this=rows.refers(edge)))
        required = {c.name for c in self.plans[name].table.columns if not c.nullable}
        if any(set(e.columns) <= required for e in followed):
            return parts  # every row refers to something
        if share is not None and share < 1:
            none_before.append(rows.sampled(share))
        return [*parts, exp.and_(*none_before) if none_before else None]

    def _followed(self, name: TableName) -> list[Edge]:
        """The keys by which rows follow their parents: that to the largest table first, so that shares stay near what was asked."""
        edges = [
            e
            for e in self.graph.edges[name]
            if not self.graph.inner(e) and e.parent in self.partial and self.chosen[e.parent] is not None
        ]
        if len(edges) > 1:
            edges.sort(key=lambda e: (-self._count(e.parent), e.parent, e.columns))
        return edges

    def _count(self, name: TableName) -> int:
        from sqlglot import exp

        if name not in self._counted:
            query = exp.select(exp.Count(this=exp.Star())).from_(self.rows[name].relation())
            self._counted[name] = next(int(batch[0][0]) for batch in self.reader.read(query))
        return self._counted[name]

    # -- what those rows refer to --------------------------------------------------------------------------------

    def _complete(self, group: Sequence[TableName]) -> None:
        """Add what the rows of a group refer to, within the group until nothing is new, then outside of it."""
        inner = [e for name in group for e in self.graph.edges[name] if self.graph.inner(e)]
        fresh: dict[TableName, list[Held | None]] = {}
        if inner:
            for name in group:
                held = self.chosen[name]
                fresh[name] = [None if held is None else self._copy(name, held)]
        while fresh:
            found: dict[TableName, list[Held | None]] = defaultdict(list)
            for edge in inner:
                for some in fresh.get(edge.child, []):
                    more = self._pull(edge, some)
                    if more is not None:
                        found[edge.parent].append(more)
            fresh = found
        for name in group:
            for edge in self.graph.edges[name]:
                if not self.graph.inner(edge):
                    self._pull(edge, self.chosen[name])

    def _pull(self, edge: Edge, some: Held | None) -> Held | None:
        """Add the rows that ``some`` of a child's rows refer to; those that are new, None where none is."""
        held = self.chosen[edge.parent]
        if held is None or (some is not None and not some.rows):
            return None
        parent = self.rows[edge.parent]
        more = self._hold(parent.referred(edge, self.rows[edge.child], some, held))
        if not more.rows:
            return None
        self.chosen[edge.parent] = self.reader.extend(held, more)
        return more
