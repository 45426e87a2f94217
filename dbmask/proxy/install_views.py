"""Masked views of tables: a table's plan as the text of a view, its keys scalar subqueries on the secrets table.

The keys stand in no text: a view that reads them by subquery shows none in EXPLAIN, in pg_get_viewdef or anywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dbmask.planner import Plan, TablePlan, Unit
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.policy.model import TableMode
from dbmask.proxy.placeholders import placeholder, typed
from dbmask.proxy.side_tables import SideTable, in_view, root_of
from dbmask.schema import Column, Table, TableKind, TableName

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["ViewText", "ViewWriter", "key_reader", "shown_columns"]


@dataclass(frozen=True)
class ViewText:
    """A view to be made. ``selects`` are its texts, the best first: a later one shows placeholders where the database does
    not take what comes before. ``only`` is the view for FROM ONLY; ``barrier`` says that it filters rows; ``uses`` are the
    relations of schema dbmask, besides the secrets, and the tables that it may read.
    """

    columns: tuple[str, ...]
    masked: tuple[str, ...]
    selects: tuple[str, ...]
    only: tuple[str, ...] = ()
    barrier: bool = False
    reads: tuple[TableName, ...] = ()
    sides: tuple[str, ...] = ()


def key_reader(role: str) -> Callable[[str, str], exp.Expression]:
    """How a view reads keys: one row of the secrets table, which the owner alone may read, by the class and the key's name."""
    from sqlglot import exp

    def pad(name: str, part: str) -> exp.Expression:
        table = exp.Table(
            this=exp.to_identifier("secrets"),
            db=exp.to_identifier("dbmask"),
            alias=exp.TableAlias(this=exp.to_identifier("dbmask_k")),
        )
        of_class = exp.EQ(this=exp.column("role", table="dbmask_k"), expression=exp.Literal.string(role))
        named = exp.EQ(this=exp.column("name", table="dbmask_k"), expression=exp.Literal.string(name))
        return exp.select(exp.column(f"{part}_pad", table="dbmask_k")).from_(table).where(of_class, named).subquery()

    return pad


class ViewWriter:
    """Writes the views of one plan."""

    def __init__(self, plan: Plan, role: str, sides: Mapping[TableName, SideTable]) -> None:
        self.plan = plan
        self.sides = sides
        self._pad = key_reader(role)

    def view(self, name: TableName) -> ViewText:
        """The view of one table, partition or child that the policy does not skip."""
        table = self.plan.tables[name]
        columns = tuple(shown_columns(table))
        heirs = [self.plan.tables[n] for n in dict.fromkeys(self._below(name))]
        below = [t for t in heirs if t.mode not in (TableMode.SKIP, TableMode.EMPTY)]
        together = len(below) == len(heirs) and all(_alike(table, child, columns) for child in below)
        selects, only = [], []
        for recompute in (True, False):
            alone = self._select(table, columns, only=bool(heirs), recompute=recompute)
            if not heirs or not together:
                branches = [alone, *(self._select(c, columns, only=True, recompute=recompute) for c in below)]
                selects.append(" UNION ALL ".join(branches))
            else:
                selects.append(self._select(table, columns, only=False, recompute=recompute))
            only.append(alone)
        tables = [table, *below]
        return ViewText(
            columns,
            tuple(c.column.name for c in table.columns if _changed(table, c.column.name)),
            tuple(dict.fromkeys(selects)),
            tuple(dict.fromkeys(only)) if heirs else (),
            barrier=any(t.filter or t.mode is TableMode.EMPTY for t in tables),
            reads=tuple(t.name for t in tables),
            sides=tuple(s.name for t in tables if (s := self.sides.get(t.name)) is not None),
        )

    def side_root(self, side: SideTable) -> TableName:
        """The table whose rows a side table is of: a partition's are its table's."""
        return root_of(self.plan.schema, side.plan.name)

    def _below(self, name: TableName) -> Iterator[TableName]:
        """The inheritance children of a table, and theirs; partitions are part of their table."""
        for table in self.plan.schema.tables.values():
            if table.kind is TableKind.CHILD and name in table.parents:
                yield table.name
                yield from self._below(table.name)

    def _select(self, table: TablePlan, columns: Sequence[str], *, only: bool, recompute: bool) -> str:
        from sqlglot import exp

        made = self._expressions(table)
        inner = exp.select().from_(_source(table.table, only))
        side = self.sides.get(table.name)
        if side is not None:
            inner = side.joined(inner)
        if table.mode is TableMode.EMPTY:
            inner = inner.where(exp.false())
        elif table.filter:
            inner = inner.where(_parsed(table.filter))
        outer = [n for n in columns if recompute and n not in made and _generated(table, n)]
        shown = dict(zip(columns, (self._shown(table, made, n) for n in columns), strict=True))
        listed = [exp.alias_(e, n, quoted=True) for n, e in shown.items() if n not in outer]
        text = self._text(inner.select(*listed))
        if not outer:
            return text
        # What the database generates it generates here from masked values.
        parts = [_recomputed(table.table, n) if n in outer else _quoted(n) for n in columns]
        return f"SELECT {', '.join(parts)} FROM ({text}) AS dbmask_rows"  # noqa: S608 - names are quoted, the rest is the plan's

    def _shown(self, table: TablePlan, made: Mapping[str, exp.Expression], name: str) -> exp.Expression:
        if name in made:
            return typed(made[name], _column(table, name))
        return placeholder(_column(table, name), null=True)

    def _expressions(self, table: TablePlan) -> dict[str, exp.Expression]:
        """Each column that a mask makes: its expression, its values in the side table, or its placeholder."""
        from dbmask_sql.dialects.base import column

        made: dict[str, exp.Expression] = {}
        side = self.sides.get(table.name)
        for unit in table.units:
            for place, name in enumerate(unit.bound.outputs):
                if in_view(unit) and unit.exprs is not None:
                    made[name] = unit.exprs[place]
                else:
                    made[name] = self._left(table, unit, name, side)
        changed = {n for n in made if _changed(table, n)}
        for c in table.table.columns:
            kept = made.keys() - changed
            if c.generated and c.name not in made and c.generated_from and kept.issuperset(c.generated_from):
                made[c.name] = column(c.name, SOURCE_ALIAS)
        return made

    def _left(self, table: TablePlan, unit: Unit, name: str, side: SideTable | None) -> exp.Expression:
        target = _column(table, name)
        return placeholder(target) if side is None else side.value(unit, name, placeholder(target))

    def _text(self, query: exp.Expression) -> str:
        from dbmask_sql.keyref import resolve_keys

        return resolve_keys(query, self._pad).sql("postgres")


