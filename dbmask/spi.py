"""The protocols at the seams between dbmask and databases. A third-party connector implements these and inherits nothing.

    Connector.source(url) -> Source     what can be read: schema, structure, a snapshot of rows
    Connector.target(url) -> Target     what is built: a replica beside what is there, published when complete

Rows travel as batches: a list of columns, each a list of Python values of one length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dbmask.schema import Column, ColumnType, Schema, Table, TableName

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = [
    "Batch",
    "Capabilities",
    "ChunkEntry",
    "ChunkedTarget",
    "ComparableSource",
    "Connector",
    "Held",
    "HoldsKeys",
    "KeepsPrevious",
    "Pads",
    "PartSum",
    "Previous",
    "Progress",
    "Reader",
    "Receiver",
    "RefreshableTarget",
    "Refreshing",
    "ReplacesSource",
    "Rewritable",
    "Rewriting",
    "Shared",
    "SharedSource",
    "Sink",
    "Source",
    "Span",
    "Structure",
    "SummedSource",
    "Target",
    "TargetTable",
    "Written",
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


class Rewriting(Protocol):
    """Tables that are rewritten where they are; nothing shows until the context that opened this ends without an error."""

    reader: Reader
    """Sees rows as they were, until :meth:`exchange`."""
    masked: Reader
    """Sees, by the tables' own names, what they become."""

    def raw(self) -> AbstractContextManager[Reader]:
        """Another reader of the rows as they were, which may stay open while a sink is; to be closed before `exchange`."""
        ...

    def relay(self, table: TargetTable, query: exp.Expression) -> int:
        """Mask a table's rows by a SELECT of :attr:`reader`; their number. Raises ConnectorError."""
        ...

    def sink(self, table: TargetTable) -> AbstractContextManager[Sink]:
        """Take a table's masked rows."""
        ...

    def exchange(
        self,
        structure: Structure,
        tables: Sequence[TargetTable],
        skipped: Sequence[TableName],
        progress: Callable[[str], None],
    ) -> tuple[str, ...]:
        """Put masked rows in the place of the old ones, empty tables without rows, remove the skipped ones.

        Indexes, constraints, triggers and sequences are as before. Returns what is lost, in words. Raises ConnectorError.
        """
        ...

    def check_foreign_keys(self, structure: Structure) -> Mapping[str, int]:
        """As Target.check_foreign_keys, after the exchange."""
        ...


@runtime_checkable
class Rewritable(Protocol):
    """A source that can be rewritten in its place. Optional: others are built anew beside and replaced."""

    def rewriting(self, schema: Schema, names: Sequence[TableName]) -> AbstractContextManager[Rewriting]:
        """Begin, for these tables, which nobody else may write meanwhile. Raises ConnectorError and UsageError."""
        ...


@dataclass(frozen=True)
class Shared:
    """A snapshot that several sessions read, or that a later one is compared with. ``token`` is the connector's own text."""

    token: str
    position: str


@dataclass(frozen=True)
class Span:
    """A part of a table's rows: ``low`` inclusive, ``high`` exclusive, None where it is open; plain values that JSON holds.

    ``kind`` is "all", or the connector's own ("pages"). ``table`` is what is read, such as one partition; ``storage`` says
    what must still be so for the bounds to mean the same rows.
    """

    table: TableName
    kind: str = "all"
    low: Any = None
    high: Any = None
    storage: str = ""

    def plain(self) -> list[Any]:
        """What :meth:`of` makes it of again."""
        return [self.table.schema, self.table.name, self.kind, self.low, self.high, self.storage]

    @classmethod
    def of(cls, plain: Sequence[Any]) -> Span:
        """A span of its plain values."""
        schema, name, kind, low, high, storage = plain
        return cls(TableName(schema, name), kind, low, high, storage)


@dataclass
class ChunkEntry:
    """A ledger entry, committed with its rows. Rows of one ``group`` (the transaction that wrote them) are discarded together.

    ``done`` says that the chunk was there already; ``found`` and ``sum`` (a keyed checksum) are the caller's own texts.
    """

    rows: int = 0
    group: str = ""
    done: bool = False
    found: str = ""
    sum: str = ""


