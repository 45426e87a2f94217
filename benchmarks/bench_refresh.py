"""What a refresh costs beside a full clone: a share of N rows changed since the last run, at random places or side by side.

    python benchmarks/bench_refresh.py postgresql://user@host/SOURCE postgresql://user@host/TARGET [--rows 5000000]
    python benchmarks/bench_refresh.py mysql://user:password@host/SOURCE mysql://user:password@host/TARGET [--rows 400000]

Both databases are made, and dropped again. The full clone of the same run stands beside each figure.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

import psycopg
import pymysql

from dbmask.policy import Policy
from dbmask.refresher import refresh

POLICY = """version: 1
tables:
  sale:
    columns:
      email: email
      name: {mask: redact, keep_start: 1}
      note: hash
      "*": keep
jobs:
  bench: {source: "env:BENCH_SOURCE", target: "env:BENCH_TARGET", keep_previous: 0}
"""


class Server(Protocol):
    """What differs between the databases that are measured; ``spread`` is a number from 0 to 9,999 for each row."""

    spread: str

    def run(self, database: str, *statements: str) -> int:
        """Run statements in a database ("": in none); the rows that the last one changed."""
        ...

    def drop(self, database: str) -> str:
        """The statement that drops a database."""
        ...

    def fill(self, rows: int) -> tuple[str, ...]:
        """Statements that make the source's table."""
        ...


class PostgreSQL:
    """By psycopg."""

    spread = "abs(hashint8(id) % 10000)"

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def run(self, database: str, *statements: str) -> int:
        """As Server.run."""
        url = self._url._replace(path=f"/{database or 'postgres'}").geturl()
        with psycopg.connect(url, autocommit=True) as connection:
            return [connection.execute(text.encode()).rowcount for text in statements][-1]

    def drop(self, database: str) -> str:
        """As Server.drop."""
        return f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)'

    def fill(self, rows: int) -> tuple[str, ...]:
        """As Server.fill."""
        return (
            "CREATE TABLE sale (id bigint PRIMARY KEY, email text NOT NULL, name text, note text, amount numeric(12,2), at timestamptz)",
            "INSERT INTO sale SELECT i, 'p' || i || '@mail.example', 'Name ' || i, md5(i::text), i % 1000, "
            f"timestamptz '2024-01-01' + i * interval '1 second' FROM generate_series(1, {rows}) AS i",
            "VACUUM ANALYZE",
        )


class MariaDB:
    """By PyMySQL."""

    spread = "crc32(id) % 10000"

    def __init__(self, url: str) -> None:
        self._url = urlsplit(url)

    def run(self, database: str, *statements: str) -> int:
        """As Server.run."""
        url = self._url
        where = {"host": url.hostname or "localhost", "port": url.port or 3306, "database": database or None}
        login = {"user": unquote(url.username or ""), "password": unquote(url.password or "")}
        with closing(pymysql.connect(**where, **login, autocommit=True)) as connection, connection.cursor() as cursor:
            return [cursor.execute(text) for text in statements][-1]

    def drop(self, database: str) -> str:
        """As Server.drop."""
        return f"DROP DATABASE IF EXISTS `{database}`"

    def fill(self, rows: int) -> tuple[str, ...]:
        """As Server.fill."""
        return (
            "CREATE TABLE sale (id bigint PRIMARY KEY, email varchar(80) NOT NULL, name varchar(60), note varchar(64), "
            "amount decimal(12,2), at datetime)",
            "INSERT INTO sale SELECT seq, concat('p', seq, '@mail.example'), concat('Name ', seq), md5(seq), seq % 1000, "
            f"'2024-01-01' + INTERVAL seq SECOND FROM seq_1_to_{rows}",
            "ANALYZE TABLE sale",
        )


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    began = time.monotonic()
    done = run()
    return time.monotonic() - began, done


def measure(
    source: str,
    target: str,
    rows: int,
    shares: tuple[float, ...] = (0, 1, 10, 100),
    together: tuple[float, ...] = (1, 10),
) -> dict[str, Any]:
    """Seconds of a full clone, and of refreshes after these percentages of rows were updated: at random places, side by side."""
    os.environ |= {"BENCH_SOURCE": source, "BENCH_TARGET": target}
    os.environ.setdefault("DBMASK_KEY", "hex:" + b"dbmask documentation key, public".hex())
    server: Server = PostgreSQL(source) if source.startswith("postgres") else MariaDB(source)
    names = [urlsplit(url).path[1:] for url in (source, target)]
    for name in names:
        server.run("", server.drop(name))
    server.run("", f"CREATE DATABASE {names[0]}")
    try:
        with tempfile.TemporaryDirectory() as folder:
            server.run(names[0], *server.fill(rows))
            policy = Policy.from_text(POLICY)

            def run() -> Any:
                return refresh(policy, state=f"sqlite:///{folder}/state.db")

            clone, first = _timed(run)
            made: dict[str, Any] = {"rows": rows, "clone_seconds": round(clone, 2), "mode": first.mode, "refreshes": []}
            changes = [(share, "at random", f"{server.spread} < {share * 100:.0f}") for share in shares]
            changes += [(share, "side by side", f"id <= {rows * share / 100:.0f}") for share in together]
            for share, where, condition in changes:
                changed = server.run(names[0], f"UPDATE sale SET name = concat(name, 'x') WHERE {condition}")
                seconds, done = _timed(run)
                made["refreshes"].append(
                    {
                        "percent": share,
                        "where": where,
                        "changed": changed,
                        "seconds": round(seconds, 2),
                        "of_clone": round(seconds / clone, 3),
                        "mode": done.mode,
                        "rows_read": done.rows_read,
                        "rows_written": done.rows_written,
                    }
                )
            return made
    finally:
        for name in names:
            server.run("", server.drop(name))


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--rows", type=int, default=5_000_000)
    given = parser.parse_args()
    print(json.dumps(measure(given.source, given.target, given.rows), indent=2))


if __name__ == "__main__":
    main()
