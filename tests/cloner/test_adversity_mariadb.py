"""What MariaDB does to a clone: lost connections, a crash, a full disk, time-outs, locks, other people's DDL.

Each ends in a clear error with the old replica in place, and a resume gives what a fresh clone would.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from dbmask.errors import ConnectorError, PlanError
from dbmask.state import State
from dbmask_connectors import _mysql_session
from dbmask_connectors._mysql_source import MySQLSource
from dbmask_connectors._mysql_wire import Load
from tests import fix_mariadb
from tests.cloner.crashing import Arming, at_chunk, expected, run_clone
from tests.cloner.crashing_mariadb import MariaPlace, contents, leftovers, make, replica_rows, unmake
from tests.cloner.tcp_proxy import Proxy
from tests.fix_mariadb import MariaDB

NAME = f"madverse_{os.getpid()}"


def _made(server: MariaDB, folder: Path) -> MariaPlace:
    made = MariaPlace(server, f"{NAME}_source", f"{NAME}_target", folder)
    make(made, 300)
    run_clone(made)
    return made


@pytest.fixture
def place(mariadb: MariaDB, tmp_path: Path) -> Iterator[MariaPlace]:
    made = _made(mariadb, tmp_path)
    yield made
    unmake(made)


def resumed(place: MariaPlace, reused: bool = True, **options: Any) -> None:
    """Resume; all is as it should be, and nothing is left."""
    done = run_clone(place, state=place.state, resume=True, **options)
    assert replica_rows(place) == expected(place) and done.certificate.passed
    assert (sum(r for _, r in done.chunks.values()) > 0) == reused
    assert leftovers(place) == {"sessions": [], "databases": []}


def fails(place: MariaPlace, match: str, **options: Any) -> None:
    """A clone fails, says why, and leaves the old replica."""
    before = contents(place)
    with pytest.raises(ConnectorError, match=match) as error:
        run_clone(place, state=place.state, **options)
    assert "mail.example" not in str(error.value) and "Name " not in str(error.value)
    assert contents(place) == before
    assert leftovers(place)["sessions"] == []
    with State(place.state) as state:
        assert state.runs(1)[0].status == "failed" and state.runs(1)[0].error == str(error.value)


def _written(place: MariaPlace) -> int:
    """The chunks that the last run knows as done."""
    with State(place.state) as state:
        return sum(c.done for c in state.chunks(state.runs(1)[0].id))


@pytest.mark.parametrize("side", ["source", "target"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_dropped_connections(place: MariaPlace, side: str, jobs: int) -> None:
    with Proxy(place.server.port) as proxy:
        url = place.url(place.target if side == "target" else place.source)
        url = url.replace(f":{place.server.port}/", f":{proxy.port}/")
        options: dict[str, Any] = {"to": url} if side == "target" else {"source_url": url}
        fails(place, "connection", moving={"jobs": jobs}, show=Arming(proxy, 60_000), **options)
        resumed(place, reused=_written(place) > 0, **options)


def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [s for s in _mysql_session._SETTINGS if "lock_wait" not in s]
    waits = ("lock_wait_timeout = 1", "innodb_lock_wait_timeout = 1")
    monkeypatch.setattr(_mysql_session, "_SETTINGS", (*settings, *waits))


def test_a_table_that_somebody_locks_in_the_target(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    _impatient(monkeypatch)
    with ExitStack() as held:

        def lock() -> None:
            (name,) = leftovers(place)["databases"]
            other = held.enter_context(closing(place.server.connect(name)))
            with other.cursor() as cursor:
                cursor.execute("LOCK TABLES note WRITE")

        at_chunk(monkeypatch, 3, lock)
        before = contents(place)
        with pytest.raises(ConnectorError, match="lock"):
            run_clone(place, state=place.state)
        assert contents(place) == before
    monkeypatch.undo()
    resumed(place)


def test_a_table_that_somebody_locks_in_the_source(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    _impatient(monkeypatch)
    before = contents(place)
    with closing(place.server.connect(place.source)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLES note WRITE")
        with pytest.raises(PlanError, match="note: cannot be read: a lock was not free in time"):
            run_clone(place, state=place.state)
    assert contents(place) == before and leftovers(place)["sessions"] == []
    assert run_clone(place, state=place.state).certificate.passed
    assert leftovers(place)["databases"] == []


def _end(place: MariaPlace, what: str, where: str) -> int:
    """End queries, or whole connections, of the clone's; how many there were."""
    with closing(place.server.connect()) as other, other.cursor() as cursor:
        cursor.execute(f"SELECT id FROM information_schema.processlist WHERE {where}")
        found = cursor.fetchall()
        for (thread,) in found:
            cursor.execute(f"KILL {what} {thread}")
    return len(found)


