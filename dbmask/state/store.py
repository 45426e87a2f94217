"""The state database as the cloner, `dbmask runs` and the refresher use it: plain records in, plain records out."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbmask.errors import ConnectorError, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

__all__ = ["ChunkRow", "RunRow", "State", "TableRow", "default_folder", "default_url", "now"]


@dataclass(frozen=True)
class RunRow:
    """One run; see :class:`dbmask.state.models.Run`. ``rows`` is the sum over its tables."""

    id: int
    kind: str
    job: str
    status: str
    phase: str
    started: str
    finished: str
    source: str
    target: str
    policy: str
    plan_digest: str
    key_fingerprint: str
    building: str
    snapshot: str
    keeper: str
    jobs: int
    certificate: str
    error: str

    @property
    def seconds(self) -> float | None:
        """How long it took; None while it has not ended."""
        if not self.finished:
            return None
        return (dt.datetime.fromisoformat(self.finished) - dt.datetime.fromisoformat(self.started)).total_seconds()


@dataclass(frozen=True)
class TableRow:
    """What a run did to one table; ``seconds`` are of work, summed over workers."""

    name: str
    rows: int
    chunks: int
    chunks_reused: int
    seconds: float
    rows_read: int = 0
    rows_gone: int = 0
    mode: str = ""
    why: str = ""


@dataclass(frozen=True)
class ChunkRow:
    """One chunk of a run's ledger; ``span`` is sealed, ``checksum`` keyed."""

    number: int
    name: str
    token: str
    span: bytes
    done: bool = False
    rows: int = 0
    seconds: float = 0.0
    checksum: bytes | None = None


def default_folder() -> Path:
    """dbmask's directory among the user's state ($XDG_STATE_HOME, else ~/.local/state)."""
    base = os.environ.get("XDG_STATE_HOME", "")
    return (Path(base) if base else Path.home() / ".local" / "state") / "dbmask"


def default_url() -> str:
    """The state database where no ``--state`` names another."""
    return f"sqlite:///{default_folder() / 'state.db'}"


