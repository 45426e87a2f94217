"""dbmask apply on PostgreSQL against the same by hand: CREATE TABLE AS, swapped names, indexes and keys, in one transaction.

Measured whole, and without the verification, which a script by hand does not have.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import psycopg
from harness import Result, report

from dbmask.cloner import apply
from dbmask.cloner.progress import Quiet
from dbmask.masks.build import example_keys
from dbmask.policy import Policy

SIZES = (50_000, 200_000, 800_000)
RUNS = 3
POLICY = """version: 1
tables:
  person:
    columns:
      {id: keep, name: redact, email: hash, phone: {mask: redact, keep_end: 3},
       born: {mask: generalize, method: floor, step: year}, town: keep}
  visit: {columns: {id: keep, note: redact}}"""
SETUP = """
CREATE TABLE person (id int PRIMARY KEY, name text, email text NOT NULL, phone text, born date, town int);
INSERT INTO person SELECT i, 'Name' || i, 'user' || i || '@mail.example', lpad(i::text, 9, '0'), date '1950-01-01' + i % 20000, i % 100
  FROM generate_series(1, {size}) i;
CREATE UNIQUE INDEX person_email ON person (email);
CREATE INDEX person_born ON person (born);
CREATE TABLE visit (id int PRIMARY KEY, person int REFERENCES person, note text);
INSERT INTO visit SELECT i, i, 'note ' || i FROM generate_series(1, {size}) i;
CREATE INDEX visit_person ON visit (person);
VACUUM ANALYZE;
"""
BY_HAND = """
BEGIN;
CREATE TABLE person_ AS SELECT id, repeat('*', length(name)) AS name,
  encode(sha256('\\x{pad}'::bytea || sha256('\\x{pad}'::bytea || convert_to(email, 'UTF8'))), 'hex') AS email,
  repeat('*', greatest(length(phone) - 3, 0)) || right(phone, 3) AS phone, date_trunc('year', born)::date AS born, town FROM person;
CREATE TABLE visit_ AS SELECT id, person, repeat('*', length(note)) AS note FROM visit;
DROP TABLE visit; DROP TABLE person;
ALTER TABLE person_ RENAME TO person; ALTER TABLE visit_ RENAME TO visit;
ALTER TABLE person ADD PRIMARY KEY (id); ALTER TABLE person ALTER email SET NOT NULL;
CREATE UNIQUE INDEX person_email ON person (email);
CREATE INDEX person_born ON person (born);
ALTER TABLE visit ADD PRIMARY KEY (id);
CREATE INDEX visit_person ON visit (person);
ALTER TABLE visit ADD FOREIGN KEY (person) REFERENCES person;
ANALYZE person; ANALYZE visit;
COMMIT;
""".replace("{pad}", "5c" * 64)


class Clock(Quiet):
    """How long the verification took."""

    def __init__(self) -> None:
        self.verifying = 0.0
        self._began: float | None = None

    def phase(self, name: str) -> None:
        """Begin or end it."""
        now = time.perf_counter()
        if self._began is not None:
            self.verifying += now - self._began
        self._began = now if name == "verify" else None


def timed(function: Callable[[], float]) -> float:
    """Seconds, without those that the function says were spent on verifying."""
    began = time.perf_counter()
    verifying = function()
    return time.perf_counter() - began - verifying


def main() -> None:
    """Everything, on a server of its own."""
    from tests import fix_postgres
    from tests.fix_servers import acquire

    whole: list[Result] = []
    bare: list[Result] = []
    with acquire("bench", fix_postgres._prepare) as facts:
        base = f"postgresql://{fix_postgres.USER}:{fix_postgres.PASSWORD}@127.0.0.1:{facts['port']}"
        for size in SIZES:
            measure(base, size, whole, bare)
    report(whole)
    report(bare)


def measure(base: str, size: int, whole: list[Result], bare: list[Result]) -> None:
    """Three runs of each, in turn, each on a fresh copy."""
    policy, copy = Policy.from_text(POLICY), f"{base}/copy"
    with psycopg.connect(f"{base}/postgres", autocommit=True) as server:
        server.execute(f"CREATE DATABASE original_{size}".encode())
        with psycopg.connect(f"{base}/original_{size}", autocommit=True) as db:
            for statement in SETUP.format(size=size).split(";\n"):
                if statement.strip():
                    db.execute(statement.encode())

        def fresh() -> None:
            server.execute(b"DROP DATABASE IF EXISTS copy WITH (FORCE)")
            server.execute(f"CREATE DATABASE copy TEMPLATE original_{size}".encode())
            server.execute(b"CHECKPOINT")

        def hand() -> float:
            with psycopg.connect(copy, autocommit=True) as db:
                db.execute(BY_HAND.encode())
            return 0.0

        def ours() -> float:
            clock = Clock()
            apply(policy, copy, "copy", keys=example_keys(), show=clock)
            verified.append(clock.verifying)
            return clock.verifying

        times: tuple[list[float], list[float]] = ([], [])
        verified: list[float] = []
        for i in range(RUNS + 1):
            for at, function in enumerate((ours, hand)):
                fresh()
                seconds = timed(function)
                if i:
                    times[at].append(seconds)
        server.execute(b"DROP DATABASE copy WITH (FORCE)")
    hand_seconds, own = statistics.median(times[1]), statistics.median(times[0])
    verifying = statistics.median(verified[1:])
    bare.append(Result("apply without verification", size, own, "by hand", hand_seconds, ">= 1"))
    whole.append(Result("apply, verified", size, own + verifying, "by hand", hand_seconds, "-"))


if __name__ == "__main__":
    main()
