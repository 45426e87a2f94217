"""One model of a database's structure, filled by every connector and read by the planner.

    Schema -> Table -> Column -> ColumnType
           -> View, Sequence

All of it is frozen data: a schema can be compared, hashed into a plan and kept in a test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self

from dbmask_sql.kinds import Kind

__all__ = [
    "Check",
    "Column",
    "ColumnType",
    "ForeignKey",
    "Index",
    "Kind",
    "Schema",
    "Sequence",
    "Table",
    "TableKind",
    "TableName",
    "Trigger",
    "Unique",
    "View",
]

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*\Z")


def _quoted(part: str) -> str:
    return part if _PLAIN.match(part) else '"' + part.replace('"', '""') + '"'


@dataclass(frozen=True, order=True)
class TableName:
    """A table's schema and name, exactly as the catalog has them.

    >>> str(TableName("public", "we ird"))
    'public."we ird"'
    """

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{_quoted(self.schema)}.{_quoted(self.name)}" if self.schema else _quoted(self.name)

    @classmethod
    def parse(cls, text: str, default_schema: str = "") -> Self:
        """Read ``schema.table`` or ``table``, with parts quoted as in SQL where they hold dots, quotes or spaces.

        Raises ValueError where the text is no such name.
        """
        parts = split_name(text)
        if len(parts) == 1:
            return cls(default_schema, parts[0])
        if len(parts) == 2:
            return cls(parts[0], parts[1])
        raise ValueError(f"expected schema.table, got {len(parts)} parts")


def split_name(text: str) -> list[str]:
    """Split a dotted name into its parts, honouring SQL's double quotes.

    >>> split_name('public."we""ird.tbl"')
    ['public', 'we"ird.tbl']

    Raises ValueError where quotes or dots are misplaced.
    """
    parts = []
    at = 0
    while True:
        match = re.compile(r'"((?:[^"]|"")+)"|([^".]+)').match(text, at)
        if match is None:
            raise ValueError("not a name: a part is empty or a quote is misplaced")
        parts.append(match[1].replace('""', '"') if match[1] is not None else match[2])
        at = match.end()
        if at == len(text):
            return parts
        if text[at] != ".":
            raise ValueError("not a name: text follows a closing quote")
        at += 1


@dataclass(frozen=True)
class ColumnType:
    """A column's type.

    ``sql`` is the type as the database writes it; ``length`` counts characters (bytes for Kind.BYTES);
    ``bits`` is 8, 16, 24, 32 or 64 for integers; ``padded`` says char(n); ``folded`` says that the
    column's own equality is looser than bytes (case-insensitive collation, citext); ``values`` are an enum's labels.
    """

    kind: Kind
    sql: str = ""
    length: int | None = None
    precision: int | None = None
    scale: int | None = None
    bits: int | None = None
    unsigned: bool = False
    padded: bool = False
    folded: bool = False
    values: tuple[str, ...] = ()
    element: ColumnType | None = None
    domain: str | None = None

    @property
    def is_text(self) -> bool:
        """Whether values are free text that a mask may make (not an enum's labels)."""
        return self.kind is Kind.TEXT

    @property
    def is_temporal(self) -> bool:
        """Whether values hold a date."""
        return self.kind in (Kind.DATE, Kind.TIMESTAMP, Kind.TIMESTAMPTZ)

    @property
    def int_range(self) -> tuple[int, int]:
        """The smallest and largest integer that fits; the 64-bit range where ``bits`` is unknown."""
        bits = self.bits or 64
        return (0, 2**bits - 1) if self.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def __str__(self) -> str:
        return self.sql or self.kind.value


@dataclass(frozen=True)
class Column:
    """One column. ``default`` is SQL text; ``identity`` is "always", "by default" or "auto" (AUTO_INCREMENT, rowid).

    ``filled`` says that a trigger sets it when a row is inserted.
    """

    name: str
    type: ColumnType
    nullable: bool = True
    default: str | None = None
    generated: str | None = None
    generated_from: tuple[str, ...] = ()
    identity: str | None = None
    comment: str | None = None
    filled: bool = False


@dataclass(frozen=True)
class Unique:
    """A unique constraint or index over plain columns; ``primary`` marks the primary key."""

    name: str
    columns: tuple[str, ...]
    primary: bool = False
    nulls_distinct: bool = True
    partial: bool = False


@dataclass(frozen=True)
class ForeignKey:
    """``columns`` of this table refer to ``ref_columns`` of ``ref_table``; ``declared`` marks one that only the policy knows."""

    name: str
    columns: tuple[str, ...]
    ref_table: TableName
    ref_columns: tuple[str, ...]
    declared: bool = False
    deferrable: bool = False


@dataclass(frozen=True)
class Index:
    """A secondary index; ``columns`` is empty where it stands on expressions, ``sql`` is its statement where known."""

    name: str
    columns: tuple[str, ...] = ()
    unique: bool = False
    sql: str = ""


@dataclass(frozen=True)
class Check:
    """A CHECK, EXCLUDE or domain constraint, and the columns it reads."""

    name: str
    sql: str
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trigger:
    """A trigger; ``function`` is what it calls, ``sql`` its definition, ``timing`` before insert, before or other.

    ``fills`` are the columns that it sets, ``reads`` those that it looks at, as far as its source shows them.
    """

    name: str
    sql: str = ""
    timing: str = ""
    function: str = ""
    fills: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()


class TableKind(StrEnum):
    """How a table stands to others."""

    TABLE = "table"
    PARTITIONED = "partitioned"
    PARTITION = "partition"
    CHILD = "child"
    FOREIGN = "foreign"


@dataclass(frozen=True)
class Table:
    """One table with everything that hangs on it. ``parents`` are its inheritance parents or the table it is a partition of;
    ``inherited`` says that other tables inherit from it, whose rows a plain SELECT would show too.
    """

    name: TableName
    columns: tuple[Column, ...]
    kind: TableKind = TableKind.TABLE
    parents: tuple[TableName, ...] = ()
    partition_key: tuple[str, ...] = ()
    uniques: tuple[Unique, ...] = ()
    foreign_keys: tuple[ForeignKey, ...] = ()
    indexes: tuple[Index, ...] = ()
    checks: tuple[Check, ...] = ()
    triggers: tuple[Trigger, ...] = ()
    rows: int | None = None
    bytes: int | None = None
    comment: str | None = None
    row_security: bool = False
    inherited: bool = False

    @property
    def primary_key(self) -> tuple[str, ...]:
        """The primary key's columns in key order; empty where there is none."""
        return next((u.columns for u in self.uniques if u.primary), ())

    def column(self, name: str) -> Column | None:
        """The column of exactly this name, or None."""
        return next((c for c in self.columns if c.name == name), None)


@dataclass(frozen=True)
class View:
    """A view or materialized view and the relations it reads, where the catalog knows them."""

    name: TableName
    definition: str = ""
    materialized: bool = False
    reads: tuple[TableName, ...] = ()


@dataclass(frozen=True)
class Sequence:
    """A sequence; ``owner`` is the (table, column) it feeds."""

    name: TableName
    owner: tuple[TableName, str] | None = None
    increment: int = 1
    last_value: int | None = None


@dataclass(frozen=True)
class Schema:
    """A database's structure. ``dialect`` is a name of :mod:`dbmask_sql.dialects`."""

    dialect: str
    tables: Mapping[TableName, Table] = field(default_factory=dict)
    views: tuple[View, ...] = ()
    sequences: tuple[Sequence, ...] = ()
    default_schema: str = ""
    version: str = ""
    left_out: tuple[str, ...] = ()
