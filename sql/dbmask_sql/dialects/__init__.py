"""The primitives that masks are made of, per database.

>>> dialect("duckdb").length(column("name")).sql("duckdb")
'LENGTH("name")'
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from dbmask_sql.dialects.base import Dialect, column, integer, text

__all__ = ["DIALECTS", "GENERIC", "Dialect", "column", "dialect", "integer", "text"]

DIALECTS = ("postgres", "mysql", "sqlite", "duckdb")
GENERIC = "generic"
"""The one that knows no primitives."""


@cache
def dialect(name: str) -> Dialect:
    """The primitives of one database, by sqlglot's name for it. Raises KeyError for an unknown one."""
    if name not in (*DIALECTS, GENERIC):
        raise KeyError(name)
    module = import_module(f"dbmask_sql.dialects.{name}")
    made: Dialect = module.DIALECT
    return made
