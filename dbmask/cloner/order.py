"""The order in which tables are copied: parents before children, cycles cut where they must be."""

from __future__ import annotations

from collections.abc import Iterable
from graphlib import CycleError, TopologicalSorter

from dbmask.schema import Table, TableName

__all__ = ["foreign_key_order"]


def foreign_key_order(tables: Iterable[Table]) -> list[TableName]:
    """Names with every table behind those that it refers to; within a cycle one edge is cut, the order stays stable."""
    listed = {t.name: t for t in tables}
    edges = {
        name: [k.ref_table for k in table.foreign_keys if k.ref_table in listed and k.ref_table != name]
        for name, table in listed.items()
    }
    while True:
        sorter = TopologicalSorter(edges)
        try:
            return list(sorter.static_order())
        except CycleError as error:
            cycle: list[TableName] = error.args[1]
            # graphlib reports each node before the one that it is a predecessor of.
            edges[cycle[1]] = [n for n in edges[cycle[1]] if n != cycle[0]]
