"""A database of which nothing more is known than that it speaks SQL: it reads and counts, and every mask runs in Python."""

from __future__ import annotations

from sqlglot import Dialect as Grammar

from dbmask_sql.dialects.base import Dialect, E
from dbmask_sql.kinds import Kind

__all__ = ["DIALECT", "Generic", "GenericPrimitives"]


class Generic(Grammar):
    """sqlglot's common grammar under a name of its own, by which `where:` and defaults are parsed."""


class GenericPrimitives(Dialect):
    """None: what has to be said in SQL cannot be said here."""

    name = "generic"

    def plain(self, value: E, padded: bool = False) -> E:
        """The value as it is."""
        return value

    def canonical(self, value: E, kind: Kind, padded: bool = False) -> E | None:
        """There is no form that all databases share."""
        return None

    def as_type(self, value: E, type_sql: str, named: bool = False) -> E:
        """The value as it is."""
        return value


DIALECT = GenericPrimitives()
