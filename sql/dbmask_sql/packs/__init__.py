"""Reviewed SQL, one statement a file, by dialect."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["statement"]


@cache
def statement(dialect: str, name: str) -> str:
    """The text of ``packs/<dialect>/<name>.sql``. Raises FileNotFoundError where there is none."""
    return (files("dbmask_sql.packs") / dialect / f"{name}.sql").read_text("utf-8")
