"""A session's settings: what runs in it ends with its client."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from tests.fix_postgres import Postgres

pytestmark = pytest.mark.slow

PROGRAM = """
import sys
from dbmask_connectors._postgres_session import Address, connect
connect(Address.parse(sys.argv[1])).execute("SELECT pg_sleep(600)")
"""


def test_a_statement_ends_soon_after_its_client_was_killed(postgres: Postgres, postgres_db: str) -> None:
    """A server that has nothing to send would notice only when the statement ends by itself."""
    name = postgres_db.rpartition("/")[2]
    running = f"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND datname = '{name}'"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen([sys.executable, "-c", PROGRAM, postgres_db], env=environment) as client:
        while postgres.psql("postgres", running) == "0\n":
            assert client.poll() is None
            time.sleep(0.05)
        client.kill()
    until = time.monotonic() + 60
    while postgres.psql("postgres", running) != "0\n" and time.monotonic() < until:
        time.sleep(0.1)
    assert postgres.psql("postgres", running) == "0\n"
