"""Installing masked views: what is made, for whom, and that nothing of it is left."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbmask.cli import run as command
from dbmask.cloner import clone
from dbmask.errors import CheckFailed, ConnectorError, DbmaskError, PlanError, UsageError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.proxy import install as module
from dbmask.proxy.catalog import installation, masked_relations
from dbmask.proxy.gaps import open_gaps, readable_beyond_views
from dbmask.proxy.install import Installed, install, uninstall
from dbmask.proxy.install_roles import RoleError
from tests.fix_postgres import PASSWORD, Postgres

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


@pytest.fixture
def url(postgres: Postgres, postgres_db: str) -> Iterator[str]:
    postgres.psql(postgres_db.rpartition("/")[2], SETUP)
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
    lines = subprocess.run(
        [postgres.program("pg_dumpall"), "--roles-only", "--no-role-passwords", "-d", postgres.url()],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    return "\n".join(line for line in lines if not line.startswith("\\"))


@pytest.mark.parametrize("harden", [False, True])
def test_uninstall_leaves_no_trace(postgres: Postgres, url: str, harden: bool) -> None:
    with connect(postgres, url) as c:
        c.execute(f"CREATE ROLE {APP} LOGIN; CREATE SCHEMA extra; CREATE EXTENSION dblink SCHEMA extra")
        c.execute("GRANT CREATE ON SCHEMA extra TO PUBLIC; GRANT UPDATE (kept), REFERENCES (id) ON person TO PUBLIC")
        c.execute(
            f"GRANT SELECT ON person TO {APP}; SELECT lo_from_bytea(99, 'x'); GRANT SELECT ON LARGE OBJECT 99 TO PUBLIC"
        )
    before, before_roles = dump(postgres, url), roles(postgres)
    setup(url, harden=harden)
    setup(url, harden=harden)
    setup(url, OTHER, harden=harden)
    assert dump(postgres, url) != before
    assert uninstall(url, ROLE) == []
    assert uninstall(url, OTHER) == []
    assert dump(postgres, url) == before
    assert roles(postgres) == before_roles


def test_a_failed_install_changes_nothing(postgres: Postgres, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before, before_roles = dump(postgres, url), roles(postgres)

    def broken(*_: object) -> None:
        raise CheckFailed("at the end")

    monkeypatch.setattr(module._Installer, "_require_views_alone", broken)
    with pytest.raises(CheckFailed):
        setup(url, harden=True)
    assert (dump(postgres, url), roles(postgres)) == (before, before_roles)


def test_a_dry_run_changes_nothing(postgres: Postgres, url: str) -> None:
    before, before_roles = dump(postgres, url), roles(postgres)
    done = setup(url, harden=True, dry_run=True)
    assert done.gaps == ()
    assert len(done.views) > 10
    assert (dump(postgres, url), roles(postgres)) == (before, before_roles)


def test_hardening_closes_every_gap_and_keeps_what_others_could(postgres: Postgres, url: str) -> None:
    with connect(postgres, url) as c:
        c.execute(f"CREATE ROLE {APP} LOGIN; CREATE EXTENSION dblink; GRANT SELECT (kept) ON person TO PUBLIC")
        soft = setup(url)
        assert {g.name for g in soft.gaps} >= {"execute public.shown(pg_catalog.int4)", "select public.person"}
        assert setup(url, harden=True).gaps == ()
        assert open_gaps(c, ROLE) == []
        assert readable_beyond_views(c, ROLE) == []
        able = c.execute(
            "SELECT has_function_privilege(%(a)s, 'shown(int)', 'EXECUTE'), has_database_privilege(%(a)s, current_database(), 'TEMP'),"
            " has_column_privilege(%(a)s, 'person', 'kept', 'SELECT'), has_column_privilege(%(a)s, 'person', 'name', 'SELECT'),"
            " has_function_privilege(%(r)s, 'shown(int)', 'EXECUTE')",
            {"a": APP, "r": ROLE},
        ).fetchone()
        assert able == (True, True, True, False, False)
        uninstall(url, ROLE)
        c.execute(f"CREATE ROLE {OTHER}")
        again = c.execute("SELECT has_function_privilege(%s, 'shown(int)', 'EXECUTE')", (OTHER,)).fetchone()
        assert again == (True,)


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


def test_an_owner_of_tables_who_is_no_superuser_can_install(postgres: Postgres, url: str) -> None:
    name = url.rpartition("/")[2]
    with connect(postgres, url) as c:
        c.execute(f"CREATE ROLE {APP} LOGIN CREATEROLE PASSWORD 'x'; ALTER DATABASE {name} OWNER TO {APP}")
        c.execute(f'ALTER SCHEMA public OWNER TO {APP}; ALTER SCHEMA "odd one" OWNER TO {APP}')
        query = """
            SELECT oid::regclass::text FROM pg_class
            WHERE relkind IN ('r', 'v', 'm') AND relnamespace::regnamespace::text IN ('public', '"odd one"')
        """
        for (table,) in c.execute(query).fetchall():
            c.execute(f"ALTER TABLE {table} OWNER TO {APP}".encode())
        c.execute(f"ALTER FUNCTION shown OWNER TO {APP}")
        own = postgres.url(name, APP, "x")
        before, before_roles = dump(postgres, url), roles(postgres)
        left = {g.name.partition(" ")[2].partition(".")[0] for g in setup(own, harden=True).gaps}
        assert left == {"pg_catalog"}
        with as_role(postgres, url) as r:
            assert r.execute("SELECT name FROM person WHERE id = 7").fetchone() == ("S******",)
        assert uninstall(own, ROLE) == []
        assert (dump(postgres, url), roles(postgres)) == (before, before_roles)
        c.execute(f"REASSIGN OWNED BY {APP} TO CURRENT_USER")


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


def test_no_key_in_any_text(postgres: Postgres, url: str, tmp_path: Path) -> None:
    with postgres.connect() as server:
        server.execute("ALTER SYSTEM SET log_statement = 'all'")
        server.execute("ALTER SYSTEM SET log_min_duration_statement = 0")
        server.execute("SELECT pg_reload_conf()")
        try:
            setup(url, password="pässword 1")  # noqa: S106 - of a role that lives as long as the test
        finally:
            server.execute("ALTER SYSTEM RESET ALL")
            server.execute("SELECT pg_reload_conf()")
    ring = example_keys()
    pads = [p for d in ("hash", "date_shift", "noise") for p in ring.column(d).pads]
    log = postgres.log.read_bytes()
    texts = ["\n".join(dump(postgres, url, "--schema-only")).encode()]
    assert b"ssword 1" not in log
    with as_role(postgres, url) as c:
        plan = c.execute('EXPLAIN (VERBOSE, ANALYZE) SELECT * FROM person, "T 1", cat').fetchall()
        texts.append(repr(plan).encode())
        texts.append(repr(c.execute("SELECT pg_get_viewdef(view) FROM dbmask.relations").fetchall()).encode())
        texts.append(repr(c.execute("SELECT prosrc FROM pg_proc").fetchall()).encode())
    for pad in pads:
        for text in (*texts, log):
            assert pad not in text
            assert pad.hex().encode() not in text


def test_password_and_login(postgres: Postgres, url: str) -> None:
    setup(url, password="first")  # noqa: S106
    setup(url, password="second")  # noqa: S106
    name = url.rpartition("/")[2]
    with psycopg.connect(postgres.url(name, ROLE.replace(" ", "%20"), "second")) as c:
        assert c.execute("SELECT count(*) FROM person").fetchone() == (2000,)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(postgres.url(name, ROLE.replace(" ", "%20"), "first"))


@pytest.mark.parametrize(
    ("opening", "word"),
    [
        ("ALTER ROLE {} CREATEDB", "CREATEDB"),
        ("ALTER ROLE {} SUPERUSER", "SUPERUSER"),
        ("GRANT pg_read_all_data TO {}", "pg_read_all_data"),
        ("CREATE TABLE mine (); ALTER TABLE mine OWNER TO {}", "mine"),
    ],
)
def test_a_role_that_may_do_more_is_refused(postgres: Postgres, url: str, opening: str, word: str) -> None:
    text = f"{POLICY}\n  public.mine: keep\n" if word == "mine" else POLICY
    with connect(postgres, url) as c:
        c.execute(f'CREATE ROLE "{ROLE}"')
        c.execute(opening.format(f'"{ROLE}"').encode())
        with pytest.raises(RoleError, match=word):
            setup(url, text=text)
        c.execute(f'ALTER ROLE "{ROLE}" NOSUPERUSER')


def test_a_role_that_was_there_stays_as_it_was(postgres: Postgres, url: str) -> None:
    with connect(postgres, url) as c:
        c.execute(f'CREATE ROLE "{ROLE}" LOGIN; GRANT SELECT ON visit TO "{ROLE}"')
        before, before_roles = dump(postgres, url), roles(postgres)
        assert "select public.visit" in {g.name for g in setup(url).gaps}
        assert setup(url, harden=True).gaps == ()
        assert c.execute("SELECT rolinherit FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone() == (False,)
        uninstall(url, ROLE)
        assert (dump(postgres, url), roles(postgres)) == (before, before_roles)


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


def test_wrong_use(postgres: Postgres, url: str) -> None:
    with pytest.raises(UsageError, match="63 bytes"):
        setup(url, "é" * 32)
    with pytest.raises(UsageError, match="nothing is installed"):
        uninstall(url, ROLE)
    with pytest.raises(PlanError, match="shuffle cannot run in a view plan"):
        setup(url, text=POLICY.replace("tag: {mask: redact}", "tag: shuffle"))
    with connect(postgres, url) as c:
        c.execute("CREATE SCHEMA dbmask")
        with pytest.raises(UsageError, match="none of dbmask's"):
            setup(url)
    with pytest.raises(ConnectorError):
        uninstall(f"postgresql://nobody:wrong@{postgres.host}:{postgres.port}/postgres", ROLE)


def test_what_others_built_on_the_views_is_not_dropped(postgres: Postgres, url: str) -> None:
    done = setup(url)
    with connect(postgres, url) as c:
        c.execute(
            psycopg.sql.SQL("CREATE VIEW mine AS SELECT * FROM {}.person").format(
                psycopg.sql.Identifier(done.search_path[0])
            )
        )
        with pytest.raises(DbmaskError, match="depend"):
            uninstall(url, ROLE)
        c.execute("DROP VIEW mine")


def test_the_command(postgres: Postgres, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written, secret, key = tmp_path / "policy.yaml", tmp_path / "password", tmp_path / "key"
    written.write_text(POLICY, "utf-8")
    secret.write_text("from a file\n", "utf-8")
    key.write_text("a master key of the tests", "utf-8")
    given = [str(written), "--source", url, "--role", ROLE]
    assert command(["install", *given, "--key-file", str(key), "--dry-run"]) == 0
    assert "Nothing was changed" in capsys.readouterr().out
    assert command(["uninstall", *given]) == 2
    assert command(["install", *given, "--key-file", str(key), "--password-file", str(secret)]) == 0
    said = capsys.readouterr()
    assert "REVOKE EXECUTE ON ROUTINE public.shown(pg_catalog.int4) FROM PUBLIC" in said.out
    assert PASSWORD not in said.out + said.err
    assert command(["install", *given, "--key-file", str(key), "--harden"]) == 0
    assert "No gaps" in capsys.readouterr().out
    with psycopg.connect(postgres.url(url.rpartition("/")[2], ROLE.replace(" ", "%20"), "from%20a%20file")) as c:
        assert c.execute("SELECT count(*) FROM visit").fetchone() == (2000,)
    assert command(["materialize", *given, "--key-file", str(key)]) == 0
    assert command(["uninstall", *given]) == 0
    assert command(["uninstall", *given]) == 2
    assert command(["install", *given, "--key-file", str(key), "--password-file", str(tmp_path / "none")]) == 2
