"""SQLite's column types: any words, of which the affinity and what people mean by them count."""

from __future__ import annotations

import re

from dbmask.schema import ColumnType, Kind

__all__ = ["column_type", "declared"]

_SIZE = re.compile(r"\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)")
_WORDS: dict[str, Kind] = {
    "BOOL": Kind.BOOLEAN,
    "BOOLEAN": Kind.BOOLEAN,
    "DATE": Kind.DATE,
    "TIME": Kind.TIME,
    "DATETIME": Kind.TIMESTAMP,
    "TIMESTAMP": Kind.TIMESTAMP,
    "TIMESTAMPTZ": Kind.TIMESTAMPTZ,
    "TIMESTAMP WITH TIME ZONE": Kind.TIMESTAMPTZ,
    "TIMESTAMP WITHOUT TIME ZONE": Kind.TIMESTAMP,
    "DECIMAL": Kind.DECIMAL,
    "NUMERIC": Kind.DECIMAL,
    "NUMBER": Kind.DECIMAL,
    "MONEY": Kind.DECIMAL,
    "UUID": Kind.UUID,
    "GUID": Kind.UUID,
    "JSON": Kind.JSON,
    "JSONB": Kind.OTHER,
    "BINARY": Kind.BYTES,
    "VARBINARY": Kind.BYTES,
    "": Kind.OTHER,
    "ANY": Kind.OTHER,
}


def column_type(declared: str, folded: bool = False) -> ColumnType:
    """The type of a column from its declaration; ``folded`` says that its collation is not BINARY.

    >>> column_type("VARCHAR(40)").length
    40
    """
    size = _SIZE.search(declared)
    words = " ".join(_SIZE.sub(" ", declared).upper().split())
    kind = _WORDS.get(words)
    if kind is None:
        kind = _by_affinity(words)
    first, second = (int(size[1]), int(size[2]) if size[2] else None) if size else (None, None)
    return ColumnType(
        kind,
        declared,
        length=first if kind in (Kind.TEXT, Kind.BYTES) else None,
        precision=first if kind is Kind.DECIMAL else None,
        scale=(second or 0) if kind is Kind.DECIMAL and first is not None else None,
        bits=64 if kind is Kind.INTEGER else None,
        folded=folded,
    )


def _by_affinity(words: str) -> Kind:
    """The rules of https://sqlite.org/datatype3.html#determination_of_column_affinity, in their order."""
    if "INT" in words:
        return Kind.INTEGER
    if any(w in words for w in ("CHAR", "CLOB", "TEXT", "STRING")):  # STRING has numeric affinity, and holds texts
        return Kind.TEXT
    if "BLOB" in words:
        return Kind.BYTES
    if any(w in words for w in ("REAL", "FLOA", "DOUB")):
        return Kind.FLOAT
    return Kind.DECIMAL if any(w in words for w in ("DEC", "NUM")) else Kind.OTHER


_DECLARED: dict[Kind, str] = {
    Kind.TEXT: "TEXT",
    Kind.ENUM: "TEXT",
    Kind.INTEGER: "INTEGER",
    Kind.DECIMAL: "DECIMAL",
    Kind.FLOAT: "REAL",
    Kind.BOOLEAN: "BOOLEAN",
    Kind.DATE: "DATE",
    Kind.TIME: "TIME",
    Kind.TIMESTAMP: "TIMESTAMP",
    Kind.TIMESTAMPTZ: "TIMESTAMPTZ",
    Kind.UUID: "UUID",
    Kind.JSON: "JSON",
    Kind.BYTES: "BLOB",
    Kind.ARRAY: "JSON",
    Kind.OTHER: "TEXT",
}


def declared(type_: ColumnType) -> str:
    """How SQLite declares a type of another database, so that reading it back gives the same kind.

    >>> declared(ColumnType(Kind.DECIMAL, "numeric(10,2)", precision=10, scale=2))
    'DECIMAL(10,2)'
    """
    if type_.kind is Kind.TEXT and type_.length is not None:
        return f"VARCHAR({type_.length})"
    if type_.kind is Kind.INTEGER and (type_.bits or 64) > 64:
        return "TEXT"  # a number would become a float
    if type_.kind is Kind.DECIMAL and type_.precision is not None:
        return f"DECIMAL({type_.precision},{type_.scale or 0})"
    return _DECLARED[type_.kind]
