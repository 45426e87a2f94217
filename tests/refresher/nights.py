"""A source, a job and its replica, and what a fresh clone of the source would be."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dbmask.cloner import clone
from dbmask.keys import KeyRing
from dbmask.policy import Policy
from dbmask.refresher import RefreshResult, refresh
from tests.fix_postgres import Postgres

__all__ = ["POLICY", "SCHEMA", "Night", "contents"]

KEY = "hex:" + b"dbmask documentation key, public".hex()

SCHEMA = """
CREATE TABLE person (id bigint PRIMARY KEY, name text NOT NULL, email text UNIQUE, boss bigint REFERENCES person);
CREATE TABLE item (id bigserial PRIMARY KEY, person bigint NOT NULL REFERENCES person ON DELETE CASCADE,
                   code text NOT NULL UNIQUE, label text, amount numeric(9,2), twice numeric GENERATED ALWAYS AS (amount * 2) STORED);
CREATE TABLE loose (what text, who text);
CREATE TABLE pair (a text, b int, note json, body text, PRIMARY KEY (a, b));
CREATE TABLE event (id bigint, day date, who text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
CREATE TABLE event_a PARTITION OF event FOR VALUES FROM ('2020-01-01') TO ('2021-01-01');
CREATE TABLE event_b PARTITION OF event FOR VALUES FROM ('2021-01-01') TO ('2022-01-01');
CREATE TABLE log (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, said text);
CREATE TABLE account (id uuid PRIMARY KEY, holder text, changed timestamptz NOT NULL);
CREATE MATERIALIZED VIEW totals AS SELECT person, sum(amount) AS total FROM item GROUP BY person;
CREATE SEQUENCE own_count;
INSERT INTO person SELECT i, 'Name ' || i, 'p' || i || '@mail.example', nullif(i / 10, 0) FROM generate_series(1, 40) AS i;
INSERT INTO item (person, code, label, amount) SELECT 1 + i % 40, 'c' || i, 'label ' || i, i FROM generate_series(1, 90) AS i;
INSERT INTO loose SELECT md5(i::text), 'Who ' || i FROM generate_series(1, 20) AS i;
INSERT INTO pair SELECT 'k' || i / 5, i % 5, json_build_object('n', i), 'Body ' || i FROM generate_series(1, 40) AS i;
INSERT INTO event SELECT i, date '2020-01-01' + i * 13 % 700, 'Name ' || i FROM generate_series(1, 50) AS i;
INSERT INTO log (said) SELECT 'said ' || i FROM generate_series(1, 30) AS i;
INSERT INTO account SELECT md5(i::text)::uuid, 'Holder ' || i, timestamptz '2024-01-01' + i * interval '1 hour'
FROM generate_series(1, 30) AS i;
"""

POLICY = """version: 1
tables:
  person: {columns: {name: redact, email: hash, "*": keep}}
  item: {columns: {code: hash, label: {mask: redact, keep_start: 2}, "*": keep}}
  loose: {columns: {who: redact, "*": keep}}
  pair: {columns: {a: {mask: hash}, body: first_name, "*": keep}}
  event: {columns: {who: {mask: hash, length: 24}, "*": keep}}
  log: {columns: {said: redact, "*": keep}}
  account: {columns: {id: uuid, holder: redact, "*": keep}}
jobs:
  nightly:
    source: "env:NIGHT_SOURCE"
    target: "env:NIGHT_TARGET"
    keep_previous: 0
    tables:
      log: {mode: append, column: id}
      account: {mode: watermark, column: changed}
"""

_COLUMNS = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' ORDER BY 1, 2
"""
_FACTS = (
    "SELECT conrelid::regclass::text, conname, convalidated, condeferrable, pg_get_constraintdef(oid) FROM pg_constraint "
    "WHERE conrelid <> 0 ORDER BY 1, 2",
    "SELECT schemaname, indexname, indexdef FROM pg_indexes WHERE schemaname !~ '^pg_' ORDER BY 1, 2",
    "SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' ORDER BY 1",
    "SELECT schemaname, sequencename, last_value FROM pg_sequences ORDER BY 1, 2",
    "SELECT tgrelid::regclass::text, tgname, tgenabled::text FROM pg_trigger WHERE NOT tgisinternal ORDER BY 1, 2",
    "SELECT c.relname, a.attname, a.atttypid::regtype::text FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'v', 'm') AND a.attnum > 0 "
    "AND NOT a.attisdropped AND n.nspname = 'public' ORDER BY 1, a.attnum",
)


def contents(postgres: Postgres, name: str) -> dict[str, Any]:
    """Every row of every table and materialized view as text in order, and what stands around them."""
    found: dict[str, Any] = {}
    with postgres.connect(name) as connection:
        for schema, table in connection.execute(_COLUMNS.encode()).fetchall():
            rows = connection.execute(f'SELECT t::text FROM "{schema}"."{table}" AS t ORDER BY 1'.encode()).fetchall()
            found[f"{schema}.{table}"] = [row for (row,) in rows]
        for query in _FACTS:
            found[query] = connection.execute(query.encode()).fetchall()
    return found


@dataclass
class Night:
    """A job's two databases, a third one for the fresh clone, and its state."""

    postgres: Postgres
    folder: Path
    name: str
    policy: str = POLICY
    said: list[str] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The source's name."""
        return f"{self.name}_source"

    @property
    def target(self) -> str:
        """The replica's name."""
        return f"{self.name}_target"

    @property
    def state(self) -> str:
        """The state database's URL."""
        return f"sqlite:///{self.folder / 'state.db'}"

    def sql(self, text: str) -> None:
        """Run statements in the source."""
        self.postgres.psql(self.source, text)

    def open(self, schema: str = SCHEMA) -> None:
        """Make the source, and name both ends in the environment."""
        self.postgres.create_database(self.source)
        self.sql(schema)
        os.environ["NIGHT_SOURCE"] = self.postgres.url(self.source)
        os.environ["NIGHT_TARGET"] = self.postgres.url(self.target)

    def close(self) -> None:
        """Remove the databases."""
        for name in (self.source, self.target, f"{self.name}_fresh"):
            self.postgres.drop_database(name)

    def loaded(self) -> Policy:
        """The policy as it is now."""
        return Policy.from_text(self.policy, "yaml")

    def keys(self) -> KeyRing:
        """The policy's keys."""
        return self.loaded().keyring(environ={"DBMASK_KEY": KEY})

    def refresh(self, **options: Any) -> RefreshResult:
        """Run the job."""
        return refresh(self.loaded(), **{"keys": self.keys(), "state": self.state, "say": self.said.append, **options})

    def start(self) -> subprocess.Popen[str]:
        """Run the job by the command line, in a process of its own."""
        path = self.folder / "policy.yaml"
        path.write_text(self.policy, "utf-8")
        more = {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
        more["DBMASK_KEY"] = KEY
        argv = [sys.executable, "-m", "dbmask", "refresh", str(path), "--state", self.state]
        return subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **more}
        )

    def fresh(self, **options: Any) -> dict[str, Any]:
        """What a fresh clone of the source is."""
        url = self.postgres.url(f"{self.name}_fresh")
        clone(
            self.loaded(),
            self.postgres.url(self.source),
            url,
            **{"keys": self.keys(), "keep_previous": 0, **options},
        )
        return contents(self.postgres, f"{self.name}_fresh")

    def replica(self) -> dict[str, Any]:
        """What the replica is."""
        return contents(self.postgres, self.target)
