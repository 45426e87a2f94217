"""The corpus against the masked role alone, without any rewriter: the database holds raw data in by itself."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from dbmask.masks.build import example_keys
from dbmask.proxy.install import install, uninstall
from tests.fix_postgres import Postgres
from tests.proxy.corpus import canaries, corpus, corpus_database, corpus_policy
from tests.proxy.wire import Wire, messages, rows_of

DATABASE = f"corpus_{os.getpid()}"
ROLE = f"analyst_{os.getpid()}"

# Literals in definitions, which every role may read in the catalogs. The proxy's catalog rules close these.
DDL_LITERALS = {
    "pg_get_constraintdef",
    "pg_get_expr-default",
    "partition-bound",
    "index-def",
    "comment",
}


@pytest.fixture(scope="module")
def hardened(postgres: Postgres) -> Iterator[str]:
    with corpus_database(postgres, DATABASE) as url:
        done = install(corpus_policy(), url, ROLE, keys=example_keys(), harden=True)
        assert done.gaps == ()
        try:
            yield DATABASE
        finally:
            uninstall(url, ROLE)


@pytest.fixture(scope="module")
def oids(postgres: Postgres, hardened: str) -> dict[str, int]:
    signatures = {s[1] for a in corpus()["attacks"] for s in a.get("proto", []) if s[0] == "F"}
    with postgres.connect(hardened) as connection:
        found = connection.execute("SELECT s, s::regprocedure::oid::int FROM unnest(%s::text[]) s", (list(signatures),))
        return dict(found.fetchall())


def run(postgres: Postgres, attack: Mapping[str, Any], oids: Mapping[str, int]) -> bytes:
    """Every byte that an attempt gets."""
    path = f"{postgres.socket_dir}/.s.PGSQL.{postgres.port}"
    other = Wire(path, ROLE, DATABASE)
    if attack.get("other_session"):
        assert other.open()
        for text in attack["other_session"]:
            other.query(text)
    startup = {k: v for k, v in attack.get("startup", {}).items() if k != "user"}
    wire = Wire(path, ROLE, DATABASE, startup)
    ready = wire.open()
    if ready:
        for text in attack["sql"]:
            wire.query(bytes.fromhex(text["hexq"]) if isinstance(text, dict) else text)
        for step in attack.get("proto", []):
            wire.step(step, oids)
    wire.close()
    if attack.get("other_session"):
        other.close()
    return wire.received


def leaks(received: bytes, more: str | None = None) -> list[str]:
    """The patterns found in the stream, in all values one after the other, and in each column's."""
    rows = rows_of(received)
    joined = b"".join(v for row in rows for v in row)
    width = max((len(r) for r in rows), default=0)
    columns = [b"".join(r[i] for r in rows if i < len(r)) for i in range(width)]
    patterns = [*canaries()] + ([re.compile(more.encode())] if more else [])
    return [p.pattern.decode() for p in patterns for text in (received, joined, *columns) if p.search(text)]


@pytest.mark.parametrize("attack", corpus()["attacks"], ids=lambda a: str(a["id"]))
def test_no_raw_value_reaches_the_role(postgres: Postgres, hardened: str, oids: dict[str, int], attack: Any) -> None:
    received = run(postgres, attack, oids)
    found = leaks(received, attack.get("leak_regex"))
    assert not found or attack["id"] in DDL_LITERALS
    assert received


def test_what_must_work_works(postgres: Postgres, hardened: str, oids: dict[str, int]) -> None:
    for attack in corpus()["attacks"]:
        if attack["must"] == "allow":
            kinds = [k for k, _ in messages(run(postgres, attack, oids))]
            assert "E" not in kinds, attack["id"]


# Names in full are the base tables', which the rewriter turns into views'; samples are taken of tables alone.
NEEDS_REWRITER = {"cte-qualified", "tablesample"}


def test_masked_values_come_back(postgres: Postgres, hardened: str, oids: dict[str, int]) -> None:
    masked = [a for a in corpus()["attacks"] if a["must"] == "masked" and a["cat"] in ("wholerow", "structure")]
    refused = set()
    for attack in masked:
        received = run(postgres, attack, oids)
        if any(kind == "E" for kind, _ in messages(received)):
            refused.add(attack["id"])
    assert refused == NEEDS_REWRITER


