"""What databases do to a clone: lost connections, a crash, a full disk, time-outs, locks, other people's DDL.

Each ends in a clear error with the old replica in place, and a resume gives what a fresh clone would.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbmask.errors import ConnectorError
from dbmask.state import State
from tests import fix_postgres
from tests.cloner.crashing import (
    SCHEMA,
    Arming,
    Place,
    at_chunk,
    contents,
    expected,
    leftovers,
    replica_rows,
    run_clone,
    settle,
)
from tests.cloner.tcp_proxy import Proxy
from tests.fix_postgres import Postgres
from tests.fix_servers import acquire

pytestmark = pytest.mark.slow
NAME = f"adverse_{os.getpid()}"


def _made(postgres: Postgres, folder: Path) -> Place:
    place = Place(postgres, f"{NAME}_source", f"{NAME}_target", folder)
    postgres.create_database(place.source)
    postgres.psql(place.source, SCHEMA.replace("{n}", "500"))
    settle(postgres, place.source)
    run_clone(place)
    return place


@pytest.fixture
def place(postgres: Postgres, tmp_path: Path) -> Iterator[Place]:
    made = _made(postgres, tmp_path)
    yield made
    for name in (made.source, made.target):
        postgres.drop_database(name)


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Place]:
    """On a server that may be crashed."""
    with acquire("pgcrash", fix_postgres._prepare) as facts:
        server = Postgres("127.0.0.1", facts["port"], facts["sockets"], Path(facts["log"]), Path(facts["bin"]))
        made = _made(server, tmp_path)
        yield made
        for name in (made.source, made.target):
            server.drop_database(name)


def resumed(place: Place, reused: bool = True, **options: Any) -> None:
    """Resume; all is as it should be, and nothing is left."""
    done = run_clone(place, state=place.state, resume=True, **options)
    assert replica_rows(place) == expected(place) and done.certificate.passed
    assert (sum(r for _, r in done.chunks.values()) > 0) == reused
    assert leftovers(place.postgres, place) == {"sessions": [], "databases": [], "prepared": []}


def fails(place: Place, match: str, **options: Any) -> None:
    """A clone fails, says why, and leaves the old replica."""
    before = contents(place.postgres, place.target)
    with pytest.raises(ConnectorError, match=match) as error:
        run_clone(place, state=place.state, **options)
    assert "mail.example" not in str(error.value) and "Name " not in str(error.value)
    assert contents(place.postgres, place.target) == before
    left = leftovers(place.postgres, place)["sessions"]
    assert all(state == "idle in transaction" for _, state, _ in left) and len(left) <= 1  # the keeper's
    with State(place.state) as state:
        assert state.runs(1)[0].status == "failed" and state.runs(1)[0].error == str(error.value)


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_dropped_connections(place: Place, side: str, jobs: int) -> None:
    for limit in (20_000, 90_000):
        with Proxy(place.postgres.port) as proxy:
            url = place.url(place.target if side == "target" else place.source)
            url = url.replace(f":{place.postgres.port}/", f":{proxy.port}/")
            options: dict[str, Any] = {"to": url} if side == "target" else {"source_url": url}
            show = Arming(proxy, limit)
            fails(
                place, "connection was lost|cannot connect|held by nobody", moving={"jobs": jobs}, show=show, **options
            )
            resumed(place, reused=_written(place), **options)


def _written(place: Place) -> bool:
    with State(place.state) as state:
        run = state.runs(1)[0]
        return any(c.done for c in state.chunks(run.id))


def test_a_crash_of_the_server(own_server: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place = own_server

    def crash() -> None:
        with place.postgres.connect() as connection:
            (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone() or (0,)
            os.kill(pid, signal.SIGKILL)  # every session ends, and the server recovers
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            ready = subprocess.run(
                [place.postgres.program("pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(place.postgres.port)],
                check=False,
            )
            if ready.returncode == 0:
                return
            time.sleep(0.1)

    at_chunk(monkeypatch, 12, crash)
    fails(place, "connection was lost|shut down|connection")
    monkeypatch.undo()
    place.sql("UPDATE item SET label = 'after the crash' WHERE id < 20")
    # The server kept less than it had said (synchronous_commit is off): what the ledger has is what the rows are.
    done = run_clone(place, state=place.state, resume=True)
    assert replica_rows(place) == expected(place) and done.certificate.passed


def test_a_lock_and_a_time_out(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    with ExitStack() as held:

        def lock() -> None:
            other = held.enter_context(place.postgres.connect(place.source, autocommit=False))
            other.execute("SET lock_timeout = '1s'")
            # Page ranges are read under a lock of the clone's own, so that this waits behind it, as it should.
            with pytest.raises(psycopg.errors.LockNotAvailable, match="lock timeout"):
                other.execute("LOCK TABLE note IN ACCESS EXCLUSIVE MODE")

        at_chunk(monkeypatch, 5, lock)
        assert run_clone(place, state=place.state).certificate.passed
    monkeypatch.undo()
    for setting, said in (
        ("lock_timeout=300ms", "lock was not free"),
        ("lock_timeout=0 -c statement_timeout=300ms", "timed out"),
    ):
        with place.postgres.connect(place.source, autocommit=False) as other:
            other.execute("LOCK TABLE note IN ACCESS EXCLUSIVE MODE")
            url = place.url(place.source) + "?options=" + f"-c {setting}".replace(" ", "%20").replace("=", "%3D")
            fails_early(place, said, url)
        assert run_clone(place, state=place.state).certificate.passed


def fails_early(place: Place, said: str, url: str) -> None:
    """A clone fails before it has begun, with the old replica in place."""
    before = contents(place.postgres, place.target)
    with pytest.raises(ConnectorError, match=said):
        run_clone(place, state=place.state, source_url=url)
    assert contents(place.postgres, place.target) == before


def test_a_statement_that_times_out_among_the_rows(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked_target() -> None:
        # Somebody sits on the table that is being filled.
        (name,) = leftovers(place.postgres, place)["databases"][0]
        other = place.postgres.connect(name, autocommit=False)
        other.execute("LOCK TABLE note IN ACCESS EXCLUSIVE MODE")
        threading.Timer(4.0, other.close).start()

    at_chunk(monkeypatch, 3, locked_target)
    url = place.url(place.target) + "?options=-c%20statement_timeout%3D500ms"
    fails(place, "cancelled or timed out", to=url)
    monkeypatch.undo()
    resumed(place)


@pytest.mark.parametrize(
    "ddl", ["DROP TABLE note", "ALTER TABLE item DROP COLUMN label", "TRUNCATE loose", "VACUUM FULL item"]
)
def test_ddl_waits_while_a_clone_reads(place: Place, monkeypatch: pytest.MonkeyPatch, ddl: str) -> None:
    then = expected(place)
    failed: list[str] = []

    def change() -> None:
        import psycopg

        with place.postgres.connect(place.source) as other:
            other.execute("SET lock_timeout = '200ms'")
            try:
                other.execute(ddl.encode())
            except psycopg.errors.LockNotAvailable as error:
                failed.append(str(error))

    at_chunk(monkeypatch, 4, change)
    assert run_clone(place, state=place.state).certificate.passed
    assert failed and replica_rows(place) == then


@pytest.mark.parametrize("ddl", ["TRUNCATE loose", "VACUUM FULL item"])
def test_tables_rewritten_before_a_resume(place: Place, monkeypatch: pytest.MonkeyPatch, ddl: str) -> None:
    def fail() -> None:
        raise ConnectorError("it broke")

    at_chunk(monkeypatch, 10, fail)
    fails(place, "it broke")
    monkeypatch.undo()
    place.sql(ddl)  # the keeper holds the snapshot, and no lock
    resumed(place)


if os.geteuid() == 0:  # a file system of its own takes root

    def test_a_full_disk(own_server: Place, tmp_path: Path) -> None:
        place = own_server
        small = Path(place.postgres.socket_dir).parent / "small"
        small.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m,mode=777", "dbmask-test", str(small)], check=True)
        try:
            inside = small / "space"
            inside.mkdir()
            owner = Path(place.postgres.socket_dir).stat()
            os.chown(inside, owner.st_uid, owner.st_gid)
            inside.chmod(0o700)
            with place.postgres.connect() as connection:
                connection.execute(f"CREATE TABLESPACE small LOCATION '{inside}'".encode())
            place.sql(
                "INSERT INTO loose SELECT repeat('', 0) || (SELECT string_agg(md5(i * j + random() || ''), '') "
                "FROM generate_series(1, 50) AS j), 'who' FROM generate_series(1, 8000) AS i"
            )
            (small / "ballast").write_bytes(bytes(14 * 2**20))
            url = place.url(place.target) + "?options=-c%20default_tablespace%3Dsmall"
            fails(place, "the disk is full", to=url)
            (small / "ballast").unlink()
            resumed(place, to=url)
            place.postgres.drop_database(place.target)
            with place.postgres.connect() as connection:
                connection.execute("DROP TABLESPACE small")
        finally:
            subprocess.run(["umount", "-l", str(small)], check=True)
            small.rmdir()
