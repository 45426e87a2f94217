"""The search for raw values in a process of its own.

It gathers what is looked for while rows are copied, which leaves the source's snapshot and a core to spare, and looks in the
replica while other checks run. Where it cannot, or does not come to its end, the search is made as it is without it.
"""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Self

from dbmask.cloner.certificate import Check
from dbmask.cloner.residue import Search
from dbmask.cloner.residue.places import fit_columns
from dbmask.cloner.spawned import Spawned, end_with_parent, packed_keys, send, unpacked_keys
from dbmask.cloner.verify import count_rows
from dbmask.engine import seldom_collected
from dbmask.errors import DbmaskError
from dbmask.keys import KeyRing
from dbmask.planner import Plan, Profile, TablePlan, build_plan
from dbmask.policy.model import Policy
from dbmask.registry import connector_for
from dbmask.schema import TableName
from dbmask.spi import OpensBuilding, OpensRows, Reader, Shared, SharedSource, Source, Target, TellsLatest

__all__ = ["WORTH", "Ahead", "worth"]

WORTH = 100_000
"""Rows of tables with columns to search for, from which a process is worth its start."""
_ON_THE_WAY = ("began", "opened")


def worth(source: Source, target: Target, plans: Sequence[TablePlan]) -> bool:
    """Whether these databases can be searched by another process, and are large enough for it."""
    can = isinstance(target, OpensBuilding) and (
        source.capabilities.joins_late or not isinstance(source, SharedSource)  # whose readers tell, or do not
    )
    return can and sum(p.table.rows or 0 for p in plans if fit_columns(p)[0]) >= WORTH


@dataclass(frozen=True)
class _Task:
    """What the process is to do. It travels through a pipe, since it holds keys and passwords."""

    urls: tuple[str, str]
    planning: bytes
    tables: tuple[TableName, ...]
    allowed: tuple[str, ...]
    keys: KeyRing

    def __repr__(self) -> str:
        return "_Task(...)"