@runtime_checkable
class SharedSource(Protocol):
    """A source whose snapshot several sessions can read at once, in parts. Optional: others are read by one session."""

    def export(self) -> AbstractContextManager[Shared]:
        """Hold a snapshot open for others to join. Raises CannotShare where this user may not."""
        ...

    def join(self, shared: Shared) -> AbstractContextManager[Reader]:
        """Read a snapshot that another session holds. Raises SnapshotGone where it has ended."""
        ...

    def spans(self, reader: Reader, table: Table, size: int) -> list[Span]:
        """Parts of about ``size`` bytes that together are every row of the table, in any later snapshot too.

        For as long as the reader is open the bounds keep their meaning: nobody rewrites the table. Raises SnapshotGone
        where somebody has since the snapshot was taken.
        """
        ...

    def narrowed(self, query: exp.Select, span: Span) -> exp.Select:
        """The query over the rows of a span alone."""
        ...

    def unchanged(self, reader: Reader, parts: Sequence[tuple[Span, int]], since: Shared) -> list[bool]:
        """For each span and the rows it had in the snapshot ``since``: whether these are unchanged; False if that is not certain."""
        ...


@runtime_checkable
class ReplacesSource(Protocol):
    """A target that can take the place of the very database that it is built from. Optional."""

    def replace_source(self) -> None:
        """Said before `check`: source and target are meant to be one. Nothing of what was there is to stay."""
        ...


@dataclass(frozen=True)
class Previous:
    """A replica that was replaced and is kept: where it is now, and when that was (ISO 8601, UTC)."""

    name: str
    replaced: str


@runtime_checkable
class KeepsPrevious(Protocol):
    """A target that can keep what it replaces. A target that cannot has none of this, and is a target all the same."""

    def keep_previous(self, count: int) -> None:
        """Said before :meth:`Target.publish`: how many replaced replicas stay; older ones go after it succeeded. 0 unless said."""
        ...

    def previous(self) -> Sequence[Previous]:
        """What is kept, the latest first. Raises ConnectorError."""
        ...

    def roll_back(self, name: str) -> None:
        """Put a kept replica in its place again; what served till now is kept in its stead.

        Raises UsageError where it is not dbmask's to exchange, ConnectorError with all as it was.
        """
        ...


@runtime_checkable
class ChunkedTarget(Protocol):
    """A target whose rows are committed chunk by chunk, with a ledger that does not arrive with the replica. Optional."""

    def building(self) -> str:
        """What :meth:`join` and :meth:`adopt` know the building area by."""
        ...

    def join(self, building: str) -> None:
        """Write into another process's building area; closing leaves it alone."""
        ...

    def adopt(self, building: str) -> bool:
        """Take over what a run that died was building, end its sessions; False where it is not there any more.

        Raises ConnectorError where that run is still at work.
        """
        ...

    def chunk(self, token: str) -> AbstractContextManager[ChunkEntry]:
        """One transaction: the rows written within it, and the entry. Where it is ``done`` already, nothing is to be written."""
        ...

    def ledger(self) -> Mapping[str, ChunkEntry]:
        """What has been committed, by token."""
        ...

    def discard(self, table: TargetTable, chunks: Mapping[str, Span], whole: bool) -> None:
        """Remove the rows and entries of these chunks of a table (all of its rows where ``whole``), before `finish`."""
        ...

    def renew(
        self, structure: Structure, kept: Mapping[TableName, Mapping[str, Span]], noted: Callable[[], None]
    ) -> tuple[str, ...]:
        """Build anew what was adopted after `finish` had begun: as :meth:`Target.create`, with the kept chunks' rows.

        Where all rows of a table are kept its chunks' spans are the whole table. ``noted`` is called before the adopted area goes.
        """
        ...

    def keep(self) -> None:
        """Leave the building area for :meth:`adopt` and close connections."""
        ...


@runtime_checkable
class SummedSource(Protocol):
    """A source that tells by checksums of raw rows, instead of `SharedSource.unchanged`, which spans are as they were. Optional."""

    def span_columns(self, span: Span) -> tuple[str, ...]:
        """The columns that the span's bounds are values of; none where its rows are not to be told by checksums."""
        ...

    def span_sum(self, reader: Reader, span: Span, columns: Sequence[str]) -> PartSum:
        """The rows of a span and the checksum of these columns. No value appears in a statement. Raises ConnectorError."""
        ...


@dataclass(frozen=True)
class PartSum:
    """Rows of one part of a table, how many of them are newer than asked (all where that is not known), and their checksum."""

    rows: int
    fresh: int
    sum: str = ""


