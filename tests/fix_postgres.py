"""A private PostgreSQL server on a free port.

The fixture ``postgres`` is the server; ``postgres_db`` the URL of a fresh database, dropped after the test.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fix_servers import acquire, demoted, find_program, free_port

if TYPE_CHECKING:
    import psycopg

__all__ = ["PASSWORD", "Postgres", "postgres", "postgres_db"]

PASSWORD = "pg-test-password"  # noqa: S105 - of a private server that lives as long as the tests
USER = "dbmask_admin"
_numbers = itertools.count(1)

# What is lost in a crash is a test's; wal_level is for refresh from the log.
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "logical",
    "max_wal_senders": "8",
    "max_replication_slots": "8",
    "max_connections": "150",
    "shared_buffers": "64MB",
    "log_destination": "stderr",
    "logging_collector": "off",
    "timezone": "UTC",
}


@dataclass(frozen=True)
class Postgres:
    """A running server. ``log`` is its log file, for tests that turn on ``log_statement``."""

    host: str
    port: int
    socket_dir: str
    log: Path
    bin: Path

    def url(self, dbname: str = "postgres", user: str = USER, password: str = PASSWORD) -> str:
        """SQLAlchemy's URL of a database."""
        return f"postgresql://{user}:{password}@{self.host}:{self.port}/{dbname}"

    def connect(self, dbname: str = "postgres", **options: Any) -> psycopg.Connection[Any]:
        """A psycopg connection as superuser, in autocommit mode unless said otherwise."""
        import psycopg

        return psycopg.connect(self.url(dbname), **{"autocommit": True, **options})

    def create_database(self, name: str, template: str = "template0") -> str:
        """Make a database anew and return its URL."""
        from psycopg import sql

        with self.connect() as connection:
            self._drop(connection, name)
            make = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
            connection.execute(make.format(sql.Identifier(name), sql.Identifier(template)))
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database and whoever is connected to it."""
        with self.connect() as connection:
            self._drop(connection, name)

    def _drop(self, connection: psycopg.Connection[Any], name: str) -> None:
        from psycopg import sql

        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def psql(self, dbname: str, script: str | Path, *args: str) -> str:
        """Run SQL text, or a file where a Path is given, through psql; returns unaligned tuples. Fails the test on an error."""
        path = script if isinstance(script, Path) else None
        argv = [str(self.bin / "psql"), "-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", *args, self.url(dbname)]
        argv += ["-f", str(path)] if path else []
        done = subprocess.run(argv, input=None if path else str(script), capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.fail(f"psql failed: {done.stderr[-2000:]}")
        return done.stdout

    def program(self, name: str) -> str:
        """The path of one of the server's programs, such as pg_dump."""
        return str(self.bin / name)


def _prepare(root: Path) -> dict[str, Any]:
    initdb = Path(find_program("initdb", "/usr/lib/postgresql/*/bin/initdb", "/usr/local/pgsql/bin/initdb")).resolve()
    who = demoted("postgres")
    data, sockets, secret = root / "data", root / "s", root / "password"
    for directory in (data, sockets):
        directory.mkdir(mode=0o700)
    secret.write_text(PASSWORD + "\n", "utf-8")
    for path in (data, sockets, secret):
        os.chown(path, who.get("user", -1), who.get("group", -1))
    argv = [str(initdb), "-D", str(data), "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions"]
    argv += ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", **who)
    if done.returncode != 0:
        pytest.fail(f"initdb failed: {done.stderr[-2000:]}")
    port = free_port()
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    server = [
        str(initdb.with_name("postgres")),
        "-D",
        str(data),
        "-h",
        "127.0.0.1",
        "-k",
        str(sockets),
        "-p",
        str(port),
    ]
    return {
        "argv": [*server, *settings],
        "as": who,
        "ready": [
            str(initdb.with_name("psql")),
            "-X",
            "-h",
            str(sockets),
            "-p",
            str(port),
            "-U",
            USER,
            "-c",
            "",
            "postgres",
        ],
        "stop": signal.SIGQUIT,
        "port": port,
        "sockets": str(sockets),
        "log": str(root / "server.log"),
        "bin": str(initdb.parent),
    }


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The run's PostgreSQL server."""
    with acquire("pg", _prepare) as facts:
        yield Postgres("127.0.0.1", facts["port"], facts["sockets"], Path(facts["log"]), Path(facts["bin"]))


@pytest.fixture
def postgres_db(postgres: Postgres) -> Iterator[str]:
    """The URL of a fresh, empty database."""
    name = f"t_{os.getpid()}_{next(_numbers)}"
    yield postgres.create_database(name)
    postgres.drop_database(name)
