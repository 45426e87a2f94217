"""The plan of chunks: which parts of which tables, by what names the ledger knows them, and what they are reused by."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dbmask.cloner.copying import TableJob
from dbmask.schema import TableName
from dbmask.spi import Reader, SharedSource, Span, Structure
from dbmask.state.seal import Sealer
from dbmask.state.store import ChunkRow

__all__ = ["CHUNK_BYTES", "Chunk", "opened", "plan_chunks", "plan_digest", "sealed"]

CHUNK_BYTES = 32 * 2**20
"""About how much of a table one chunk reads."""


@dataclass(frozen=True)
class Chunk:
    """One part of one table. ``number`` orders a run's chunks, ``token`` is its name in the ledger."""

    number: int
    name: TableName
    span: Span
    token: str


def plan_chunks(
    source: SharedSource,
    reader: Reader,
    jobs: Iterable[TableJob],
    sealer: Sealer,
    salt: str,
    size: int = CHUNK_BYTES,
    in_one: Callable[[TableJob], bool] = lambda job: False,
) -> list[Chunk]:
    """Every row of every table, in chunks of about ``size`` bytes, or ``in_one``. A token is of its run (``salt``), table and span."""
    made: list[Chunk] = []
    for job in jobs:
        # A mask over the whole column needs all of its rows together.
        whole = any(getattr(unit.bound, "whole_column", False) for unit in job.plan.units)
        spans = source.spans(reader, job.plan.table, size)  # locks the table, too
        spans = [Span(job.plan.name)] if whole or (len(spans) > 1 and in_one(job)) else spans
        for span in spans:
            made.append(chunk(len(made), job.plan.name, span, sealer, salt))
    return made


def chunk(number: int, name: TableName, span: Span, sealer: Sealer, salt: str) -> Chunk:
    """A chunk with its token."""
    return Chunk(number, name, span, sealer.token(salt, str(name), json.dumps(span.plain())))


def sealed(chunks: Iterable[Chunk], sealer: Sealer) -> list[ChunkRow]:
    """Chunks as the state database holds them."""
    return [ChunkRow(c.number, str(c.name), c.token, sealer.seal(c.span.plain(), c.token)) for c in chunks]


def opened(rows: Iterable[ChunkRow], sealer: Sealer) -> list[Chunk]:
    """What :func:`sealed` made. Raises UsageError where the key is another."""
    return [Chunk(r.number, TableName.parse(r.name), Span.of(sealer.open(r.span, r.token)), r.token) for r in rows]


def plan_digest(
    policy_digest: str, epoch: str, structure: Structure, jobs: Mapping[TableName, TableJob], extra: Sequence[str] = ()
) -> str:
    """What a resumed run must have in common with the one that it continues: policy, structure, and every table's SELECT."""
    made = hashlib.sha256()

    def add(*parts: str) -> None:
        for part in parts:
            data = part.encode("utf-8", "surrogatepass")
            made.update(len(data).to_bytes(8, "big") + data)

    add(policy_digest, epoch, *extra, *structure.pre, "post", *structure.post)
    for name in sorted(jobs, key=str):
        job = jobs[name]
        add(str(name), repr(job.target.columns), repr(job.target.dropped), repr(sorted(job.target.types.items())))
        add(job.reading.query.sql(), repr(job.reading.ready), *(repr(u.mask) for u in job.plan.units))
    return made.hexdigest()
