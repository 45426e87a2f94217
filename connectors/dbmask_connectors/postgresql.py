"""PostgreSQL through psycopg: snapshots, COPY, pg_dump's structure, a replica renamed into place.

The replica is built in a database of its own beside the target, which needs the CREATEDB right and nothing more.
"""

from __future__ import annotations

from dbmask.spi import Capabilities
from dbmask_connectors._postgres_session import Address
from dbmask_connectors._postgres_source import PostgresSource
from dbmask_connectors._postgres_target import PostgresTarget

__all__ = ["CONNECTOR", "PostgresConnector"]


class PostgresConnector:
    """postgresql://user@host:port/database"""

    name = "postgresql"
    schemes = ("postgresql", "postgres")
    dialect = "postgres"

    def source(self, url: str) -> PostgresSource:
        """Open a source. Raises ConnectorError where no server answers, UsageError for a URL without a database."""
        return PostgresSource(Address.parse(url))

    def target(self, url: str) -> PostgresTarget:
        """Prepare a target; it need not exist."""
        return PostgresTarget(Address.parse(url))

    def capabilities(self) -> Capabilities:
        """What PostgreSQL can do."""
        return Capabilities("postgres")


CONNECTOR = PostgresConnector()
