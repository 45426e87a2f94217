"""The proxy under what goes wrong: many clients, clients that do not read or vanish, a source that restarts, hours of use."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from tests import fix_postgres
from tests.fix_postgres import Postgres
from tests.fix_servers import free_port
from tests.proxy.serving import Place, placed, proxy
from tests.proxy.test_operation import ENDLESS, get, metrics, until

pytestmark = pytest.mark.slow
MANY = 500
LARGE = "SELECT a.name, b.mail FROM person a, person b, person c, person d, person e"


class Server:
    """A PostgreSQL server of these tests' own, which they may end."""

    def __init__(self, root: Path) -> None:
        facts = fix_postgres._prepare(root)
        self._argv = [*facts["argv"], f"--max_connections={MANY + 40}", "--shared_buffers=32MB"]
        self._as = facts["as"]
        self._process: subprocess.Popen[bytes] | None = None
        self.log = root / "server.log"
        self.facts = Postgres("127.0.0.1", facts["port"], facts["sockets"], self.log, Path(facts["bin"]))

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._argv, stdout=log, stderr=log, cwd="/", **self._as)

        def answers() -> bool:
            with contextlib.suppress(psycopg.OperationalError), self.facts.connect():
                return True
            return False

        until(answers, 20)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)  # a fast shutdown: sessions are ended
            self._process.wait(20)
            self._process = None

    def sessions(self, role: str) -> int:
        with self.facts.connect() as admin:
            row = admin.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", (role,)).fetchone()
        return int(row[0]) if row else 0


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="dbmask-robust-") as name:
        Path(name).chmod(0o755)
        made = Server(Path(name))
        made.start()
        try:
            yield made
        finally:
            made.stop()


@pytest.fixture(scope="module")
def place(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    url = server.facts.create_database("robust")
    with placed(server.facts, url, tmp_path_factory.mktemp("r"), f"robust_{os.getpid()}") as made:
        yield made


def memory(pid: int) -> int:
    """Bytes that are resident now."""
    found = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS"))
    return int(found.split()[1]) << 10


def test_five_hundred_clients_on_one_worker(place: Place, server: Server) -> None:
    with proxy(place, "--max-connections", str(MANY), "--spare", "0") as (process, port):
        with ThreadPoolExecutor(16) as several:
            clients = list(several.map(lambda _: place.client(port), range(MANY)))
        try:
            for client in clients:
                client.pgconn.send_query(b"SELECT count(*) FROM person")
            for client in clients:
                result = client.pgconn.get_result()
                assert result is not None and result.get_value(0, 0) == b"50"
            assert memory(process.pid) < 400 << 20
            with pytest.raises(psycopg.OperationalError, match="too many connections"):
                place.client(port)
        finally:
            for client in clients:
                client.close()
        until(lambda: server.sessions(place.role) <= 20)


def test_clients_that_stop_reading_hold_up_nobody(place: Place, server: Server) -> None:
    monitor = free_port()
    with proxy(place, "--stall-timeout", "6", "--metrics-port", str(monitor)) as (process, port):
        other = place.client(port)
        before = memory(process.pid)
        stuck = [place.client(port) for _ in range(10)]
        for client in stuck:
            client.pgconn.send_query(LARGE.encode())
        for _ in range(20):
            assert other.execute("SELECT name FROM town").fetchone() == ("Brno",)
        assert metrics(monitor)["dbmask_proxy_connections"] == 11  # the others were there all the time
        time.sleep(1.0)  # what they asked for comes
        assert memory(process.pid) - before < 40 << 20
        until(lambda: metrics(monitor)["dbmask_proxy_connections"] == 1, 30.0)
        until(lambda: server.sessions(place.role) < 10)
        for client in (*stuck, other):
            client.close()


def test_what_a_client_asked_for_ends_with_it(place: Place, server: Server) -> None:
    with proxy(place, "--spare", "0") as (_, port):
        client = place.client(port)
        client.pgconn.send_query(ENDLESS.encode())
        with server.facts.connect() as admin:

            def running() -> bool:
                query = "SELECT FROM pg_stat_activity WHERE usename = %s AND state = 'active' AND query ~ 'count'"
                return admin.execute(query, (place.role,)).fetchone() is not None

            until(running)
            with socket.socket(fileno=os.dup(client.pgconn.socket)) as raw:  # no goodbye, and what comes is thrown away
                raw.shutdown(socket.SHUT_RDWR)
            client.close()
            until(lambda: not running())


def test_a_backend_that_was_left_is_as_new(place: Place) -> None:
    with proxy(place, "--spare", "1") as (_, port):
        for _ in range(3):
            with place.client(port) as client:
                client.execute("SET jit = off")
                client.execute("PREPARE p AS SELECT 1")
                client.execute("SET search_path = nowhere")
        for _ in range(6):
            with place.client(port) as client:
                assert client.execute("SHOW jit").fetchone() == ("on",)
                assert client.execute("SELECT name FROM town").fetchone() == ("Brno",)
                with pytest.raises(psycopg.Error):
                    client.execute("EXECUTE p")


def test_memory_is_flat_over_many_sessions(place: Place) -> None:
    def use(number: int) -> None:
        with place.client(port) as client:
            for step in range(10):
                client.execute(f"SELECT name, mail FROM person WHERE id < {number * 100 + step} AND id > 0".encode())
                with contextlib.suppress(psycopg.Error):
                    client.execute(f"SELECT {number}, nothing_{step} FROM hidden_{number}".encode())

    with proxy(place) as (process, port), ThreadPoolExecutor(4) as several:
        list(several.map(use, range(60)))
        before = memory(process.pid)
        list(several.map(use, range(60, 240)))
        assert memory(process.pid) - before < 12 << 20


def test_the_source_restarts(place: Place, server: Server) -> None:
    monitor = free_port()
    with proxy(place, "--metrics-port", str(monitor)) as (_, port):
        client, waiting = place.client(port), place.client(port)
        client.execute("SELECT 1")
        server.stop()
        failed = fails(lambda: client.execute("SELECT 1"))
        assert "terminating connection" in failed or "closed the connection" in failed
        until(lambda: get(monitor, "/healthz")[0] == 503)
        assert "the source cannot be reached" in fails(lambda: place.client(port))
        server.start()

        def works() -> bool:
            with contextlib.suppress(psycopg.OperationalError), place.client(port) as again:
                return again.execute("SELECT name FROM person LIMIT 1").fetchone() == ("S**********",)
            return False

        until(works)
        until(lambda: get(monitor, "/healthz")[0] == 200)
        assert fails(lambda: waiting.execute("SELECT 1"))
        for one in (client, waiting):
            one.close()


def fails(act: Callable[[], object]) -> str:
    """What an OperationalError says."""
    with pytest.raises(psycopg.OperationalError) as caught:
        act()
    return str(caught.value)
