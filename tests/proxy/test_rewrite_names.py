"""How names are resolved and replaced, on a catalog made by hand: no name reaches what is not on the lists."""

from __future__ import annotations

import struct
from dataclasses import replace

import pytest

from dbmask.proxy.catalog import MaskedRelation
from dbmask.proxy.describe import described
from dbmask.proxy.rewrite import Rewriter
from dbmask.proxy.rewrite_catalog import Catalog
from dbmask.proxy.second_look import SecondLook
from dbmask.proxy.trees import Refused

PERSON = MaskedRelation(
    1, "public", "person", 9, "masked", "person", "person_only", ("id", "name"), frozenset(["name"])
)
OTHER = MaskedRelation(2, "other", "person", 8, "masked_other", "person", "person", ("id",), frozenset())
FUNCTIONS = {("pg_catalog", n) for n in ("upper", "count", "lower", "random", "hashfloat8", "hashtextextended", "min")}
CATALOG = Catalog(
    relations={("public", "person"): PERSON, ("other", "person"): OTHER},
    shown={("pg_catalog", "pg_class"): "SELECT x.oid, x.relname FROM pg_catalog.pg_class AS x"},
    functions=frozenset(FUNCTIONS | {("public", "hstore"), ("public", "lower"), ("pg_catalog", "current_setting")}),
    schemas=frozenset(("public", "other", "pg_catalog", "masked", "masked_other", "dbmask")),
    views=frozenset((("masked", "person"), ("masked", "person_only"), ("masked_other", "person"))),
    present=frozenset((("public", "person"), ("public", "secret"), ("other", "person"), ("pg_catalog", "pg_class"))),
)


def made(text: str, *path: str, catalog: Catalog = CATALOG) -> str:
    return Rewriter(catalog).rewrite(text, path or ("public",)).sql


@pytest.mark.parametrize(
    ("text", "path", "wanted"),
    [
        ("SELECT upper(name) FROM person", ("public",), "SELECT pg_catalog.upper(name) FROM masked.person person"),
        ("SELECT 1 FROM person", ("other", "public"), "FROM masked_other.person person"),
        ("SELECT 1 FROM ONLY person p", ("public",), "FROM masked.person_only p"),
        ("SELECT public.person.name FROM person", ("public",), "SELECT person.name FROM masked.person"),
        ("SELECT name(p) FROM person p", ("public",), "SELECT name(p)"),
        ("SELECT hstore(p) FROM person p", ("public",), "SELECT public.hstore(p)"),
        ("SELECT lower(name) FROM person", ("public",), "SELECT lower(name)"),  # the system's or an extension's
        ("WITH person AS (SELECT 1 AS a) SELECT * FROM person", ("public",), "SELECT * FROM person"),
        (
            "WITH person AS (TABLE person) SELECT * FROM person",
            ("public",),
            "FROM masked.person person) SELECT * FROM person",
        ),
        ("SELECT relname FROM pg_class c", ("public",), "FROM (SELECT x.oid, x.relname FROM pg_catalog.pg_class x) c"),
        ("SELECT 1 FROM person TABLESAMPLE system (5)", ("public",), "pg_catalog.random()"),
        ("SET search_path = a, b", ("public",), "SET search_path TO a, b"),
        ("SET search_path TO DEFAULT", ("public",), 'SET search_path TO "$user", public'),
    ],
)
def test_names_are_resolved(text: str, path: tuple[str, ...], wanted: str) -> None:
    assert wanted in made(text, *path)


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("SELECT public.upper(name) FROM person", "42501"),
        ("SELECT other.upper('a')", "42501"),
        ("SELECT unknown('a')", "42501"),
        ("SELECT a.b.upper('a')", "42501"),
        ("TABLE secret", "42501"),
        ("TABLE public.secret", "42501"),
        ("TABLE masked.person", "42P01"),
        ("TABLE dbmask.relations", "42P01"),
        ("TABLE nothing", "42P01"),
        ("TABLE a.public.person", "0A000"),
        ("SELECT 1 FROM person TABLESAMPLE other (5)", "0A000"),
        ("WITH p AS (SELECT 1) SELECT 1 FROM p TABLESAMPLE system (5)", "42809"),
        ("SELECT current_setting('app.word')", "42501"),
    ],
)
def test_names_are_refused(text: str, state: str) -> None:
    with pytest.raises(Refused) as caught:
        made(text)
    assert caught.value.state == state


