"""The masked views: what they show, of what, and how quickly."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from dbmask.cloner import clone
from dbmask.masks.build import example_keys
from dbmask.proxy.catalog import installation, masked_relations
from tests.fix_postgres import Postgres
from tests.proxy.installing import OTHER, POLICY, as_role, connect, policy, setup, source


@pytest.fixture
def url(postgres: Postgres, postgres_db: str) -> Iterator[str]:
    with source(postgres, postgres_db) as made:
        yield made


def test_values_are_masked_and_types_are_the_tables_own(postgres: Postgres, url: str) -> None:
    setup(url, harden=True)
    types = """
        SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
        WHERE a.attrelid = {}::regclass AND attnum > 0 ORDER BY attnum
    """
    with as_role(postgres, url) as c:
        assert c.execute(
            "SELECT name, initial, twice, tag, born::date <> '1980-01-01' FROM person WHERE id = 7"
        ).fetchone() == (*("S******", "S", 14, "**", True),)
        assert (
            c.execute(types.format("'person'").encode()).fetchall()
            == c.execute(types.format("'public.person'").encode()).fetchall()
        )
        assert c.execute("SELECT * FROM void").fetchall() == []
        assert c.execute('SELECT * FROM "T 1"').fetchall() == [("*******", 1)]
        with pytest.raises(psycopg.errors.UndefinedTable):
            c.execute("SELECT * FROM hidden")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            c.execute("SELECT id FROM public.person")


def test_children_are_masked_by_their_own_rules(postgres: Postgres, url: str) -> None:
    setup(url)
    with as_role(postgres, url) as c:
        found = dict(c.execute("SELECT id, owner FROM animal").fetchall())
        assert set(found) == {1, 2, 3}
        assert (found[1], found[2], len(found[3])) == ("*******", "*******", 64)
        relations = {r.base_name: r for r in masked_relations(c).values()}
        only = relations["animal"].only
        assert only != "animal"
        assert c.execute(psycopg.sql.SQL("SELECT id FROM {}").format(psycopg.sql.Identifier(only))).fetchall() == [(1,)]
        assert relations["dog"].only == "dog"
        assert c.execute("SELECT owner, length(breed) FROM dog").fetchall() == [("*******", 64)]


def test_rows_of_children_that_are_left_out_show_nowhere(postgres: Postgres, url: str) -> None:
    text = POLICY.replace("    columns: {id: keep, owner: hash, lives: keep}", "    mode: skip")
    assert text != POLICY
    setup(url, text=text)
    with as_role(postgres, url) as c:
        assert c.execute("SELECT id FROM animal ORDER BY id").fetchall() == [(1,), (2,)]
        with pytest.raises(psycopg.errors.UndefinedTable):
            c.execute("SELECT * FROM cat")


def test_views_read_masked_relations_or_are_left_out(postgres: Postgres, url: str) -> None:
    done = setup(url, harden=True)
    said = {w.where: w.what for w in done.warnings}
    assert {"public.of_hidden", "public.by_function", "public.of_catalogs"} <= set(said)
    assert "shown" in said["public.by_function"]
    with as_role(postgres, url) as c:
        assert c.execute("SELECT DISTINCT left(name, 2), day FROM names").fetchall()[0][0] == "S*"
        assert {len(n) for (n,) in c.execute("SELECT name FROM of_names")} == {7}
        assert c.execute("SELECT name FROM stored WHERE id = 1").fetchall() == [("S******",)]
        assert c.execute("SELECT * FROM by_key WHERE id = 7").fetchall() == [(7, "S******", 1)]
        relations = {r.base_name: r.masked for r in masked_relations(c).values()}
        assert relations["plain"] == frozenset()
        assert relations["names"] == {"name", "day"}
        assert relations["person"] == {"name", "born", "score", "tag", "initial"}
        for name in ("of_hidden", "by_function", "of_catalogs"):
            with pytest.raises(psycopg.Error):
                c.execute(f"SELECT * FROM {name}".encode())


def test_only_views_that_filter_rows_have_a_barrier(postgres: Postgres, url: str) -> None:
    text = POLICY.replace("public.person:\n", "public.person:\n    where: \"kept <> 'k7'\"\n")
    setup(url, text=text)
    query = "SELECT relname FROM pg_class WHERE 'security_barrier=true' = ANY (reloptions) AND relnamespace = %s::regnamespace ORDER BY 1"
    with connect(postgres, url) as c, as_role(postgres, url) as r:
        path = r.execute("SHOW search_path").fetchone()
        assert path is not None
        schema = path[0].split(",")[0]
        assert c.execute(query, (schema,)).fetchall() == [("person",), ("void",)]
        assert r.execute("SELECT count(*) FROM person WHERE id = 7").fetchone() == (0,)
        error = "DO $$ BEGIN PERFORM 1 FROM person WHERE 1 / (id - 7) > 5; END $$"
        r.execute(error)


def test_catalog_of_what_is_installed(postgres: Postgres, url: str) -> None:
    first = setup(url)
    again = setup(url)
    setup(url, OTHER, POLICY.replace("redact, keep_start: 1", "fixed, value: x"))
    with as_role(postgres, url) as c:
        known = installation(c)
        assert known is not None
        assert (known.generation, known.search_path) == (again.generation, again.search_path)
        assert first.generation < again.generation
        mine = masked_relations(c)
        bases = dict(c.execute("SELECT oid, relname FROM pg_class").fetchall())
        assert all(bases[oid] == r.base_name and bases[r.view] == r.view_name for oid, r in mine.items())
    with as_role(postgres, url, OTHER) as c:
        assert not {r.view for r in mine.values()} & {r.view for r in masked_relations(c).values()}
        assert c.execute("SELECT DISTINCT name FROM person").fetchall() == [("x",)]
    with connect(postgres, url) as c:
        assert masked_relations(c) == {}


def test_indexes_are_used_through_the_views(postgres: Postgres, url: str) -> None:
    setup(url, harden=True)
    with connect(postgres, url) as c:
        c.execute("ANALYZE")
    with as_role(postgres, url) as c:

        def plan(query: str) -> str:
            return "\n".join(r[0] for r in c.execute(f"EXPLAIN {query}".encode()))

        limited = plan("SELECT * FROM person ORDER BY id LIMIT 5")
        assert "Index Scan using person_pkey" in limited
        assert "Sort" not in limited
        joined = plan("SELECT p.name, v.day FROM person p JOIN visit v ON v.person = p.id WHERE v.id = 7")
        assert "Index Scan using visit_pkey" in joined
        assert "Index Scan using person_pkey" in joined
        assert "Seq Scan" not in joined
        assert "person_kept_idx" in plan("SELECT name FROM person WHERE kept = 'k7'")
        assert "person_kept_idx" in plan("SELECT name FROM person WHERE kept = 'k7' AND name LIKE 'S%'")


def test_a_source_can_be_cloned_with_all_this_in_it(postgres: Postgres, url: str) -> None:
    setup(url, harden=True)
    target = f"{url}_clone"
    try:
        done = clone(policy(), url, target, keys=example_keys())
        assert done.certificate.passed
        with postgres.connect(target.rpartition("/")[2]) as c:
            assert c.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'dbmask%'").fetchall() == []
            assert c.execute("SELECT name FROM person WHERE id = 7").fetchone() == ("S******",)
            cloned = c.execute("SELECT * FROM person ORDER BY id").fetchall()
        with as_role(postgres, url) as c:
            assert c.execute("SELECT * FROM person ORDER BY id").fetchall() == cloned
    finally:
        postgres.drop_database(target.rpartition("/")[2])
