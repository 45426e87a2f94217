"""Clones by chunks: one worker and two against psql's copy, and many small chunks over many tables (overhead of each)."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from pathlib import Path

from bench_clone import COLUMNS, PLAIN
from harness import Result, compare, report

from dbmask.cloner import Options, clone
from dbmask.masks.build import example_keys
from dbmask.policy import Policy

SIZES = tuple(int(n) for n in os.environ.get("DBMASK_BENCH_SIZES", "50000,200000,1000000").split(","))
TABLES, CHUNKS = 2_000, 20_000


def _clone(policy: str, source: str, target: str, state: str, jobs: int, chunk_bytes: int = 32 * 2**20) -> None:
    options = Options(jobs, chunk_bytes=chunk_bytes)
    clone(Policy.from_text(policy), source, target, keys=example_keys(), overwrite=True, state=state, options=options)


def parallel(psql: list[str], base: str, folder: Path) -> list[list[Result]]:
    """The rows of one table: ``--jobs 1`` and ``--jobs 2`` with ledger and keeper, against psql to psql, binary."""

    def sql(database: str, text: str) -> None:
        subprocess.run([*psql, f"{base}/{database}", "-c", text], check=True, capture_output=True)

    out: list[list[Result]] = []
    for jobs in (1, 2):
        made = []
        for size in SIZES:
            source = f"chunks_{size}"
            sql("postgres", f"DROP DATABASE IF EXISTS {source}")
            sql("postgres", f"CREATE DATABASE {source}")
            fill = (
                "SELECT i, 'First' || i % 1000, 'Last' || i % 5000, 'user' || i || '@mail.example', '+420 601 ' || i, "
                f"date '1950-01-01' + i % 20000, repeat(md5(i::text), 7), i * 1.01 FROM generate_series(1, {size}) AS i"
            )
            sql(source, f"CREATE TABLE big ({COLUMNS}); INSERT INTO big {fill}; ANALYZE; CHECKPOINT")

            def raw(source: str = source) -> None:
                sql("postgres", "DROP DATABASE IF EXISTS chunks_raw WITH (FORCE)")
                sql("postgres", "CREATE DATABASE chunks_raw TEMPLATE template0")
                sql("chunks_raw", f"CREATE TABLE big ({COLUMNS.replace(' primary key', '')})")
                copy = [*psql, f"{base}/{source}", "-c", "COPY big TO STDOUT (FORMAT binary)"]
                with subprocess.Popen(copy, stdout=subprocess.PIPE) as reading:
                    subprocess.run(
                        [*psql, f"{base}/chunks_raw", "-c", "COPY big FROM STDIN (FORMAT binary)"],
                        stdin=reading.stdout,
                        check=True,
                    )
                sql("chunks_raw", "ALTER TABLE big ADD PRIMARY KEY (id); ANALYZE")

            urls = (f"{base}/{source}", f"{base}/chunks_replica", f"sqlite:///{folder}/state.db")
            run = lambda u=urls, j=jobs: _clone(PLAIN, *u, j)  # noqa: E731
            target = ">= 0.9" if jobs == 1 else "> 1.0"
            made.append(
                compare(f"clone --jobs {jobs}, no masks, verified", size, run, "psql COPY + key", raw, target, runs=3)
            )
        out.append(made)
    return out


def many(psql: list[str], base: str, folder: Path) -> None:
    """2,000 tables in about 20,000 chunks, against the same tables in a chunk each: what a chunk costs by itself."""

    def sql(database: str, text: str) -> None:
        subprocess.run([*psql, f"{base}/{database}"], input=text, text=True, check=True, capture_output=True)

    sql("postgres", "DROP DATABASE IF EXISTS many")
    sql("postgres", "CREATE DATABASE many")
    for start in range(0, TABLES, 200):
        sql(
            "many",
            "".join(
                f"CREATE TABLE t{i} (id int PRIMARY KEY, filler char(700)); "
                f"INSERT INTO t{i} SELECT j, 'x' FROM generate_series(1, 100) AS j;"
                for i in range(start, start + 200)
            ),
        )
    sql("many", "ANALYZE")
    policy = 'version: 1\ntables: {"*": keep}'
    state = f"sqlite:///{folder}/many.db"
    times = {}
    for size in (2**30, 8_192):
        began = time.perf_counter()
        done = clone(
            Policy.from_text(policy),
            f"{base}/many",
            f"{base}/many_replica",
            keys=example_keys(),
            overwrite=True,
            state=state,
            options=Options(chunk_bytes=size),
        )
        times[sum(c for c, _ in done.chunks.values())] = time.perf_counter() - began
    (few, short), (lots, long) = sorted(times.items())
    each = (long - short) / (lots - few)
    print(
        f"{lots:,} chunks over {TABLES:,} tables: {long:.1f} s; {few:,} chunks: {short:.1f} s; "
        f"{each * 1000:.2f} ms a chunk (target < 5)",
        flush=True,
    )


def main() -> None:
    """Everything, on a server of its own."""
    from tests import fix_postgres
    from tests.fix_servers import acquire

    with acquire("bench", fix_postgres._prepare) as facts, tempfile.TemporaryDirectory() as folder:
        base = f"postgresql://{fix_postgres.USER}:{fix_postgres.PASSWORD}@127.0.0.1:{facts['port']}"
        psql = [str(Path(facts["bin"]) / "psql"), "-X", "-q"]
        for results in parallel(psql, base, Path(folder)):
            report(results)
        many(psql, base, Path(folder))


if __name__ == "__main__":
    main()
