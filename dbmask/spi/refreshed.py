"""What has changed in a source since an earlier snapshot, and its way into a replica that is there. Optional."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dbmask.schema import Table, TableName
from dbmask.spi.base import Progress, Reader, Sink, Source, Structure, Target, TargetTable
from dbmask.spi.chunks import PartSum

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = [
    "ComparableSource",
    "Receiver",
    "RefreshableTarget",
    "Refreshing",
    "Serving",
    "SumsBeyond",
    "SwapsTables",
    "Written",
]


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
    ) -> list[PartSum]:
        """Each part's rows, with a checksum of ``values`` columns."""
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


@runtime_checkable
class SumsBeyond(ComparableSource, Protocol):
    """Such a source that also sums up what :meth:`ComparableSource.beyond` reads, without a look at the other rows. Optional."""

    def beyond_sum(
        self, reader: Reader, table: Table, column: str, value: str, also: bool, values: Sequence[str] = ()
    ) -> PartSum:
        """Rows, with a checksum of ``values`` columns."""
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


class Serving(Protocol):
    """A replica whose rows go on in tables that are built beside it. Nobody else writes to it meanwhile."""

    def carry(
        self, table: TargetTable, column: str = "", bounds: Sequence[str] = (), parts: Sequence[int] | None = None
    ) -> int:
        """Copy rows of a table: of some parts between ``bounds`` of a key column that is not masked, or all; their number."""
        ...

    def forget(self, table: TargetTable) -> None:
        """Let go of what is built of a table."""
        ...

    def gone(
        self,
        table: TargetTable,
        key: Sequence[str],
        column: str = "",
        bounds: Sequence[str] = (),
        parts: Sequence[int] | None = None,
    ) -> int:
        """How many of the replica's rows, as in :meth:`carry`, have keys, which are not masked, that no row has that is built."""
        ...

    def note_new(self, table: TargetTable, key: Sequence[str]) -> None:
        """The rows that are built so far are the new ones: rows of the same keys, which are not masked, do not go on."""
        ...

    def keys(self, table: TargetTable, key: Sequence[str]) -> Receiver:
        """Takes the keys of all rows that a table is to have."""
        ...

    def rest(self, table: TargetTable, key: Sequence[str], among: bool = False) -> int:
        """How many rows :meth:`carry_rest` would copy."""
        ...

    def carry_rest(self, table: TargetTable, key: Sequence[str], among: bool = False) -> int:
        """Copy rows whose keys are not :meth:`note_new`'s and, where ``among``, are among :meth:`keys`; their number."""
        ...


@runtime_checkable
class SwapsTables(Target, Protocol):
    """A target whose changed tables are built beside it and put in their places in one step. Optional.

    `Target.create` makes all tables, rows come to those that changed, `Target.finish` follows; then :meth:`note`,
    :meth:`narrow` and `Target.publish`.
    """

    def noted(self) -> str:
        """As RefreshableTarget.noted."""
        ...

    def built_identity(self) -> str:
        """As RefreshableTarget.built_identity."""
        ...

    def why_whole(self, structure: Structure) -> str:
        """Why a replica of this structure can only be built as a whole; empty where its tables can be swapped."""
        ...

    def reshaped(self, since: Written) -> bool:
        """As Refreshing.reshaped."""
        ...

    def touched(self, since: Written) -> Mapping[TableName, str]:
        """As Refreshing.touched, of the tables that ``since`` names."""
        ...

    def note(self, token: str, since: str = "", swapped: Collection[TableName] | None = None) -> str:
        """As RefreshableTarget.note; where ``swapped`` is given, the other tables are as they were ``since``."""
        ...

    def serving(self) -> AbstractContextManager[Serving]:
        """The replica that is there, kept as it is until the block ends; `Target.publish` comes after it. Raises ConnectorError."""
        ...

    def broken(self, structure: Structure, swapped: Collection[TableName]) -> Mapping[str, int]:
        """As Target.check_foreign_keys, of the keys that touch these tables, the others being the target's own."""
        ...

    def narrow(self, structure: Structure, swapped: Collection[TableName]) -> None:
        """Let go of all that is built but these tables; `Target.publish` puts them alone in their places."""
        ...
