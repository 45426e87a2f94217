"""From a resolved table to bound masks: the only place that decides where a mask runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dbmask.errors import BindError, KeySourceError, Problem
from dbmask.keys import KeyRing
from dbmask.masks.base import Bound, Columns, Mask, promises_of
from dbmask.planner.model import SOURCE_ALIAS, ColumnPlan, Profile, RunsIn, TablePlan, Unit
from dbmask.policy.match import ResolvedColumn, ResolvedTable
from dbmask.policy.model import TableMode
from dbmask.schema import Column, Kind, Table
from dbmask.spi import Capabilities

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["TableBinder"]
"""The table alias under which masks see the source's columns."""


@dataclass
class TableBinder:
    """Binds the masks of one table after another; problems gather here."""

    capabilities: Capabilities
    profile: Profile
    keys: KeyRing
    dialect: Dialect
    problems: list[Problem] = field(default_factory=list)

    def bind(self, resolved: ResolvedTable) -> TablePlan:
        """The plan of one table. Columns that cannot be bound become problems."""
        table = resolved.table
        if resolved.mode in (TableMode.SKIP, TableMode.EMPTY):
            return TablePlan(table, resolved.mode, why=resolved.why)
        available = {c.name: c for c in table.columns}
        columns: list[ColumnPlan] = []
        units: list[Unit] = []
        dropped: list[str] = []
        for group in resolved.groups:
            unit, plans = self._group(table, group.mask, group.where, available)
            units += unit
            columns += plans
        for item in resolved.columns.values():
            made = self._column(table, item, available)
            if made is None:
                continue
            column_plan, single = made
            columns.append(column_plan)
            if single is not None:
                units.append(single)
            elif column_plan.mask == "drop":
                dropped.append(item.column.name)
        self._check_filter(resolved)
        order = {c.name: i for i, c in enumerate(table.columns)}
        columns.sort(key=lambda c: order.get(c.column.name, len(order)))
        return TablePlan(
            table,
            resolved.mode,
            tuple(columns),
            tuple(units),
            tuple(dropped),
            resolved.filter,
            resolved.why,
        )

    def _check_filter(self, resolved: ResolvedTable) -> None:
        from sqlglot import parse_one
        from sqlglot.errors import SqlglotError

        if resolved.filter is None:
            return
        try:
            parse_one(resolved.filter, read=self.capabilities.dialect)
        except SqlglotError:
            place = f"{resolved.table.name} [{resolved.why.rpartition(' at ')[2]}]"
            what = f"`where:` is no SQL condition that {self.capabilities.dialect} would read"
            self.problems.append(Problem(place, what))

    def _columns(self, table: Table, targets: tuple[Column, ...], available: dict[str, Column]) -> Columns:
        return Columns(targets, available, table.primary_key, str(table.name), table.rows)

    def _column(
        self, table: Table, item: ResolvedColumn, available: dict[str, Column]
    ) -> tuple[ColumnPlan, Unit | None] | None:
        column = item.column
        if item.mask is None:  # a generated column without a rule
            plan = ColumnPlan(column, "recompute", RunsIn.DATABASE, item.why, column.type, masked=False)
            return plan, None
        # A column that follows a foreign key is bound as the column it refers to, so that both map alike.
        seen = column if item.bind_type is None else replace(column, type=item.bind_type)
        columns = self._columns(table, (seen,), available)
        bound = self._try(table, column.name, item.mask, columns, item.where)
        if bound is None:
            return None
        promises = bound.promises
        if not bound.outputs:
            runs = RunsIn.NOWHERE if item.mask.name == "drop" else RunsIn.DATABASE
            return ColumnPlan(column, item.mask.name, runs, item.why, column.type), None
        exprs, reason = self._sql(bound, item.mask, [column], _place(table, column.name, item.where))
        unit = Unit(item.mask, bound, exprs)
        plan = ColumnPlan(
            column,
            item.mask.name,
            unit.runs_in,
            f"{item.why}; {reason}" if reason else item.why,
            promises.type,
            masked=item.mask.name != "keep",
            keyed=promises.keyed,
            unchanged=promises.unchanged,
            warnings=promises.warnings,
        )
        return plan, unit

    def _group(
        self, table: Table, mask: Mask, where: str, available: dict[str, Column]
    ) -> tuple[list[Unit], list[ColumnPlan]]:
        bound = self._try(table, "", mask, self._columns(table, (), available), where)
        if bound is None:
            return [], []
        promises = {n: promises_of(bound, n) for n in bound.outputs}
        outputs = [available.get(n, Column(n, p.type)) for n, p in promises.items()]
        exprs, reason = self._sql(bound, mask, outputs, _place(table, "", where))
        unit = Unit(mask, bound, exprs)
        plans = [
            ColumnPlan(
                c,
                mask.name,
                unit.runs_in,
                f"{where}; {reason}" if reason else where,
                c.type,
                keyed=promises[c.name].keyed,
                unchanged=promises[c.name].unchanged,
                warnings=promises[c.name].warnings,
            )
            for c in outputs
        ]
        return [unit], plans

    def _try(self, table: Table, column: str, mask: Mask, columns: Columns, where: str) -> Bound | None:
        place = _place(table, column, where)
        if self.profile not in mask.profiles:
            self.problems.append(Problem(place, f"{mask.name} cannot run in a {self.profile} plan"))
            return None
        try:
            return mask.bind(columns, self.keys)
        except BindError as error:
            self.problems.append(Problem(place, error.what, error.hint))
        except KeySourceError as error:
            self.problems.append(Problem("", str(error)))  # the same for every mask: said once
        return None

    def _sql(
        self, bound: Bound, mask: Mask, outputs: Sequence[Column], place: str
    ) -> tuple[tuple[exp.Expression, ...] | None, str]:
        from dbmask_sql.dialects.base import column as ref

        if not self.capabilities.masks_in_sql and mask.name not in ("keep", "sql"):
            return None, "this connector runs masks in Python only"
        if bound.promises.keyed and not self.capabilities.keys_in_session:
            return None, self.capabilities.keyed_why_not or "keys cannot reach this session without a trace"
        try:
            made = bound.sql([ref(name, SOURCE_ALIAS) for name in bound.inputs], self.dialect)
        except BindError as error:  # an author's expression that is none in this dialect
            self.problems.append(Problem(place, error.what, error.hint))
            return None, ""
        if made is None:
            return None, f"{mask.name} has no form in {self.capabilities.dialect} that is equal to Python's"
        if mask.name == "keep":
            return tuple(made), ""
        return tuple(self.dialect.as_type(e, c.type.sql, _users_own(c)) for e, c in zip(made, outputs, strict=True)), ""


def _users_own(column: Column) -> bool:
    """Whether the column's type has a name that users gave it."""
    return column.type.domain is not None or column.type.kind is Kind.ENUM


def _place(table: Table, column: str, where: str) -> str:
    place = f"{table.name}.{column}" if column else f"{table.name}"
    return f"{place} [{where}]" if where else place
