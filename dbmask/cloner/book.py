"""What a run writes down of itself, so that it is in the history and another process can go on with it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dbmask.cloner.chunks import Chunk, sealed
from dbmask.cloner.copying import Outcome
from dbmask.keys import KeyRing, MasterKey, new_key
from dbmask.schema import TableName
from dbmask.spi import ChunkEntry, Shared
from dbmask.state.seal import Sealer, sealer_for
from dbmask.state.store import ChunkRow, RunRow, State, TableRow, default_folder, now

__all__ = ["Book", "Tally", "open_book", "place_of"]

_LOT_SECONDS = 0.5
_LOT = 200


def place_of(url: str) -> str:
    """A URL without user, password and options: how a target is known before it exists."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}{parts.path}"


@dataclass
class Tally:
    """One table's sums."""

    rows: int = 0
    chunks: int = 0
    reused: int = 0
    seconds: float = 0.0
    reports: list[Mapping[str, Any]] = field(default_factory=list)


class Book:
    """One run's entries in the state database. ``lasting`` says whether a later process could read them."""

    def __init__(self, state: State, sealer: Sealer, lasting: bool) -> None:
        self.state = state
        self.sealer = sealer
        self.lasting = lasting
        self.run = 0
        self.phase_name = ""
        self.tallies: dict[TableName, Tally] = {}
        self._waiting: list[ChunkRow] = []
        self._written = time.monotonic()

    def begin(self, **facts: Any) -> None:
        """A new run."""
        self.run = self.state.start(kind="clone", phase="structure", **facts)

    def go_on(self, row: RunRow, jobs: int) -> None:
        """An earlier run, continued."""
        self.run = row.id
        self.phase_name = row.phase
        self.state.update(row.id, status="running", finished="", error="", jobs=jobs)

    def phase(self, name: str) -> None:
        """What begins now. Chunks that are written are noted before anything follows them."""
        self._flush()
        self.phase_name = name
        self.state.update(self.run, phase=name)

    def building(self, name: str, left_out: Sequence[str], **more: Any) -> None:
        """Where the replica is built, and what could not arrive there."""
        self.state.update(self.run, building=json.dumps({"name": name, "left_out": list(left_out)}), **more)

    def snapshot(self, shared: Shared, keeper: str) -> dict[str, str]:
        """The columns that say which snapshot is read, and who holds it."""
        return {"snapshot": json.dumps({"token": shared.token, "position": shared.position}), "keeper": keeper}

    def planned(self, chunks: Iterable[Chunk], standing: Mapping[str, ChunkEntry]) -> None:
        """The ledger's chunks; ``standing`` are the entries of those that are there, by token."""
        rows = [
            replace(r, done=True, rows=standing[r.token].rows, checksum=bytes.fromhex(standing[r.token].sum) or None)
            if r.token in standing
            else r
            for r in sealed(chunks, self.sealer)
        ]
        self.state.set_chunks(self.run, rows)

    def done(self, chunk: Chunk, outcome: Outcome) -> Tally:
        """A chunk is committed."""
        tally = self.tallies.setdefault(chunk.name, Tally())
        tally.rows += outcome.rows
        tally.chunks += 1
        tally.reused += outcome.reused
        tally.seconds += outcome.seconds
        if outcome.reports:
            tally.reports.append(outcome.reports)
        if not outcome.reused:
            self._waiting.append(
                ChunkRow(
                    chunk.number, "", "", b"", True, outcome.rows, outcome.seconds, bytes.fromhex(outcome.sum) or None
                )
            )
            if len(self._waiting) >= _LOT or time.monotonic() - self._written > _LOT_SECONDS:
                self._flush()
        return tally

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        self._written = time.monotonic()
        self.state.chunks_done(self.run, waiting)

    def _settle(self) -> None:
        self._flush()
        rows = [TableRow(str(n), t.rows, t.chunks, t.reused, t.seconds) for n, t in self.tallies.items()]
        self.state.set_tables(self.run, rows)

    def failed(self, error: BaseException, *, resumable: bool) -> None:
        """The run stops here."""
        self._settle()
        facts = {} if resumable else {"building": "", "snapshot": "", "keeper": ""}
        # Messages of dbmask's own errors hold no values; of others only the type is kept.
        said = str(error) if type(error).__module__ == "dbmask.errors" else type(error).__name__
        self.state.update(self.run, status="failed", finished=now(), error=said, **facts)
        if not resumable:
            self.state.forget_chunks(self.run)

    def finished(self, certificate: str) -> None:
        """The replica is in its place. Nobody will ask for its chunks' boundaries again."""
        self._settle()
        self.state.forget_chunks(self.run)
        self.state.update(
            self.run, status="done", phase="", finished=now(), certificate=certificate, building="", keeper=""
        )

    def close(self) -> None:
        """Close the state database."""
        self.state.close()


def open_book(url: str | None, keys: KeyRing) -> Book:
    """The state database at ``url``; where there is none, one in memory that ends with the run."""
    if url is None:
        return Book(State("sqlite://"), Sealer(MasterKey.parse(new_key())), False)
    state = State(url)
    path = Path(urlsplit(url).path[1:]).expanduser() if url.startswith("sqlite:") else default_folder() / "x"
    return Book(state, sealer_for(keys, path.parent), True)
