"""Checksums of chunks' raw rows: what a later run knows unchanged rows by, where the database cannot tell it otherwise."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dbmask.spi import PartSum, Reader, Span, SummedSource
from dbmask.state.seal import Sealer

if TYPE_CHECKING:
    from dbmask.cloner.copying import TableJob

__all__ = ["chunk_sum", "is_own", "keeps", "keyed_sum", "read_columns"]


def is_own(job: TableJob) -> bool:
    """Whether a row's masked values follow from that row alone: only such rows stand when the table around them changed."""
    from sqlglot import exp

    whole = any(getattr(unit.bound, "whole_column", False) for unit in job.plan.units)
    tables = sum(1 for _ in job.reading.query.find_all(exp.Table))
    return not (whole or job.plan.filter or tables > 1)


def read_columns(job: TableJob) -> list[str]:
    """The source's columns that the replica's rows follow from."""
    from sqlglot import exp

    read = {node.name for node in job.reading.query.find_all(exp.Column)}
    return [c.name for c in job.plan.table.columns if c.name in read]


def keeps(job: TableJob, columns: tuple[str, ...]) -> bool:
    """Whether these columns arrive as they are, so that ranges of their values are the same rows on both sides."""
    from sqlglot import exp

    for name in columns:
        own, made = job.plan.table.column(name), job.target.types.get(name)
        if name not in job.reading.writes or own is None or made not in (None, own.type):
            return False
        place = job.reading.ready[job.reading.writes.index(name)]
        value = job.reading.query.expressions[place].unalias() if place >= 0 else None
        if not isinstance(value, exp.Column) or value.name != name:
            return False
    return True


def chunk_sum(source: SummedSource, reader: Reader, job: TableJob, span: Span, rows: int, sealer: Sealer) -> str:
    """The keyed checksum of a chunk that has so many rows; empty where it could not be reused, or the rows are moving."""
    if not source.span_columns(span) or not is_own(job):
        return ""
    part = source.span_sum(reader, span, read_columns(job))
    return keyed_sum(part, sealer) if part.rows == rows else ""


def keyed_sum(part: PartSum, sealer: Sealer) -> str:
    """A checksum as it may be stored, with the number of rows in it."""
    return sealer.checksum(f"{part.rows} {part.sum}".encode()).hex()
