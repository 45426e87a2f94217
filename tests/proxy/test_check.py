"""Generated SQL is read again, by a walk that shares nothing with the one that wrote it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dbmask.proxy.check import Check
from dbmask.proxy.rewrite import Rewriter
from dbmask.proxy.rewrite_names import Names
from dbmask.proxy.trees import Refused, kinds, leaves, parsed
from tests.proxy.test_rewrite_names import CATALOG

OWNED = replace(
    CATALOG, operators={"<": True, "##": False}, foreign=frozenset(("lower",)), composite=frozenset(("told",))
)


def check(text: str) -> set[str]:
    return Check(Names(OWNED)).require(text)


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name FROM public.person",
        "SELECT name FROM person",
        "SELECT name FROM db.masked.person",
        'SELECT name FROM ONLY "public"."person"',
        "SELECT (SELECT name FROM public.person)",
        "SELECT 1 FROM masked.person, LATERAL (TABLE public.person) x",
        "SELECT name FROM masked.person UNION SELECT name FROM public.person",
        "SELECT name FROM masked.person UNION (SELECT name FROM masked.person EXCEPT TABLE public.person)",
        "SELECT name FROM masked.person WHERE EXISTS (SELECT FROM person)",
        "SELECT sum(1) OVER (ORDER BY (SELECT name FROM person)) FROM masked.person",
        "SELECT 1 ORDER BY (SELECT name FROM person) LIMIT 1",
        "SELECT 1 LIMIT (SELECT 1 FROM person)",
        "WITH c AS (SELECT 1 FROM c) SELECT 1 FROM c",
        "WITH c AS (SELECT 1 FROM d), d AS (SELECT 1) SELECT 1 FROM c",
        "SELECT (WITH c AS (SELECT 1) SELECT 1 FROM c) FROM c",
        "SELECT told(1)",
        "SELECT lower('A')",
        "SELECT public.lower('A')",
        "SELECT upper('a')",
        "SELECT * FROM pg_catalog.pg_read_file('a')",
        "SELECT (p).told FROM masked.person p",
        "SELECT p.told FROM masked.person p",
        "SELECT 1 < 2",
        "SELECT 1 OPERATOR(public.<) 2",
        "SELECT 1 < ANY (SELECT 2)",
        "SELECT 1 ORDER BY 1 USING <",
        "SELECT 1 ## 2",
        "SELECT 1 OPERATOR(pg_catalog.##) 2",
        "SELECT 1 ## ANY (ARRAY[1])",
        "SELECT 1 ## ANY (SELECT 1)",
        "SELECT 1 ORDER BY 1 USING OPERATOR(public.<)",
        "SELECT pg_catalog.current_setting('mine.password')",
        "SELECT pg_catalog.current_setting('mine' || '.password')",
        "SELECT * FROM masked.person TABLESAMPLE system (1)",
        "WITH d AS (DELETE FROM masked.person RETURNING *) SELECT * FROM d",
        "SELECT name INTO t FROM masked.person",
        "SELECT name FROM masked.person FOR UPDATE",
        "DROP TABLE masked.person",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE masked.person",
        "",
        "SELECT (",
    ],
)
def test_what_is_on_no_list_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        check(text)


@pytest.mark.parametrize(
    ("text", "ctes"),
    [
        ("SELECT p.name FROM masked.person p JOIN masked_other.person o ON p.id OPERATOR(pg_catalog.<) o.id", set()),
        ("WITH c AS (SELECT 1), d AS (TABLE c) SELECT 1 FROM c, d", {"c", "d"}),
        ("WITH RECURSIVE c AS (SELECT 1 UNION ALL TABLE c) SELECT 1 FROM c WHERE 1 IN (TABLE c)", {"c"}),
        ("SELECT pg_catalog.current_setting('jit'), pg_catalog.upper(\"\u00e4\u0001'\") FROM masked.person", set()),
        ("SELECT pg_catalog.current_setting(CASE WHEN $1 THEN $2 END), x[1].id LIMIT 1 OFFSET 2", set()),
        ("VALUES (1, 2), (3, 4)", set()),
    ],
)
def test_what_is_listed_goes_through(text: str, ctes: set[str]) -> None:
    assert check(text) == ctes


def test_statements_within_statements_are_looked_at() -> None:
    rewriter = Rewriter(CATALOG)
    wanted = {
        "DECLARE c CURSOR FOR SELECT name FROM person; FETCH 1 FROM c": "DECLARE c CURSOR FOR SELECT name FROM masked.person person",
        "COPY (SELECT name FROM person) TO STDOUT": "masked.person person",
        "EXECUTE p(upper('a'), (SELECT name FROM person))": "EXECUTE p(pg_catalog.upper('a'), (SELECT name FROM masked.person person))",
        "SELECT 1; SELECT name FROM person": "SELECT 1; SELECT name FROM masked.person person",
    }
    for text, found in wanted.items():
        assert found in rewriter.rewrite(text, ("public",)).sql


def test_the_walk_passes_by_what_holds_nothing_alone() -> None:
    assert {"a_const", "string", None} <= leaves()
    node = parsed("").DESCRIPTOR.file.message_types_by_name["Node"]
    statements = {f.name for f in node.fields if f.message_type.name.endswith("Stmt")}
    assert statements and not leaves() & statements
    refused = {kind.name for kind in kinds().values() if kind.refused}
    assert {f.message_type.name for f in node.fields if f.name in statements} - refused == {"SelectStmt"}
    assert {"RangeVar", "IntoClause", "LockingClause"} <= refused


def test_operators_of_subqueries_and_orders_are_written_in_full_where_another_shares_their_name() -> None:
    text = "SELECT 1 < ANY (SELECT 2), 2 LIKE '' ORDER BY 1 USING <"
    wanted = "SELECT 1 OPERATOR(pg_catalog.<) ANY (SELECT 2), 2 LIKE '' ORDER BY 1 USING OPERATOR(pg_catalog.<)"
    shared = replace(CATALOG, operators={"<": True, "~~": True})
    assert Rewriter(shared).rewrite(text, ("public",)).sql == wanted
    assert Rewriter(shared).rewrite(wanted, ("public",)).sql == wanted
    with pytest.raises(Refused):
        Rewriter(replace(CATALOG, operators={"<": False})).rewrite(text, ("public",))
