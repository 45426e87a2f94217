"""Installing masked views: what is made, for whom, and that nothing of it is left."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbmask.cli import run as command
from dbmask.errors import CheckFailed, ConnectorError, DbmaskError, PlanError, UsageError
from dbmask.masks.build import example_keys
from dbmask.proxy import install as module
from dbmask.proxy.gaps import open_gaps, readable_beyond_views
from dbmask.proxy.install import uninstall
from dbmask.proxy.install_roles import RoleError
from tests.fix_postgres import PASSWORD, Postgres
from tests.proxy.installing import APP, OTHER, POLICY, ROLE, as_role, connect, dump, roles, setup, source


@pytest.fixture
def url(postgres: Postgres, postgres_db: str) -> Iterator[str]:
    with source(postgres, postgres_db) as made:
        yield made


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


def test_the_role_tries_every_relation(postgres: Postgres, url: str) -> None:
    setup(url, harden=True)
    with as_role(postgres, url) as c:
        assert readable_beyond_views(c, ROLE) == []
        with connect(postgres, url) as admin:
            admin.execute("GRANT SELECT (id) ON visit TO PUBLIC; GRANT SELECT ON dbmask.side TO PUBLIC")
        assert readable_beyond_views(c, ROLE) == ["dbmask.side", "public.visit"]


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


def test_no_key_in_any_text(postgres: Postgres, url: str, tmp_path: Path) -> None:
    name = url.rpartition("/")[2]
    with postgres.connect() as server:
        for setting in ("log_statement = 'all'", "log_min_duration_statement = 0"):
            server.execute(f"ALTER DATABASE {name} SET {setting}".encode())
    setup(url, password="pässword 1")  # noqa: S106 - of a role that lives as long as the test
    ring = example_keys()
    pads = [p for d in ("hash", "date_shift", "noise") for p in ring.column(d).pads]
    log = postgres.log.read_bytes()
    texts = ["\n".join(dump(postgres, url, "--schema-only")).encode()]
    assert b"ssword 1" not in log
    assert b"pg_is_in_recovery" in log
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
        database = url.rpartition("/")[2]
        c.execute(f"""ALTER ROLE "{ROLE}" IN DATABASE {database} SET search_path = "odd one", 'public'""".encode())
        settings = "SELECT setconfig FROM pg_db_role_setting WHERE setrole = %s::regrole"
        before_path = c.execute(settings, (f'"{ROLE}"',)).fetchall()
        before, before_roles = dump(postgres, url), roles(postgres)
        assert "select public.visit" in {g.name for g in setup(url).gaps}
        assert setup(url, harden=True).gaps == ()
        assert c.execute("SELECT rolinherit FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone() == (False,)
        uninstall(url, ROLE)
        assert (dump(postgres, url), roles(postgres)) == (before, before_roles)
        assert c.execute(settings, (f'"{ROLE}"',)).fetchall() == before_path


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
