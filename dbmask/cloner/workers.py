"""Worker processes: each reads the shared snapshot, masks, and writes chunks, one at a time.

A worker is given the next chunk when it has finished one, so that what waits is bounded by the number of workers. What is
left to Python runs in the worker that read it. A worker that dies is replaced and its chunk given out again: its
transaction either stands, with its ledger entry, or is undone by the server. Where a snapshot cannot be joined later, the
workers are started first, begin their snapshots together, and who dies is not replaced: the others do its work.
"""

from __future__ import annotations

import pickle
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from importlib import import_module
from multiprocessing.connection import Connection, wait
from typing import Any

from dbmask import errors
from dbmask.cloner.chunks import Chunk
from dbmask.cloner.copying import Outcome, TableJob, copy_chunk
from dbmask.cloner.spawned import Spawned, end_with_parent, error_of, packed_keys, send, unpacked_keys
from dbmask.cloner.throttle import throttled
from dbmask.engine import seldom_collected
from dbmask.errors import CannotShare, ConnectorError, DbmaskError
from dbmask.keys import KeyRing
from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import ChunkedTarget, Pads, Reader, Shared, SharedSource
from dbmask.state.seal import Sealer

__all__ = ["Setup", "Workers"]

_TELL_SECONDS = 0.2
_LIVES = 3
"""How many workers may die over one chunk."""
_START_SECONDS = 60.0
_JOIN_SECONDS = 10.0
"""Writers of the source may be waiting for as long."""


@dataclass(frozen=True)
class Setup:
    """All that a worker needs from the start. It travels through a pipe, since it holds keys and passwords.

    Without ``shared`` the snapshot and ``building`` are told later (:meth:`Workers.join`, :meth:`Workers.begin`). With a
    ``sealer`` chunks are summed up. ``planning`` is the pickled policy and schema, for those who need a plan of their own.
    """

    building: str
    shared: Shared | None
    planning: bytes
    keys: KeyRing
    pads: Pads
    rate: float | None = None
    sealer: Sealer | None = None

    def __repr__(self) -> str:
        return "Setup(...)"


class _Worker(Spawned):
    """A worker. It connects to these URLs while its parent goes on."""

    def __init__(self, urls: tuple[str, str]) -> None:
        super().__init__(_main)
        self.chunk: Chunk | None = None
        self.known: set[TableName] = set()
        self.tell(pickle.dumps(urls))


class Workers:
    """``count`` worker processes over one snapshot and one building area. Use it as a context manager.

    They start, and connect to the source and the target, before it is known what they do (:meth:`set_up`).
    """

    def __init__(self, urls: tuple[str, str], count: int) -> None:
        self._urls = urls
        self._setup = b""
        self._replaces = False
        self._jobs: Mapping[TableName, TableJob] = {}
        self._packed: dict[TableName, bytes] = {}
        self._workers = [_Worker(urls) for _ in range(count)]

    def __len__(self) -> int:
        return len(self._workers)

    def set_up(self, setup: Setup, jobs: Mapping[TableName, TableJob]) -> None:
        """Tell them all that they need."""
        self._setup = packed_keys(setup)
        self._replaces = setup.shared is not None
        self._jobs = jobs
        for worker in self._workers:
            worker.tell(self._setup)

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End them; a second call does nothing."""
        for worker in self._workers:
            worker.end()
        self._workers.clear()

    def ready(self) -> None:
        """Wait until all of them could begin a snapshot. Raises what one of them raised."""
        self._told("ready", _START_SECONDS)

    def join(self, shared: Shared) -> None:
        """Let them begin their snapshots, while :meth:`SharedSource.export` lasts. Raises CannotShare where that takes long."""
        for worker in self._workers:
            with suppress(BrokenPipeError, ConnectionResetError):
                worker.pipe.send(shared)
        self._told("joined", _JOIN_SECONDS)

    def begin(self, building: str) -> None:
        """Tell them where the replica is built."""
        for worker in self._workers:
            with suppress(BrokenPipeError, ConnectionResetError):
                worker.pipe.send(building)

    def _told(self, word: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        for worker in self._workers:
            if not worker.pipe.poll(max(0.0, deadline - time.monotonic())):
                raise CannotShare("the sessions did not begin in time")
            try:
                what, body = worker.pipe.recv()
            except (EOFError, OSError):
                raise ConnectorError("a worker process died before it began") from None
            if what != word:
                raise error_of(*body)

    def run(
        self,
        chunks: Iterable[Chunk],
        done: Callable[[Chunk, Outcome], None],
        progress: Callable[[TableName, int], None],
    ) -> None:
        """Copy the chunks. Raises what a worker raised, ConnectorError where workers keep dying."""
        waiting = deque(chunks)
        deaths: dict[int, int] = {}
        for worker in self._workers:
            self._give(worker, waiting)
        while any(w.chunk for w in self._workers):
            busy = {w.pipe: w for w in self._workers if w.chunk}
            for pipe in wait(list(busy)):
                assert isinstance(pipe, Connection)  # noqa: S101 - for the type checker
                worker = busy[pipe]
                try:
                    what, body = pipe.recv()
                except (EOFError, OSError):
                    self._replace(worker, deaths, waiting)
                    continue
                if what == "rows":
                    progress(worker.chunk.name if worker.chunk else TableName("", ""), body)
                elif what == "error":
                    raise error_of(*body)
                else:
                    chunk, worker.chunk = worker.chunk, None
                    if chunk is not None:
                        done(chunk, body)
                    self._give(worker, waiting)

    def _give(self, worker: _Worker, waiting: deque[Chunk]) -> None:
        if not waiting:
            return
        chunk = waiting.popleft()
        worker.chunk = chunk
        packed = None
        if chunk.name not in worker.known:
            worker.known.add(chunk.name)
            packed = self._pack(chunk.name)
        with suppress(BrokenPipeError, ConnectionResetError):  # its death shows when it is read from
            worker.pipe.send((chunk, packed))

    def _pack(self, name: TableName) -> bytes:
        """A job for a worker: whole where SQL does everything; where not, what it makes of its own plan."""
        if name not in self._packed:
            job = self._jobs[name]
            plan = job.plan
            bare = replace(plan, units=(), columns=())
            if plan.pushed_down:
                self._packed[name] = pickle.dumps((replace(job, plan=bare, reading=replace(job.reading, leftover=())),))
            else:
                self._packed[name] = pickle.dumps((None, bare, job.target))
        return self._packed[name]

    def _replace(self, worker: _Worker, deaths: dict[int, int], waiting: deque[Chunk]) -> None:
        chunk = worker.chunk
        if chunk is None:
            return
        deaths[chunk.number] = deaths.get(chunk.number, 0) + 1
        self._workers.remove(worker)
        worker.end()
        if deaths[chunk.number] >= _LIVES:
            raise ConnectorError(f"{chunk.name}: {_LIVES} worker processes died over the same part of this table")
        waiting.appendleft(chunk)
        if not self._replaces:
            self._rest(waiting)
            return
        fresh = _Worker(self._urls)
        fresh.tell(self._setup)
        self._workers.append(fresh)
        self._give(fresh, waiting)

    def _rest(self, waiting: deque[Chunk]) -> None:
        """Those who are left go on."""
        if not self._workers:
            raise ConnectorError("every worker process has died, and with them the snapshot that they read")
        for worker in self._workers:
            if worker.chunk is None:
                self._give(worker, waiting)


@seldom_collected()
def _main(pipe: Connection) -> None:
    """A worker's life. It ends with its parent, whatever it is doing."""
    end_with_parent()
    try:
        source, target = pickle.loads(pipe.recv_bytes())  # noqa: S301 - from the parent process alone
        _work(pipe, source, target)
    except DbmaskError as error:
        send(pipe, "error", (type(error).__name__, str(error)))
    except (EOFError, OSError, KeyboardInterrupt):
        return  # the parent is gone, or goes
    except Exception as error:
        # Its text may quote data: only its type is told.
        send(pipe, "error", ("DbmaskError", f"a worker failed unexpectedly ({type(error).__name__})"))


