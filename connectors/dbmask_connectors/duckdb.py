"""DuckDB: ``duckdb:///shop.duckdb`` (relative) and ``duckdb:////data/shop.duckdb`` (absolute).

``?memory_limit=4GB`` and ``?threads=2`` may follow. A source is opened read-only and never created; a replica is built
in a file of its own and moved into place.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.spi import Capabilities
from dbmask_connectors._files import path_of, settings_of

if TYPE_CHECKING:
    from dbmask.spi import Source, Target

__all__ = ["CONNECTOR", "DuckDB"]

_EXAMPLE = "duckdb:///shop.duckdb"
_SETTINGS = frozenset({"memory_limit", "threads"})


class DuckDB:
    """The connector."""

    name = "duckdb"
    schemes: tuple[str, ...] = ("duckdb",)
    dialect = "duckdb"

    def source(self, url: str) -> Source:
        """Open a file for reading. Raises ConnectorError where there is none, UsageError where the URL names no file."""
        from dbmask_connectors._duckdb_source import DuckDBSource

        return DuckDBSource(path_of(url, self.name, _EXAMPLE, _SETTINGS), settings_of(url), self.capabilities())

    def target(self, url: str) -> Target:
        """Prepare a target file; nothing is written yet. Raises UsageError where the URL names no file."""
        from dbmask_connectors._duckdb_target import DuckDBTarget

        return DuckDBTarget(path_of(url, self.name, _EXAMPLE, _SETTINGS), settings_of(url), self.capabilities())

    def capabilities(self) -> Capabilities:
        """Keys are read from this process's memory; one writer."""
        return Capabilities(dialect=self.dialect, embedded=True, parallel_writers=False, max_identifier=1000)


CONNECTOR = DuckDB()
