"""From structure to loaded rows: by chunks and workers where both databases can, in one piece where not."""

from __future__ import annotations

import contextlib
import pickle
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from dbmask.cloner.ahead import Ahead
from dbmask.cloner.book import Book
from dbmask.cloner.chunks import CHUNK_BYTES, Chunk, plan_chunks
from dbmask.cloner.copying import Outcome, TableJob, copy_chunk, copy_table, merge_reports, reports_of
from dbmask.cloner.early import Early, goes_in_chunks
from dbmask.cloner.keeper import GRACE, Keeper
from dbmask.cloner.progress import Reporter
from dbmask.cloner.resume import Earlier, Standing, all_chunks, locked, same_storage, unchanged_chunks
from dbmask.cloner.throttle import throttled
from dbmask.cloner.workers import Setup, Workers
from dbmask.errors import CannotShare, SnapshotGone
from dbmask.keys import KeyRing
from dbmask.planner import pads_for
from dbmask.policy.model import Policy
from dbmask.schema import TableName
from dbmask.spi import ChunkedTarget, Reader, Shared, SharedSource, Source, Span, Structure, TakesWhole, Target
from dbmask.state.seal import Sealer

__all__ = ["Loaded", "Loading", "Options"]


@dataclass(frozen=True)
class Options:
    """How rows are moved: worker processes, rows a second at most, bytes of a chunk, seconds that a snapshot is kept for a resume."""

    jobs: int = 1
    max_rate: float | None = None
    chunk_bytes: int = CHUNK_BYTES
    grace: float = GRACE


@dataclass(frozen=True)
class Loaded:
    """All rows are in the building area. ``finished`` says that what follows them is there too."""

    reader: Reader
    left_out: tuple[str, ...]
    finished: bool = False


