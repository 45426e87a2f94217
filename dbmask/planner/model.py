"""What planning gives: for every table, which mask stands on which column, where it runs and why, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from dbmask.errors import PlanError, Problem
from dbmask.masks.base import Bound, Mask, Promises, promises_of
from dbmask.policy.model import TableMode
from dbmask.schema import Column, ColumnType, Schema, Table, TableName

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["SOURCE_ALIAS", "ColumnPlan", "Plan", "Profile", "RunsIn", "TablePlan", "Unit"]

SOURCE_ALIAS = "dbmask_src"
"""What a table is called in its SELECT."""


class Profile(StrEnum):
    """What a plan is for."""

    CLONE = "clone"
    VIEW = "view"
    INLINE = "inline"
    FILE = "file"
    SPARK = "spark"


class RunsIn(StrEnum):
    """Where a column's values come from."""

    SQL = "sql"
    PYTHON = "python"
    DATABASE = "database"
    NOWHERE = "-"


@dataclass(frozen=True)
class Unit:
    """One bound mask of a table: one column for most, several for masks over groups. ``exprs`` is None where it runs in Python."""

    mask: Mask
    bound: Bound
    exprs: tuple[exp.Expression, ...] | None

    def promises(self, output: str) -> Promises:
        """What the mask promises of one of its outputs."""
        return promises_of(self.bound, output)

    @property
    def runs_in(self) -> RunsIn:
        """SQL where expressions exist, else Python."""
        return RunsIn.PYTHON if self.exprs is None else RunsIn.SQL


@dataclass(frozen=True)
class ColumnPlan:
    """One column of the plan: ``why`` says both which rule gave it its mask and why it runs where it does."""

    column: Column
    mask: str
    runs_in: RunsIn
    why: str
    out_type: ColumnType
    masked: bool = True
    keyed: bool = False
    unchanged: float = 1.0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class TablePlan:
    """One table: its columns for people, its units for the engine, its rows' filter.

    ``picked`` is a condition on rows that means something to one reader's queries, which holds the keys of the rows.
    """

    table: Table
    mode: TableMode
    columns: tuple[ColumnPlan, ...] = ()
    units: tuple[Unit, ...] = ()
    dropped: tuple[str, ...] = ()
    filter: str | None = None
    why: str = ""
    picked: exp.Expr | None = None

    @property
    def name(self) -> TableName:
        """The table's name."""
        return self.table.name

    @property
    def writes(self) -> tuple[str, ...]:
        """The columns that rows are written to, in table order; recomputed and dropped ones are absent."""
        made = {name for unit in self.units for name in unit.bound.outputs}
        listed = [c.name for c in self.table.columns if c.name in made]
        return (*listed, *sorted(made.difference(listed)))

    @property
    def pushed_down(self) -> bool:
        """Whether nothing is left for Python."""
        return all(unit.exprs is not None for unit in self.units)


@dataclass(frozen=True)
class Plan:
    """A whole plan. ``problems`` stop the run; ``warnings`` do not; ``drift`` is what the lock file did not know."""

    schema: Schema
    profile: Profile
    tables: Mapping[TableName, TablePlan] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()

    def __iter__(self) -> Iterator[TablePlan]:
        return iter(self.tables.values())

    def require(self) -> Plan:
        """The plan itself. Raises PlanError with every problem where there is one."""
        if self.problems:
            raise PlanError(self.problems)
        return self
