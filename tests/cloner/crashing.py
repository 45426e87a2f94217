"""A source database to be cloned while things go wrong, and what the replica has to be."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import pytest

from dbmask.cloner import CloneResult, Options, clone
from dbmask.cloner.copying import Outcome, copy_chunk
from dbmask.cloner.progress import Quiet
from dbmask.engine import masked_batches
from dbmask.masks.build import example_keys
from dbmask.planner import Profile, pads_for, plan_source, reading
from dbmask.policy import Policy
from dbmask.registry import connector_for
from dbmask.spi import Reader, Shared, SharedSource, Source
from tests.cloner.tcp_proxy import Proxy
from tests.fix_postgres import Postgres

__all__ = [
    "POLICY",
    "SCHEMA",
    "Arming",
    "Busy",
    "Place",
    "Where",
    "Writer",
    "at_chunk",
    "children",
    "contents",
    "expected",
    "leftovers",
    "replica_rows",
    "run_clone",
    "start_clone",
    "strike",
]

SCHEMA = """
CREATE TABLE person (id bigint PRIMARY KEY, name text NOT NULL, email text UNIQUE, boss bigint REFERENCES person DEFERRABLE);
CREATE TABLE item (id bigserial PRIMARY KEY, person bigint NOT NULL REFERENCES person, label text, amount numeric(9,2));
CREATE INDEX ON item (person);
CREATE TABLE loose (what text, who text);
CREATE TABLE event (id bigint, day date, who text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE event_a PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE event_b PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE note (id int PRIMARY KEY, body text);
CREATE MATERIALIZED VIEW totals AS SELECT person, sum(amount) AS total FROM item GROUP BY person;
INSERT INTO person SELECT i, 'Name ' || i, 'p' || i || '@mail.example', nullif(i / 10, 0) FROM generate_series(1, {n}) AS i;
INSERT INTO item (person, label, amount) SELECT 1 + i % {n}, repeat('label ' || i, 5), i FROM generate_series(1, {n} * 3) AS i;
INSERT INTO loose SELECT repeat(md5(i::text), 3), 'Who ' || i FROM generate_series(1, {n}) AS i;
INSERT INTO event SELECT i, date '2020-01-01' + i % 700, 'Name ' || i FROM generate_series(1, {n}) AS i;
INSERT INTO note SELECT i, 'Body ' || i FROM generate_series(1, {n}) AS i;
ANALYZE;
"""

POLICY = """version: 1
tables:
  person: {columns: {name: redact, email: hash, "*": keep}}
  item: {columns: {label: {mask: redact, keep_start: 5}, "*": keep}}
  loose: {columns: {who: redact, "*": keep}}
  event: {columns: {who: {mask: hash, length: 24}, "*": keep}}
  note: {columns: {body: first_name, "*": keep}}
"""
"""``note`` is masked in Python, the others in SQL."""

_QUERIES = (
    "SELECT id, name, email, boss FROM person ORDER BY 1",
    "SELECT id, person, label, amount FROM item ORDER BY 1",
    "SELECT what, who FROM loose ORDER BY 1, 2",
    "SELECT tableoid::regclass::text, id, day, who FROM event ORDER BY 2, 3",
    "SELECT id, body FROM note ORDER BY 1",
    "SELECT person, total FROM totals ORDER BY 1",
    "SELECT conrelid::regclass::text, conname, convalidated FROM pg_constraint WHERE contype <> 'n' ORDER BY 1, 2",
    "SELECT schemaname, indexname FROM pg_indexes WHERE schemaname NOT LIKE 'pg_%' ORDER BY 1, 2",
    "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1",
    "SELECT last_value FROM item_id_seq",
)


class Where(Protocol):
    """Where a test's databases and state are."""

    @property
    def source(self) -> str: ...
    @property
    def target(self) -> str: ...
    @property
    def folder(self) -> Path: ...
    @property
    def state(self) -> str: ...
    def url(self, name: str) -> str: ...


@dataclass(frozen=True)
class Place:
    """Places in PostgreSQL."""

    postgres: Postgres
    source: str
    target: str
    folder: Path

    @property
    def state(self) -> str:
        """The state database's URL."""
        return f"sqlite:///{self.folder / 'state.db'}"

    def url(self, name: str) -> str:
        """A database's URL."""
        return self.postgres.url(name)

    def sql(self, query: str) -> None:
        """Run statements in the source."""
        self.postgres.psql(self.source, query)


def contents(postgres: Postgres, name: str) -> list[Any]:
    """All that a replica must have: rows, keys, indexes, derived values, sequences."""
    with postgres.connect(name) as connection:
        return [connection.execute(q.encode()).fetchall() for q in _QUERIES]


def leftovers(postgres: Postgres, place: Place) -> dict[str, list[Any]]:
    """Sessions of dbmask's and databases being built, of this place."""
    with postgres.connect() as connection:
        mine = (place.source, f"{place.target}%")
        deadline = time.monotonic() + 5.0
        # A server process goes a moment after its client has closed the connection.
        while sessions := connection.execute(
            "SELECT datname, state, left(query, 60) FROM pg_stat_activity "
            "WHERE application_name = 'dbmask' AND (datname = %s OR datname LIKE %s)",
            mine,
        ).fetchall():
            if time.monotonic() > deadline:
                break
            time.sleep(0.05)
        return {
            "sessions": sessions,
            "databases": connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE %s", (f"{place.target}\\_\\_dbmask%",)
            ).fetchall(),
            "prepared": connection.execute("SELECT gid FROM pg_prepared_xacts").fetchall(),
        }


