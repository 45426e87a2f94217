"""A replica's tables in SQLAlchemy's words, made of another database's schema."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dbmask.schema import Column, Kind, TableName
from dbmask.spi import Structure, TargetTable
from dbmask_connectors._foreign import kept, missing_end, require_distinct, special_index
from dbmask_connectors._generic_types import declared

if TYPE_CHECKING:
    import sqlalchemy as sa
    from sqlalchemy.engine import Dialect

__all__ = ["Made", "made_tables"]

_NUMBERING = frozenset({"mysql", "mariadb", "sqlite"})
"""Where a column that numbers its rows goes on behind the highest value that was written."""
_OPTIONS: dict[str, Any] = {
    f"{d}_{k}": v for d in ("mysql", "mariadb") for k, v in (("charset", "utf8mb4"), ("collate", "utf8mb4_bin"))
}


@dataclass
class Made:
    """Tables by their names in the source; ``later`` are foreign keys that come after the rows."""

    tables: dict[TableName, sa.Table] = field(default_factory=dict)
    indexes: list[sa.Index] = field(default_factory=list)
    later: list[sa.ForeignKeyConstraint] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)


def made_tables(structure: Structure, dialect: Dialect) -> Made:
    """What is to be created. Raises ConnectorError where names differ by case alone."""
    return _Making(structure, dialect).all()


class _Making:
    def __init__(self, structure: Structure, dialect: Dialect) -> None:
        import sqlalchemy as sa

        self.structure, self.dialect = structure, dialect
        self.made, self.metadata = Made(), sa.MetaData()

    def all(self) -> Made:
        targets = self.structure.tables
        require_distinct(f"a {self.dialect.name} replica", targets, [self._local(t.name) for t in targets])
        for target in targets:
            self.made.tables[target.name] = self._table(target)
        for target in targets:
            self._indexes(target)
            self._foreign_keys(target)
        if any(t.table.foreign_keys for t in targets):
            self.made.lost.append("what foreign keys do ON DELETE and ON UPDATE")
        return self.made

    def _local(self, name: TableName) -> str:
        default = self.structure.schema.default_schema
        return name.name if name.schema in ("", default) else f"{name.schema}_{name.name}"

    def _table(self, target: TargetTable) -> sa.Table:
        import sqlalchemy as sa

        gone = set(target.dropped)
        keys = [u for u in target.table.uniques if not u.partial and not gone & set(u.columns)]
        keyed = {c for u in keys for c in u.columns} | {c for i in target.table.indexes for c in i.columns}
        keyed |= {c for k in target.table.foreign_keys for c in k.columns}
        primary = next((u.columns for u in keys if u.primary), ())
        parts: list[Any] = [self._column(target, c, c.name in keyed, primary) for c in kept(target)]
        distinct = {u.columns for u in keys if u.columns != primary}
        parts += [sa.UniqueConstraint(*names) for names in sorted(distinct)]
        for unique in target.table.uniques:
            if unique not in keys:
                self.made.lost.append(f"unique key {unique.name} of {target.name}: partial, or over a dropped column")
        made: sa.Table = sa.Table(self._local(target.name), self.metadata, *parts, **_OPTIONS)
        return made

    def _column(self, target: TargetTable, column: Column, keyed: bool, primary: Sequence[str]) -> sa.Column[Any]:
        import sqlalchemy as sa

        where = f"{target.name}.{column.name}"
        type_ = target.types.get(column.name, column.type)
        numbers = (column.name,) == tuple(primary) and type_.kind is Kind.INTEGER and column.identity is not None
        computed = self._computed(target, column)
        empty = column.generated is not None or (target.rows and column.name not in target.columns)
        if column.identity and not (numbers and self.dialect.name in _NUMBERING):
            self.made.lost.append(f"the numbering of {where}: not every database can be told where to go on")
        if empty and computed is None:
            self.made.lost.append(f"the values of {where}: the source's database made them")
        if type_.values:
            self.made.lost.append(f"the labels of {where}: they come as text")
        changed = type_ != column.type
        default = None if empty or column.identity or changed else self._default(column, where)
        if changed and column.default is not None:
            self.made.lost.append(f"the default of {where}: its masked values are of another type")
        made = declared(type_, self.dialect.name, self.structure.dialect, keyed)
        if numbers and self.dialect.name == "sqlite":
            made = sa.Integer()
        return sa.Column(
            column.name,
            made,
            *([] if computed is None else [computed]),
            primary_key=column.name in primary,
            nullable=(column.nullable or empty) and column.name not in primary,
            autoincrement=bool(numbers and self.dialect.name in _NUMBERING),
            server_default=default,
        )

    def _computed(self, target: TargetTable, column: Column) -> sa.Computed | None:
        """A generated column's expression, between databases of one kind: their words and functions are the same."""
        import sqlalchemy as sa

        origin = self.structure.schema.version.partition(" ")[0] if self.structure.dialect == "generic" else ""
        there = {c.name for c in kept(target)}
        if column.generated is None or origin != self.dialect.name or not set(column.generated_from) <= there:
            return None
        return sa.Computed(column.generated.replace(":", "\\:"))

    def _default(self, column: Column, where: str) -> sa.TextClause | str | None:
        """A default that every database reads alike: a number, a short text, the time."""
        import sqlalchemy as sa
        from sqlglot import exp, parse_one
        from sqlglot.errors import SqlglotError

        if column.default is None:
            return None
        try:
            tree = parse_one(column.default, read=self.structure.dialect)
        except SqlglotError:
            tree = None
        while isinstance(tree, exp.Cast | exp.Paren):
            tree = tree.this
        number = tree.this if isinstance(tree, exp.Neg) else tree
        if tree is not None and isinstance(number, exp.Literal) and (number is tree or not number.is_string):
            long = self.dialect.name == "mysql" and column.type.kind is Kind.TEXT and not column.type.length
            if not long and number.is_string and "\\" not in number.this:  # what a backslash means differs
                return str(number.this)
            if not long and not number.is_string:
                return sa.text(tree.sql().replace(":", "\\:"))
        if isinstance(tree, exp.CurrentTimestamp) and column.type.kind in (Kind.TIMESTAMP, Kind.TIMESTAMPTZ):
            return sa.text("CURRENT_TIMESTAMP(6)" if self.dialect.name in ("mysql", "mariadb") else "CURRENT_TIMESTAMP")
        if not isinstance(tree, exp.Null):
            self.made.lost.append(f"the default of {where}: in another database's words")
        return None

    def _indexes(self, target: TargetTable) -> None:
        import sqlalchemy as sa

        table = self.made.tables[target.name]
        keys = {u.columns for u in target.table.uniques if not u.partial}
        for number, index in enumerate(target.table.indexes, 1):
            if index.columns in keys:
                continue
            plain = not special_index(target, index) and "FULLTEXT" not in index.sql and "SPATIAL" not in index.sql
            long = [c for c in index.columns if c in table.c and isinstance(table.c[c].type, sa.Text | sa.LargeBinary)]
            if plain and not (long and self.dialect.name != "sqlite"):
                made = sa.Index(f"ix_{table.name[:40]}_{number}", *(table.c[c] for c in index.columns))
                self.made.indexes.append(made)
            else:
                self.made.lost.append(f"index {index.name} of {target.name}: not of a kind that every database has")

    def _foreign_keys(self, target: TargetTable) -> None:
        import sqlalchemy as sa

        present = {t.name: t for t in self.structure.tables}
        table = self.made.tables[target.name]
        for number, key in enumerate((k for k in target.table.foreign_keys if not k.declared), 1):
            parent = present.get(key.ref_table)
            why = missing_end(target, key, parent)
            if not why and parent and key.ref_columns not in {u.columns for u in parent.table.uniques if not u.partial}:
                why = "what it refers to is no key"
            if why:
                self.made.lost.append(f"foreign key {key.name} of {target.name}: {why}")
                continue
            other = self.made.tables[key.ref_table]
            made = sa.ForeignKeyConstraint(
                list(key.columns),
                [other.c[c] for c in key.ref_columns],
                name=f"fk_{table.name[:40]}_{number}",
                use_alter=self.dialect.supports_alter,
            )
            table.append_constraint(made)
            if self.dialect.supports_alter:
                self.made.later.append(made)