def test_functions_of_the_source_are_not_reached_by_names_of_the_list() -> None:
    owned = replace(
        CATALOG,
        foreign=frozenset(("upper", "lower", "hstore", "name", "told")),
        composite=frozenset(("told",)),
        operators={"~~~": False, "=": True},
    )
    for text in ("SELECT hstore(p) FROM person p", "SELECT name(p) FROM person p", "SELECT public.hstore('a')"):
        with pytest.raises(Refused, match="not on the list"):
            made(text, catalog=owned)
    for text in (
        "SELECT p.told FROM person p",
        "SELECT (p).told FROM person p",
        "SELECT 1 ~~~ 2",
        "SELECT 1 OPERATOR(public.=) 2",
    ):
        with pytest.raises(Refused, match="not on the list"):
            made(text, catalog=owned)
    assert "pg_catalog.upper(name)" in made("SELECT upper(name) FROM person", catalog=owned)
    assert "pg_catalog.lower(name)" in made("SELECT lower(name) FROM person", catalog=owned)
    assert "OPERATOR(pg_catalog.=)" in made("SELECT 1 = 2", catalog=owned)


UNNESTED = {
    "unnest(a, b)": "ROWS FROM (pg_catalog.unnest(a), pg_catalog.unnest(b))",
    "unnest(a, b, c) WITH ORDINALITY AS x (d, e, f, n)": "ROWS FROM (pg_catalog.unnest(a), pg_catalog.unnest(b),"
    " pg_catalog.unnest(c)) WITH ORDINALITY x(d, e, f, n)",
    "ROWS FROM (upper(a), unnest(b, c))": "ROWS FROM (pg_catalog.upper(a), pg_catalog.unnest(b), pg_catalog.unnest(c))",
    "unnest(a) AS x": "pg_catalog.unnest(a) x",
    "pg_catalog.unnest(a, b)": "pg_catalog.unnest(a, b)",
}


@pytest.mark.parametrize("text", UNNESTED)
def test_unnest_of_several_arrays_is_taken_apart_as_the_server_does(text: str) -> None:
    catalog = replace(CATALOG, functions=CATALOG.functions | {("pg_catalog", "unnest")})
    wanted = f"SELECT 1 FROM person p, LATERAL {text}"
    written = made(wanted, catalog=catalog).replace(" ,", ",").replace(" )", ")")
    assert written == f"SELECT 1 FROM masked.person p, LATERAL {UNNESTED[text]}"


def test_settings_by_expressions_have_no_dot() -> None:
    assert "strpos" in made(
        "SELECT current_setting($1)", catalog=replace(CATALOG, functions=CATALOG.functions | {("pg_catalog", "strpos")})
    )


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name FROM public.person",
        "SELECT name FROM person",
        'SELECT name FROM "public"."person"',
        "SELECT (SELECT name FROM public.person)",
        "SELECT 1 FROM masked.person, LATERAL (TABLE public.person) x",
        "SELECT public.told(1)",
        "SELECT told(1)",
        "SELECT * FROM public.told(1)",
        "WITH d AS (DELETE FROM masked.person RETURNING *) SELECT * FROM d",
        "SELECT name INTO t FROM masked.person",
        "SELECT name FROM masked.person FOR UPDATE",
        "DROP TABLE masked.person",
    ],
)
def test_the_second_look_refuses_by_itself(text: str) -> None:
    with pytest.raises(Refused):
        SecondLook(CATALOG).require(text, ())


UNREAD = " ORDER BY name USING >"  # what the second parser does not read


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name FROM public.person",
        "SELECT name FROM person",
        'SELECT name FROM ONLY "person"',
        "SELECT name FROM masked.person JOIN person x ON true",
        "SELECT public.told(1)",
        "SELECT * FROM pg_catalog.pg_read_file('a')",
    ],
)
def test_what_cannot_be_read_is_looked_at_by_words(text: str) -> None:
    with pytest.raises(Refused):
        SecondLook(CATALOG).require(text + UNREAD, ())


def test_the_second_look_lets_through_what_is_listed() -> None:
    look = SecondLook(CATALOG)
    text = "WITH c AS (SELECT name, pg_catalog.upper(name) FROM masked.person) SELECT c.name, EXTRACT(year FROM name) FROM c"
    assert look.require(text, {"c"})
    assert not look.require(text + UNREAD, {"c"})
    with pytest.raises(Refused):
        look.require(text, ())
    with pytest.raises(Refused, match="cannot be looked at"):
        look.require("SELECT 'not closed", ())


def test_descriptions_name_the_original() -> None:
    catalog = replace(CATALOG, columns={9: {1: (1, 1), 2: (1, 5)}}, types={90: 10})
    one = b"a\0" + struct.pack("!IhIhih", 9, 2, 90, -1, -1, 0)
    two = b"b\0" + struct.pack("!IhIhih", 0, 0, 25, -1, -1, 1)
    body = struct.pack("!h", 2) + one + two
    wanted = struct.pack("!h", 2) + b"a\0" + struct.pack("!IhIhih", 1, 5, 10, -1, -1, 0) + two
    assert described(body, catalog) == wanted
    assert described(body[:-3], catalog) == body[:-3]
    hidden = struct.pack("!h", 1) + b"c\0" + struct.pack("!IhIhih", 9, 7, 25, -1, -1, 0)
    assert described(hidden, catalog)[4:10] == struct.pack("!Ih", 0, 0)
