"""SQLite: ``sqlite:///shop.db`` (relative) and ``sqlite:////data/shop.db`` (absolute).

A source is opened read-only and never created; a replica is built in a file of its own and moved into place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.spi import Capabilities
from dbmask_connectors._files import path_of

if TYPE_CHECKING:
    from dbmask.spi import Source, Target

__all__ = ["CONNECTOR", "SQLite"]

_EXAMPLE = "sqlite:///shop.db"


class SQLite:
    """The connector."""

    name = "sqlite"
    schemes: tuple[str, ...] = ("sqlite",)
    dialect = "sqlite"

    def source(self, url: str) -> Source:
        """Open a file for reading. Raises ConnectorError where there is none, UsageError where the URL names no file."""
        from dbmask_connectors._sqlite_source import SQLiteSource

        return SQLiteSource(path_of(url, self.name, _EXAMPLE), self.capabilities())

    def target(self, url: str) -> Target:
        """Prepare a target file; nothing is written yet. Raises UsageError where the URL names no file."""
        from dbmask_connectors._sqlite_target import SQLiteTarget

        return SQLiteTarget(path_of(url, self.name, _EXAMPLE), self.capabilities())

    def capabilities(self) -> Capabilities:
        """Keys are held by registered functions; one schema, one writer."""
        return Capabilities(
            dialect=self.dialect, schemas=False, embedded=True, parallel_writers=False, max_identifier=1000
        )


CONNECTOR = SQLite()
