"""A small database behind a proxy, and the same database untouched, for clients that are compared."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.proxy.install import install, uninstall
from dbmask.proxy.side_refresh import refresh_side_tables
from tests.fix_postgres import Postgres
from tests.proxy.own_roles import among_own_roles
from tests.proxy.proxied import WORD, Proxied, proxied

__all__ = ["POLICY", "SECRET", "SETUP", "Shop", "shop"]

SECRET = b"Secret"
"""Stands in every raw value that is masked."""
SETUP = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN code AS varchar(8) CHECK (VALUE <> '');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE town (id int PRIMARY KEY, name text NOT NULL UNIQUE, size int DEFAULT 7 CHECK (size > 3));
CREATE TABLE person (id int PRIMARY KEY, name varchar(20) NOT NULL, mail varchar(60) UNIQUE, born date, mood mood DEFAULT 'sad',
  score numeric(8,2), tag code, words text[], data jsonb, at timestamptz(3), twin pair, span int4range, bits bytea,
  town int REFERENCES town (id) ON DELETE CASCADE, initial text GENERATED ALWAYS AS (left(name, 1)) STORED,
  CONSTRAINT ck_score CHECK (score < 1000 AND name <> 'SecretCheck'));
CREATE INDEX person_town ON person (town, born DESC);
CREATE INDEX person_part ON person (id) WHERE name = 'SecretIndex';
CREATE INDEX person_lower ON person (lower(mail));
COMMENT ON TABLE person IS 'SecretComment';
CREATE TABLE visit (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, person int NOT NULL REFERENCES person, day date NOT NULL,
  cost numeric(10,2)) ;
CREATE TABLE part (id int, kind text, who text) PARTITION BY LIST (kind);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('kind one');
CREATE VIEW named AS SELECT p.id, p.name, t.name AS town FROM person p JOIN town t ON t.id = p.town WHERE p.name <> 'SecretView';
CREATE MATERIALIZED VIEW costs AS SELECT person, sum(cost) AS cost FROM visit GROUP BY person;
CREATE FUNCTION plus(a int, b int DEFAULT 42) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + b';
CREATE SEQUENCE counter;
INSERT INTO town VALUES (1, 'Brno', 4), (2, 'Praha', 9), (3, 'Olomouc', 7);
INSERT INTO person (id, name, mail, born, mood, score, tag, words, data, at, twin, span, bits, town)
  SELECT i, 'Secret' || i % 7, 'Secret' || i || '@example.com', date '1970-01-01' + i, (ARRAY['sad', 'glad'])[1 + i % 2]::mood, i * 1.5,
    'T' || i % 5, ARRAY['a' || i, 'b'], jsonb_build_object('n', i, 'who', 'Secret' || i),
    '2020-01-01 00:00:00.123Z'::timestamptz + i * interval '1 hour',
    (i, 'x')::pair, int4range(i, i + 3), ('\\x0' || i % 10)::bytea, nullif(i % 4, 0) FROM generate_series(1, 40) i;
INSERT INTO visit (person, day, cost) SELECT 1 + i % 40, date '2024-01-01' + i % 28, i FROM generate_series(1, 120) i;
INSERT INTO part VALUES (1, 'kind one', 'Secret1');
REFRESH MATERIALIZED VIEW costs;
CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
INSERT INTO pgbench_branches VALUES (1, 0, '');
INSERT INTO pgbench_accounts SELECT i, 1, i, 'Secret' || i FROM generate_series(1, 2000) i;
ANALYZE;
"""
POLICY = """
version: 1
tables:
  public.town: keep
  public.person:
    columns: {id: keep, name: {mask: hash, length: 20}, mail: {mask: email, unique: true}, born: {mask: date_shift, days: 30},
              mood: keep, score: keep, tag: keep,
              words: keep, data: {mask: json, paths: {"$.who": hash}}, at: keep, twin: keep, span: keep, bits: keep, town: keep}
  public.visit: keep
  public.part:
    columns: {id: keep, kind: keep, who: hash}
  public.pgbench_accounts:
    columns: {aid: keep, bid: keep, abalance: keep, filler: "null"}
  public.pgbench_branches: keep
"""


@dataclass(frozen=True)
class Shop:
    """The proxy, and the database that is as it was: its superuser's URL; ``role`` is the masked one."""

    proxy: Proxied
    plain: str
    source: str
    postgres: Postgres
    role: str

    def program(
        self, name: str, *args: str, through: bool = True, stdin: str | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """Run one of PostgreSQL's programs through the proxy, or against the untouched database."""
        url = self.proxy.url() if through else self.plain
        command = [self.postgres.program(name), *args, url]
        given = None if stdin is None else stdin.encode()
        return subprocess.run(command, capture_output=True, check=False, input=given, timeout=60, env=_environment())


def _environment() -> dict[str, str]:
    return {**os.environ, "LC_ALL": "C", "PSQLRC": "/dev/null", "PAGER": ""}


@contextmanager
def shop(postgres: Postgres, folder: Path) -> Iterator[Shop]:
    """Make both databases."""
    source, plain, role = (f"{kind}_{os.getpid()}" for kind in ("shop", "plain", "shopper"))
    urls = [postgres.create_database(database) for database in (source, plain)]
    try:
        for database in (source, plain):
            postgres.psql(database, SETUP)
        policy = Policy.from_text(POLICY, "yaml")
        with among_own_roles():
            install(policy, urls[0], role, keys=example_keys(), harden=True, password=WORD)
        try:
            assert list(refresh_side_tables(policy, urls[0], role, keys=example_keys()))
            with proxied(postgres, source, role, folder) as proxy:
                yield Shop(proxy, urls[1], urls[0], postgres, role)
        finally:
            uninstall(urls[0], role)
    finally:
        for database in (source, plain):
            postgres.drop_database(database)
