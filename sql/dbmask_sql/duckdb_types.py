"""What DuckDB's own names of types mean."""

from __future__ import annotations

import re
from typing import NamedTuple

from dbmask_sql.kinds import Kind

__all__ = ["Scalar", "scalar"]

_BITS = {"TINYINT": 8, "SMALLINT": 16, "INTEGER": 32, "BIGINT": 64, "HUGEINT": 128}
_KINDS = {
    "VARCHAR": Kind.TEXT,
    "BOOLEAN": Kind.BOOLEAN,
    "FLOAT": Kind.FLOAT,
    "DOUBLE": Kind.FLOAT,
    "DATE": Kind.DATE,
    "TIME": Kind.TIME,
    "TIMESTAMP": Kind.TIMESTAMP,
    "TIMESTAMP_S": Kind.TIMESTAMP,
    "TIMESTAMP_MS": Kind.TIMESTAMP,
    "TIMESTAMP_NS": Kind.TIMESTAMP,
    "TIMESTAMP WITH TIME ZONE": Kind.TIMESTAMPTZ,
    "UUID": Kind.UUID,
    "JSON": Kind.JSON,
    "BLOB": Kind.BYTES,
}
_DECIMAL = re.compile(r"DECIMAL\((\d+),(\d+)\)\Z")


class Scalar(NamedTuple):
    """A type of single values: digits for decimals, bits and sign for integers."""

    kind: Kind
    precision: int | None = None
    scale: int | None = None
    bits: int | None = None
    unsigned: bool = False


def scalar(sql: str) -> Scalar:
    """The type that DuckDB writes as ``sql``; what is none of its single values is OTHER.

    >>> scalar("DECIMAL(10,2)")
    Scalar(kind=<Kind.DECIMAL: 'decimal'>, precision=10, scale=2, bits=None, unsigned=False)
    >>> scalar("UTINYINT")
    Scalar(kind=<Kind.INTEGER: 'integer'>, precision=None, scale=None, bits=8, unsigned=True)
    >>> scalar("BIT").kind
    <Kind.OTHER: 'other'>
    """
    number = _DECIMAL.match(sql)
    if number:
        return Scalar(Kind.DECIMAL, precision=int(number[1]), scale=int(number[2]))
    unsigned = sql.startswith("U") and sql[1:] in _BITS
    bits = _BITS.get(sql[1:] if unsigned else sql)
    if bits is not None:
        return Scalar(Kind.INTEGER, bits=bits, unsigned=unsigned)
    return Scalar(_KINDS.get(sql, Kind.OTHER))
