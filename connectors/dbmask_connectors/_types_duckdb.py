"""DuckDB's types: what its own names mean, and what it calls the types of other databases."""

from __future__ import annotations

import re

from dbmask.schema import ColumnType, Kind
from dbmask_sql.duckdb_types import scalar

__all__ = ["NATIVE", "column_type", "declared", "is_lossless"]

_LIST = re.compile(r"(.*)\[\d*\]\Z", re.S)
_LABEL = re.compile(r"'((?:[^']|'')*)'")

NATIVE = frozenset(
    {Kind.TEXT, Kind.INTEGER, Kind.DECIMAL, Kind.FLOAT, Kind.BOOLEAN, Kind.UUID, Kind.JSON, Kind.BYTES, Kind.ENUM}
)
"""Kinds whose values Python holds without loss."""


def column_type(sql: str, folded: bool = False) -> ColumnType:
    """The type that DuckDB writes as ``sql``; ``folded`` says that the column has a collation.

    >>> column_type("DECIMAL(10,2)[]").element
    ColumnType(kind=<Kind.DECIMAL: 'decimal'>, sql='DECIMAL(10,2)', length=None, precision=10, scale=2, ...)
    """
    items = _LIST.match(sql)
    if items:
        return ColumnType(Kind.ARRAY, sql, element=column_type(items[1]))
    if sql.startswith("ENUM("):
        labels = tuple(label.replace("''", "'") for label in _LABEL.findall(sql))
        return ColumnType(Kind.ENUM, sql, values=labels)
    return ColumnType(sql=sql, folded=folded, **scalar(sql)._asdict())


def is_lossless(type_: ColumnType) -> bool:
    """Whether Python's value of a list element or a column says all that DuckDB's does."""
    if type_.kind is Kind.ARRAY:
        return type_.element is not None and is_lossless(type_.element)
    return type_.kind in NATIVE


_DECLARED: dict[Kind, str] = {
    Kind.TEXT: "VARCHAR",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.FLOAT: "DOUBLE",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMPTZ: "TIMESTAMP WITH TIME ZONE",
    Kind.UUID: "UUID",
    Kind.JSON: "JSON",
    Kind.BYTES: "BLOB",
    Kind.OTHER: "VARCHAR",
}
_BY_BITS = {8: "TINYINT", 16: "SMALLINT", 24: "INTEGER", 32: "INTEGER", 64: "BIGINT", 128: "HUGEINT"}
_WIDEST = 38


def declared(type_: ColumnType) -> str:
    """What DuckDB calls a type of another database.

    >>> declared(ColumnType(Kind.INTEGER, "bigint unsigned", bits=64, unsigned=True))
    'UBIGINT'
    """
    if type_.kind is Kind.INTEGER:
        name = _BY_BITS.get(type_.bits or 64, "HUGEINT")
        return f"U{name}" if type_.unsigned else name
    if type_.kind is Kind.DECIMAL:
        fits = type_.precision is not None and type_.precision <= _WIDEST
        return f"DECIMAL({type_.precision},{type_.scale or 0})" if fits else "DOUBLE"
    if type_.kind is Kind.ENUM:
        if not type_.values:
            return "VARCHAR"
        return "ENUM(" + ", ".join("'" + v.replace("'", "''") + "'" for v in type_.values) + ")"
    if type_.kind is Kind.ARRAY:
        return f"{declared(type_.element)}[]" if type_.element else "JSON"
    return _DECLARED[type_.kind]
