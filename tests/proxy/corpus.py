"""The corpus of attempts, its database and a policy that protects what it says is protected."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from psycopg import sql

from dbmask.policy import Policy
from tests.fix_postgres import Postgres
from tests.fix_servers import alone
from tests.proxy.own_roles import among_own_roles

__all__ = ["POLICY", "canaries", "corpus", "corpus_database", "corpus_oids", "corpus_policy"]

POLICY = """
version: 1
tables:
  public.users:
    columns:
      id: keep
      name: keep
      ssn: hash
      email: email
      salary: permute
      note:
        mask: text
        matchers: {regex: [{label: REST, pattern: ".+"}]}
        masks: [{label: REST, masks: [redact]}]
      prefs: {mask: json, paths: {"$.card": hash}}
      born: {mask: generalize, method: floor, step: year}
      tags: "null"
  public.orders:
    columns: {id: keep, ssn_ref: hash}
  public.events:
    columns: {id: keep, day: keep, ssn: hash}
  public.scratch: keep
  public.typed: keep
  public.audit:
    columns: {payload: "null"}
  public.people: keep
  public.users_copy_ids: keep
  dm_user.people:
    columns: {id: keep, label: hash}
  public."Users":
    columns: {id: keep, SSN: hash}
  public."we""ird tbl":
    columns: {v: hash}
  public.aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:
    columns: {v: redact}
  public."Éclair":
    columns: {v: hash}
"""


@cache
def corpus() -> dict[str, Any]:
    """The corpus as it is read from its file."""
    path = Path(__file__).parent.parent / "vectors" / "attacks.yaml"
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


@cache
def canaries() -> tuple[re.Pattern[bytes], ...]:
    """The patterns of raw values in every encoding, to be searched for in what a client receives."""
    return tuple(re.compile(p.encode()) for p in corpus()["canary_regexes"])


def corpus_policy() -> Policy:
    """The policy, from text, so that no lock file is written."""
    return Policy.from_text(POLICY, "yaml")


@contextmanager
def corpus_database(postgres: Postgres, name: str) -> Iterator[str]:
    """A database freshly made from the corpus' setup, and its URL; the setup's roles are the server's, one run at a time."""
    with alone(postgres.log.parent, "corpus"), among_own_roles("dm_user", "app_owner"):
        url = postgres.create_database(name)
        try:
            with postgres.connect("postgres") as server:
                for role, login in (("dm_user", "LOGIN"), ("app_owner", "NOLOGIN")):
                    there = server.execute("SELECT FROM pg_roles WHERE rolname = %s", (role,)).fetchone()
                    if there is None:
                        server.execute(sql.SQL("CREATE ROLE {} " + login).format(sql.Identifier(role)))
            postgres.psql(name, corpus()["setup"].replace("'5521'", f"'{postgres.port}'").replace("'atk'", f"'{name}'"))
            yield url
        finally:
            postgres.drop_database(name)
            with postgres.connect("postgres") as server:
                server.execute("DROP ROLE IF EXISTS dm_user, app_owner")


def corpus_oids(postgres: Postgres, database: str) -> dict[str, int]:
    """The functions that attempts call by the protocol, by their signatures."""
    signatures = {s[1] for a in corpus()["attacks"] for s in a.get("proto", []) if s[0] == "F"}
    with postgres.connect(database) as connection:
        found = connection.execute("SELECT s, s::regprocedure::oid::int FROM unnest(%s::text[]) s", (list(signatures),))
        return dict(found.fetchall())