@runtime_checkable
class ComparableSource(Protocol):
    """A source whose rows can be compared, without being read, with what they were at an earlier snapshot. Optional.

    Parts are ranges of a key column, between ``bounds``: texts of its values, in order. None of these values appears in a
    statement. ``since`` is what :meth:`moment` gave for the earlier snapshot, empty where nothing is to be made of it.
    """

    def moment(self, reader: Reader) -> str:
        """What tells this snapshot's rows from later ones; empty where nothing does."""
        ...

    def still(self, reader: Reader, since: str) -> bool:
        """Whether rows of this snapshot can be told by ``since``."""
        ...

    def bounds(self, reader: Reader, table: Table, column: str, rows: int) -> list[str]:
        """Values of a key column that cut the table into parts of about so many rows."""
        ...

    def part_sums(
        self,
        reader: Reader,
        table: Table,
        column: str,
        bounds: Sequence[str],
        since: str,
        values: Sequence[str] = (),
        only: Sequence[int] | None = None,
    ) -> list[PartSum]:
        """Each part's rows, of those named by ``only`` alone where that is given; with a checksum of ``values`` columns."""
        ...

    def changed(
        self,
        reader: Reader,
        query: exp.Select,
        table: Table,
        column: str,
        bounds: Sequence[str],
        parts: Sequence[int],
        since: str,
    ) -> exp.Select:
        """The query over some parts' rows, those newer than ``since`` alone where that is given."""
        ...

    def highest(self, reader: Reader, table: Table, column: str) -> str | None:
        """The highest value of a column as text; None where there is none."""
        ...

    def beyond(
        self, reader: Reader, query: exp.Select, table: Table, column: str, value: str, also: bool
    ) -> exp.Select:
        """The query over rows whose column is above the value; where ``also``, at it, and those without a value, too."""
        ...


@dataclass(frozen=True)
class Written:
    """What a target must know to find rows that others wrote: each table's rows, and the connector's own text."""

    token: str
    rows: Mapping[TableName, int]


class Receiver(Protocol):
    """What takes the rows of tables."""

    def relay(
        self, source: Source, reader: Reader, table: TargetTable, query: exp.Expression, progress: Progress
    ) -> int | None:
        """As Target.relay."""
        ...

    def sink(self, table: TargetTable) -> AbstractContextManager[Sink]:
        """As Target.sink."""
        ...


class Refreshing(Receiver, Protocol):
    """One transaction over a replica that serves. Rows that are received wait beside their tables until :meth:`exchange`."""

    def reshaped(self, since: Written) -> bool:
        """Whether the tables' columns are not those that they were."""
        ...

    def touched(self, since: Written) -> Mapping[TableName, str]:
        """Tables that others wrote to, with what gives that away."""
        ...

    def forget(self, table: TargetTable) -> None:
        """Let go of what waits for a table."""
        ...

    def keys(self) -> Receiver:
        """Takes the masked keys of all rows that a table is to have; what is not among them goes."""
        ...

    def settle(self, table: TargetTable, key: Sequence[str], whole: bool) -> tuple[int, int]:
        """Compare what waits with the table: rows that will be written, and rows that this leaves in the table, before any go.

        Where ``whole``, what waits is all of the table: rows that are not among it go.
        """
        ...

    def doomed(self, table: TargetTable, key: Sequence[str]) -> int:
        """How many rows go: those whose keys are not among :meth:`keys`; without a key all of them."""
        ...

    def exchange(
        self, structure: Structure, tables: Mapping[TableName, Sequence[str]], progress: Callable[[str], None]
    ) -> Mapping[TableName, int]:
        """Write what waits, by each table's key, and all that follows from it; each table's rows then. Raises ConnectorError."""
        ...

    def note(self, token: str) -> str:
        """Note a token in the replica, which counts when the transaction is committed; what :meth:`touched` needs then."""
        ...


@runtime_checkable
class RefreshableTarget(Protocol):
    """A target that can be brought up to date while it serves. Optional: others are built anew and swapped."""

    def noted(self) -> str:
        """The token that the replica carries; empty where it carries none or is not there."""
        ...

    def note(self, token: str) -> str:
        """As Refreshing.note, in what is being built."""
        ...

    def built_identity(self) -> str:
        """As Target.identity, of what is being built, and what it will be when it is published."""
        ...

    def refreshing(self, tables: Sequence[TargetTable]) -> AbstractContextManager[Refreshing]:
        """Begin; nobody else may write to these tables meanwhile. Committed when the block ends well."""
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
