"""What is read and what is built: sources, targets, and the rows between them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dbmask.schema import Column, ColumnType, Schema, Table, TableName

if TYPE_CHECKING:
    import numpy as np
    from sqlglot import exp

__all__ = [
    "Batch",
    "Capabilities",
    "Connector",
    "Held",
    "HoldsKeys",
    "OpensBuilding",
    "OpensRows",
    "Pads",
    "Progress",
    "Reader",
    "ReadsTexts",
    "Sink",
    "Source",
    "Structure",
    "Target",
    "TargetTable",
    "TellsLatest",
]

Batch = list[list[Any]]
"""Columns of equal length, in the order of the query's projections."""

Pads = Mapping[str, tuple[bytes, bytes]]
"""HMAC pads (inner, outer) by key name: what a session needs to compute keyed masks in SQL. Never logged."""

Progress = Callable[[int], None]
"""Called with a number of rows, from time to time."""


@dataclass(frozen=True)
class Capabilities:
    """What a database can do, read by the planner and by the tests alike.

    ``keys_in_session``: pads can reach a session without a trace in its logs, so that keyed masks may run in SQL;
    ``keyed_why_not`` says why where they cannot. Without ``masks_in_sql`` every mask runs in Python. ``gaps`` names, by
    the words of the conformance tests, what a connector has not. Without ``joins_late`` the sessions that share a snapshot
    join it while `SharedSource.export` lasts, all of them, and none later. ``transactional_ddl``, ``schemas``, ``drop_column``
    describe the target.
    """

    dialect: str
    keys_in_session: bool = True
    keyed_why_not: str = ""
    schemas: bool = True
    embedded: bool = False
    parallel_writers: bool = True
    max_identifier: int = 63
    masks_in_sql: bool = True
    joins_late: bool = True
    gaps: tuple[str, ...] = ()


@dataclass(frozen=True)
class TargetTable:
    """One table of the replica: where its rows come from, what it keeps.

    ``table`` is the source's; ``columns`` are those that rows are written to, in order; ``dropped`` are absent from
    the replica; ``types`` gives the masked type of a column where it differs from the source's.
    """

    table: Table
    columns: tuple[str, ...]
    dropped: tuple[str, ...] = ()
    types: Mapping[str, ColumnType] = field(default_factory=dict)
    rows: bool = True

    @property
    def added(self) -> tuple[Column, ...]:
        """Columns that masks add: they are written, and the source's table does not have them."""
        known = {c.name for c in self.table.columns}
        return tuple(Column(c, self.types[c]) for c in self.columns if c not in known and c in self.types)

    @property
    def name(self) -> TableName:
        """The table's name, the same in source and replica."""
        return self.table.name


@dataclass(frozen=True)
class Structure:
    """DDL in sections: ``pre`` before the rows, ``post`` after them (indexes, keys, views, triggers).

    ``dialect`` says whose DDL it is; where it is not the target's own, the target makes its own from ``tables``.
    ``options`` are the database's own properties (encoding, collation), by the dialect's names.
    """

    dialect: str
    schema: Schema
    tables: tuple[TargetTable, ...]
    pre: tuple[str, ...] = ()
    post: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)


class Reader(Protocol):
    """One consistent snapshot of a source, or the finished rows of a target."""

    @property
    def position(self) -> str:
        """What identifies the snapshot (LSN, GTID, file digest), for the certificate; empty where nothing does."""
        ...

    def use_keys(self, pads: Pads) -> None:
        """Make these pads readable by queries of this session, in a way that no statement log records."""
        ...

    def read(self, query: exp.Expression, batch_rows: int = 10_000) -> Iterator[Batch]:
        """Run a SELECT whose keys are KeyRef nodes and stream its rows. Raises ConnectorError.

        A batch holds at most ``batch_rows`` rows, and fewer where rows are wide: memory does not grow with the table.
        """
        ...


@runtime_checkable
class ReadsTexts(Protocol):
    """A reader that can give values as the database writes them. Optional: it costs a third of values of Python's types."""

    def read_texts(self, query: exp.Expression) -> Iterator[list[list[str | None]]]:
        """As :meth:`Reader.read`, every value a text or None; batches of some hundred kilobytes."""
        ...


@runtime_checkable
class PrintsTexts(Protocol):
    """A reader whose database makes fingerprints of texts: 64 bits under a seed, the same for texts that differ in the case of
    letters or in blanks around them only. Optional: so a search moves numbers, not texts.

    Whether two databases give the same fingerprints is for the caller to try.
    """

    def read_prints(self, query: exp.Select, seed: int) -> Iterator[np.ndarray[Any, np.dtype[np.int64]]]:
        """As :meth:`Reader.read`, as arrays of shape (rows, columns); 0 for NULL and for what has fewer than 8 bytes."""
        ...

    def prints_of(self, texts: Sequence[str], seed: int) -> np.ndarray[Any, np.dtype[np.int64]]:
        """The fingerprints of texts, which have 8 bytes at least and no NUL."""
        ...


@runtime_checkable
class TellsLatest(Protocol):
    """A reader that knows whether its snapshot is still what the database holds. Optional: so another process reads the same."""

    def still_latest(self) -> bool:
        """Whether a transaction that began just now sees what this one sees; from any thread. Raises ConnectorError."""
        ...


