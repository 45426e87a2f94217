"""What stood where a replica is to be: masked in its place, or kept beside for a way back. Optional."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from dbmask.schema import Schema, TableName
from dbmask.spi.base import Reader, Sink, Structure, TargetTable

if TYPE_CHECKING:
    from sqlglot import exp

__all__ = ["KeepsPrevious", "Previous", "ReplacesSource", "Rewritable", "Rewriting"]


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
