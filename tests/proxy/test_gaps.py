"""What a role may do besides its masked views: each right is found, its statement closes it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from dbmask.proxy.gaps import open_gaps, readable_beyond_views
from tests.fix_postgres import Postgres

ROLE = f"gap {os.getpid()}"


@pytest.fixture
def database(postgres: Postgres, postgres_db: str) -> Iterator[psycopg.Connection[Any]]:
    with postgres.connect(postgres_db.rpartition("/")[2]) as connection:
        connection.execute(f'CREATE ROLE "{ROLE}" LOGIN NOINHERIT')
        yield connection
        connection.execute(f'DROP OWNED BY "{ROLE}" CASCADE; DROP ROLE "{ROLE}"')


def names(connection: psycopg.Connection[Any]) -> set[str]:
    return {gap.name for gap in open_gaps(connection, ROLE)}


OPENING = [
    ("CREATE TABLE t (a int); GRANT SELECT (a) ON t TO PUBLIC", "select public.t"),
    ("CREATE SEQUENCE s; GRANT USAGE, SELECT ON SEQUENCE s TO PUBLIC", "select public.s"),
    ("GRANT CREATE ON SCHEMA public TO PUBLIC", "create public"),
    ("CREATE SCHEMA \"we ird\"; GRANT CREATE ON SCHEMA \"we ird\" TO PUBLIC", 'create "we ird"'),
    ("CREATE FUNCTION f(a text, b int[]) RETURNS int LANGUAGE sql RETURN 1", "execute public.f(pg_catalog.text, pg_catalog._int4)"),
    ("CREATE FUNCTION g() RETURNS int LANGUAGE sql SECURITY DEFINER RETURN 1", "execute public.g()"),
    ("CREATE PROCEDURE p(a int, OUT b int) LANGUAGE sql BEGIN ATOMIC SELECT 1; END", "execute public.p(pg_catalog.int4)"),
    ("CREATE AGGREGATE agg(int4) (sfunc = int4pl, stype = int4)", "execute public.agg(pg_catalog.int4)"),
    ("SELECT lo_from_bytea(4711, 'x'); GRANT SELECT ON LARGE OBJECT 4711 TO PUBLIC", "select 4711"),
    ("GRANT EXECUTE ON FUNCTION pg_read_file(text) TO PUBLIC", "execute pg_catalog.pg_read_file(pg_catalog.text)"),
    ("GRANT SELECT ON pg_statistic TO PUBLIC", "select pg_catalog.pg_statistic"),
    ("CREATE EXTENSION dblink", "execute public.dblink(pg_catalog.text)"),
    ("CREATE EXTENSION pg_stat_statements", "select public.pg_stat_statements"),
    (
        "CREATE EXTENSION postgres_fdw; CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw; GRANT USAGE ON FOREIGN SERVER far TO PUBLIC",
        "usage far",
    ),
    ("ALTER ROLE the_role CREATEDB", "attribute CREATEDB"),
    ("GRANT pg_read_all_data TO the_role", "member pg_read_all_data"),
]  # fmt: skip


@pytest.mark.parametrize(("opening", "name"), OPENING, ids=range(len(OPENING)))
def test_each_right_too_many_is_a_gap_that_its_statement_closes(
    database: psycopg.Connection[Any], opening: str, name: str
) -> None:
    before = names(database)
    assert name not in before
    database.execute(opening.replace("the_role", f'"{ROLE}"'))
    gaps = {gap.name: gap for gap in open_gaps(database, ROLE)}
    assert name in gaps
    for gap in gaps.values():
        database.execute(gap.statement)
    assert names(database) == set()


def test_what_is_owned_is_a_gap(database: psycopg.Connection[Any]) -> None:
    database.execute(f'CREATE TABLE mine (a int); ALTER TABLE mine OWNER TO "{ROLE}"')
    assert "table public.mine" in names(database)


def test_a_fresh_database_has_few_gaps(database: psycopg.Connection[Any]) -> None:
    assert {n.partition(" ")[0] for n in names(database)} == {"temporary", "execute", "select"}
    assert not any(n.startswith("execute public") for n in names(database))


def test_types_of_extensions_stay_usable(database: psycopg.Connection[Any]) -> None:
    database.execute("CREATE EXTENSION hstore; CREATE EXTENSION citext")
    assert not [n for n in names(database) if "public." in n]


def test_relations_beyond_the_views(database: psycopg.Connection[Any]) -> None:
    for gap in open_gaps(database, ROLE):
        database.execute(gap.statement)
    assert readable_beyond_views(database, ROLE) == []
    database.execute('CREATE TABLE "T 1" (a int, b int); GRANT UPDATE (b) ON "T 1" TO PUBLIC')
    assert readable_beyond_views(database, ROLE) == ['public."T 1"']


def test_the_role_itself_may_ask(postgres: Postgres, database: psycopg.Connection[Any]) -> None:
    database.execute("CREATE TABLE t (a int); GRANT SELECT ON t TO PUBLIC")
    expected = names(database)
    database.execute(f'SET ROLE "{ROLE}"')
    assert names(database) == expected
    database.execute("RESET ROLE")


def test_an_unknown_role_is_refused(database: psycopg.Connection[Any]) -> None:
    with pytest.raises(ValueError, match="no role"):
        open_gaps(database, "nobody here")
    with pytest.raises(ValueError, match="no role"):
        readable_beyond_views(database, "nobody here")
