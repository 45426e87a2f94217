"""What a refresh costs beside a full clone: a share of N rows changed, new, or gone since the last run.

    python benchmarks/bench_refresh.py postgresql://user@host/SOURCE postgresql://user@host/TARGET [--rows 5000000]

Both databases are made, and dropped again. The full clone of the same run stands beside each figure.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from dbmask.policy import Policy
from dbmask.refresher import refresh

POLICY = """version: 1
tables:
  public.sale:
    columns:
      email: email
      name: {mask: redact, keep_start: 1}
      note: hash
      "*": keep
jobs:
  bench: {source: "env:BENCH_SOURCE", target: "env:BENCH_TARGET", keep_previous: 0}
"""
_SCHEMA = """
CREATE TABLE sale (id bigint PRIMARY KEY, email text NOT NULL, name text, note text, amount numeric(12,2), at timestamptz)
"""
_ROWS = """
INSERT INTO sale SELECT i, 'p' || i || '@mail.example', 'Name ' || i, md5(i::text), i % 1000,
       timestamptz '2024-01-01' + i * interval '1 second'
FROM generate_series({}, {}) AS i
"""


def _admin(url: str) -> psycopg.Connection[Any]:
    return psycopg.connect(urlsplit(url)._replace(path="/postgres").geturl(), autocommit=True)


def _drop(url: str) -> None:
    with _admin(url) as admin:
        name = sql.Identifier(urlsplit(url).path[1:])
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(name))


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    began = time.monotonic()
    done = run()
    return time.monotonic() - began, done


def measure(source: str, target: str, rows: int, shares: tuple[float, ...] = (0, 1, 10, 100)) -> dict[str, Any]:
    """Seconds of a full clone, and of refreshes after these percentages of rows were updated at random places."""
    os.environ |= {"BENCH_SOURCE": source, "BENCH_TARGET": target}
    os.environ.setdefault("DBMASK_KEY", "hex:" + b"dbmask documentation key, public".hex())
    for url in (source, target):
        _drop(url)
    with _admin(source) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(urlsplit(source).path[1:])))
    try:
        with tempfile.TemporaryDirectory() as folder, psycopg.connect(source, autocommit=True) as connection:
            connection.execute(_SCHEMA.encode())
            connection.execute(_ROWS.format(1, rows).encode())
            connection.execute("VACUUM ANALYZE")
            policy = Policy.from_text(POLICY)

            def run() -> Any:
                return refresh(policy, state=f"sqlite:///{folder}/state.db")

            clone, first = _timed(run)
            made: dict[str, Any] = {"rows": rows, "clone_seconds": round(clone, 2), "mode": first.mode, "refreshes": []}
            for share in shares:
                changed = connection.execute(
                    "UPDATE sale SET name = name || 'x' WHERE abs(hashint8(id) %% 10000) < %s", (share * 100,)
                ).rowcount
                seconds, done = _timed(run)
                made["refreshes"].append(
                    {
                        "percent": share,
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
        for url in (source, target):
            _drop(url)


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
