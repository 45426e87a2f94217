"""PostgreSQL's catalogs as a Schema: one query per kind of thing, however many tables there are."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from dbmask.schema import (
    Check,
    Column,
    ColumnType,
    ForeignKey,
    Index,
    Schema,
    Sequence,
    Table,
    TableKind,
    TableName,
    Trigger,
    Unique,
    View,
)
from dbmask_connectors import _postgres_queries as queries
from dbmask_connectors._postgres_triggers import fills_and_reads
from dbmask_connectors._postgres_types import column_type

__all__ = ["read_schema"]

_KIND = {"r": TableKind.TABLE, "p": TableKind.PARTITIONED}
_PAGE = 8192
_ROW = 100  # bytes of a row that nothing is known about
_NameOf = dict[int, TableName]


def read_schema(connection: Any) -> Schema:
    """Everything of the database but its system schemas and what belongs to extensions."""
    catalog = _Catalog(connection)
    return catalog.schema()


class _Catalog:
    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.relations = self._rows(queries.RELATIONS)
        self.names: _NameOf = {r["oid"]: TableName(r["schema"], r["name"]) for r in self.relations}

    def _rows(self, query: str) -> list[dict[str, Any]]:
        from psycopg.rows import dict_row

        with self.connection.cursor(row_factory=dict_row) as cursor:
            found: list[dict[str, Any]] = cursor.execute(query).fetchall()
        return found

    def schema(self) -> Schema:
        columns = self._columns()
        uniques, checks, keys = self._constraints()
        indexes = self._indexes(uniques)
        triggers, parents, partitions = self._triggers(), self._parents(), self._partitions(checks)
        tables = {}
        for r in self.relations:
            if r["kind"] not in _KIND:
                continue
            oid = r["oid"]
            above = tuple(parents[oid])
            kind = TableKind.PARTITION if r["partition"] else TableKind.CHILD if above else _KIND[r["kind"]]
            name = self.names[oid]
            filled = {f for t in triggers[oid] for f in t.fills}
            tables[name] = Table(
                name,
                tuple(replace(c, filled=True) if c.name in filled else c for c in columns[oid]),
                kind,
                above,
                partitions.get(oid, ()),
                tuple(uniques[oid]),
                tuple(keys[oid]),
                tuple(indexes[oid]),
                tuple(checks[oid]),
                tuple(triggers[oid]),
                self._estimate(r),
                r["bytes"],
                r["comment"],
                row_security=r["row_security"],
            )
        _lift(tables)
        for child in [t for t in tables.values() if t.kind is TableKind.CHILD]:
            for parent in child.parents:
                tables[parent] = replace(tables[parent], inherited=True)
        first = self._rows("SELECT current_setting('server_version') AS version, current_schema() AS schema")[0]
        foreign = [f"foreign table {self.names[r['oid']]}" for r in self.relations if r["kind"] == "f"]
        return Schema(
            "postgres",
            tables,
            self._views(),
            self._sequences(),
            first["schema"] or "public",
            first["version"],
            tuple(foreign),
        )

    def _estimate(self, r: dict[str, Any]) -> int | None:
        """Rows as of the last ANALYZE, at the table's present size; a guess by its size where there was none."""
        size = r["main_bytes"]
        if size is None:
            return int(r["rows"]) if r["rows"] >= 0 else None
        if r["rows"] > 0 and r["pages"] > 0:
            return int(r["rows"] * size / (r["pages"] * _PAGE))
        return int(size / _ROW)

    def _columns(self) -> dict[int, list[Column]]:
        labels: dict[int, list[str]] = defaultdict(list)
        for e in self._rows(queries.LABELS):
            labels[e["type"]].append(e["label"])
        sources: dict[tuple[int, int], list[str]] = defaultdict(list)
        for g in self._rows(queries.GENERATED):
            sources[g["oid"], g["number"]].append(g["source"])
        made: dict[int, list[Column]] = defaultdict(list)
        for c in self._rows(queries.COLUMNS):
            type_ = self._type(c, labels)
            identity = {"a": "always", "d": "by default"}.get(c["identity"])
            default = c["default"]
            if identity is None and default and default.startswith("nextval("):
                identity = "by default"
            generated = default if c["generated"] else None
            made[c["oid"]].append(
                Column(
                    c["name"],
                    type_,
                    nullable=not (c["not_null"] or c["domain_not_null"]),
                    default=None if generated else default,
                    generated=generated,
                    generated_from=tuple(sources[c["oid"], c["number"]]) if generated else (),
                    identity=identity,
                    comment=c["comment"],
                )
            )
        return made

    def _type(self, c: dict[str, Any], labels: dict[int, list[str]]) -> ColumnType:
        element = None
        if c["element"] is not None:
            written = c["element_written"]
            element = column_type(written, c["element"], written, labels=tuple(labels.get(c["element_oid"], ())))
        return column_type(
            c["written"],
            c["base"],
            c["base_written"],
            domain=c["domain"],
            deterministic=c["deterministic"],
            labels=tuple(labels.get(c["base_oid"], ())),
            element=element,
        )

    def _constraints(self) -> tuple[dict[int, list[Unique]], dict[int, list[Check]], dict[int, list[ForeignKey]]]:
        uniques: dict[int, list[Unique]] = defaultdict(list)
        checks: dict[int, list[Check]] = defaultdict(list)
        keys: dict[int, list[ForeignKey]] = defaultdict(list)
        for c in self._rows(queries.CONSTRAINTS):
            oid, columns = c["oid"], tuple(c["columns"])
            if c["type"] in "pu":
                uniques[oid].append(Unique(c["name"], columns, c["type"] == "p", nulls_distinct=not c["nulls_equal"]))
            elif c["type"] == "f" and c["ref"] in self.names:
                ref = tuple(c["ref_columns"])
                keys[oid].append(ForeignKey(c["name"], columns, self.names[c["ref"]], ref, deferrable=c["deferrable"]))
            elif c["type"] in "cx":
                checks[oid].append(Check(c["name"], c["sql"], columns))
        for c in self._rows(queries.DOMAIN_CHECKS):
            # A domain's constraint reads VALUE; on a column it is a constraint of that column.
            quoted = '"' + c["column"].replace('"', '""') + '"'
            checks[c["oid"]].append(Check(c["name"], c["sql"].replace("VALUE", quoted), (c["column"],)))
        return uniques, checks, keys

    def _indexes(self, uniques: dict[int, list[Unique]]) -> dict[int, list[Index]]:
        made: dict[int, list[Index]] = defaultdict(list)
        for i in self._rows(queries.INDEXES):
            columns = tuple(i["columns"] or ())
            if i["unique"] and columns and not i["expressions"]:
                unique = Unique(i["name"], columns, nulls_distinct=not i["nulls_equal"], partial=i["partial"])
                uniques[i["oid"]].append(unique)
            made[i["oid"]].append(Index(i["name"], () if i["expressions"] else columns, i["unique"], i["sql"]))
        return made

    def _triggers(self) -> dict[int, list[Trigger]]:
        made: dict[int, list[Trigger]] = defaultdict(list)
        for t in self._rows(queries.TRIGGERS):
            before, on_insert, per_row = t["kind"] & 2, t["kind"] & 4, t["kind"] & 1
            timing = "before insert" if before and on_insert and per_row else "before" if before else "other"
            fills, reads = (
                fills_and_reads(t["sql"], t["function"], t["source"] or "") if timing == "before insert" else ((), ())
            )
            made[t["oid"]].append(Trigger(t["name"], t["sql"], timing, t["function"], fills, reads))
        return made

    def _parents(self) -> dict[int, list[TableName]]:
        made: dict[int, list[TableName]] = defaultdict(list)
        for p in self._rows(queries.PARENTS):
            if p["parent"] in self.names:
                made[p["oid"]].append(self.names[p["parent"]])
        return made

    def _partitions(self, checks: dict[int, list[Check]]) -> dict[int, tuple[str, ...]]:
        for p in self._rows(queries.BOUNDS):
            checks[p["oid"]].append(Check("partition", p["sql"]))
        return {p["oid"]: tuple(p["columns"] or ()) for p in self._rows(queries.PARTITION_KEYS)}

    def _views(self) -> tuple[View, ...]:
        reads: dict[int, set[TableName]] = defaultdict(set)
        for d in self._rows(queries.VIEW_READS):
            if d["read"] in self.names:
                reads[d["oid"]].add(self.names[d["read"]])
        return tuple(
            View(self.names[r["oid"]], r["definition"], r["kind"] == "m", tuple(sorted(reads[r["oid"]])))
            for r in self.relations
            if r["kind"] in "vm"
        )

    def _sequences(self) -> tuple[Sequence, ...]:
        made = []
        for s in self._rows(queries.SEQUENCES):
            owner = (self.names[s["owner"]], s["owner_column"]) if s["owner"] in self.names else None
            made.append(Sequence(TableName(s["schema"], s["name"]), owner, s["increment"], s["last"]))
        return tuple(made)


def _lift(tables: dict[TableName, Table]) -> None:
    """Give a partitioned table what its partitions have: rows and bytes, and the foreign keys that only they declare.

    Its rows are masked as one table's.
    """

    def depth(table: Table) -> int:
        return 1 + max((depth(tables[p]) for p in table.parents), default=0)

    parts = [t for t in tables.values() if t.kind is TableKind.PARTITION]
    sizes: dict[TableName, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for name in sorted((t.name for t in parts), key=lambda n: depth(tables[n]), reverse=True):
        part = tables[name]
        root = tables[part.parents[0]]
        known = {(k.columns, k.ref_table) for k in root.foreign_keys}
        fresh = tuple(k for k in part.foreign_keys if (k.columns, k.ref_table) not in known)
        rows, size = sizes[root.name]
        sizes[root.name] = (rows + (part.rows or 0), size + (part.bytes or 0))
        rows, size = sizes[root.name]
        tables[root.name] = replace(root, foreign_keys=(*root.foreign_keys, *fresh), rows=rows, bytes=size)
