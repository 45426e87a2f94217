"""Queries through installed masked views against the same on the tables themselves: what masking costs, that indexes are used."""

from __future__ import annotations

from typing import Any

import psycopg
from harness import Result, compare, report

from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.proxy.install import install

SIZES = (20_000, 80_000, 320_000)
POINTS = 1_000
ROLE = "bench_analyst"
POLICY = """version: 1
tables:
  person: {columns: {id: keep, name: redact, email: hash, born: {mask: generalize, method: floor, step: year}, town: keep}}
  visit: keep"""
SETUP = """
CREATE TABLE person (id int PRIMARY KEY, name text, email text, born date, town int);
INSERT INTO person SELECT i, 'Name' || i, 'user' || i || '@mail.example', date '1950-01-01' + i % 20000, i % 100
  FROM generate_series(1, {size}) i;
CREATE TABLE visit (id int PRIMARY KEY, person int REFERENCES person);
INSERT INTO visit SELECT i, i FROM generate_series(1, {size}) i;
CREATE INDEX ON visit (person);
"""


def many(connection: psycopg.Connection[Any], query: bytes, size: int) -> None:
    """A prepared query by keys spread over the table."""
    for i in range(POINTS):
        connection.execute(query, (i * size // POINTS + 1,), prepare=True).fetchall()


def copied(connection: psycopg.Connection[Any], query: str) -> None:
    """A whole result as COPY sends it."""
    with connection.cursor().copy(f"COPY ({query}) TO STDOUT".encode()) as copy:
        for _ in copy:
            pass


def main() -> None:
    """Everything, on a server of its own."""
    from tests import fix_postgres
    from tests.fix_servers import acquire

    point: list[Result] = []
    join: list[Result] = []
    top: list[Result] = []
    whole: list[Result] = []
    with acquire("bench", fix_postgres._prepare) as facts:
        base = f"postgresql://{fix_postgres.USER}:{fix_postgres.PASSWORD}@127.0.0.1:{facts['port']}"
        for size in SIZES:
            name = f"views_{size}"
            with psycopg.connect(f"{base}/postgres", autocommit=True) as server:
                server.execute(f"CREATE DATABASE {name}".encode())
            url = f"{base}/{name}"
            with psycopg.connect(url, autocommit=True) as direct:
                direct.execute(SETUP.format(size=size).encode())
                install(Policy.from_text(POLICY), url, ROLE, keys=example_keys(), password="bench", harden=True)  # noqa: S106
                direct.execute("VACUUM ANALYZE")
                masked_url = f"postgresql://{ROLE}:bench@127.0.0.1:{facts['port']}/{name}"
                with psycopg.connect(masked_url, autocommit=True) as masked:
                    measure(masked, direct, size, (point, join, top, whole))
    for results in (point, join, top, whole):
        report(results)


def measure(
    masked: psycopg.Connection[Any], direct: psycopg.Connection[Any], size: int, into: tuple[list[Result], ...]
) -> None:
    """The four kinds of query at one size."""
    by_key = b"SELECT id, name, email, born FROM person WHERE id = %s"
    joined = b"SELECT p.name, p.email, v.id FROM visit v JOIN person p ON p.id = v.person WHERE v.id = %s"
    top = b"SELECT * FROM person WHERE id > %s ORDER BY id LIMIT 5"
    for results, name, query in (
        (into[0], "point query", by_key),
        (into[1], "index join", joined),
        (into[2], "top 5", top),
    ):
        results.append(
            compare(
                f"{name} through a masked view, {POINTS} times",
                size,
                lambda q=query: many(masked, q, size),
                "the table",
                lambda q=query: many(direct, q, size),
                ">= 0.5, flat",
            )
        )
    scan = "SELECT id, name, email, born, town FROM person"
    into[3].append(
        compare(
            "whole table through a masked view",
            size,
            lambda: copied(masked, scan),
            "the table",
            lambda: copied(direct, scan),
            "1 keyed mask: about 2 us a row",
            runs=3,
        )
    )


if __name__ == "__main__":
    main()
