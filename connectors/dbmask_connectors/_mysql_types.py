"""MySQL's column types as dbmask's, and back."""

from __future__ import annotations

import re
from dataclasses import replace

from dbmask.schema import ColumnType, Kind

__all__ = ["binary_like", "column_type", "declared", "folds", "labels"]

_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_KINDS = {
    "decimal": Kind.DECIMAL,
    "float": Kind.FLOAT,
    "double": Kind.FLOAT,
    "date": Kind.DATE,
    "time": Kind.TIME,
    "datetime": Kind.TIMESTAMP,
    "timestamp": Kind.TIMESTAMPTZ,
    "uuid": Kind.UUID,
    "json": Kind.JSON,
    "enum": Kind.ENUM,
}
_TEXTS = frozenset({"char", "varchar", "tinytext", "text", "mediumtext", "longtext"})
_BYTES = frozenset({"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"})
_SPATIAL = frozenset(
    {
        "geometry",
        "point",
        "linestring",
        "polygon",
        "multipoint",
        "multilinestring",
        "multipolygon",
        "geometrycollection",
        "geomcollection",
    }
)
_UNBOUNDED = 65_535
"""From TEXT and BLOB on, a column's length is no limit that a mask would meet."""
_LABEL = re.compile(r"'((?:[^']|'')*)'")


def binary_like(data_type: str) -> bool:
    """Whether values of an information_schema DATA_TYPE are bytes rather than text."""
    return data_type in _BYTES or data_type in _SPATIAL or data_type in ("bit", "vector")


def labels(column_type: str) -> tuple[str, ...]:
    """The labels of enum('a','b') or set('a','b')."""
    return tuple(m.replace("''", "'") for m in _LABEL.findall(column_type))


def folds(data_type: str, collation: str | None) -> bool:
    """Whether the column's own equality is looser than bytes.

    All but the _bin collations fold; those that pad ignore trailing spaces, which char(n) does not hold anyway.
    """
    if not collation or collation == "binary":
        return False
    if not collation.endswith("_bin"):
        return True
    pads = "_nopad_" not in collation and "_0900_" not in collation
    return pads and data_type != "char"


def column_type(
    data_type: str,
    sql: str,
    length: int | None = None,
    precision: int | None = None,
    scale: int | None = None,
    collation: str | None = None,
) -> ColumnType:
    """A type from information_schema.COLUMNS; ``data_type`` is its bare name, ``sql`` COLUMN_TYPE.

    tinyint(1) is an integer: it holds 2 as well as true. bit(1) holds nothing but 0 and 1.
    """
    words = sql.lower()
    made = ColumnType(Kind.OTHER, sql, folded=folds(data_type, collation))
    if length is not None and length >= _UNBOUNDED and "char" not in data_type and "binary" not in data_type:
        length = None
    if data_type in _BITS:
        return replace(made, kind=Kind.INTEGER, bits=_BITS[data_type], unsigned="unsigned" in words)
    if data_type == "year":
        return replace(made, kind=Kind.INTEGER, bits=16, unsigned=True)
    if data_type in _TEXTS:
        return replace(made, kind=Kind.TEXT, length=length, padded=data_type == "char")
    if data_type in _BYTES:
        return replace(made, kind=Kind.BYTES, length=length)
    if data_type in ("enum", "set"):
        kind = Kind.ENUM if data_type == "enum" else Kind.OTHER
        return replace(made, kind=kind, values=labels(sql))
    if data_type == "decimal":
        return replace(made, kind=Kind.DECIMAL, precision=precision, scale=scale, unsigned="unsigned" in words)
    if data_type == "bit" and precision == 1:
        return replace(made, kind=Kind.BOOLEAN)
    return replace(made, kind=_KINDS.get(data_type, Kind.OTHER), unsigned="unsigned" in words)


def declared(type_: ColumnType) -> str:
    """How MySQL declares a type that a mask makes.

    >>> declared(ColumnType(Kind.TEXT, length=64))
    'varchar(64)'
    """
    if type_.kind is Kind.TEXT:
        return f"varchar({type_.length})" if type_.length is not None and type_.length <= 16_000 else "longtext"
    if type_.kind is Kind.BYTES:
        return f"varbinary({type_.length})" if type_.length is not None and type_.length <= 60_000 else "longblob"
    if type_.kind is Kind.INTEGER:
        name = {8: "tinyint", 16: "smallint", 24: "mediumint", 32: "int"}.get(type_.bits or 64, "bigint")
        return f"{name} unsigned" if type_.unsigned else name
    if type_.kind is Kind.DECIMAL:
        return f"decimal({type_.precision},{type_.scale or 0})" if type_.precision is not None else "decimal(65,30)"
    return _DECLARED.get(type_.kind, "longtext")


_DECLARED = {
    Kind.FLOAT: "double",
    Kind.BOOLEAN: "tinyint(1)",
    Kind.DATE: "date",
    Kind.TIME: "time(6)",
    Kind.TIMESTAMP: "datetime(6)",
    Kind.TIMESTAMPTZ: "timestamp(6)",
    Kind.UUID: "char(36)",
    Kind.JSON: "json",
}