@runtime_checkable
class OpensBuilding(Protocol):
    """A target that other processes can read between `finish` and `publish`. Optional."""

    def opened(self) -> str:
        """Let them in; what :meth:`open_building` knows it by."""
        ...

    def open_building(self, building: str) -> AbstractContextManager[Reader]:
        """Read what another process builds."""
        ...


@runtime_checkable
class OpensRows(Protocol):
    """A target whose rows other processes can read while `finish` runs, which leaves them where they are. Optional."""

    def rows_opened(self) -> str:
        """All rows are there: let others in; what :meth:`open_rows` knows them by, empty where `finish` may move them.

        Raises ConnectorError.
        """
        ...

    def open_rows(self, building: str) -> AbstractContextManager[Reader]:
        """Read the rows of what another process builds; that process waits until they are open."""
        ...


@dataclass(frozen=True)
class Held:
    """Keys of rows that a reader's session keeps beside the database; ``relation`` is what queries of that reader name them by."""

    relation: exp.Table
    rows: int


@runtime_checkable
class HoldsKeys(Protocol):
    """A reader whose session can keep sets of keys that its own queries join with. Optional. Nothing is written to the database."""

    def row_id(self, table: Table) -> tuple[str, ...]:
        """Hidden columns that tell the rows of a table without a key apart while the reader is open; empty where there are none."""
        ...

    def hold(self, query: exp.Select) -> Held:
        """Keep what a SELECT gives in this snapshot, under the names of its projections. Raises ConnectorError."""
        ...

    def extend(self, held: Held, more: Held) -> Held:
        """Add one set's keys to another, which has none of them. Raises ConnectorError."""
        ...


class Source(Protocol):
    """An open source database."""

    @property
    def capabilities(self) -> Capabilities:
        """What this database can do."""
        ...

    def identity(self) -> str:
        """What this database is, whatever URL led here (system identifier and name, device and inode)."""
        ...

    def schema(self) -> Schema:
        """The structure, read anew. Raises ConnectorError."""
        ...

    def privileges(self, tables: Sequence[TableName]) -> Mapping[TableName, str]:
        """For each table that this user may not read: why, in a few words."""
        ...

    def structure(self, schema: Schema, tables: Sequence[TargetTable]) -> Structure:
        """The DDL of these tables and of what hangs on them. Raises ConnectorError."""
        ...

    def snapshot(self) -> AbstractContextManager[Reader]:
        """Open one consistent snapshot for reading."""
        ...

    def close(self) -> None:
        """Give connections back; a second call does nothing."""
        ...


class Sink(Protocol):
    """Where the rows of one table go."""

    def write(self, batch: Batch) -> None:
        """Append a batch. Raises ConnectorError."""
        ...


class Target(Protocol):
    """A replica being built beside what is there. Nothing shows until :meth:`publish`."""

    @property
    def capabilities(self) -> Capabilities:
        """What this database can do."""
        ...

    def identity(self) -> str:
        """As Source.identity; empty where the target does not exist yet."""
        ...

    def check(self, overwrite: bool) -> None:
        """Raise UsageError unless the target is absent, empty, made by dbmask, or may be overwritten."""
        ...

    def begin(self) -> None:
        """Open the building area."""
        ...

    def create(self, structure: Structure) -> tuple[str, ...]:
        """Create tables; return what could not arrive, in words."""
        ...

    def relay(
        self, source: Source, reader: Reader, table: TargetTable, query: exp.Expression, progress: Progress
    ) -> int | None:
        """Copy a fully pushed-down SELECT without parsing rows; return the row count, or None where there is no such way."""
        ...

    def sink(self, table: TargetTable) -> AbstractContextManager[Sink]:
        """Open a bulk writer for one table."""
        ...

    def finish(self, structure: Structure, progress: Callable[[str], None]) -> None:
        """After the rows: indexes, keys, sequences past the highest key, derived values, views, triggers, statistics."""
        ...

    def check_foreign_keys(self, structure: Structure) -> Mapping[str, int]:
        """Rows that break each foreign key of the structure, by "table.key"; an unbroken key counts 0."""
        ...

    def reader(self) -> AbstractContextManager[Reader]:
        """Read what was built, before or after it is published."""
        ...

    def publish(self) -> None:
        """Let the replica appear, complete, in the place of what was there."""
        ...

    def abort(self) -> None:
        """Remove what was built; what was there before stays. Safe at any time."""
        ...

    def close(self) -> None:
        """Give connections back; a second call does nothing."""
        ...


@runtime_checkable
class Connector(Protocol):
    """One kind of database."""

    name: str
    schemes: tuple[str, ...]
    dialect: str

    def source(self, url: str) -> Source:
        """Open a source for reading. Raises ConnectorError or UsageError."""
        ...

    def target(self, url: str) -> Target:
        """Prepare a target; nothing is written yet. Raises ConnectorError or UsageError."""
        ...

    def capabilities(self) -> Capabilities:
        """What this kind of database can do when nothing in particular stands against it."""
        ...
