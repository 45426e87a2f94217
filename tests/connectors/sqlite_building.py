"""The rich SQLite database, and replicas of it under construction."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from dbmask.registry import connector_for
from dbmask.spi import Target, TargetTable
from tests.connectors.copying import FIXTURES, Chosen, sqlite_file, target_tables

__all__ = ["SKIPPED", "building", "contents", "rich_file", "target_of"]

SKIPPED = Chosen(skip=("skipped",), empty=("empty_one", "audit"))


def rich_file(folder: Path) -> Path:
    sqlite_file(folder / "rich.db", (FIXTURES / "sqlite_rich.sql").read_text("utf-8"))
    return folder / "rich.db"


def contents(path: Path, table: str) -> list[Any]:
    """Every value of a table as a literal that tells its storage class."""
    with closing(sqlite3.connect(path)) as db:
        names = [r[1] for r in db.execute(f"PRAGMA table_xinfo({table})")]
        shown = ", ".join('quote("' + n.replace('"', '""') + '")' for n in names)
        return sorted(db.execute(f"SELECT {shown} FROM {table}").fetchall())


def target_of(path: Path) -> Target:
    return connector_for("sqlite://").target(f"sqlite:///{path}")


class building:
    """A target with its tables created, and the tables by name."""

    def __init__(self, source: Path, target: Path) -> None:
        self.source = connector_for("sqlite://").source(f"sqlite:///{source}")
        self.target = target_of(target)

    def __enter__(self) -> tuple[Target, dict[str, TargetTable]]:
        schema = self.source.schema()
        tables = target_tables(schema)
        self.target.begin()
        self.target.create(self.source.structure(schema, tables))
        return self.target, {t.name.name: t for t in tables}

    def __exit__(self, *_: object) -> None:
        self.target.close()
        self.source.close()
