"""The queries that a subset is found by: identities of rows, sets of them, and foreign keys between tables."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from dbmask.cloner.subset_graph import Edge
from dbmask.keys import KeyRing
from dbmask.planner.model import SOURCE_ALIAS
from dbmask.planner.select import relation
from dbmask.schema import Column, Kind, Table
from dbmask.spi import Held, HoldsKeys

if TYPE_CHECKING:
    from sqlglot import exp

    from dbmask_sql.dialects import Dialect

__all__ = ["Rows"]

_WORD = 2**60


def _alias(node: exp.Table, name: str) -> exp.Table:
    from sqlglot import exp

    made = node.copy()
    made.set("alias", exp.TableAlias(this=exp.to_identifier(name, quoted=True)))
    return made


class Rows:
    """The rows of one table: how they are told apart, and conditions on them."""

    def __init__(self, table: Table, reader: HoldsKeys, dialect: str, keys: KeyRing) -> None:
        from dbmask_sql.dialects import dialect as primitives

        self.table = table
        self.keys = keys
        self.to: Dialect = primitives(dialect)
        required = {c.name for c in table.columns if not c.nullable}
        exact = [u for u in table.uniques if not u.partial and set(u.columns) <= required]
        self.key = table.primary_key or next(
            (u.columns for u in sorted(exact, key=lambda u: (len(u.columns), u.name))), ()
        )
        self.id_names = self.key or reader.row_id(table)

    # -- identities ----------------------------------------------------------------------------------------------

    def relation(self, alias: str = SOURCE_ALIAS) -> exp.Table:
        """The table under an alias."""
        return _alias(relation(self.table), alias)

    def identity(self, alias: str = SOURCE_ALIAS) -> list[exp.Expr]:
        """What tells a row apart: its key, its place, or a digest of all that it holds (equal rows count as one then)."""
        from dbmask_sql.dialects.base import column

        if self.id_names:
            return [column(name, alias) for name in self.id_names]
        return [self.to.sha256_hex(self.to.utf8(self._text(self.table.columns, alias)))]

    def ids(self, alias: str = SOURCE_ALIAS) -> exp.Select:
        """SELECT the identities of all rows."""
        from sqlglot import exp

        return exp.select(*self._named(alias)).from_(self.relation(alias))

    def _named(self, alias: str) -> list[exp.Expr]:
        from sqlglot import exp

        return [exp.alias_(e, f"k{i}", quoted=True) for i, e in enumerate(self.identity(alias))]

    def names(self) -> list[str]:
        """The columns of a set of these rows."""
        return [f"k{i}" for i in range(len(self.id_names) or 1)]

    def among(self, held: Held, alias: str = SOURCE_ALIAS) -> exp.Expr:
        """Whether a row is one of a set."""
        from sqlglot import exp

        there = _alias(held.relation, "dbmask_set")
        return exp.Exists(this=exp.select("1").from_(there).where(exp.and_(*self._same(alias, "dbmask_set"))))

    def _same(self, alias: str, held: str) -> list[exp.Expr]:
        from sqlglot import exp

        from dbmask_sql.dialects.base import column

        pairs = zip(self.names(), self.identity(alias), strict=True)
        return [exp.EQ(this=column(name, held), expression=value) for name, value in pairs]

    # -- samples -------------------------------------------------------------------------------------------------

    def _text(self, columns: Sequence[Column], alias: str) -> exp.Expression:
        """A row's values as one text, different for different rows."""
        from dbmask_sql.dialects.base import cast, column

        parts: list[exp.Expression] = []
        for one in columns:
            value = column(one.name, alias)
            made = self.to.canonical(value, one.type.kind, one.type.padded)
            parts.append(
                cast(value, "CHAR" if self.to.name == "mysql" else "TEXT", self.to.name) if made is None else made
            )
        return self.to.tuple_text(parts)

    def sampled(self, share: Fraction) -> exp.Expr:
        """Whether the keyed hash of a row's key, or of all of its values, falls into ``share``: the same rows in every run."""
        from sqlglot import exp

        from dbmask_sql.dialects.base import integer

        known = {c.name: c for c in self.table.columns}
        columns = [known[name] for name in self.key] or [c for c in self.table.columns if c.type.kind is not Kind.OTHER]
        text = self._text(columns, SOURCE_ALIAS)
        if self.keys.fingerprint():
            word = self.to.prf_word(text, self.keys.column("dbmask subset").name)
        else:
            word = self.to.word(self.to.sha256_hex(self.to.utf8(text)), 0)
        return exp.LT(this=word, expression=integer(int(share * _WORD)))

    # -- foreign keys --------------------------------------------------------------------------------------------

    def refers(self, edge: Edge, alias: str = SOURCE_ALIAS) -> exp.Expr:
        """Whether a row refers to anything by this key."""
        from sqlglot import exp

        from dbmask_sql.dialects.base import column

        known = (exp.Not(this=exp.Is(this=column(c, alias), expression=exp.Null())) for c in edge.columns)
        return exp.Paren(this=exp.and_(*known))

    def refers_into(self, edge: Edge, parent: Rows, held: Held) -> exp.Expr:
        """Whether the row that a row refers to is one of a set."""
        from sqlglot import exp

        inner = exp.select("1").from_(_alias(held.relation, "dbmask_set"))
        inner = inner.join(parent.relation("dbmask_parent"), on=exp.and_(*parent._same("dbmask_parent", "dbmask_set")))
        return exp.Exists(this=inner.where(exp.and_(*_joined(edge, SOURCE_ALIAS))))

    def referred(self, edge: Edge, child: Rows, some: Held | None, without: Held) -> exp.Select:
        """The identities of rows that ``some`` of a child's rows (None: all) refer to and that are not among ``without``."""
        from sqlglot import exp

        query = exp.select(*self._named("dbmask_parent")).distinct()
        if some is None:
            query = query.from_(child.relation("dbmask_child"))
        else:
            query = query.from_(_alias(some.relation, "dbmask_some"))
            query = query.join(child.relation("dbmask_child"), on=exp.and_(*child._same("dbmask_child", "dbmask_some")))
        query = query.join(self.relation("dbmask_parent"), on=exp.and_(*_joined(edge, "dbmask_child")))
        return query.where(exp.Not(this=self.among(without, "dbmask_parent")))


def _joined(edge: Edge, child: str) -> list[exp.Expr]:
    """The foreign key itself. What is referred to stands first: its collation and affinity are those that count in SQLite."""
    from sqlglot import exp

    from dbmask_sql.dialects.base import column

    pairs = zip(edge.ref_columns, edge.columns, strict=True)
    return [exp.EQ(this=column(ref, "dbmask_parent"), expression=column(own, child)) for ref, own in pairs]