def _source(table: Table, only: bool) -> exp.Table:
    from sqlglot import exp

    return exp.Table(
        this=exp.to_identifier(table.name.name, quoted=True),
        db=exp.to_identifier(table.name.schema, quoted=True),
        alias=exp.TableAlias(this=exp.to_identifier(SOURCE_ALIAS, quoted=True)),
        only=only,
    )


def _parsed(condition: str) -> exp.Expression:
    from sqlglot import exp, parse_one

    return exp.Paren(this=parse_one(condition, read="postgres"))


def shown_columns(table: TablePlan) -> Iterator[str]:
    """A table's columns that the view has, in order: its own without dropped ones, then those that masks add."""
    own = [c.name for c in table.table.columns]
    yield from (n for n in own if n not in table.dropped)
    yield from (n for unit in table.units for n in unit.bound.outputs if n not in own)


def _column(table: TablePlan, name: str) -> Column:
    found = table.table.column(name) or next((c.column for c in table.columns if c.column.name == name), None)
    if found is None:  # a parent's column that the child drops: a child has every column of its parents
        raise AssertionError(f"{table.name} has no column {name}")
    return found


def _changed(table: TablePlan, name: str) -> bool:
    """Whether a column's values are other than the table's own."""
    found = next((c for c in table.columns if c.column.name == name), None)
    if found is None:
        return True
    if found.column.generated and not found.masked:
        return any(_changed(table, n) for n in found.column.generated_from) or not found.column.generated_from
    return found.masked


def _generated(table: TablePlan, name: str) -> bool:
    column = table.table.column(name)
    return column is not None and column.generated is not None


def _alike(parent: TablePlan, child: TablePlan, columns: Sequence[str]) -> bool:
    """Whether a child's rows, read through the parent, are masked as the child's own policy says."""
    if parent.mode is not child.mode or parent.filter != child.filter:
        return False
    above, below = _by_output(parent), _by_output(child)
    for name in columns:
        one, other = above.get(name), below.get(name)
        if one is None or other is None:
            if one is not other:
                return False
            continue
        if not in_view(one) or not in_view(other) or one.exprs != other.exprs:
            return False
    return True


def _by_output(table: TablePlan) -> dict[str, Unit]:
    return {name: unit for unit in table.units for name in unit.bound.outputs}


def _recomputed(table: Table, name: str) -> str:
    column = table.column(name)
    assert column is not None and column.generated is not None  # noqa: S101 - asked for generated columns alone
    return f"CAST({column.generated} AS {column.type.sql}) AS {_quoted(name)}"


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
