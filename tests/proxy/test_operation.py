"""The proxy while it runs: several workers, limits, metrics, the audit log, changes of the source, its end."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import struct
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import psycopg
import pytest

from dbmask.proxy.metrics import BUCKETS, Numbers
from dbmask.proxy.users import add_user, mock_secret
from tests.fix_postgres import Postgres
from tests.fix_servers import free_port
from tests.proxy.serving import POLICY, WORD, Place, placed, proxy

ENDLESS = "SELECT count(*) FROM person a, person b, person c, person d, person e, person f"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    name = f"operation_{os.getpid()}"
    with placed(
        postgres, postgres.create_database(name), tmp_path_factory.mktemp("o"), f"operated_{os.getpid()}"
    ) as made:
        yield made
    postgres.drop_database(name)


def until(holds: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait for something; fails when it does not come."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.read().decode()


def metrics(port: int) -> dict[str, float]:
    lines = get(port, "/metrics")[1].splitlines()
    return {k: float(v) for k, _, v in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def test_workers_share_the_port_and_cancel_for_each_other(place: Place) -> None:
    monitor = free_port()
    with proxy(place, "--workers", "2", "--metrics-port", str(monitor)) as (process, port):
        clients = [place.client(port) for _ in range(8)]
        until(lambda: metrics(monitor)["dbmask_proxy_connections"] == 8)  # who looked whether it serves is gone soon
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        assert len(children) == 2
        for client in clients[:5]:
            failed: list[str | None] = []

            def ask(client: psycopg.Connection[tuple[object, ...]] = client, failed: list[str | None] = failed) -> None:
                try:
                    client.execute(ENDLESS)
                except psycopg.Error as error:
                    failed.append(error.sqlstate)

            thread = Thread(target=ask)
            thread.start()
            end = time.monotonic() + 15
            while thread.is_alive() and time.monotonic() < end:  # it may have come before the statement
                client.cancel()
                thread.join(0.5)
            assert failed == ["57014"]
        os.kill(int(children[0]), signal.SIGKILL)

        def works() -> bool:
            with contextlib.suppress(psycopg.OperationalError), place.client(port) as client:
                return client.execute("SELECT name FROM town").fetchone() == ("Brno",)
            return False

        until(works)
        until(lambda: metrics(monitor)["dbmask_proxy_ready"] == 2)
        for client in clients:
            client.close()


def test_metrics_health_and_audit_lines(place: Place, tmp_path: Path) -> None:
    monitor, log = free_port(), tmp_path / "audit"
    with proxy(place, "--metrics-port", str(monitor), "--audit-log", str(log)) as (_, port):
        with place.client(port) as client:
            client.execute("SELECT id, name FROM person WHERE id < 4 AND mail <> 'a literal'")
            client.execute("SELECT name FROM town WHERE id = %s", (7654,), prepare=True)
            with contextlib.suppress(psycopg.Error):
                client.execute("DELETE FROM person WHERE name = 'a literal'")
            with contextlib.suppress(psycopg.Error):
                client.execute("SELECT 1 / (id - id) FROM person WHERE mail <> 'a literal'")
        with pytest.raises(psycopg.OperationalError):
            place.client(port, user="nobody")
        assert get(monitor, "/healthz") == (200, "ok\n")
        assert get(monitor, "/else")[0] == 404
        found = metrics(monitor)
        with socket.create_connection(("127.0.0.1", monitor)) as raw:
            raw.sendall(b"POST / HTTP/1.1\r\n\r\n")
            assert raw.recv(100).startswith(b"HTTP/1.1 405")
    for name, least in (("logins_total", 1), ("logins_failed_total", 1), ("rows_total", 3), ("statements_total", 3)):
        assert found[f"dbmask_proxy_{name}"] >= least, name
    assert found["dbmask_proxy_statements_refused_total"] == found["dbmask_proxy_statement_errors_total"] == 1
    assert found["dbmask_proxy_statement_seconds_count"] >= 4
    assert log.stat().st_mode & 0o777 == 0o600
    text = log.read_text("utf-8")
    assert "literal" not in text and "7654" not in text and "Brno" not in text
    lines = [json.loads(line) for line in text.splitlines()]
    assert {line["user"] for line in lines} == {"ana", "nobody"} and all(line["time"] for line in lines)
    assert [line["login"] for line in lines if "login" in line] == [True, False]
    runs = [line for line in lines if "rows" in line]
    assert (runs[0]["tables"], runs[0]["masked"]) == (["public.person"], ["public.person.mail", "public.person.name"])
    assert [line["rows"] for line in runs] == [3, 0, 0] and runs[2]["state"] == "22012"
    assert runs[0]["client"] == "127.0.0.1" and len(runs[0]["fingerprint"]) == 16
    assert [line["state"] for line in lines if line.get("refused")] == ["42501"]


def test_limits(place: Place) -> None:
    monitor = free_port()
    more = ["--max-connections", "3", "--login-timeout", "0.5", "--statement-timeout", "1", "--idle-timeout", "2"]
    with proxy(place, *more, "--max-message", "1", "--metrics-port", str(monitor)) as (_, port):
        silent = socket.create_connection(("127.0.0.1", port))
        silent.settimeout(5)
        assert silent.recv(1000).endswith(b"the login took too long\0\0")
        half = socket.create_connection(("127.0.0.1", port))
        half.sendall(b"\0\0\0\x20\0\3\0\0user")
        half.settimeout(5)
        assert half.recv(1000).endswith(b"the login took too long\0\0")
        large = socket.create_connection(("127.0.0.1", port))
        large.sendall(struct.pack("!ii", 20_000, 196608))
        large.settimeout(5)
        assert b"C08P01" in large.recv(1000)
        for end in (silent, half, large):
            end.close()
        until(lambda: metrics(monitor)["dbmask_proxy_connections"] == 0)
        clients = [place.client(port) for _ in range(3)]
        with pytest.raises(psycopg.OperationalError, match="too many connections"):
            place.client(port)
        with pytest.raises(psycopg.errors.QueryCanceled):
            clients[0].execute(ENDLESS)
        assert clients[0].execute("SELECT 1").fetchone() == (1,)
        with pytest.raises(psycopg.OperationalError, match="invalid message length"):
            clients[1].execute("SELECT '" + "x" * (1 << 20) + "'")
        time.sleep(3.2)
        with pytest.raises(psycopg.OperationalError):
            clients[2].execute("SELECT 1")
        for client in clients:
            client.close()
        found = metrics(monitor)
        assert found["dbmask_proxy_statement_timeouts_total"] == 1
        assert found["dbmask_proxy_sessions_ended_total"] >= 2


def test_sigterm_lets_statements_end(place: Place) -> None:
    with proxy(place, "--drain-timeout", "8") as (process, port):
        idle, busy = place.client(port), place.client(port)
        busy.execute("BEGIN")
        process.terminate()
        with pytest.raises(psycopg.OperationalError):
            until(lambda: idle.execute("SELECT 1") is None)
        with pytest.raises(psycopg.OperationalError):
            place.client(port)
        assert busy.execute("SELECT name FROM town").fetchone() == ("Brno",)
        busy.execute("COMMIT")
        assert process.wait(5) == 0
        for client in (idle, busy):
            client.close()


def test_the_end_does_not_wait_for_ever(place: Place) -> None:
    with proxy(place, "--drain-timeout", "0.5", "--workers", "2") as (process, port):
        busy = place.client(port)
        busy.execute("BEGIN")
        process.terminate()
        assert process.wait(5) == 0
        with pytest.raises(psycopg.OperationalError):
            busy.execute("SELECT 1")
        busy.close()


def test_workers_end_with_their_parent(place: Place) -> None:
    with proxy(place, "--workers", "2") as (process, port):
        client = place.client(port)
        process.kill()
        process.wait(5)
        with client, pytest.raises(psycopg.OperationalError):
            until(lambda: client.execute("SELECT 1") is None)


def test_another_policy_closes_the_proxy(place: Place, postgres: Postgres) -> None:
    monitor = free_port()
    with proxy(place, "--metrics-port", str(monitor)) as (_, port):
        client = place.client(port)
        assert client.execute("SELECT name FROM person LIMIT 1").fetchone() == ("S**********",)
        other = place.policy.with_name("other.yaml")
        other.write_text(POLICY.replace("town: keep", "town: skip"), "utf-8")
        installed, place.policy = place.policy, other
        place.install()
        place.policy = installed

        with client, pytest.raises(psycopg.OperationalError, match="not those of the proxy's policy"):
            until(lambda: client.execute("SELECT id FROM person LIMIT 1", prepare=True) is None)
        with pytest.raises(psycopg.OperationalError, match="not those of the proxy's policy"):
            place.client(port)
        assert get(monitor, "/healthz")[0] == 503
        postgres.psql(place.database, "CREATE TABLE IF NOT EXISTS late (id int); INSERT INTO late VALUES (5)")
        installed.write_text(POLICY + "  late: keep\n", "utf-8")
        place.install()

        def served() -> bool:
            with contextlib.suppress(psycopg.Error), place.client(port) as again:
                return again.execute("SELECT id FROM late").fetchone() == (5,)
            return False

        until(served)
        assert get(monitor, "/healthz")[0] == 200
        add_user(place.users, "eva", WORD)

        def logged_in() -> bool:
            with contextlib.suppress(psycopg.OperationalError), place.client(port, user="eva"):
                return True
            return False

        until(logged_in)


def test_the_secret_of_names_that_do_not_exist_stays(tmp_path: Path) -> None:
    file = tmp_path / "users"
    add_user(file, "ana", WORD)
    first = mock_secret(file)
    add_user(file, "eva", WORD)
    assert mock_secret(file) == first and len(first) == 32
    file.write_text(file.read_text("utf-8").split("\n", 1)[1], "utf-8")
    old = mock_secret(file)
    add_user(file, "iva", WORD)
    assert mock_secret(file) == old != first


def salt(port: int, place: Place, user: str) -> bytes:
    body = b"".join(w.encode() + b"\0" for w in ("user", user, "database", place.database)) + b"\0"
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(struct.pack("!ii", len(body) + 8, 196608) + body)
        raw.recv(100)
        first = b"n,,n=,r=abcdefgh"
        raw.sendall(
            b"p" + struct.pack("!i", 22 + len(first)) + b"SCRAM-SHA-256\0" + struct.pack("!i", len(first)) + first
        )
        return raw.recv(200).partition(b"s=")[2]


def test_a_name_that_does_not_exist_looks_like_one_that_does(place: Place) -> None:
    with proxy(place) as (_, port):
        before = {user: salt(port, place, user) for user in ("ana", "nobody", "no one")}
        assert len({len(s) for s in before.values()}) == 1 and len(set(before.values())) == 3
    with proxy(place) as (_, port):
        assert {user: salt(port, place, user) for user in before} == before


def test_numbers_of_workers_are_added_up() -> None:
    numbers = Numbers(2)
    for worker in (0, 1):
        numbers.of(worker).add("rows_total", 5)
        numbers.of(worker).set("connections", 1)
        numbers.of(worker).took(BUCKETS[0])
    numbers.of(1).took(1000)
    numbers.of(1).clear_gauges()
    assert numbers.total("rows_total") == 10 and numbers.total("connections") == 1
    text = numbers.exposition()
    assert 'seconds_bucket{le="0.0005"} 2\n' in text and 'seconds_bucket{le="+Inf"} 3\n' in text
    assert "seconds_sum 1000.001\n" in text and text.endswith("\n")
