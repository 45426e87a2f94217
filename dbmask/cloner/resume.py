"""Going on where a run stopped: on its snapshot while that is held, else on a new one with what is still as it was."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from dbmask.cloner.book import Book
from dbmask.cloner.chunks import Chunk, chunk, opened
from dbmask.cloner.copying import TableJob
from dbmask.cloner.keeper import Keeper
from dbmask.cloner.sums import is_own, keeps, keyed_sum, read_columns
from dbmask.errors import UsageError
from dbmask.schema import TableName
from dbmask.spi import ChunkedTarget, ChunkEntry, Reader, Shared, SharedSource, Span, SummedSource
from dbmask.state.seal import Sealer
from dbmask.state.store import RunRow

__all__ = [
    "Earlier",
    "Standing",
    "all_chunks",
    "earlier_run",
    "locked",
    "same_storage",
    "superseded",
    "unchanged_chunks",
]

_Storage = Mapping[TableName, str]

_LATE = ("finish", "verify", "publish")


@dataclass(frozen=True)
class Earlier:
    """The run that is continued: its snapshot, its chunks, and whether its building area could be taken over."""

    row: RunRow
    shared: Shared
    chunks: Sequence[Chunk]
    building: str
    left_out: tuple[str, ...]

    @property
    def loaded(self) -> bool:
        """Whether all of its rows were there."""
        return self.row.phase in _LATE

    @property
    def finished(self) -> bool:
        """Whether indexes, keys and all that follows rows were there."""
        return self.row.phase in _LATE[1:]


def earlier_run(book: Book, place: str, facts: Mapping[str, str]) -> tuple[RunRow, Earlier | None]:
    """The last run into a target, which must not have ended well, and what is known of its rows.

    Raises UsageError where there is none, or where it was of another source, plan or key.
    """
    row = book.state.latest("clone", place)
    if row is None or row.status == "done":
        raise UsageError(f"no run into {place} is unfinished: there is nothing to resume")
    words = {
        "source": "the source is another database",
        "plan_digest": "the policy or the source's structure has changed",
        "key_fingerprint": "the masking key is another",
    }
    for name, why in words.items():
        if getattr(row, name) != facts[name]:
            raise UsageError(f"run {row.id} cannot be resumed: {why} since; clone without --resume")
    if not row.building or not row.snapshot:
        return row, None
    building, shared = json.loads(row.building), json.loads(row.snapshot)
    chunks = opened(book.state.chunks(row.id), book.sealer)
    return row, Earlier(
        row,
        Shared(shared["token"], shared["position"]),
        chunks,
        building["name"],
        tuple(building["left_out"]),
    )


def superseded(book: Book, place: str) -> None:
    """A new run into a target begins: nobody will go on with the one before, whose snapshot may still be held."""
    row = book.state.latest("clone", place)
    if row is not None and row.status != "done" and row.keeper:
        Keeper.give_up(row.keeper)


@dataclass
class Standing:
    """What of an earlier run is kept: its chunks in their order, entries of those that stand, tokens to be discarded."""

    chunks: list[Chunk] = field(default_factory=list)
    entries: dict[str, ChunkEntry] = field(default_factory=dict)
    discarded: dict[TableName, dict[str, Span]] = field(default_factory=dict)

    def kept(self) -> dict[TableName, dict[str, Span]]:
        """The tokens that stand, by table, with their spans: all of the table where nothing of it is discarded."""
        found: dict[TableName, dict[str, Span]] = defaultdict(dict)
        for one in self.chunks:
            if one.token in self.entries:
                found[one.name][one.token] = one.span if one.name in self.discarded else Span(one.name)
        return dict(found)

    def apply(self, target: ChunkedTarget, jobs: Mapping[TableName, TableJob]) -> None:
        """Take out what does not stand."""
        kept = self.kept()
        for name, chunks in self.discarded.items():
            target.discard(jobs[name].target, chunks, whole=not kept.get(name))


def locked(source: SharedSource, reader: Reader, jobs: Mapping[TableName, TableJob]) -> dict[TableName, str]:
    """Keep every table from being rewritten while the reader is open; how each part of them is stored now."""
    spans = [s for job in jobs.values() for s in source.spans(reader, job.plan.table, 2**62)]
    return {s.table: s.storage for s in spans}


def same_storage(earlier: Earlier, stored: _Storage) -> bool:
    """Whether the bounds of an earlier run's chunks mean the same rows as they did."""
    return all(not c.span.storage or stored.get(c.span.table) == c.span.storage for c in earlier.chunks)