def _work(pipe: Connection, source_url: str, target_url: str) -> None:
    with (
        closing(connector_for(source_url).source(source_url)) as source,
        closing(connector_for(target_url).target(target_url)) as target,
    ):
        if not isinstance(source, SharedSource) or not isinstance(target, ChunkedTarget):
            raise errors.UsageError("these databases cannot be cloned by several workers")
        import_module("sqlglot")  # before it is needed: what is told now waits for the parent
        setup: Setup = unpacked_keys(pipe.recv_bytes())
        planned = _Planned(setup)
        jobs: dict[TableName, TableJob] = {}
        with _joined(pipe, source, target, setup) as reader:
            reader.use_keys(setup.pads)
            progress = throttled(_teller(pipe), setup.rate)
            while True:
                chunk, packed = pipe.recv()
                if packed is not None:
                    jobs[chunk.name] = planned.job(packed, source.capabilities)
                outcome = copy_chunk(
                    source, target, reader, jobs[chunk.name], chunk.span, chunk.token, progress, setup.sealer
                )
                pipe.send(("done", outcome))


@contextmanager
def _joined(pipe: Connection, source: SharedSource, target: ChunkedTarget, setup: Setup) -> Iterator[Reader]:
    """The snapshot, and the building area: as they are known from the start, or when they are."""
    if setup.shared is not None:
        target.join(setup.building)
        with source.join(setup.shared) as reader:
            yield reader
        return
    send(pipe, "ready", None)
    with source.join(pipe.recv()) as reader:
        send(pipe, "joined", None)
        target.join(pipe.recv())
        yield reader


class _Planned:
    """The worker's own plan, for tables whose masks run in Python: bound masks do not travel between processes."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        self._plan: Any = None

    def job(self, packed: bytes, capabilities: Any) -> TableJob:
        """The job that the main process has packed."""
        job, *rest = pickle.loads(packed)  # noqa: S301 - from the parent process alone
        if job is not None:
            made: TableJob = job
            return made
        bare, target = rest
        from dbmask.planner import Profile, build_plan, reading

        if self._plan is None:
            policy, schema = pickle.loads(self._setup.planning)  # noqa: S301 - from the parent process alone
            made_here = build_plan(policy, schema, capabilities, Profile.CLONE, self._setup.keys, {})
            self._plan = made_here.require()  # a mask that cannot be bound here must not be left out
        ours = self._plan.tables[bare.name]
        plan = replace(bare, units=ours.units, columns=ours.columns)
        return TableJob(plan, reading(plan, capabilities.dialect), target)


def _teller(pipe: Connection) -> Callable[[int], None]:
    """Tells the main process of rows, a few times a second."""
    told = time.monotonic()
    rows = 0

    def tell(count: int) -> None:
        nonlocal told, rows
        rows += count
        now = time.monotonic()
        if now - told >= _TELL_SECONDS:
            send(pipe, "rows", rows)
            told, rows = now, 0

    return tell