@dataclass
class Loading:
    """One run's way from an empty building area, or an earlier run's, to all of its rows."""

    urls: tuple[str, str]
    source: Source
    target: Target
    policy: Policy
    keys: KeyRing
    structure: Structure
    jobs: Mapping[TableName, TableJob]
    options: Options
    book: Book
    show: Reporter
    earlier: Earlier | None = None
    pick: Callable[[Reader], Mapping[TableName, TableJob]] | None = None
    early: Early = field(default_factory=Early)
    ahead: Ahead | None = None
    keeper: Keeper | None = None
    rows: dict[TableName, int] = field(default_factory=dict)
    seconds: dict[TableName, float] = field(default_factory=dict)
    found: dict[TableName, dict[str, Any]] = field(default_factory=dict)
    _left: Counter[TableName] = field(default_factory=Counter)
    _shown: TableName | None = None
    _workers: Workers | None = None

    @property
    def in_chunks(self) -> bool:
        """Whether source and target can both work in chunks; rows that are picked are known to one session alone."""
        return self.pick is None and goes_in_chunks(self.source, self.target)

    @contextmanager
    def run(self) -> Iterator[Loaded]:
        """Load everything; the snapshot stays open within the block. Raises ConnectorError and MaskError."""
        with ExitStack() as stack:
            yield self._chunked(stack) if self.in_chunks else self._whole(stack)

    def _whole(self, stack: ExitStack) -> Loaded:
        """Table by table through one reader."""
        self.target.begin()
        self.show.phase("structure")
        left_out = self.target.create(self.structure)
        reader = stack.enter_context(self.source.snapshot())
        self._search_ahead(stack, None, reader)
        if self.pick is not None:
            self._phase("subset")
            self.jobs = self.pick(reader)
        reader.use_keys(self._pads())
        self._phase("rows")
        for name, job in self.jobs.items():
            began = time.monotonic()
            self.show.table(str(name), job.plan.table.rows)
            progress = throttled(self.show.advance, self.options.max_rate)
            rows, reports = copy_table(self.source, self.target, reader, job, progress)
            outcome = Outcome(rows, seconds=time.monotonic() - began)
            self.book.done(Chunk(0, name, Span(name), ""), outcome)
            self.found[name] = {column: report.as_dict() for column, report in reports.items()}
            self._note(name)
            self.show.done(rows)
        return Loaded(reader, left_out)

    def _search_ahead(self, stack: ExitStack, shared: Shared | None, reader: Reader) -> None:
        """Let the search begin; it ends before the snapshot does."""
        if self.ahead is not None:
            stack.callback(self.ahead.end)
            self.ahead.begin(shared, reader)

    def _pads(self) -> Any:
        return pads_for((job.reading.query for job in self.jobs.values()), self.keys)

    def _phase(self, name: str) -> None:
        self.book.phase(name)
        self.show.phase(name)

    def _note(self, name: TableName) -> None:
        tally = self.book.tallies[name]
        self.rows[name], self.seconds[name] = tally.rows, tally.seconds

    def _chunked(self, stack: ExitStack) -> Loaded:
        """Chunk by chunk through a snapshot that several sessions read."""
        source, target, earlier = self.source, self.target, self.earlier
        assert isinstance(source, SharedSource) and isinstance(target, ChunkedTarget)  # noqa: S101 - in_chunks
        held = self._held(stack, source) if earlier else None
        if earlier is not None and not target.adopt(earlier.building):
            earlier = None  # nothing is left of it but its snapshot
        shared, reader = held or self._fresh(stack, source)
        self._search_ahead(stack, shared, reader)
        if earlier is not None and held and earlier.finished:
            self._tell(earlier.chunks, {c.token: c for c in self.book.state.chunks(earlier.row.id)})
            return Loaded(reader, earlier.left_out, True)
        if earlier is None:
            stands, left_out = self._begin(source, target, shared, reader)
        else:
            stands, left_out = self._take_up(source, target, earlier, shared, reader, held is not None)
        self._phase("rows")
        self._left = Counter(c.name for c in stands.chunks)
        for one in stands.chunks:
            if one.token in stands.entries:
                entry = stands.entries[one.token]
                self._done(one, Outcome(entry.rows, reports_of(entry.found), True))
        self._copy(source, target, reader, shared, [c for c in stands.chunks if c.token not in stands.entries])
        for name, job in self.jobs.items():
            self.rows.setdefault(name, 0)
            self.seconds.setdefault(name, 0.0)
            tally = self.book.tallies.get(name)
            if tally is not None:
                self.found[name] = merge_reports(job.plan, tally.reports)
        return Loaded(reader, left_out)

    def _held(self, stack: ExitStack, source: SharedSource) -> tuple[Shared, Reader] | None:
        """The earlier run's snapshot, while somebody holds it."""
        assert self.earlier is not None  # noqa: S101 - the caller has asked
        keeper = Keeper.reach(self.earlier.row.keeper)
        if keeper is None:
            return None
        try:
            with ExitStack() as trial:
                reader = trial.enter_context(source.join(self.earlier.shared))
                same = same_storage(self.earlier, locked(source, reader, self.jobs))
                if same:
                    stack.push(trial.pop_all())
        except SnapshotGone:
            same = False
        if not same:
            keeper.end()
            return None
        self.keeper = keeper
        return self.earlier.shared, reader

    def _fresh(self, stack: ExitStack, source: SharedSource) -> tuple[Shared, Reader]:
        """A new snapshot: held by a process of its own where a later run could find it, by this one where not."""
        if not self.source.capabilities.joins_late:
            return self._at_once(stack, source)
        if self.book.lasting:
            self.keeper = self.early.take_keeper() or Keeper.start(self.urls[0], self.options.grace)
            shared = self.keeper.shared()
        else:
            shared = stack.enter_context(source.export())
        return shared, stack.enter_context(source.join(shared))

    def _at_once(self, stack: ExitStack, source: SharedSource) -> tuple[Shared, Reader]:
        """A snapshot that all sessions begin together, and that ends with them; of one session where they cannot."""
        if self.options.jobs > 1:
            try:
                with ExitStack() as trial:
                    workers = trial.enter_context(self._started(None, "", self.options.jobs))
                    workers.ready()
                    with source.export() as shared:
                        reader = trial.enter_context(source.join(shared))
                        workers.join(shared)
                    self._workers = workers
                    stack.push(trial.pop_all())
                    return Shared(shared.token, reader.position), reader
            except CannotShare as error:
                self.show.phase(f"one session reads: {error}")
        reader = stack.enter_context(self.source.snapshot())
        return Shared(secrets.token_hex(16), reader.position), reader

    def _setup(self, shared: Shared | None, building: str, count: int) -> Setup:
        rate = self.options.max_rate
        return Setup(
            building,
            shared,
            pickle.dumps((self.policy, self.structure.schema)),
            self.keys,
            self._pads(),
            rate / count if rate else None,
            self._sealer,
        )

    @property
    def _sealer(self) -> Sealer | None:
        """What checksums are keyed by, where a later run could read them."""
        return self.book.sealer if self.book.lasting else None

    def _begin(
        self, source: SharedSource, target: ChunkedTarget, shared: Shared, reader: Reader
    ) -> tuple[Standing, tuple[str, ...]]:
        """The plan of chunks and an empty building area."""
        salt = f"{self.book.run} {shared.token}"
        size = self.options.chunk_bytes
        chunks = plan_chunks(source, reader, self.jobs.values(), self.book.sealer, salt, size, self._in_one)
        self.show.phase("structure")
        self.target.begin()
        left_out = self.target.create(self.structure)
        self.book.planned(chunks, {})
        self._noted(target.building(), left_out, shared)
        return Standing(chunks), left_out

    def _noted(self, building: str, left_out: tuple[str, ...], shared: Shared, **facts: str) -> None:
        """Where a later run finds what is built, and the snapshot."""
        keeper = self.keeper.address if self.keeper else ""
        self.book.building(building, left_out, **self.book.snapshot(shared, keeper), **facts)
        if self.keeper is not None:
            self.keeper.keep()

    def _in_one(self, job: TableJob) -> bool:
        """Whether the target copies a table faster in one piece."""
        target, query = self.target, job.reading.query
        return (
            job.plan.pushed_down
            and isinstance(target, TakesWhole)
            and target.takes_whole(self.source, job.target, query)
        )

    def _take_up(
        self, source: SharedSource, target: ChunkedTarget, earlier: Earlier, shared: Shared, reader: Reader, held: bool
    ) -> tuple[Standing, tuple[str, ...]]:
        """An earlier run's building area, without what does not stand; built anew where more than rows was in it."""
        ledger = target.ledger()
        if held:
            stands = all_chunks(earlier, ledger)
        else:
            stored = locked(source, reader, self.jobs)
            salt = f"{self.book.run} {shared.token}"
            stands = unchanged_chunks(earlier, ledger, source, reader, self.jobs, stored, self.book, salt)
        left_out = earlier.left_out

        def noted() -> None:
            self.book.planned(stands.chunks, stands.entries)
            self._noted(target.building(), left_out, shared, phase="rows")

        if earlier.loaded:
            self.show.phase("structure")
            left_out = target.renew(self.structure, stands.kept(), noted)
        else:
            stands.apply(target, self.jobs)
            noted()
        return stands, left_out

    def _copy(
        self, source: SharedSource, target: ChunkedTarget, reader: Reader, shared: Shared, chunks: list[Chunk]
    ) -> None:
        """Copy chunks: here, or by worker processes."""
        reader.use_keys(self._pads())
        alone = self.options.jobs == 1 or len(chunks) <= 1 or not self.source.capabilities.joins_late
        if self._workers is None and alone:
            self.early.end()
            progress = throttled(self.show.advance, self.options.max_rate)
            for one in chunks:
                self._open(one.name)
                job = self.jobs[one.name]
                places = self.source, self.target, reader, job
                self._done(one, copy_chunk(*places, one.span, one.token, progress, self._sealer))
            return
        with self._workers or self._started(shared, target.building(), min(self.options.jobs, len(chunks))) as workers:
            if self._workers is not None:
                workers.begin(target.building())
            workers.run(chunks, self._done, lambda name, rows: self.show.advance(rows))

    def _started(self, shared: Shared | None, building: str, count: int) -> Workers:
        workers = self.early.take_workers() or Workers(self.urls, count)
        workers.set_up(self._setup(shared, building, len(workers)), self.jobs)
        return workers

    def _open(self, name: TableName) -> None:
        if name not in self.rows:
            self.rows[name] = 0
            self._show_table(name)

    def _show_table(self, name: TableName) -> None:
        if self._shown != name:  # several are open at a time where workers are
            self._shown = name
            self.show.table(str(name), self.jobs[name].plan.table.rows)

    def _done(self, chunk: Chunk, outcome: Outcome) -> None:
        self._open(chunk.name)
        self.book.done(chunk, outcome)
        self._note(chunk.name)
        self._left[chunk.name] -= 1
        if self._left[chunk.name] == 0:
            self._show_table(chunk.name)
            self.show.done(self.rows[chunk.name])

    def _tell(self, chunks: Any, known: Mapping[str, Any]) -> None:
        """Chunks that are all there, as the state database knows them."""
        for one in chunks:
            self._done(one, Outcome(known[one.token].rows, reused=True))

    def stop(self, resumable: bool) -> None:
        """Let go of the snapshot: it stays for a while where the run can be resumed."""
        if self.keeper is not None:
            with contextlib.suppress(OSError):
                self.keeper.close() if resumable else self.keeper.end()
            self.keeper = None