class Ahead:
    """Such a process. It starts while the replica's structure is made; :meth:`end` is called before the snapshot is let go."""

    def __init__(
        self,
        urls: tuple[str, str],
        policy: Policy,
        plan: Plan,
        tables: Sequence[TableName],
        allowed: Sequence[str],
        keys: KeyRing,
    ) -> None:
        self._process: Spawned | None = Spawned(_main)
        planning = pickle.dumps((policy, plan.schema))
        self._process.tell(packed_keys(_Task(urls, planning, tuple(tables), tuple(allowed), keys)))
        self._witness: threading.Thread | None = None
        self._begun = self._looking = False

    def begin(self, shared: Shared | None, reader: Reader) -> None:
        """Let it read the source: a snapshot that is shared, or one of its own, if nobody has written since the reader's."""
        if self._process is None:
            return
        if shared is not None:
            self._process.tell(pickle.dumps(shared))
            self._begun = True
        elif isinstance(reader, TellsLatest):
            self._process.tell(pickle.dumps(None))
            self._witness = threading.Thread(target=self._watch, args=(self._process.pipe, reader), daemon=True)
            self._witness.start()
        else:
            self.end()

    def _watch(self, pipe: Connection, reader: TellsLatest) -> None:
        try:
            what, _ = pipe.recv()
            self._begun = what == "began" and reader.still_latest()
        except (EOFError, OSError, DbmaskError):
            self._begun = False

    def look_at_rows(self, target: OpensRows) -> None:
        """Let it look in the replica's rows, which are all there, while the rest is made. Where it has not begun yet it looks later."""
        if self._process is None or (self._witness is not None and self._witness.is_alive()):
            return
        self._settle()
        building = target.rows_opened() if self._process is not None else ""
        if building:
            self._process.tell(pickle.dumps((building, True)))
            self._looking = _opens(self._process.pipe)
            if not self._looking:
                self.end()

    def look(self, building: str) -> None:
        """Let it look in the replica, which is complete, if it does not already."""
        self._settle()
        if self._process is not None and not self._looking:
            self._process.tell(pickle.dumps((building, False)))

    def _settle(self) -> None:
        """Wait until it has begun; end it where it sees other rows."""
        if self._witness is not None:
            self._witness.join()
            self._witness = None
        if not self._begun:
            self.end()

    def result(self) -> tuple[list[Check], list[str]] | None:
        """What :meth:`Search.look` gave there; None where it came to nothing."""
        if self._process is None:
            return None
        made = None
        try:
            what, body = self._process.pipe.recv()
            while what in _ON_THE_WAY:
                what, body = self._process.pipe.recv()
            made = body if what == "done" else None
        except (EOFError, OSError):
            pass
        self.end()
        return made

    def end(self) -> None:
        """End the process; a second call does nothing."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._witness is not None:  # it reads the pipe, which ends with the process, and asks the snapshot
            process.process.kill()
            self._witness.join()
            self._witness = None
        process.end()


@seldom_collected()
def _main(pipe: Connection) -> None:
    end_with_parent()
    try:
        task: _Task = unpacked_keys(pipe.recv_bytes())
        send(pipe, "done", _search(pipe, task))
    except (EOFError, OSError, KeyboardInterrupt):
        return  # the parent is gone, or goes
    except Exception as error:
        # The parent searches itself, and says what is wrong where it is still so. A text may quote data.
        send(pipe, "failed", type(error).__name__)


def _search(pipe: Connection, task: _Task) -> tuple[list[Check], list[str]]:
    with (
        closing(connector_for(task.urls[0]).source(task.urls[0])) as source,
        closing(connector_for(task.urls[1]).target(task.urls[1])) as target,
    ):
        policy, schema = pickle.loads(task.planning)  # noqa: S301 - from the parent process alone
        plan = build_plan(policy, schema, source.capabilities, Profile.CLONE, task.keys, {}).require()
        plans = [plan.tables[name] for name in task.tables]
        dialects = source.capabilities.dialect, target.capabilities.dialect
        shared = pickle.loads(pipe.recv_bytes())  # noqa: S301 - from the parent process alone
        with _snapshot(source, shared) as reader, _Opening(pipe, target) as opening:
            send(pipe, "began", None)
            rows = {p.name: count_rows(reader, p.table, p, dialects[0]) for p in plans}
            search = Search(plans, rows, dialects, task.allowed)
            search.gather(reader)
            return search.look(reader, opening.result())


class _Opening:
    """Opens what the parent names as soon as it does, whatever else this process is at: the parent waits for that."""

    def __init__(self, pipe: Connection, target: Target) -> None:
        self._pipe, self._target = pipe, target
        self._made: Future[Reader] = Future()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        threading.Thread(target=self._open, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def result(self) -> Reader:
        """What was opened, once it is."""
        return self._made.result()

    def _open(self) -> None:
        try:
            building, unfinished = pickle.loads(self._pipe.recv_bytes())  # noqa: S301 - from the parent process alone
            self._made.set_result(self._stack.enter_context(_opened(self._target, building, unfinished)))
        except Exception as error:  # whoever waits gets it
            self._made.set_exception(error)
        send(self._pipe, "opened", None)


def _opened(target: Target, building: str, unfinished: bool) -> AbstractContextManager[Reader]:
    if unfinished:
        assert isinstance(target, OpensRows)  # noqa: S101 - look_at_rows got the name from one
        return target.open_rows(building)
    assert isinstance(target, OpensBuilding)  # noqa: S101 - worth has asked
    return target.open_building(building)


def _opens(pipe: Connection) -> bool:
    """Wait until the process has opened what it was told of, or failed to; False where it comes to nothing."""
    try:
        what, _ = pipe.recv()
        while what == "began":
            what, _ = pipe.recv()
    except (EOFError, OSError):
        return False
    return bool(what == "opened")


@contextmanager
def _snapshot(source: Source, shared: Shared | None) -> Iterator[Any]:
    joined: AbstractContextManager[Reader]
    if shared is None:
        joined = source.snapshot()
    else:
        assert isinstance(source, SharedSource)  # noqa: S101 - the parent has got it from one
        joined = source.join(shared)
    with joined as reader:
        # A transaction may begin with its first read only: it has begun when the parent hears of it.
        yield reader