def now() -> str:
    """The time in UTC, to the millisecond."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds")


class State:
    """An open state database, migrated to this version. Close it, or use it as a context manager."""

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        with self._transaction() as connection:
            from dbmask.state.migrate import upgrade

            upgrade(connection)

    def __enter__(self) -> State:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give its connections back."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        from sqlalchemy.exc import SQLAlchemyError

        try:
            with self._engine.begin() as connection:
                yield connection
        except SQLAlchemyError as error:
            # Its text may quote what was written.
            raise ConnectorError(f"the state database cannot be used ({type(error).__name__})") from None

    def start(self, **facts: Any) -> int:
        """Note a new run (columns of the table ``runs``); returns its number."""
        from sqlalchemy import insert

        from dbmask.state.models import Run

        values = {"status": "running", "started": now(), **facts}
        with self._transaction() as connection:
            done = connection.execute(insert(Run).values(**_filled(values)))
            key = done.inserted_primary_key
            return int(key[0]) if key else 0

    def update(self, run: int, **facts: Any) -> None:
        """Change columns of a run."""
        from sqlalchemy import update

        from dbmask.state.models import Run

        with self._transaction() as connection:
            connection.execute(update(Run).where(Run.id == run).values(**facts))

    def run(self, number: int) -> RunRow:
        """One run. Raises UsageError where there is none of this number."""
        found = self._runs(number=number)
        if not found:
            raise UsageError(f"the state database knows no run {number}")
        return found[0]

    def runs(self, limit: int = 0) -> list[RunRow]:
        """Runs, the latest first; all of them where ``limit`` is 0."""
        return self._runs(limit=limit)

    def latest(self, kind: str, target: str, job: str = "", status: str = "") -> RunRow | None:
        """The last run of a kind into a target, whatever became of it, or the last of this ``status``."""
        more = {"status": status} if status else {}
        found = self._runs(1, None, kind=kind, target=target, job=job, **more)
        return found[0] if found else None

    def _runs(self, limit: int = 0, number: int | None = None, **where: str) -> list[RunRow]:
        from sqlalchemy import select

        from dbmask.state.models import Run

        query = select(Run.__table__).order_by(Run.id.desc())
        if number is not None:
            query = query.where(Run.id == number)
        for name, value in where.items():
            query = query.where(getattr(Run, name) == value)
        if limit:
            query = query.limit(limit)
        with self._transaction() as connection:
            return [RunRow(**row) for row in connection.execute(query).mappings()]

    def set_tables(self, run: int, tables: Iterable[TableRow]) -> None:
        """Replace what is known of a run's tables."""
        from sqlalchemy import delete, insert

        from dbmask.state.models import RunTable

        values = [{"run_id": run, **vars(t)} for t in tables]
        with self._transaction() as connection:
            connection.execute(delete(RunTable).where(RunTable.run_id == run))
            if values:
                connection.execute(insert(RunTable), values)

    def tables(self, run: int) -> list[TableRow]:
        """A run's tables by name."""
        from sqlalchemy import select

        from dbmask.state.models import RunTable as T

        columns = [c for c in T.__table__.columns if c.name != "run_id"]
        query = select(*columns).where(T.run_id == run).order_by(T.name)
        with self._transaction() as connection:
            return [TableRow(**row) for row in connection.execute(query).mappings()]

    def set_chunks(self, run: int, chunks: Iterable[ChunkRow]) -> None:
        """Replace a run's ledger."""
        from sqlalchemy import delete, insert

        from dbmask.state.models import Chunk

        values = [{"run_id": run, **vars(c)} for c in chunks]
        with self._transaction() as connection:
            connection.execute(delete(Chunk).where(Chunk.run_id == run))
            if values:
                connection.execute(insert(Chunk), values)

    def chunks_done(self, run: int, chunks: Sequence[ChunkRow]) -> None:
        """Mirror chunks that the building database has committed: in one transaction, so that it may be called in lots."""
        from sqlalchemy import bindparam, update

        from dbmask.state.models import Chunk

        if not chunks:
            return
        change = (
            update(Chunk)
            .where(Chunk.run_id == run, Chunk.number == bindparam("at"))
            .values(done=True, rows=bindparam("n"), seconds=bindparam("s"), checksum=bindparam("c"))
        )
        with self._transaction() as connection:
            connection.execute(change, [{"at": c.number, "n": c.rows, "s": c.seconds, "c": c.checksum} for c in chunks])

    def chunks(self, run: int) -> list[ChunkRow]:
        """A run's ledger in order."""
        from sqlalchemy import select

        from dbmask.state.models import Chunk

        columns = [c for c in Chunk.__table__.columns if c.name != "run_id"]
        query = select(*columns).where(Chunk.run_id == run).order_by(Chunk.number)
        with self._transaction() as connection:
            return [ChunkRow(**row) for row in connection.execute(query).mappings()]

    def forget_chunks(self, run: int) -> None:
        """Empty the ledger of a run that needs it no more; its history stays."""
        self.set_chunks(run, ())

    def set_baseline(self, token: str, job: str, facts: Mapping[str, bytes]) -> None:
        """Keep what the next refresh of a job compares with: sealed facts by table name."""
        from sqlalchemy import insert

        from dbmask.state.models import Baseline

        rows = [{"token": token, "name": n, "job": job, "created": now(), "facts": f} for n, f in facts.items()]
        with self._transaction() as connection:
            connection.execute(insert(Baseline), rows)

    def baseline(self, token: str, job: str) -> dict[str, bytes]:
        """What was kept under this token for a job; nothing where there is none."""
        from sqlalchemy import select

        from dbmask.state.models import Baseline as B

        query = select(B.name, B.facts).where(B.token == token, B.job == job)
        with self._transaction() as connection:
            return {name: facts for name, facts in connection.execute(query)}

    def prune_baselines(self, job: str, keep: Sequence[str]) -> None:
        """Forget a job's other baselines."""
        from sqlalchemy import delete

        from dbmask.state.models import Baseline as B

        with self._transaction() as connection:
            connection.execute(delete(B).where(B.job == job, B.token.notin_(keep)))


def _filled(values: dict[str, Any]) -> dict[str, Any]:
    texts = ("job", "phase", "finished", "policy", "plan_digest", "key_fingerprint", "building", "snapshot", "keeper")
    return {**dict.fromkeys((*texts, "certificate", "error"), ""), "jobs": 1, **values}


def _engine(url: str) -> Engine:
    from sqlalchemy import create_engine, event
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError
    from sqlalchemy.pool import NullPool, StaticPool

    try:
        parsed = make_url(url)
        names = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
        names |= dict.fromkeys(("mysql", "mariadb"), "mysql+pymysql")
        parsed = parsed.set(drivername=names.get(parsed.drivername, parsed.drivername))
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed, poolclass=NullPool, hide_parameters=True)
    except (ArgumentError, NoSuchModuleError, ValueError, ImportError):
        raise UsageError("the state database's URL is not one that SQLAlchemy can open") from None
    if not parsed.database or parsed.database == ":memory:":
        return create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    path = Path(parsed.database).expanduser()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"the state directory {path.parent} cannot be made: {error.strerror}") from None
    # One connection for all: closing the last one to a file folds its log in, which waits for the disk.
    options = {"timeout": 30, "check_same_thread": False}
    engine = create_engine(f"sqlite:///{path}", poolclass=StaticPool, hide_parameters=True, connect_args=options)

    @event.listens_for(engine, "connect")
    def _set(raw: Any, _record: Any) -> None:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("PRAGMA synchronous = NORMAL")
        raw.execute("PRAGMA foreign_keys = ON")

    return engine