def unchanged_chunks(
    earlier: Earlier,
    ledger: Mapping[str, ChunkEntry],
    source: SharedSource,
    reader: Reader,
    jobs: Mapping[TableName, TableJob],
    stored: _Storage,
    book: Book,
    salt: str,
) -> Standing:
    """What of an earlier run's chunks a new snapshot finds unchanged; the others get new names, to be read again."""
    by_table: dict[TableName, list[Chunk]] = defaultdict(list)
    for one in earlier.chunks:
        by_table[one.name].append(one)
    made = Standing()
    for name, chunks in by_table.items():
        if isinstance(source, SummedSource):
            good = _same_sums(chunks, ledger, source, reader, jobs[name], book.sealer)
        else:
            good = _unchanged(chunks, ledger, source, reader, jobs[name], earlier.shared)
        bad = {c.token: c.span for c in chunks if c.token in ledger and c.token not in good}
        if bad:
            made.discarded[name] = bad
        made.entries |= {t: ledger[t] for t in good}
        made.chunks += [one if one.token in good else _anew(one, stored, book, salt) for one in chunks]
    return made


def all_chunks(earlier: Earlier, ledger: Mapping[str, ChunkEntry]) -> Standing:
    """On the same snapshot everything that was committed stands."""
    return Standing(list(earlier.chunks), {c.token: ledger[c.token] for c in earlier.chunks if c.token in ledger})


def _anew(one: Chunk, stored: Mapping[TableName, str], book: Book, salt: str) -> Chunk:
    """The same part of the table, to be read in the new snapshot, under a name of its own."""
    span: Span = replace(one.span, storage=stored.get(one.span.table, one.span.storage))
    return chunk(one.number, one.name, span, book.sealer, salt)


def _unchanged(
    chunks: Sequence[Chunk],
    ledger: Mapping[str, ChunkEntry],
    source: SharedSource,
    reader: Reader,
    job: TableJob,
    since: Shared,
) -> set[str]:
    """The tokens of chunks whose rows are as they were. Chunks of one transaction stand or fall together."""
    if not is_own(job):
        return set()
    there = [c for c in chunks if c.token in ledger]
    verdicts = source.unchanged(reader, [(c.span, ledger[c.token].rows) for c in there], since)
    bad = {ledger[c.token].group for c, good in zip(there, verdicts, strict=True) if not good}
    return {c.token for c in there if ledger[c.token].group not in bad}


def _same_sums(
    chunks: Sequence[Chunk],
    ledger: Mapping[str, ChunkEntry],
    source: SummedSource,
    reader: Reader,
    job: TableJob,
    sealer: Sealer,
) -> set[str]:
    """The tokens of chunks whose raw rows have the checksum that they had.

    Where the key is masked the replica's rows cannot be told apart by its ranges: a table stands or falls as one.
    """
    if not is_own(job):
        return set()
    there = [c for c in chunks if c.token in ledger]
    good: set[str] = set()
    for one in there:
        columns = source.span_columns(one.span)
        same = bool(columns and ledger[one.token].sum) and ledger[one.token].sum == keyed_sum(
            source.span_sum(reader, one.span, read_columns(job)), sealer
        )
        if same:
            good.add(one.token)
        elif not keeps(job, columns):
            return set()
    return good
