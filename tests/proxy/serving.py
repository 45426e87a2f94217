"""``dbmask proxy`` as a process before a small database, for tests of how it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from dbmask.cli import run
from dbmask.proxy.users import add_user
from tests.fix_postgres import Postgres
from tests.proxy.own_roles import among_own_roles

__all__ = ["POLICY", "WORD", "Place", "ended", "environment", "placed", "proxy", "start"]

ROOT = Path(__file__).parents[2]
KEY = "hex:" + "07" * 32
WORD = "a password of these tests"
ROLE_WORD = "".join(WORD.split())
POLICY = """version: 1
tables:
  person: {columns: {id: keep, name: {mask: redact, keep_start: 1}, mail: email}}
  town: keep
"""


@dataclass
class Place:
    """A database with the policy installed, and a users file with ana."""

    policy: Path
    users: Path
    source: str
    role_url: str
    clients: list[psycopg.Connection[tuple[object, ...]]] = field(default_factory=list)

    @property
    def database(self) -> str:
        return self.source.rpartition("/")[2]

    @property
    def role(self) -> str:
        return self.role_url.partition("://")[2].partition(":")[0]

    def install(self) -> None:
        word = self.policy.with_name("word")
        role = ["--source", self.source, "--role", self.role]
        with among_own_roles():
            assert run(["install", str(self.policy), *role, "--password-file", str(word), "--harden"]) == 0

    def client(self, port: int, **more: str) -> psycopg.Connection[tuple[object, ...]]:
        """A connection through the proxy, in autocommit mode; it is closed with the proxy."""
        given = {"host": "127.0.0.1", "port": str(port), "user": "ana", "dbname": self.database, "password": WORD}
        made = psycopg.connect(" ".join(f"{k}='{v}'" for k, v in {**given, **more}.items()), autocommit=True)
        self.clients.append(made)
        return made


@contextmanager
def placed(postgres: Postgres, url: str, folder: Path, role: str) -> Iterator[Place]:
    """Install in the database of ``url``; DBMASK_KEY is set meanwhile."""
    os.environ["DBMASK_KEY"] = KEY
    made = Place(folder / "p.yaml", folder / "users", url, postgres.url(url.rpartition("/")[2], role, ROLE_WORD))
    postgres.psql(
        made.database,
        "CREATE TABLE person (id int PRIMARY KEY, name text, mail varchar(60)); CREATE TABLE town (id int, name text);"
        "INSERT INTO person SELECT i, 'Secretname' || i, 's' || i || '@secret.example' FROM generate_series(1, 50) i;"
        "INSERT INTO town VALUES (1, 'Brno')",
    )
    made.policy.write_text(POLICY, "utf-8")
    made.policy.with_name("word").write_text(ROLE_WORD, "utf-8")
    made.install()
    add_user(made.users, "ana", WORD)
    try:
        yield made
    finally:
        assert run(["uninstall", str(made.policy), "--source", url, "--role", role]) == 0
        del os.environ["DBMASK_KEY"]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(str(ROOT / p) for p in (".", "sql", "connectors"))}


def start(place: Place, *more: str) -> tuple[subprocess.Popen[str], str]:
    """The process, and its first line on standard error."""
    command = [sys.executable, "-m", "dbmask", "proxy", str(place.policy), "--source", place.role_url]
    process = subprocess.Popen(
        [*command, "--users", str(place.users), "--listen", "127.0.0.1:0", *more],
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    assert process.stderr is not None
    return process, process.stderr.readline()


def ended(process: subprocess.Popen[str]) -> str:
    """The rest of standard error, once the process has ended."""
    assert process.stderr is not None
    with process.stderr:
        rest = process.stderr.read()
    process.wait(30)
    return rest


@contextmanager
def proxy(place: Place, *more: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The process and its port; ended by SIGTERM."""
    process, line = start(place, *more)
    try:
        assert line.startswith("Listening on 127.0.0.1:"), line
        yield process, int(line.rpartition(":")[2])
    finally:
        while place.clients:
            place.clients.pop().close()
        process.terminate()
        try:
            print(process.communicate(timeout=15)[1])  # for who looks at a test that failed
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