# Attempts of the same kinds. Each must fail with permission denied or give nothing raw.
MORE = {
    "secrets": "SELECT * FROM dbmask.secrets",
    "classes": "SELECT * FROM dbmask.class",
    "side table": f"SELECT * FROM dbmask.side_{ROLE}_public_users",
    "rights": "TABLE dbmask.rights",
    "other sessions": "SELECT query, application_name FROM pg_stat_activity",
    "other sessions by function": "SELECT pg_stat_get_activity(NULL)",
    "other sessions by backend": "SELECT pg_stat_get_backend_activity(i) FROM generate_series(1, 50) i",
    "replication": "SELECT * FROM pg_stat_replication",
    "statistics": "SELECT * FROM pg_stats_ext_exprs",
    "raw statistics": "SELECT * FROM pg_statistic_ext_data",
    "large objects": "SELECT data FROM pg_largeobject",
    "passwords": "SELECT rolpassword FROM pg_authid",
    "user mappings": "SELECT umoptions FROM pg_user_mapping",
    "tid functions": "SELECT currtid2('public.users', '(0,1)')",
    "whole database": "SELECT database_to_xml(true, false, '')",
    "cursor to xml": "BEGIN; DECLARE c CURSOR FOR SELECT ssn FROM public.users; SELECT cursor_to_xml('c', 9, true, false, '')",
    "only": "SELECT ssn FROM ONLY public.users",
    "index scan functions": "SELECT brin_summarize_new_values('public.ix_part')",
    "temporary table": "CREATE TEMP TABLE t AS SELECT 1",
    "replace a view": f"CREATE OR REPLACE VIEW dbmask_{ROLE}_public.scratch AS SELECT 1 AS id, ssn AS val FROM public.users",
    "owner": "SET ROLE dbmask_owner",
    "copy from": "COPY scratch FROM STDIN",
    "language": "CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 1; END $$",
    "dynamic": "DO $$ BEGIN EXECUTE 'SELECT ssn FROM public.users'; END $$",
    "raise": "DO $$ DECLARE v text; BEGIN SELECT string_agg(ssn, ',') INTO v FROM users; RAISE NOTICE '%', v; END $$",
    "rows through a cast": "SELECT u::text::public.users FROM public.users u",
    "populate": "SELECT jsonb_populate_record(NULL::public.users, to_jsonb(u)) FROM users u",
    "plan tree": "SET client_min_messages = log; SET debug_print_parse = on; SET debug_print_rewritten = on; SET debug_print_plan = on; "
    "SET debug_pretty_print = on; SELECT * FROM users",
    "joins": "SET enable_hashjoin = off; EXPLAIN (ANALYZE, VERBOSE, BUFFERS) SELECT * FROM users u JOIN orders o ON u.ssn = o.ssn_ref",
    "settings": "SELECT * FROM pg_settings; SELECT * FROM pg_file_settings",
    "foreign": "IMPORT FOREIGN SCHEMA public FROM SERVER lb INTO public",
    "server": "CREATE SERVER s2 FOREIGN DATA WRAPPER postgres_fdw",
    "mapping": "CREATE USER MAPPING FOR CURRENT_USER SERVER lb",
    "new owner": "ALTER TABLE public.users OWNER TO CURRENT_USER",
    "publication": "CREATE PUBLICATION p FOR TABLE public.users",
    "statistics object": "CREATE STATISTICS s2 ON id, name FROM public.users",
    "comment": "COMMENT ON TABLE public.users IS 'x'",
    "trigger": "CREATE TRIGGER t AFTER UPDATE ON public.users FOR EACH ROW EXECUTE FUNCTION public.audit_trg()",
    "refresh": "REFRESH MATERIALIZED VIEW public.mv_users",
    "cluster": "CLUSTER public.users; VACUUM public.users; ANALYZE public.users; REINDEX TABLE public.users",
    "definition of a mask's view": "SELECT pg_get_viewdef('users'::regclass), pg_get_viewdef('mv_users'::regclass)",
    "everything that is a definition of ours": f"SELECT definition FROM pg_views WHERE schemaname = 'dbmask_{ROLE}_public' "
    "AND viewname <> 'v_const'",
}


@pytest.mark.parametrize("text", MORE.values(), ids=MORE.keys())
def test_more_of_the_same_kinds(postgres: Postgres, hardened: str, text: str) -> None:
    attack = {
        "sql": [text, "SELECT 1"],
        "other_session": ["SET application_name='CANARY-QRY-002'", "SELECT 'CANARY-QRY-003'"],
    }
    received = run(postgres, attack, {})
    assert leaks(received) == []
    assert keys_in(received) == []


def keys_in(received: bytes) -> list[str]:
    """Pads of the installed keys in any of the forms that a client might get."""
    ring = example_keys()
    found = []
    for domain in ("hash", "email", "permute"):
        for pad in ring.column(domain).pads:
            forms = (pad, pad.hex().encode(), pad.hex().upper().encode(), base64.b64encode(pad)[:40])
            octets = " ".join(str(b if b < 128 else b - 256) for b in pad).encode()
            found += [domain for form in (*forms, octets) if form in received]
    return found
