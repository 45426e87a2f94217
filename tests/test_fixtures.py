"""The tests' servers: they answer, workers share them, and they are gone when their users are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres


def test_postgres_answers(postgres: Postgres, postgres_db: str) -> None:
    name = postgres_db.rpartition("/")[2]
    assert postgres.psql(name, "SELECT current_database(), 'Ž'") == f"{name}|Ž\n"
    with postgres.connect(name) as connection:
        assert connection.execute("SHOW server_encoding").fetchall() == [("UTF8",)]


def test_mariadb_answers(mariadb: MariaDB, mariadb_db: str) -> None:
    name = mariadb_db.rpartition("/")[2]
    assert mariadb.mysql(name, "SELECT DATABASE(), 'Ž'") == f"{name}\tŽ\n"
    with mariadb.connect(name) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@version")
        assert "MariaDB" in str(cursor.fetchone())


def test_mariadb_keeps_its_temporary_tables_to_itself(mariadb: MariaDB) -> None:
    with mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@tmpdir")
        (tmpdir,) = cursor.fetchone() or ("",)
    # Any other server that starts in it, another run's too, would remove the tables that this one has open.
    assert Path(tmpdir) == Path(mariadb.socket).parent.parent / "tmp"


HOLDER = """
import sys, time
from tests.{module} import _prepare
from tests.fix_servers import acquire
with acquire(sys.argv[1], _prepare) as facts:
    print(facts["port"], facts["argv"][2 if "postgres" in facts["argv"][0] else 0], flush=True)
    time.sleep(60)
"""


def _holder(name: str, module: str, run: str) -> tuple[subprocess.Popen[str], int]:
    env = {**os.environ, "PYTEST_XDIST_TESTRUNUID": run, "PYTHONPATH": os.pathsep.join(sys.path)}
    code = HOLDER.format(module=module)
    process = subprocess.Popen([sys.executable, "-c", code, name], stdout=subprocess.PIPE, text=True, env=env)
    assert process.stdout is not None
    return process, int(process.stdout.readline().split()[0])


def _kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


def test_a_server_is_shared_and_outlives_no_killed_run(tmp_path: Path) -> None:
    run = f"kill-{os.getpid()}"
    first, port = _holder("pg", "fix_postgres", run)
    second, same = _holder("pg", "fix_postgres", run)
    _kill(first)
    ready = ["/usr/bin/env", "bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]
    time.sleep(1)
    alive = subprocess.run(ready, check=False, capture_output=True).returncode
    _kill(second)
    deadline = time.monotonic() + 15
    while subprocess.run(ready, check=False, capture_output=True).returncode == 0 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert (same, alive) == (port, 0)
    assert subprocess.run(ready, check=False, capture_output=True).returncode != 0
