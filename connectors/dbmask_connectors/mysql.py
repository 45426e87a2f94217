"""MariaDB and MySQL through PyMySQL: ``mysql://user@host:3306/shop``, also ``mariadb://`` and ``mysql+pymysql://``.

Rows leave in one snapshot and arrive by LOAD DATA LOCAL; the replica is built in a database of its own beside its
target and moved there by one RENAME TABLE.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.spi import Capabilities

if TYPE_CHECKING:
    from dbmask.spi import Source, Target

__all__ = ["CONNECTOR", "MySQL"]


class MySQL:
    """The connector."""

    name = "mysql"
    schemes: tuple[str, ...] = ("mysql", "mariadb")
    dialect = "mysql"

    def source(self, url: str) -> Source:
        """Open a database for reading. Raises ConnectorError where it cannot be reached, UsageError where the URL is wrong."""
        from dbmask_connectors._mysql_address import Address
        from dbmask_connectors._mysql_source import MySQLSource

        return MySQLSource(Address.parse(url))

    def target(self, url: str) -> Target:
        """Prepare a target database, which need not exist; nothing is written yet. Raises ConnectorError and UsageError."""
        from dbmask_connectors._mysql_address import Address
        from dbmask_connectors._mysql_target import MySQLTarget

        return MySQLTarget(Address.parse(url))

    def capabilities(self) -> Capabilities:
        """A server that takes LOAD DATA LOCAL, with identifiers of at most 64 characters."""
        return Capabilities(dialect=self.dialect, max_identifier=64)


CONNECTOR = MySQL()
