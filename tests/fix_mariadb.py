"""A private MariaDB server on a free port.

The fixture ``mariadb`` is the server; ``mariadb_db`` the URL of a fresh database, dropped after the test.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.fix_servers import acquire, alone, demoted, find_program, free_port

if TYPE_CHECKING:
    from pymysql.connections import Connection

__all__ = ["PASSWORD", "MariaDB", "mariadb", "mariadb_db"]

PASSWORD = "maria-test-password"  # noqa: S105 - of a private server that lives as long as the tests
USER = "dbmask_admin"
_numbers = itertools.count(1)

# What is lost in a crash is a test's; the binary log is for snapshots' positions and refresh.
SETTINGS = {
    "bind-address": "127.0.0.1",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
    "innodb-buffer-pool-size": "64M",
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-flush-method": "nosync",
    "innodb-doublewrite": "0",
    "key-buffer-size": "8M",
    "local-infile": "1",
    "log-bin": "binlog",
    "binlog-format": "ROW",
    "max-connections": "150",
    "performance-schema": "0",
    "server-id": "1",
    "sync-binlog": "0",
}


@dataclass(frozen=True)
class MariaDB:
    """A running server. ``general_log`` is the file of its general log, off until a test turns it on."""

    host: str
    port: int
    socket: str
    general_log: Path

    def url(self, dbname: str = "", user: str = USER, password: str = PASSWORD) -> str:
        """SQLAlchemy's URL of a database."""
        return f"mysql://{user}:{password}@{self.host}:{self.port}/{dbname}"

    def connect(self, dbname: str | None = None, **options: Any) -> Connection[Any]:
        """A PyMySQL connection with all privileges, in autocommit mode and utf8mb4 unless said otherwise."""
        import pymysql

        # PyMySQL reads the system's certificates for every connection that might be encrypted: some 30 ms.
        defaults = {"autocommit": True, "charset": "utf8mb4", "database": dbname, "ssl_disabled": True}
        return pymysql.connect(host=self.host, port=self.port, user=USER, password=PASSWORD, **{**defaults, **options})

    @contextmanager
    def logged(self) -> Iterator[None]:
        """Write the general log meanwhile. The run's other workers wait with theirs, since the first to end turns it off."""
        with alone(self.general_log.parent, "log"), self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SET GLOBAL general_log = 1")
            try:
                yield
            finally:
                cursor.execute("SET GLOBAL general_log = 0")

    def create_database(self, name: str, options: str = "CHARACTER SET utf8mb4") -> str:
        """Make a database anew and return its URL."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
            cursor.execute(f"CREATE DATABASE `{name}` {options}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Drop a database."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def mysql(self, dbname: str, script: str | Path, *args: str) -> str:
        """Run SQL text, or a file where a Path is given, through the command-line client. Fails the test on an error."""
        text = script.read_text("utf-8") if isinstance(script, Path) else script
        argv = [find_program("mariadb"), "--no-defaults", f"--socket={self.socket}", f"--user={USER}", "--batch"]
        argv += ["--skip-column-names", "--default-character-set=utf8mb4", *args, dbname]
        env = {**os.environ, "MYSQL_PWD": PASSWORD}
        done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False, env=env)
        if done.returncode != 0:
            pytest.fail(f"the mariadb client failed: {done.stderr[-2000:]}")
        return done.stdout


def _prepare(root: Path, scratch: Path | None = None) -> dict[str, Any]:
    who = demoted("mysql")
    data, init = root / "data", root / "init.sql"
    # A server that starts removes every server's temporary tables from its tmpdir; the one that had them may crash then.
    scratch = scratch or root / "tmp"
    for path in (data, scratch):
        path.mkdir(mode=0o700)
    accounts = [f"'{USER}'@'{host}'" for host in ("localhost", "127.0.0.1")]
    lines = [
        f"CREATE USER {a} IDENTIFIED BY '{PASSWORD}';\nGRANT ALL ON *.* TO {a} WITH GRANT OPTION;\n" for a in accounts
    ]
    init.write_text("".join(lines), "utf-8")
    for path in (data, scratch, init):
        os.chown(path, who.get("user", -1), who.get("group", -1))
    install = find_program("mariadb-install-db")
    argv = [install, "--no-defaults", f"--datadir={data}", "--skip-test-db", "--auth-root-authentication-method=normal"]
    argv += ["--skip-log-bin", "--innodb-flush-method=nosync", "--innodb-doublewrite=0", f"--tmpdir={scratch}"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd="/", **who)
    if done.returncode != 0:
        pytest.fail(f"mariadb-install-db failed: {done.stderr[-2000:]}")
    port, socket = free_port(), data / "s"
    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    paths = [
        f"--datadir={data}",
        f"--tmpdir={scratch}",
        f"--socket={socket}",
        f"--port={port}",
        f"--init-file={init}",
        f"--pid-file={data / 'pid'}",
    ]
    log = data / "general.log"
    client = [
        find_program("mariadb"),
        "--no-defaults",
        f"--socket={socket}",
        f"--user={USER}",
        f"--password={PASSWORD}",
    ]
    return {
        "argv": [find_program("mariadbd"), "--no-defaults", *paths, *settings, f"--general-log-file={log}"],
        "as": who,
        "ready": [*client, "-e", "SELECT 1"],
        "stop": signal.SIGKILL,
        "port": port,
        "socket": str(socket),
        "general_log": str(log),
    }


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariaDB]:
    """The run's MariaDB server."""
    with acquire("my", _prepare) as facts:
        yield MariaDB("127.0.0.1", facts["port"], facts["socket"], Path(facts["general_log"]))


@pytest.fixture
def mariadb_db(mariadb: MariaDB) -> Iterator[str]:
    """The URL of a fresh, empty database."""
    name = f"t_{os.getpid()}_{next(_numbers)}"
    yield mariadb.create_database(name)
    mariadb.drop_database(name)
