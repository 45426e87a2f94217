"""Bringing a state database to this version's tables, by the Alembic migrations that the package ships."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dbmask.errors import UsageError

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

__all__ = ["HEAD", "downgrade", "upgrade"]

HEAD = "0002"
"""The revision that this version works with."""

VERSION_TABLE = "dbmask_state_version"


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection, to: str = HEAD) -> None:
    """Migrate up. Does nothing, quickly, where all is as it should be. Raises UsageError for a newer version's database."""
    at = current(connection)
    if at == to:
        return
    if at and at > HEAD:  # revisions are numbered
        raise UsageError(f"the state database is of a newer dbmask (revision {at}, this one knows {HEAD})")
    from alembic import command

    command.upgrade(_config(connection), to)


def downgrade(connection: Connection, to: str = "base") -> None:
    """Migrate down to a revision."""
    from alembic import command

    command.downgrade(_config(connection), to)


def current(connection: Connection) -> str:
    """The revision that a database stands at; empty where it has none."""
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table(VERSION_TABLE):
        return ""
    return str(connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar() or "")  # noqa: S608
