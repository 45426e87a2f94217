"""Clones against the plain copy of the same rows: SQLite's ATTACH, PostgreSQL's COPY through psql."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import Result, compare, report, warm_memory

from dbmask.cloner import Options, clone
from dbmask.masks.build import example_keys
from dbmask.policy import Policy

SIZES = (50_000, 200_000, 1_000_000)
COLUMNS = "id integer primary key, first_name text, last_name text, email text, phone text, born date, note text, amount numeric(12,2)"
PLAIN = "version: 1\ntables: {big: keep}"
CHEAP = """version: 1
tables: {big: {columns: {first_name: redact, last_name: {mask: redact, keep_start: 1}, phone: {mask: redact, keep_end: 3},
  note: {mask: redact, char: x}, email: {mask: fixed, value: x}, amount: {mask: fixed, value: 1}, "*": keep}}}"""
KEYED = """version: 1
tables: {big: {columns: {first_name: {mask: hash, length: 20}, last_name: {mask: redact, keep_start: 1}, phone: redact,
  note: {mask: redact, char: x}, email: hash, amount: {mask: fixed, value: 1}, "*": keep}}}"""
ONE_KEYED = """version: 1
tables: {big: {columns: {last_name: {mask: redact, keep_start: 1}, email: hash,
  born: {mask: generalize, method: floor, step: month}, amount: {mask: generalize, method: floor, step: 100}, "*": keep}}}"""
INDEXES = ("CREATE INDEX big_email ON big (email)", "CREATE INDEX big_last_name ON big (last_name)")
NAMES = "id, first_name, last_name, email, phone, born, note, amount"


def _clone(policy: str, source: str, target: str, jobs: int = 1) -> None:
    """As the command line does it: with a state database, so that the run could be resumed."""
    with tempfile.TemporaryDirectory() as folder:
        state = f"sqlite:///{folder}/state.db"
        moving = Options(jobs=jobs)
        clone(
            Policy.from_text(policy), source, target, keys=example_keys(), overwrite=True, state=state, options=moving
        )


def _fill(path: Path, size: int) -> None:
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        db.execute(f"CREATE TABLE big ({COLUMNS})")
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) INSERT INTO big "
            "SELECT i, 'First' || i % 1000, 'Last' || i % 5000, 'user' || i || '@mail.example', '+420 601 ' || i, "
            "date('1950-01-01', (i % 20000) || ' days'), hex(zeroblob(100)), i * 1.01 FROM n",
            (size,),
        )
        for index in INDEXES:
            db.execute(index)


def _insert_select(source: Path, target: Path) -> None:
    """A copy by hand: columns named, as a SELECT that masks has to, and the same indexes. Nothing survives a crash."""
    target.unlink(missing_ok=True)
    with contextlib.closing(sqlite3.connect(target)) as db:
        db.execute("PRAGMA journal_mode = OFF")
        db.execute("PRAGMA synchronous = OFF")
        db.execute(f"CREATE TABLE big ({COLUMNS})")
        db.execute("ATTACH ? AS src", (str(source),))
        db.execute(f"INSERT INTO big ({NAMES}) SELECT {NAMES} FROM src.big")
        for index in INDEXES:
            db.execute(index)
        db.commit()


def sqlite(folder: Path) -> list[Result]:
    """SQLite to SQLite: a redaction, a date, a number and one keyed mask, against ATTACH and INSERT SELECT."""
    made = []
    for size in SIZES:
        source, target = folder / f"s{size}.db", folder / "t.db"
        _fill(source, size)
        urls = (f"sqlite:///{source}", f"sqlite:///{target}")
        made.append(
            compare(
                "SQLite, redact + generalize + date + 1 keyed, verified",
                size,
                lambda u=urls: _clone(ONE_KEYED, *u),
                "INSERT SELECT",
                lambda s=source, t=target: _insert_select(s, t),
                ">= 0.4",
                before=lambda s=size: warm_memory(64 + s // 1_000),
            )
        )
        print(f"peak memory of one such clone: {_peak(ONE_KEYED, *urls)} MB", file=sys.stderr, flush=True)
    return made


def _peak(policy: str, *urls: str) -> int:
    """The most memory (VmHWM) that a process of its own holds while it clones, in MB."""
    code = (
        "import sys, bench_clone; bench_clone._clone(*sys.argv[1:]); "
        "print(next(l for l in open('/proc/self/status') if l.startswith('VmHWM')).split()[1])"
    )
    here = {"PYTHONPATH": ":".join(p for p in (str(Path(__file__).parent), *sys.path) if p)}
    done = subprocess.run(
        [sys.executable, "-c", code, policy, *urls],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, **here},
    )
    return int(done.stdout) // 1024


def postgres(url: str, port: int, bin_: Path) -> list[list[Result]]:
    """PostgreSQL to PostgreSQL against psql's binary copy of the same table; with masks also against the clone without."""
    psql = [str(bin_ / "psql"), "-X", "-q"]
    base = url.rpartition("/")[0]

    def sql(database: str, text: str) -> None:
        subprocess.run([*psql, f"{base}/{database}", "-c", text], check=True, capture_output=True)

    out = []
    for name, policy, jobs, target, rival in (
        ("no masks", PLAIN, 1, ">= 0.9", "psql COPY + key"),
        ("no masks, --jobs 2", PLAIN, 2, "> 1.0", "psql COPY + key"),
        ("6 cheap masks", CHEAP, 1, ">= 0.7", "psql COPY + key"),
        ("6 cheap masks", CHEAP, 1, ">= 0.7", "no masks"),
        ("2 keyed + 4 cheap", KEYED, 1, ">= 0.5", "psql COPY + key"),
        ("2 keyed + 4 cheap", KEYED, 1, ">= 0.5", "no masks"),
    ):
        made = []
        for size in SIZES:
            source = f"bench_{size}"
            exists = (
                subprocess.run(
                    [*psql, f"{base}/{source}", "-c", "SELECT 1"], capture_output=True, check=False
                ).returncode
                == 0
            )
            if not exists:
                sql("postgres", f"CREATE DATABASE {source}")
                sql(
                    source,
                    f"CREATE TABLE big ({COLUMNS}); INSERT INTO big SELECT i, 'First' || i % 1000, 'Last' || i % 5000, "
                    "'user' || i || '@mail.example', '+420 601 ' || i, date '1950-01-01' + i % 20000, repeat(md5(i::text), 7), i * 1.01 "
                    f"FROM generate_series(1, {size}) AS i; ANALYZE; CHECKPOINT",
                )
                sql("postgres", "DROP DATABASE IF EXISTS bench_raw WITH (FORCE)")

            def raw(source: str = source) -> None:
                sql("postgres", "DROP DATABASE IF EXISTS bench_raw WITH (FORCE)")
                sql("postgres", "CREATE DATABASE bench_raw TEMPLATE template0")
                sql("bench_raw", f"CREATE TABLE big ({COLUMNS.replace(' primary key', '')})")
                out = subprocess.Popen(
                    [*psql, f"{base}/{source}", "-c", "COPY big TO STDOUT (FORMAT binary)"], stdout=subprocess.PIPE
                )
                subprocess.run(
                    [*psql, f"{base}/bench_raw", "-c", "COPY big FROM STDIN (FORMAT binary)"],
                    stdin=out.stdout,
                    check=True,
                )
                out.wait()
                sql("bench_raw", "ALTER TABLE big ADD PRIMARY KEY (id); ANALYZE")

            urls = (f"{base}/{source}", f"{base}/bench_replica")
            run = lambda u=urls, p=policy, j=jobs: _clone(p, *u, j)  # noqa: E731
            same = lambda u=urls: _clone(PLAIN, *u)  # noqa: E731
            other = same if rival == "no masks" else raw
            warm = lambda s=size: warm_memory(64 + s // 1_000)  # noqa: E731
            title = f"PostgreSQL clone, {name}, verified"
            made.append(compare(title, size, run, rival, other, target, runs=3, before=warm))
        out.append(made)
    return out


def main() -> None:
    """Everything, on servers of its own; ``sqlite`` for SQLite alone."""
    with tempfile.TemporaryDirectory(dir=".") as folder:
        report(sqlite(Path(folder).resolve()))
    if "sqlite" in sys.argv[1:]:
        return
    from tests import fix_postgres
    from tests.fix_servers import acquire

    with acquire("bench", fix_postgres._prepare) as facts:
        url = f"postgresql://{fix_postgres.USER}:{fix_postgres.PASSWORD}@127.0.0.1:{facts['port']}/postgres"
        for results in postgres(url, facts["port"], Path(facts["bin"])):
            report(results)


if __name__ == "__main__":
    main()
