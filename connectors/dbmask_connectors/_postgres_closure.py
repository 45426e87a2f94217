"""What cannot stand without tables that are skipped and columns that are dropped: the catalog's own dependencies, followed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from dbmask.schema import Schema, TableName

if TYPE_CHECKING:
    import psycopg

__all__ = ["Gone", "gone"]

_DEPENDENCIES = """
SELECT d.refclassid::bigint, d.refobjid::bigint, d.refobjsubid, d.classid::bigint, d.objid::bigint, d.objsubid,
       d.classid = 'pg_rewrite'::regclass AS rule
FROM pg_depend d
WHERE d.deptype IN ('n', 'a', 'i', 'P', 'S') AND d.refobjid >= 16384
"""
# Which relation an object is a part of.
_PARTS = """
SELECT p.class::regclass::oid::bigint, p.part::bigint, p.relation::bigint FROM (
            SELECT 'pg_constraint' AS class, oid AS part, conrelid AS relation FROM pg_constraint WHERE conrelid <> 0
  UNION ALL SELECT 'pg_class', indexrelid, indrelid FROM pg_index
  UNION ALL SELECT 'pg_trigger', oid, tgrelid FROM pg_trigger
  UNION ALL SELECT 'pg_attrdef', oid, adrelid FROM pg_attrdef
  UNION ALL SELECT 'pg_rewrite', oid, ev_class FROM pg_rewrite
  UNION ALL SELECT 'pg_policy', oid, polrelid FROM pg_policy
  UNION ALL SELECT 'pg_statistic_ext', oid, stxrelid FROM pg_statistic_ext
  UNION ALL SELECT 'pg_type', oid, typrelid FROM pg_type WHERE typrelid <> 0
) AS p WHERE p.relation >= 16384
"""
_RELATIONS = """
SELECT c.oid::bigint, n.nspname, c.relname, c.relkind::text, 'pg_class'::regclass::oid::bigint
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid >= 16384
"""
_COLUMNS = "SELECT attrelid::bigint, attname, attnum FROM pg_attribute WHERE attrelid >= 16384 AND attnum > 0 AND NOT attisdropped"

_Object = tuple[int, int]


class _Edge(NamedTuple):
    ref_sub: int
    to: _Object
    sub: int
    rule: bool


@dataclass
class Gone:
    """``objects`` are what goes, as (catalog, oid); ``silent`` are those of them that are parts of a skipped table;
    ``tables`` are tables that would be wanted and cannot be; ``owned`` are sequences that stay while their owner goes.
    """

    objects: set[_Object] = field(default_factory=set)
    silent: set[_Object] = field(default_factory=set)
    tables: list[TableName] = field(default_factory=list)
    owned: list[TableName] = field(default_factory=list)
    names: dict[_Object, TableName] = field(default_factory=dict)


def gone(
    connection: psycopg.Connection[Any],
    schema: Schema,
    wanted: Iterable[TableName],
    skipped: Iterable[TableName],
    dropped: Mapping[TableName, Iterable[str]],
) -> Gone:
    """Follow the dependencies of skipped relations and dropped columns."""
    return _Closure(connection, schema, set(wanted)).follow(set(skipped), dropped)


class _Closure:
    def __init__(self, connection: psycopg.Connection[Any], schema: Schema, wanted: set[TableName]) -> None:
        self.schema, self.wanted = schema, wanted
        self.found = Gone()
        self.kinds: dict[_Object, str] = {}
        self.oids: dict[TableName, _Object] = {}
        self.catalog = 0
        for oid, space, name, kind, catalog in connection.execute(_RELATIONS):
            thing, self.catalog = (catalog, oid), catalog
            self.found.names[thing] = TableName(space, name)
            self.kinds[thing] = kind
            self.oids.setdefault(TableName(space, name), thing)
        self.edges: dict[_Object, list[_Edge]] = defaultdict(list)
        for ref_class, ref, ref_sub, class_, oid, sub, rule in connection.execute(_DEPENDENCIES):
            self.edges[ref_class, ref].append(_Edge(ref_sub, (class_, oid), sub, rule))
        self.part_of = {(c, o): (self.catalog, r) for c, o, r in connection.execute(_PARTS)}
        self.numbers = {(r, name): number for r, name, number in connection.execute(_COLUMNS)}

    def follow(self, skipped: set[TableName], dropped: Mapping[TableName, Iterable[str]]) -> Gone:
        whole = {self.oids[name] for name in skipped if name in self.oids}
        for thing in whole:
            self._visit(thing, whole)
        for name, columns in dropped.items():
            for table in (name, *self._heirs(name)):
                for column in columns:
                    self._visit_column(table, column, whole)
        self.found.silent = {o for o in self.found.objects if self._root(o) in whole} | whole
        return self.found

    def _root(self, thing: _Object) -> _Object:
        return self.part_of.get(thing, thing)

    def _heirs(self, name: TableName) -> list[TableName]:
        children = [t.name for t in self.schema.tables.values() if name in t.parents]
        return [heir for child in children for heir in (child, *self._heirs(child))]

    def _visit_column(self, table: TableName, column: str, whole: set[_Object]) -> None:
        thing = self.oids.get(table)
        if thing is None:
            return
        number = self.numbers.get((thing[1], column))
        for edge in self.edges[thing]:
            if edge.ref_sub == number:
                self._step(edge, thing, whole)

    def _visit(self, thing: _Object, whole: set[_Object]) -> None:
        """Everything that depends on an object goes with it. Depth is that of views on views: no stack to fear."""
        if thing in self.found.objects:
            return
        self.found.objects.add(thing)
        for edge in self.edges[thing]:
            self._step(edge, thing, whole)

    def _step(self, edge: _Edge, from_: _Object, whole: set[_Object]) -> None:
        thing = edge.to
        if edge.rule and self.kinds.get(self._root(thing)) in ("v", "m"):
            self.found.objects.add(thing)
            thing = self._root(thing)  # a view is its rule
        elif thing[0] == self.catalog and edge.sub:
            return  # a generated column: the structure asks for it by name
        elif self.kinds.get(thing) == "S" and self._used_elsewhere(thing, from_):
            self.found.owned.append(self.found.names[thing])
            return
        elif thing not in whole and self._is_wanted(thing):
            self.found.tables.append(self.found.names[thing])
            return
        self._visit(thing, whole)

    def _is_wanted(self, thing: _Object) -> bool:
        return self.kinds.get(thing) in ("r", "p") and self.found.names[thing] in self.wanted

    def _used_elsewhere(self, sequence: _Object, owner: _Object) -> bool:
        """Whether the default of a column that stays draws on this sequence."""
        users = (self.part_of.get(edge.to) for edge in self.edges[sequence])
        return any(u is not None and u != owner and self.found.names.get(u) in self.wanted for u in users)
