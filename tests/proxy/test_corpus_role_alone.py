"""The corpus against the masked role alone, without any rewriter: the database holds raw data in by itself."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dbmask.masks.build import example_keys
from dbmask.proxy.install import install, uninstall
from tests.fix_postgres import Postgres
from tests.proxy.corpus import corpus, corpus_database, corpus_oids, corpus_policy
from tests.proxy.outcomes import leaks, other_session, require
from tests.proxy.wire import Wire

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
    return corpus_oids(postgres, hardened)


# Without the rewriter, the database has an outcome of its own for some attempts. Names in full, search paths of the
# client's and samples of tables are the rewriter's to serve; here they are refused.
UNSERVED = {
    **dict.fromkeys(("schema-qualified", "quoted", "search-path-shadow", "search-path-startup"), ("42501",)),
    **dict.fromkeys(("search-path-user-schema", "cte-qualified"), ("42501",)),
    "tablesample": ("0A000",),
}
# What the rewriter refuses by its lists is refused for what it would do to a view, or does nothing but read masked rows.
HARMLESS = {
    *("scs-off-differential", "scs-set_config", "sf-query_to_xml", "sf-table_to_xml", "sf-schema_to_xml"),
    *("sf-query_to_xml_and_xmlschema", "sf-ts_stat", "sf-ts_rewrite", "sf-query-obfuscated", "sf-via-lateral"),
    *("sf-via-schema-qualified", "do-block", "ext-param-as-sql", "fastpath-query_to_xml"),
}
REFUSED_OTHERWISE = {
    **dict.fromkeys(("cte-dml-delete", "copy-dml", "update-set-public", "returning-delete", "on-conflict"), ("55000",)),
    **dict.fromkeys(("audit-trigger-copy", "err-unique-detail", "err-notnull-detail"), ("55000",)),
    **dict.fromkeys(("err-check-detail", "err-exclusion"), ("55000",)),
    **dict.fromkeys(("copy-table", "copy-cols", "copy-binary"), ("42809",)),
    "do-exception": ("P0001",),
    "lock": ("25P01",),
    "two-phase": ("55000",),
}
# The server ends such a connection without a word.
SILENT = {"oversized-length", "short-length", "startup-protocol-downgrade"}


def test_the_manual_names_each_outcome_of_the_role_alone() -> None:
    manual = (Path(__file__).parents[2] / "docs" / "proxy.md").read_text("utf-8")
    section = manual.partition("### The role without the proxy")[2].partition("\n## ")[0]
    told = {
        name for cell in re.findall(r"\(((?:`[\w-]+`(?:, )?)+)\)", section) for name in re.findall(r"`([^`]+)`", cell)
    }
    assert told == UNSERVED.keys() | REFUSED_OTHERWISE.keys() | HARMLESS | SILENT | DDL_LITERALS
    assert told <= {str(attack["id"]) for attack in corpus()["attacks"]}


def expected(attack: Mapping[str, Any]) -> dict[str, Any]:
    """What the role alone makes of an attempt; catalogs show it the views where they stand."""
    name = attack["id"]
    if name in UNSERVED or name in REFUSED_OTHERWISE:
        return {**attack, "must": "error", "sqlstate": UNSERVED.get(name) or REFUSED_OTHERWISE[name]}
    if name in HARMLESS or attack["must"] == "allow":
        return {**attack, "must": "masked" if attack["must"] == "allow" and name not in ("ok-empty",) else "silent"}
    return {**attack, "must": "silent"} if name in SILENT else dict(attack)


@pytest.mark.parametrize("attack", corpus()["attacks"], ids=lambda a: str(a["id"]))
def test_every_outcome_is_the_required_one(
    postgres: Postgres, hardened: str, oids: dict[str, int], attack: Any
) -> None:
    path = f"{postgres.socket_dir}/.s.PGSQL.{postgres.port}"

    def connect(given: Mapping[str, str]) -> Wire:
        return Wire(path, ROLE, DATABASE, {k: v for k, v in given.items() if k != "user"})

    with other_session(connect, attack):
        require(connect, expected(attack), oids, {}, told=attack["id"] in DDL_LITERALS)


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
def test_more_of_the_same_kinds(hardened: str, postgres: Postgres, text: str) -> None:
    wire = Wire(f"{postgres.socket_dir}/.s.PGSQL.{postgres.port}", ROLE, DATABASE)
    said = ["SET application_name='CANARY-QRY-002'", "SELECT 'CANARY-QRY-003'"]
    with other_session(lambda _: Wire(wire.path, ROLE, DATABASE), {"other_session": said}):
        assert wire.open()
        wire.query(text)
        wire.query("SELECT 1")
        wire.close()
    assert leaks(wire.received) == []
    assert keys_in(wire.received) == []


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
