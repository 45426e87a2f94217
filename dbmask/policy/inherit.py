"""What foreign keys hand down: a column that refers to another is masked as that one is, so that joins still join.

References are followed to their end, through any number of tables, column by column. Columns that refer to each other
in a circle share the mask of the first of them, by name, that has a rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from dbmask.errors import Problem
from dbmask.masks.base import nearest
from dbmask.policy.model import Relation, TableMode
from dbmask.policy.resolved import Place, ResolvedColumn, ResolvedTable, grouped, say
from dbmask.schema import ForeignKey, Table, TableName

__all__ = ["Inheritance", "with_relations"]

_LEAVE_OUT = "leave the line out: a foreign key follows the column that it refers to"


def with_relations(
    relations: tuple[Relation, ...], tables: Mapping[TableName, Table], default_schema: str
) -> tuple[dict[TableName, Table], list[Problem]]:
    """The tables with declared relations among their foreign keys, and the relations that fit no table or column."""
    made, problems = dict(tables), list[Problem]()
    for relation in relations:
        name, ref = (t if t.schema else TableName(default_schema, t.name) for t in (relation.table, relation.ref_table))
        wrong = [
            problem
            for table, columns in ((name, relation.columns), (ref, relation.ref_columns))
            for problem in _unknown(tables, table, columns, relation.where)
        ]
        problems += wrong
        key = ForeignKey("", relation.columns, ref, relation.ref_columns, declared=True)
        if not wrong and not any(_alike(key, k) for k in made[name].foreign_keys):
            made[name] = replace(made[name], foreign_keys=(*made[name].foreign_keys, key))
    return made, problems


def _alike(one: ForeignKey, other: ForeignKey) -> bool:
    pairs = [set(zip(k.columns, k.ref_columns, strict=True)) for k in (one, other)]
    return one.ref_table == other.ref_table and pairs[0] == pairs[1]


def _unknown(
    tables: Mapping[TableName, Table], name: TableName, columns: tuple[str, ...], where: str
) -> Iterator[Problem]:
    if name not in tables:
        yield Problem(where, f"relations: there is no table {name}", nearest(str(name), [str(n) for n in tables]))
        return
    names = [c.name for c in tables[name].columns]
    for column in columns:
        if column not in names:
            yield Problem(where, f"relations: {name} has no column {column!r}", nearest(column, names))


class Inheritance:
    """The references between the columns of ``tables``, and what they make of those columns.

    ``resolved`` are the tables with rules of their own; ``same`` maps the others (partitions, inheritance children) to
    the table that they follow: who refers to a partition's column refers to the column of the partitioned table.
    """

    def __init__(
        self,
        tables: Mapping[TableName, Table],
        resolved: Mapping[TableName, ResolvedTable],
        same: Mapping[TableName, TableName],
    ) -> None:
        self.above: dict[Place, list[Place]] = {}
        for name, table in tables.items():
            for key in table.foreign_keys:
                for column, ref in zip(key.columns, key.ref_columns, strict=True):
                    refs = self.above.setdefault((name, column), [])
                    follows = same.get(key.ref_table)
                    known = follows is not None and tables[follows].column(ref) is not None
                    place = (follows if follows is not None and known else key.ref_table, ref)
                    if place != (name, column) and place not in refs:
                        refs.append(place)
        self.groups = {(n, c): rule for n, t in resolved.items() for c, rule in grouped(t).items()}
        columns = {(n, c): one for n, t in resolved.items() for c, one in t.columns.items()}
        self.filled = {p: one.column for p, one in columns.items() if one.mask is None or one.mask.name == "recompute"}
        self.own = {p: (one.mask, one) for p, one in columns.items() if one.mask is not None and p not in self.filled}
        self.stored = {n: [c.name for c in t.columns if not c.generated] for n, t in tables.items()}
        self.roots: dict[Place, list[Place]] = {}
        for circle in _circles(self.above):
            self._settle(circle)

    def _settle(self, circle: list[Place]) -> None:
        """Note where the references of a circle (mostly of one column) lead; those outside it are settled already."""
        outside = [p for place in circle for p in self.above.get(place, []) if p not in circle]
        ends = [e for p in outside for e in self.roots[p] or ([p] if self._says(p) else [])]
        if not ends and len(circle) > 1:
            ruled = sorted((not self.own[p][1].named, p) for p in circle if p in self.own)
            ends = [p for _, p in ruled[:1]]
        for place in circle:
            self.roots[place] = list(dict.fromkeys(ends))

    def _says(self, place: Place) -> bool:
        """Whether what stands at a place decides what may stand on columns that refer to it."""
        return place in self.own or place in self.groups or place in self.filled

    def _kept(self, place: Place) -> bool:
        """Whether the values at a place are those of the source; what the database fills is made of other columns."""
        if place in self.filled:
            column = self.filled[place]
            inputs = column.generated_from or self.stored[place[0]]
            return bool(column.generated) and all(self._kept((place[0], c)) for c in inputs)
        ends = self.roots.get(place) or [place]
        return all(end in self.own and self.own[end][0].name == "keep" for end in ends)

    def follow(self, resolved: ResolvedTable) -> tuple[ResolvedTable, list[Problem]]:
        """A table whose referring columns have the masks of what they refer to, and what stands against that."""
        if resolved.mode not in (TableMode.MASK, TableMode.KEEP):
            return resolved, []
        columns, problems = dict(resolved.columns), list[Problem]()
        for column in resolved.table.columns:
            place = (resolved.table.name, column.name)
            ends = [end for end in self.roots.get(place, []) if end != place]
            if ends and not column.generated:
                made = self._followed(place, columns.get(column.name), ends, problems)
                if made is not None:
                    columns[column.name] = replace(made, column=column)
        ordered = {c.name: columns[c.name] for c in resolved.table.columns if c.name in columns}
        return replace(resolved, columns=ordered), problems

    def _followed(
        self, place: Place, own: ResolvedColumn | None, ends: list[Place], problems: list[Problem]
    ) -> ResolvedColumn | None:
        for end in ends:
            for at in (end, place):
                if at in self.groups:
                    what = f"{say(place)} refers to {say(end)}, and {say(at)} is masked together with other columns"
                    hint = "a key needs a mask of its value alone: take it out of the group and give it one"
                    problems.append(Problem(self.groups[at].where, what, hint))
                    return None
            if end in self.filled and not self._kept(end):
                what = f"refers to {say(end)}, which the database fills from masked values"
                hint = "mask what is referred to, or keep what it is made of: references can be followed then"
                problems.append(Problem(say(place), what, hint))
                return None
        ends = [end for end in ends if end in self.own]
        if not ends:
            return None
        first, *others = ends
        mask, source = self.own[first]
        for end in others:
            if self.own[end][0] != mask:
                what = f"refers to {say(first)} and to {say(end)}, which have different masks"
                problems.append(Problem(say(place), what, "give both the same mask"))
        if own is not None and own.named and own.mask != mask:
            what = f"{say(place)} refers to {say(first)}, which has the mask {mask.name}, and is given another"
            problems.append(Problem(own.where, what, _LEAVE_OUT))
            return None
        why = f"follows {say(first)} ({source.why})"
        at_line = own.where if own is not None and own.named else ""
        return ResolvedColumn(source.column, mask, why, at_line, first, source.column.type, named=bool(at_line))


def _circles(above: Mapping[Place, list[Place]]) -> Iterator[list[Place]]:
    """The strongly connected components of the references, those that are referred to first.

    Tarjan's algorithm (Depth-first search and linear graph algorithms, 1972) without recursion: chains of references
    may be longer than the stack is deep.
    """
    index: dict[Place, int] = {}
    low: dict[Place, int] = {}
    open_: list[Place] = []
    still_open: set[Place] = set()
    for start in sorted(above):
        todo = [] if start in index else [(start, iter(above[start]))]
        while todo:
            place, refs = todo[-1]
            if place not in index:
                index[place] = low[place] = len(index)
                open_.append(place)
                still_open.add(place)
            ref = next(refs, None)
            if ref is None:
                todo.pop()
                if todo:
                    low[todo[-1][0]] = min(low[todo[-1][0]], low[place])
                if low[place] == index[place]:
                    at = open_.index(place)
                    yield sorted(open_[at:])
                    still_open.difference_update(open_[at:])
                    del open_[at:]
            elif ref not in index:
                todo.append((ref, iter(above.get(ref, []))))
            elif ref in still_open:
                low[place] = min(low[place], index[ref])
