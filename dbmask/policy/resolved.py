"""What a policy comes to on a schema: for every table its mode, for every column its mask and the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dbmask.errors import Problem
from dbmask.masks.base import Mask
from dbmask.policy.model import GroupRule, TableMode
from dbmask.schema import Column, ColumnType, Table, TableName

__all__ = ["Place", "Resolution", "ResolvedColumn", "ResolvedTable", "grouped", "say"]

Place = tuple[TableName, str]
"""A column: its table's name and its own."""


@dataclass(frozen=True)
class ResolvedColumn:
    """A column and the mask that stands on it; None where the database generates it.

    ``why`` names the rule and its file:line, the table's mode, or what the column follows; ``where`` is file:line of
    its rule, ``named`` says that the rule names it exactly. ``inherited_from`` is the (table, column) that a foreign
    key refers to in the end, whose mask must depend on the value alone; ``bind_type`` is that column's type: both
    columns are masked as values of it, so that they map alike.
    """

    column: Column
    mask: Mask | None
    why: str
    where: str = ""
    inherited_from: Place | None = None
    bind_type: ColumnType | None = None
    named: bool = False


@dataclass(frozen=True)
class ResolvedTable:
    """A table, its mode and its columns in table order. Columns of groups and of problems are absent from ``columns``.

    ``kept`` says that a rule keeps the table as it is today, which the lock file records.
    """

    table: Table
    mode: TableMode
    columns: Mapping[str, ResolvedColumn] = field(default_factory=dict)
    groups: tuple[GroupRule, ...] = ()
    filter: str | None = None
    why: str = ""
    kept: bool = False


@dataclass(frozen=True)
class Resolution:
    """Every table of a schema, resolved. ``drift`` lists columns that came after the lock file was written."""

    tables: Mapping[TableName, ResolvedTable]
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    drift: tuple[Problem, ...] = ()


def grouped(resolved: ResolvedTable) -> dict[str, GroupRule]:
    """The columns that masks over several columns stand on, with those masks."""
    return {name: rule for rule in resolved.groups for name in getattr(rule.mask, "columns", ())}


def say(place: Place) -> str:
    """A column as errors name it."""
    return f"{place[0]}.{place[1]}"