def test_connections_that_somebody_ends(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = list[int]()
    at_chunk(monkeypatch, 6, lambda: ended.append(_end(place, "CONNECTION", f"db = '{place.source}'")))
    fails(place, "connection was lost")
    assert any(ended)
    monkeypatch.undo()
    resumed(place)


def test_a_statement_that_somebody_ends(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    write, ended, due = Load.write, list[int](), threading.Event()

    def killing(self: Load, data: bytes) -> None:
        if due.is_set() and not any(ended):
            ended.append(_end(place, "QUERY", f"db LIKE '{place.target}%' AND info LIKE 'LOAD DATA%'"))
        write(self, data)

    at_chunk(monkeypatch, 6, due.set)
    monkeypatch.setattr(Load, "write", killing)
    fails(place, "interrupted|cancelled|ended")
    assert any(ended)
    monkeypatch.undo()
    resumed(place)


@pytest.mark.parametrize("ddl", ["ALTER TABLE note DROP COLUMN body", "DROP TABLE loose", "RENAME TABLE note TO other"])
def test_ddl_between_plan_and_snapshot(place: MariaPlace, monkeypatch: pytest.MonkeyPatch, ddl: str) -> None:
    snapshot = MySQLSource.snapshot

    def changed(self: MySQLSource) -> Any:
        place.sql(ddl)
        return snapshot(self)

    monkeypatch.setattr(MySQLSource, "snapshot", changed)
    before = contents(place)
    with pytest.raises(ConnectorError, match=r"no such table|column|changed"):
        run_clone(place, state=place.state)
    assert contents(place) == before
    assert leftovers(place)["sessions"] == []


class OwnServer:
    """A server that may be crashed, in a directory that may be full; ``scratch`` is for its temporary tables, which tests read."""

    def __init__(self, root: Path, scratch: Path) -> None:
        facts = fix_mariadb._prepare(root, scratch)
        # What is committed survives a crash of the server; a full disk would stop who writes the log of statements.
        argv = [a for a in facts["argv"] if not a.startswith(("--log-bin", "--innodb-flush", "--innodb-doublewrite"))]
        self._argv = [*argv, "--innodb-flush-log-at-trx-commit=2", "--innodb-log-file-size=8M"]
        self._facts = facts
        self.server = MariaDB("127.0.0.1", facts["port"], facts["socket"], Path(facts["general_log"]))
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (Path(self.server.socket).parent.parent / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, **self._facts["as"]
            )
        self._argv = [a for a in self._argv if not a.startswith("--init-file")]
        deadline = time.monotonic() + 60
        while subprocess.run(self._facts["ready"], capture_output=True, check=False).returncode != 0:
            assert self._process.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)

    def crash(self) -> None:
        """End it at once."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    above = Path(tempfile.mkdtemp(prefix="dbm-own-"))  # sockets have short names
    above.chmod(0o755)
    root = above / "full"
    root.mkdir()
    small = os.geteuid() == 0
    if small:  # a file system of its own takes root
        options = "size=220m,mode=755"
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "dbmask-test", str(root)], check=True)
    server = OwnServer(root, above / "tmp")
    try:
        yield server
    finally:
        server.crash()
        if small:
            subprocess.run(["umount", "-l", str(root)], check=True)
        shutil.rmtree(above)


def test_a_crash_of_the_server(own: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = _made(own.server, tmp_path)
    before = contents(place)

    def crash() -> None:
        own.crash()
        own.start()

    at_chunk(monkeypatch, 12, crash)
    with pytest.raises(ConnectorError, match=r"connection|cannot connect"):
        run_clone(place, state=place.state)
    monkeypatch.undo()
    assert contents(place) == before
    place.sql("UPDATE item SET label = 'after the crash' WHERE id < 20")
    resumed(place)
    unmake(place)


if os.geteuid() == 0:

    def test_a_full_disk(own: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        place = _made(own.server, tmp_path)
        root = Path(own.server.socket).parent.parent
        place.sql("INSERT INTO loose SELECT repeat(md5(seq), 6), 'who' FROM seq_1_to_80000")

        def fill() -> None:
            left = 8 * 2**20  # with a tenth of that the server itself ends
            (root / "ballast").write_bytes(bytes(shutil.disk_usage(root).free - left))

        at_chunk(monkeypatch, 3, fill)
        fails(place, "disk is full|is full")
        assert _written(place) > 0
        (root / "ballast").unlink()
        monkeypatch.undo()
        resumed(place)
        unmake(place)
