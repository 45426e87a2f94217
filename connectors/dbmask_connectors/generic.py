"""Any database that SQLAlchemy has a dialect for: ``oracle+oracledb://…``, ``mssql+pyodbc://…``, or forced, ``generic+sqlite:///shop.db``.

What is common to all is what there is: tables, columns, keys and rows of the default schema. Masks run in Python.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dbmask.spi import Capabilities

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dbmask.spi import Source, Target

__all__ = ["CONNECTOR", "FILES", "Generic"]

FILES = ("sqlite", "duckdb")
"""Databases that are one file."""
SERVERS = ("mysql", "mariadb", "postgresql")
"""Servers that are asked what they are; of others only the URL is known."""
GAPS = (
    "own-ddl",  # views, triggers, checks and comments are not read
    "replaces",  # an empty database is filled; nothing is built beside it
    "atomic",
    "position",
    "server-identity",
)


class Generic:
    """The connector."""

    name = "generic"
    schemes: tuple[str, ...] = ("generic",)
    dialect = "generic"

    def speaks(self, scheme: str) -> bool:
        """Whether SQLAlchemy has a dialect of this name. Its driver may still be missing."""
        from sqlalchemy.dialects import registry
        from sqlalchemy.exc import NoSuchModuleError

        try:
            registry.load(scheme.replace("+", "."))
        except NoSuchModuleError:
            return False
        return True

    def source(self, url: str) -> Source:
        """Open a database for reading. Raises ConnectorError or UsageError."""
        from dbmask_connectors._generic_session import engine
        from dbmask_connectors._generic_source import GenericSource

        made = engine(url)
        return GenericSource(made, self._of(made))

    def target(self, url: str) -> Target:
        """Prepare an empty database; nothing is written yet. Raises ConnectorError or UsageError."""
        from dbmask_connectors._generic_session import engine
        from dbmask_connectors._generic_target import GenericTarget

        made = engine(url)
        return GenericTarget(made, self._of(made))

    def _of(self, made: Engine) -> Capabilities:
        """What one database can do: a file says what it is, and so do some servers."""
        known = self.capabilities()
        has = {"server-identity", "position"} if made.dialect.name in FILES else set[str]()
        has |= {"server-identity"} if made.dialect.name in SERVERS else set()
        gaps = tuple(g for g in known.gaps if g not in has)
        return replace(known, gaps=gaps)

    def capabilities(self) -> Capabilities:
        """What all databases have in common, and by ``gaps`` what is not among it."""
        return Capabilities(
            dialect=self.dialect,
            keys_in_session=False,
            keyed_why_not="no key is given to a database without a connector of its own",
            schemas=False,
            parallel_writers=False,
            masks_in_sql=False,
            gaps=GAPS,
        )


CONNECTOR = Generic()
