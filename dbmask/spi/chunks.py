"""Parts of tables that several sessions copy, in an order of their own, and that a later run goes on with. Optional."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from dbmask.schema import Table, TableName
from dbmask.spi.base import Reader, Source, Structure, TargetTable

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["ChunkEntry", "ChunkedTarget", "PartSum", "Shared", "SharedSource", "Span", "SummedSource", "TakesWhole"]


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


@dataclass(frozen=True)
class PartSum:
    """Rows of one part of a table, how many of them are newer than asked (all where that is not known), and their checksum."""

    rows: int
    fresh: int
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
class SummedSource(Protocol):
    """A source that tells by checksums of raw rows, instead of `SharedSource.unchanged`, which spans are as they were. Optional."""

    def span_columns(self, span: Span) -> tuple[str, ...]:
        """The columns that the span's bounds are values of; none where its rows are not to be told by checksums."""
        ...

    def span_sum(self, reader: Reader, span: Span, columns: Sequence[str]) -> PartSum:
        """The rows of a span and the checksum of these columns. No value appears in a statement. Raises ConnectorError."""
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
class TakesWhole(Protocol):
    """A target that copies some tables within the server, faster in one piece than in chunks. Optional."""

    def takes_whole(self, source: Source, table: TargetTable, query: exp.Expression) -> bool:
        """Whether this table, read by ``query``, is one of them. Raises ConnectorError."""
        ...
