"""What foreign keys hand down: a column that refers to another is masked as that one is, so that joins still join."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dbmask.errors import Problem
from dbmask.masks.base import Mask, nearest
from dbmask.policy.model import GroupRule, Policy, Relation, TableMode
from dbmask.schema import Column, ColumnType, ForeignKey, Table, TableName

__all__ = ["Inherited", "ResolvedColumn", "ResolvedTable", "group_columns", "inherit"]

_Place = tuple[TableName, str]


@dataclass(frozen=True)
class ResolvedColumn:
    """A column and the mask that stands on it; None where the database generates it.

    ``inherited_from`` is the (table, column) that a foreign key refers to, ``bind_type`` that column's type: both
    columns are masked as values of it, so that they map alike.
    """

    column: Column
    mask: Mask | None
    why: str
    where: str = ""
    inherited_from: tuple[TableName, str] | None = None
    bind_type: ColumnType | None = None


@dataclass(frozen=True)
class ResolvedTable:
    """A table, its mode and its columns in table order. Columns of groups and of problems are absent from ``columns``."""

    table: Table
    mode: TableMode
    columns: Mapping[str, ResolvedColumn] = field(default_factory=dict)
    groups: tuple[GroupRule, ...] = ()
    filter: str | None = None
    why: str = ""


def group_columns(rule: GroupRule) -> tuple[str, ...]:
    """The columns that a group's mask stands on."""
    columns: tuple[str, ...] = getattr(rule.mask, "columns", ())
    return columns


@dataclass(frozen=True)
class Inherited:
    """Tables with their references followed, their foreign keys with declared relations added, and what does not fit."""

    tables: Mapping[TableName, ResolvedTable]
    problems: tuple[Problem, ...] = ()


def inherit(policy: Policy, tables: Mapping[TableName, ResolvedTable]) -> Inherited:
    """Give each referring column the mask of the column that it refers to in the end."""
    problems: list[Problem] = []
    tables = _with_relations(policy.relations, tables, problems)
    above = _references(tables)
    made = {}
    for name, resolved in tables.items():
        columns = dict(resolved.columns)
        if resolved.mode in (TableMode.MASK, TableMode.KEEP):
            grouped = {c for g in resolved.groups for c in group_columns(g)}
            for column in resolved.table.columns:
                place = (name, column.name)
                if place in above and column.name not in grouped and not column.generated:
                    _follow(place, column, above, tables, columns, problems)
        order = {c.name: i for i, c in enumerate(resolved.table.columns)}
        ordered = dict(sorted(columns.items(), key=lambda item: order[item[0]]))
        made[name] = replace(resolved, columns=ordered)
    return Inherited(made, tuple(problems))


def _references(tables: Mapping[TableName, ResolvedTable]) -> dict[_Place, list[_Place]]:
    above: dict[_Place, list[_Place]] = {}
    for name, resolved in tables.items():
        for key in resolved.table.foreign_keys:
            for column, ref in zip(key.columns, key.ref_columns, strict=True):
                place = (key.ref_table, ref)
                if place != (name, column) and place not in above.setdefault((name, column), []):
                    above[(name, column)].append(place)
    return above


def _roots(
    place: _Place, above: Mapping[_Place, list[_Place]], tables: Mapping[TableName, ResolvedTable]
) -> list[_Place]:
    """The columns that ``place`` refers to in the end; where references run in a circle, the one that has a rule."""
    seen, found, todo = {place}, [], list(above[place])
    while todo:
        at = todo.pop(0)
        if at in seen:
            continue
        seen.add(at)
        if at in above:
            todo += above[at]
        elif at[0] in tables:
            found.append(at)
    if found:
        return found
    circle = sorted(seen)
    ruled = [p for p in circle if p[0] in tables and p[1] in tables[p[0]].columns]
    return ruled[:1] if ruled and ruled[0] != place else []


def _follow(
    place: _Place,
    column: Column,
    above: Mapping[_Place, list[_Place]],
    tables: Mapping[TableName, ResolvedTable],
    columns: dict[str, ResolvedColumn],
    problems: list[Problem],
) -> None:
    own = columns.get(column.name)
    chosen: tuple[Mask, _Place] | None = None
    for root in _roots(place, above, tables):
        source = tables[root[0]].columns.get(root[1])
        if source is None or source.mask is None:
            continue
        if chosen is not None and chosen[0] != source.mask:
            what = f"refers to {_say(chosen[1])} and to {_say(root)}, which have different masks"
            problems.append(Problem(f"{place[0]}.{place[1]}", what, "give both the same mask"))
        chosen = (source.mask, root)
    if chosen is None:
        return
    mask, root = chosen
    explicit = own is not None and bool(own.where)
    if own is not None and explicit and own.mask != mask:
        what = f"{place[0]}.{place[1]} refers to {_say(root)}, which has the mask {mask.name}, and is given another"
        problems.append(
            Problem(own.where, what, "leave the line out: a foreign key follows the column that it refers to")
        )
        return
    source = tables[root[0]].columns[root[1]]
    why = f"follows {_say(root)}" + (f" ({source.why})" if source.why else "")
    where = own.where if own is not None else ""
    columns[column.name] = ResolvedColumn(column, mask, why, where, root, source.column.type)


def _say(place: _Place) -> str:
    return f"{place[0]}.{place[1]}"


def _with_relations(
    relations: tuple[Relation, ...], tables: Mapping[TableName, ResolvedTable], problems: list[Problem]
) -> dict[TableName, ResolvedTable]:
    """The tables, with declared relations among their foreign keys."""
    made = dict(tables)
    for relation in relations:
        ends = ((relation.table, relation.columns), (relation.ref_table, relation.ref_columns))
        if all([_known(made, table, columns, relation.where, problems) for table, columns in ends]):
            key = ForeignKey("", relation.columns, relation.ref_table, relation.ref_columns, declared=True)
            resolved = made[relation.table]
            made[relation.table] = replace(resolved, table=_with_key(resolved.table, key))
    return made


def _with_key(table: Table, key: ForeignKey) -> Table:
    return replace(table, foreign_keys=(*table.foreign_keys, key))


def _known(
    tables: Mapping[TableName, ResolvedTable],
    name: TableName,
    columns: tuple[str, ...],
    where: str,
    problems: list[Problem],
) -> bool:
    resolved = tables.get(name)
    if resolved is None:
        problems.append(
            Problem(where, f"relations: there is no table {name}", nearest(str(name), [str(n) for n in tables]))
        )
        return False
    missing = [c for c in columns if resolved.table.column(c) is None]
    names = [c.name for c in resolved.table.columns]
    problems += [Problem(where, f"relations: {name} has no column {c!r}", nearest(c, names)) for c in missing]
    return not missing
