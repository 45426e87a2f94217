"""Functions and operators are on the list by OID: one of the source's own is never called, whatever its name and schema."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from dbmask.proxy.rewrite import Refused, Rewriter
from dbmask.proxy.rewrite_catalog import load_catalog
from tests.proxy.proxied import WORD
from tests.proxy.shop import Shop

BODY = "LANGUAGE sql SECURITY DEFINER AS $$SELECT 'SecretOfMine'::text$$"
MADE = f"""
CREATE SCHEMA ours; GRANT USAGE ON SCHEMA ours TO PUBLIC; CREATE EXTENSION pg_trgm SCHEMA ours;
CREATE FUNCTION pg_catalog.upper(int) RETURNS text {BODY};
CREATE FUNCTION pg_catalog.of_mine(int) RETURNS text {BODY};
CREATE FUNCTION public.initcap(int) RETURNS text {BODY};
CREATE FUNCTION ours.similarity(int, int) RETURNS text {BODY};
CREATE FUNCTION pg_catalog.reverse(a text, b int DEFAULT 1) RETURNS text {BODY};
CREATE FUNCTION public.spoken(person) RETURNS text {BODY};
CREATE FUNCTION pg_catalog.told(person) RETURNS text {BODY};
CREATE OPERATOR pg_catalog.## (FUNCTION = ours.similarity, LEFTARG = int, RIGHTARG = int);
CREATE OPERATOR public.<-> (FUNCTION = ours.similarity, LEFTARG = int, RIGHTARG = int);
"""
DROPPED = """
DROP OPERATOR pg_catalog.## (int, int); DROP OPERATOR public.<-> (int, int);
DROP FUNCTION pg_catalog.upper(int), pg_catalog.of_mine(int), public.initcap(int), ours.similarity(int, int),
  pg_catalog.reverse(text, int), public.spoken(person), pg_catalog.told(person);
DROP SCHEMA ours CASCADE;
"""


@pytest.fixture(scope="module")
def rewriter(place: Shop) -> Iterator[Rewriter]:
    proxy, postgres = place.proxy, place.postgres
    role = place.role
    postgres.psql(proxy.database, MADE)
    try:
        with psycopg.connect(postgres.url(proxy.database, role, WORD), autocommit=True) as connection:
            yield Rewriter(load_catalog(connection))
    finally:
        postgres.psql(proxy.database, DROPPED)


@pytest.mark.parametrize(
    "call",
    [
        "upper(1)",
        "upper(name)",
        "pg_catalog.upper(1)",
        'pg_catalog."upper"(name)',
        "of_mine(1)",
        "pg_catalog.of_mine(1)",
        "public.initcap(1)",
        "similarity(1, 2)",
        "ours.similarity('a', 'b')",
        "reverse(name)",
        "pg_catalog.reverse(name)",
        "spoken(p)",
        "p.spoken",
        "(p).spoken",
        "pg_catalog.told(p)",
        "p.told",
        "(p.*).told",
        "1 ## 2",
        "1 OPERATOR(pg_catalog.##) 2",
        "1 OPERATOR(public.<->) 2",
        "(SELECT 1 ORDER BY 1 USING OPERATOR(pg_catalog.##))",
    ],
)
def test_what_shares_a_name_with_the_sources_own_is_refused(rewriter: Rewriter, call: str) -> None:
    with pytest.raises(Refused):
        rewriter.rewrite(f"SELECT {call} FROM person p", ("public", "ours"))
    with pytest.raises(Refused):
        rewriter.rewrite(f"SELECT 1 FROM person p WHERE ({call}) IS NULL", ("public", "ours"))


@pytest.mark.parametrize(
    ("call", "written"),
    [
        ("initcap(name)", "pg_catalog.initcap(name)"),  # the system's, whatever public has
        ("word_similarity(name, 'a')", "ours.word_similarity(name, 'a')"),
        ("lower(name)", "pg_catalog.lower(name)"),
        ("point(1, 2) <-> point(3, 4)", "pg_catalog.<->"),
    ],
)
def test_what_is_not_the_sources_own_is_written_in_full(rewriter: Rewriter, call: str, written: str) -> None:
    assert written in rewriter.rewrite(f"SELECT {call} FROM person p", ("public", "ours")).sql


def test_the_list_has_no_function_of_the_sources_own(rewriter: Rewriter, place: Shop) -> None:
    listed = rewriter.catalog.functions
    with psycopg.connect(place.source) as admin:
        own = admin.execute(
            "SELECT n.nspname::text, p.proname::text FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace"
            " WHERE p.oid >= 16384 AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
        ).fetchall()
    assert ("pg_catalog", "upper") in own and ("public", "plus") in own
    assert listed.isdisjoint(own) and ("pg_catalog", "lower") in listed and ("ours", "word_similarity") in listed
