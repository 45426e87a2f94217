"""A database to install in, and what the tests look at."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.proxy.install import Installed, install
from tests.fix_postgres import Postgres
from tests.proxy.own_roles import among_own_roles

__all__ = ["APP", "OTHER", "POLICY", "ROLE", "as_role", "connect", "dump", "policy", "roles", "setup", "source"]

ROLE = f"Ana {os.getpid()}"
OTHER = f"other_{os.getpid()}"
APP = f"app_{os.getpid()}"
SETUP = """
CREATE TYPE mood AS ENUM ('sad', 'glad');
CREATE DOMAIN code AS varchar(8) CHECK (VALUE <> '');
CREATE TABLE person (id int PRIMARY KEY, name varchar(20) NOT NULL, born timestamp(3), mood mood, score numeric(8,2),
                     tag code, kept text, initial text GENERATED ALWAYS AS (left(name, 1)) STORED,
                     twice int GENERATED ALWAYS AS (id * 2) STORED);
CREATE INDEX ON person (kept);
INSERT INTO person (id, name, born, mood, score, tag, kept)
  SELECT i, 'Secret' || i, '1980-01-01', 'sad', i, 'T' || i, 'k' || i FROM generate_series(1, 2000) i;
CREATE TABLE visit (id int PRIMARY KEY, person int REFERENCES person, day date NOT NULL);
INSERT INTO visit SELECT i, i, '2025-01-01' FROM generate_series(1, 2000) i;
CREATE INDEX ON visit (person);
CREATE TABLE hidden (id int, secret text);
CREATE TABLE void (id int, secret text);
INSERT INTO void VALUES (1, 'Secret1');
CREATE TABLE animal (id int PRIMARY KEY, owner text);
CREATE TABLE dog (breed text) INHERITS (animal);
CREATE TABLE cat (lives text) INHERITS (animal);
INSERT INTO animal VALUES (1, 'Secret1'); INSERT INTO dog VALUES (2, 'Secret2', 'Secret3'); INSERT INTO cat VALUES (3, 'Secret4', 'x');
CREATE SCHEMA "odd one";
CREATE TABLE "odd one"."T 1" ("a""b" text, "%s {}" int);
INSERT INTO "odd one"."T 1" VALUES ('Secret1', 1);
CREATE VIEW names AS SELECT p.name, v.day FROM person p JOIN visit v ON v.person = p.id WHERE v.id < 3;
CREATE VIEW of_names AS WITH person AS (SELECT name FROM names) SELECT DISTINCT name FROM person;
CREATE VIEW of_hidden AS SELECT secret FROM hidden;
CREATE FUNCTION shown(int) RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT name FROM public.person WHERE id = $1';
CREATE VIEW by_function AS SELECT shown(id) FROM person;
CREATE VIEW by_key AS SELECT p.id, p.name, count(*) AS visits FROM person p JOIN visit v ON v.person = p.id GROUP BY p.id;
CREATE VIEW of_catalogs AS SELECT most_common_vals::text FROM pg_stats;
CREATE VIEW plain AS SELECT id, day FROM visit;
CREATE MATERIALIZED VIEW stored AS SELECT id, name FROM person;
"""
POLICY = """
version: 1
tables:
  public.person:
    columns: {id: keep, name: {mask: redact, keep_start: 1}, born: {mask: date_shift, days: 30}, mood: keep,
              score: {mask: noise, sigma: 5}, tag: {mask: redact}, kept: keep}
  public.visit: keep
  public.hidden: skip
  public.void: empty
  public.animal:
    columns: {id: keep, owner: redact}
  public.cat:
    columns: {id: keep, owner: hash, lives: keep}
  public.dog:
    columns: {id: keep, owner: redact, breed: hash}
  "\\"odd one\\".\\"T 1\\"":
    columns: {'a"b': redact, "%s {}": keep}
"""


def policy(text: str = POLICY) -> Policy:
    return Policy.from_text(text, "yaml")


def setup(url: str, role: str = ROLE, text: str = POLICY, **options: Any) -> Installed:
    return install(policy(text), url, role, keys=example_keys(), **options)


@contextmanager
def source(postgres: Postgres, postgres_db: str) -> Iterator[str]:
    """A database with everything that an install meets; after it, no role of these tests is left."""
    postgres.psql(postgres_db.rpartition("/")[2], SETUP)
    with among_own_roles():
        yield postgres_db
    with postgres.connect() as server:
        for role in (ROLE, OTHER, APP):
            if server.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone() is not None:
                with postgres.connect(postgres_db.rpartition("/")[2]) as c:
                    c.execute(f'DROP OWNED BY "{role}" CASCADE')
        for role in (ROLE, OTHER, APP):
            server.execute(f'DROP ROLE IF EXISTS "{role}"')
    with postgres.connect(postgres_db.rpartition("/")[2]) as c:
        for (owner,) in c.execute(
            "SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'dbmask' AND nspowner <> 10"
        ).fetchall():
            c.execute(f"DROP OWNED BY {owner} CASCADE; DROP ROLE {owner}")


def connect(postgres: Postgres, url: str, **options: Any) -> psycopg.Connection[Any]:
    return postgres.connect(url.rpartition("/")[2], **options)


def as_role(postgres: Postgres, url: str, role: str = ROLE) -> psycopg.Connection[Any]:
    """A session of the masked role, which has no password: through the socket, which trusts."""
    name = url.rpartition("/")[2]
    return psycopg.connect(host=postgres.socket_dir, port=postgres.port, user=role, dbname=name, autocommit=True)


def dump(postgres: Postgres, url: str, *options: str) -> list[str]:
    command_line = [postgres.program("pg_dump"), *options, postgres.url(url.rpartition("/")[2])]
    done = subprocess.run(command_line, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if not line.startswith("\\")]


def roles(postgres: Postgres) -> str:
    """The roles of this process' tests and their settings: its workers share one server."""
    lines = subprocess.run(
        [postgres.program("pg_dumpall"), "--roles-only", "--no-role-passwords", "-d", postgres.url()],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return "\n".join(line for line in lines if str(os.getpid()) in line)