def run_clone(place: Where, target: str | None = None, **options: Any) -> CloneResult:
    """A clone within this process."""
    policy = options.pop("policy", None) or Policy.from_text(POLICY, "yaml")
    moving = Options(**{"chunk_bytes": 16_384, **options.pop("moving", {})})
    urls = (
        options.pop("source_url", None) or place.url(place.source),
        options.pop("to", None) or place.url(target or place.target),
    )
    return clone(policy, *urls, options=moving, **{"keys": example_keys(), "keep_previous": 0, **options})


def start_clone(
    place: Where, *more: str, environment: dict[str, str] | None = None, program: Sequence[str] = ("-m", "dbmask")
) -> subprocess.Popen[str]:
    """A clone by the command line, in a process of its own."""
    policy = place.folder / "policy.yaml"
    if not policy.exists():
        policy.write_text(POLICY, "utf-8")
    paths = os.pathsep.join(p for p in sys.path if p)
    environment = {
        **os.environ,
        "PYTHONPATH": paths,
        "DBMASK_KEY": "hex:" + b"dbmask documentation key, public".hex(),
        "XDG_STATE_HOME": str(place.folder),
        **(environment or {}),
    }
    argv = [sys.executable, *program, "clone", str(policy), "--source", place.url(place.source)]
    argv += [
        "--target",
        place.url(place.target),
        "--state",
        place.state,
        "--chunk-size",
        "0.016",
        "--format",
        "json",
        "--keep-previous",
        "0",
    ]
    return subprocess.Popen([*argv, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def expected(place: Where, shared: Shared | None = None) -> dict[str, list[Any]]:
    """The masked rows of every table, read from the source without any of the cloner: in a snapshot that is held, or now."""
    policy = Policy.from_text(POLICY, "yaml")
    keys = example_keys()
    url = place.url(place.source)
    with closing(connector_for(url).source(url)) as source:
        plan = plan_source(policy, source, Profile.CLONE, keys).require()
        jobs = {
            t.name: reading(t, source.capabilities.dialect) for t in plan if t.name.name not in ("event_a", "event_b")
        }
        opened: AbstractContextManager[Reader] = source.snapshot() if shared is None else _sharing(source).join(shared)
        with opened as reader:
            reader.use_keys(pads_for((j.query for j in jobs.values()), keys))
            return {
                str(name): _sorted(row for batch in masked_batches(reader, job) for row in zip(*batch, strict=True))
                for name, job in jobs.items()
            }


def _sharing(source: Source) -> SharedSource:
    assert isinstance(source, SharedSource)
    return source


def replica_rows(place: Place) -> dict[str, list[Any]]:
    """The rows of the replica, as :func:`expected` gives them."""
    found = {}
    with place.postgres.connect(place.target) as connection:
        for name in ("person", "item", "loose", "event", "note"):
            found[f"public.{name}"] = _sorted(connection.execute(f"SELECT * FROM {name}".encode()))
    return found


def _sorted(rows: Iterable[Any]) -> list[Any]:
    return sorted(tuple(map(str, row)) for row in rows)


class Busy(ABC):
    """Somebody who works with the source, in a thread, until the block ends."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a seed that can be repeated
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @abstractmethod
    def _write(self) -> None:
        """Write until it is to stop."""


class Writer(Busy):
    """Inserts, updates, deletes, moves between partitions."""

    def __init__(self, place: Place, seed: int) -> None:
        super().__init__(seed)
        self._place = place

    def _write(self) -> None:
        choose = self._random.randrange
        with self._place.postgres.connect(self._place.source) as connection:
            while not self._stop.is_set():
                one = choose(1, 200)
                connection.execute(
                    self._random.choice(
                        (
                            f"UPDATE person SET name = name || 'x', email = 'e{choose(10**9)}@mail.example' WHERE id = {one}",
                            f"INSERT INTO item (person, label, amount) VALUES ({one}, 'written {choose(10**6)}', 1)",
                            f"DELETE FROM item WHERE id = {choose(1, 600)}",
                            f"UPDATE event SET day = date '2020-01-01' + {choose(700)} WHERE id = {one}",
                            f"UPDATE note SET body = 'b{choose(10**6)}' WHERE id = {one}",
                            f"INSERT INTO loose VALUES ('w{choose(10**6)}', 'who')",
                        )
                    ).encode()
                )
                time.sleep(0.01)


def children(pid: int) -> dict[str, list[int]]:
    """The processes that a clone has started: its keeper and its workers."""
    found: dict[str, list[int]] = {"keeper": [], "worker": []}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with suppress(OSError, IndexError):
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            line = (entry / "cmdline").read_text()
            if parent == pid:
                kind = "keeper" if "dbmask.cloner.keeper" in line else "worker" if "spawn_main" in line else ""
                if kind:
                    found[kind].append(int(entry.name))
    return found


def strike(process: subprocess.Popen[str], victim: str, phase: str, delay: float) -> None:
    """Wait for a phase, and a moment more; then kill."""
    assert process.stderr is not None
    while phase and not process.stderr.readline().startswith(phase):
        if process.poll() is not None:
            return
    time.sleep(delay)
    found = children(process.pid)
    targets = {
        "client": [process.pid],
        "all": [process.pid, *found["keeper"], *found["worker"]],
        "worker": found["worker"][:1],
        "keeper": found["keeper"],
    }
    for pid in targets[victim]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def at_chunk(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], None]) -> None:
    """Let something happen when so many chunks are written."""
    calls = itertools.count()

    def copy(*args: Any) -> Outcome:
        if next(calls) == number:
            act()
        return copy_chunk(*args)

    monkeypatch.setattr("dbmask.cloner.loading.copy_chunk", copy)


def settle(postgres: Postgres, name: str) -> None:
    """Wait until transactions that were open when a database's rows were written have ended: other tests have some on this server.

    A snapshot taken while they are open cannot say later that rows as young as they are have not changed.
    """
    with postgres.connect(name) as connection:
        (own,) = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone() or (0,)
        deadline = time.monotonic() + 60
        oldest = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
        while ((connection.execute(oldest).fetchone() or (0,))[0]) <= own:
            assert time.monotonic() < deadline
            connection.execute("SELECT pg_current_xact_id()")  # the oldest is the next to come where none is open
            time.sleep(0.02)


class Arming(Quiet):
    """Arms a proxy when rows begin to flow."""

    def __init__(self, proxy: Proxy, limit: int) -> None:
        self._proxy, self._limit = proxy, limit

    def phase(self, name: str) -> None:
        """Arm it."""
        if name == "rows":
            self._proxy.arm(self._limit)
