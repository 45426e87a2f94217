"""Tables and the foreign keys between them, as far as a subset has to keep to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dbmask.schema import ForeignKey, Table, TableKind, TableName

__all__ = ["Edge", "Graph"]


@dataclass(frozen=True)
class Edge:
    """``child``'s columns refer to ``parent``'s, which need not be its primary key."""

    child: TableName
    columns: tuple[str, ...]
    parent: TableName
    ref_columns: tuple[str, ...]
    name: str = ""

    @classmethod
    def of(cls, table: Table, key: ForeignKey, parent: TableName) -> Edge:
        """The edge of a foreign key."""
        return cls(table.name, key.columns, parent, key.ref_columns, key.name)


class Graph:
    """``edges`` by child; ``groups`` are the tables in circles together, those that are referred to first."""

    def __init__(self, tables: Iterable[Table], known: Mapping[TableName, Table]) -> None:
        self.tables = {t.name: t for t in tables}
        self.edges: dict[TableName, list[Edge]] = {
            name: [
                Edge.of(table, key, parent)
                for key in table.foreign_keys
                if (parent := self._whole_of(key.ref_table, known)) is not None
            ]
            for name, table in self.tables.items()
        }
        self.groups = _groups({n: [e.parent for e in edges] for n, edges in self.edges.items()})
        self.group_of = {name: i for i, group in enumerate(self.groups) for name in group}

    def _whole_of(self, name: TableName, known: Mapping[TableName, Table]) -> TableName | None:
        """The table that rows are read through: for a partition, the table that it is one of; None where it is not cloned."""
        seen: set[TableName] = set()
        while name not in self.tables and name not in seen:
            seen.add(name)
            table = known.get(name)
            if table is None or table.kind is not TableKind.PARTITION or not table.parents:
                return None
            name = table.parents[0]
        return name if name in self.tables else None

    def inner(self, edge: Edge) -> bool:
        """Whether an edge is part of a circle."""
        return self.group_of[edge.child] == self.group_of[edge.parent]

    def circular(self, group: Iterable[TableName]) -> bool:
        """Whether the tables of a group refer to each other, or one to itself."""
        return any(self.inner(e) for name in group for e in self.edges[name])


def _groups(above: Mapping[TableName, list[TableName]]) -> list[list[TableName]]:
    """Strongly connected components, parents first (Kosaraju and Sharir), without recursion and in a stable order."""
    below: dict[TableName, list[TableName]] = {name: [] for name in above}
    for name, parents in above.items():
        for parent in parents:
            below[parent].append(name)
    order: list[TableName] = []
    seen: set[TableName] = set()
    for start in sorted(above):
        todo = [] if start in seen else [(start, iter(sorted(above[start])))]
        seen.add(start)
        while todo:
            name, rest = todo[-1]
            following = next((p for p in rest if p not in seen), None)
            if following is None:
                order.append(name)
                todo.pop()
            else:
                seen.add(following)
                todo.append((following, iter(sorted(above[following]))))
    # ``order`` ends with a table that nobody above reaches: walking down from the end collects one circle each.
    groups: list[list[TableName]] = []
    placed: set[TableName] = set()
    for start in reversed(order):
        if start in placed:
            continue
        group, stack = [], [start]
        placed.add(start)
        while stack:
            name = stack.pop()
            group.append(name)
            fresh = [c for c in below[name] if c not in placed]
            placed.update(fresh)
            stack += dict.fromkeys(fresh)
        groups.append(sorted(group))
    groups.reverse()
    return groups
