"""Masking copies in their place: as a clone would be, with everything that hangs on tables as it was, or not at all."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from dbmask.cli import cli
from dbmask.cloner import CloneResult, ahead, apply, clone
from dbmask.errors import CheckFailed, ConnectorError, PlanError, UsageError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.state import State
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import PASSWORD, Postgres

FIXTURES = Path(__file__).parent.parent / "fixtures"
COPY, REPLICA = f"apply_copy_{os.getpid()}", f"apply_replica_{os.getpid()}"
SMALL = """
CREATE TABLE person (id integer PRIMARY KEY, name text NOT NULL, boss integer REFERENCES person (id));
CREATE TABLE visit (id integer PRIMARY KEY, person_id integer NOT NULL REFERENCES person (id), note text);
CREATE TABLE town (name text PRIMARY KEY);
CREATE INDEX visit_person ON visit (person_id);
INSERT INTO person VALUES (1, 'Ada Lovelace', NULL), (2, 'Charles Babbage', 1), (3, 'Mary Somerville', 2);
INSERT INTO visit VALUES (1, 1, 'met Ada'), (2, 3, NULL), (3, 3, 'again');
INSERT INTO town VALUES ('London');
"""
POLICY = """version: 1
tables:
  person: {columns: {id: permute, name: {mask: hash, length: 30}}}
  visit: {columns: {id: keep, note: redact}}
  town: keep
"""


def policy(text: str = POLICY) -> Policy:
    return Policy.from_text(text, "yaml")


@pytest.fixture
def copy(postgres: Postgres) -> Iterator[str]:
    url = postgres.create_database(COPY)
    yield url
    postgres.drop_database(COPY)
    postgres.drop_database(REPLICA)


def structure(postgres: Postgres, database: str) -> str:
    argv = [postgres.program("pg_dump"), "--schema-only", "--restrict-key=x", postgres.url(database)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:  # an older pg_dump restricts nothing
        done = subprocess.run([a for a in argv if "restrict" not in a], capture_output=True, text=True, check=True)
    return done.stdout


def contents(postgres: Postgres, database: str) -> dict[str, str]:
    with postgres.connect(database) as db:
        names = db.execute(
            "SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'm') AND relnamespace >= 2200 "
            "AND relnamespace::regnamespace::text !~ '^(pg_|information_schema)'"
        ).fetchall()
        found = {}
        for (name,) in names:
            query = f"SELECT md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM ONLY {name} AS t"
            row = db.execute(query.encode()).fetchone()
            found[name] = row[0] if row else ""
        return found


def test_a_rich_copy_is_masked_as_its_clone_is(postgres: Postgres, copy: str) -> None:
    postgres.psql(COPY, FIXTURES / "postgres_rich.sql")
    rich = policy((FIXTURES / "postgres_rich.yaml").read_text("utf-8"))
    cloned = clone(rich, copy, postgres.url(REPLICA), keys=example_keys())
    kept = {str(t.name) for t in cloned.plan if t.mode != "skip"}
    before, raw = structure(postgres, COPY), contents(postgres, COPY)
    done = apply(rich, copy, COPY, keys=example_keys())
    assert done.certificate.passed and done.certificate.job == "apply"
    after, replica = contents(postgres, COPY), contents(postgres, REPLICA)
    assert {n: h for n, h in after.items() if n in replica} == replica
    assert sum(after[n] != raw[n] for n in after) > 5 and kept
    skipped = [str(t.name) for t in done.plan if t.mode == "skip"]
    if not skipped:
        assert structure(postgres, COPY) == before


def test_everything_that_hangs_on_tables_stays(postgres: Postgres, copy: str) -> None:
    postgres.psql(
        COPY,
        SMALL
        + """
        CREATE SEQUENCE person_seq OWNED BY person.id; ALTER TABLE person ALTER id SET DEFAULT nextval('person_seq');
        CREATE TABLE seen (what text);
        CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
          $$BEGIN INSERT INTO seen VALUES (TG_NAME); RETURN NEW; END$$;
        CREATE TRIGGER noting AFTER INSERT ON person FOR EACH ROW EXECUTE FUNCTION note_it();
        CREATE TRIGGER always AFTER INSERT OR TRUNCATE ON visit FOR EACH STATEMENT EXECUTE FUNCTION note_it();
        ALTER TABLE visit ENABLE ALWAYS TRIGGER always;
        CREATE TRIGGER off_ AFTER INSERT ON visit FOR EACH ROW EXECUTE FUNCTION note_it();
        ALTER TABLE visit DISABLE TRIGGER off_;
        CREATE RULE twice AS ON INSERT TO person DO ALSO INSERT INTO seen VALUES ('rule');
        CREATE VIEW by_key AS SELECT p.id, p.name, count(*) FROM person p JOIN visit v ON v.person_id = p.id GROUP BY p.id;
        CREATE MATERIALIZED VIEW names AS SELECT name FROM person;
        CREATE UNIQUE INDEX lower_name ON person (lower(name)) WITH (fillfactor = 70);
        ALTER TABLE person CLUSTER ON lower_name;
        COMMENT ON INDEX lower_name IS 'by name';
        ALTER TABLE visit ADD CONSTRAINT once UNIQUE (id, person_id) WITH (fillfactor = 60) DEFERRABLE INITIALLY DEFERRED;
        COMMENT ON CONSTRAINT once ON visit IS 'only once';
        ALTER TABLE visit ADD CONSTRAINT later FOREIGN KEY (person_id) REFERENCES person (id) ON DELETE CASCADE NOT VALID;
        ALTER TABLE visit REPLICA IDENTITY USING INDEX visit_pkey;
        CREATE TABLE gen (a int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, b text, c text GENERATED ALWAYS AS (upper(b)) STORED);
        INSERT INTO gen (b) VALUES ('x-ray'), ('yankee');
        """,
    )
    before = structure(postgres, COPY)
    text = POLICY + "  seen: keep\n  gen: {columns: {a: keep, b: redact}}\n"
    done = apply(policy(text), copy, COPY, keys=example_keys())
    assert structure(postgres, COPY) == before
    with postgres.connect(COPY) as db:
        assert db.execute("SELECT count(*) FROM seen").fetchone() == (0,)
        assert db.execute("SELECT a, b, c FROM gen ORDER BY a").fetchall() == [
            (1, "*****", "*****"),
            (2, "******", "******"),
        ]
        assert db.execute("SELECT count(*) FROM names JOIN person USING (name)").fetchone() == (3,)
        ids = [r[0] for r in db.execute("SELECT id FROM person").fetchall()]
        following = db.execute("SELECT nextval('person_seq')").fetchone()
        assert following is not None and following[0] > max(ids)
        values = db.execute(
            "SELECT most_common_vals::text || histogram_bounds::text FROM pg_stats WHERE tablename = 'person'"
        )
        assert "Ada" not in str(values.fetchall())
    assert done.rows and all(str(n) != "public.town" for n in done.rows)


def test_masks_in_python_filters_empty_and_skipped_tables(postgres: Postgres, copy: str) -> None:
    postgres.psql(
        COPY,
        SMALL
        + "CREATE TABLE scratch (x text); CREATE TABLE log (x text); INSERT INTO log VALUES ('raw'); ANALYZE log;",
    )
    text = """version: 1
tables:
  person:
    columns:
      id: permute
      name:
        mask: text
        matchers: {regex: [{label: NAME, pattern: "[A-Z][a-z]+"}]}
        masks: [{label: NAME, masks: [{type: fixed, value: "[N]"}]}]
  visit: {where: note IS NOT NULL, columns: {id: keep, note: redact}}
  town: {columns: {name: keep}}
  scratch: skip
  log: empty
"""
    done = apply(policy(text), copy, COPY, keys=example_keys())
    with postgres.connect(COPY) as db:
        assert {r[0] for r in db.execute("SELECT name FROM person").fetchall()} == {"[N] [N]"}
        assert db.execute("SELECT count(*) FROM visit").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM log").fetchone() == (0,)
        assert db.execute("SELECT to_regclass('scratch')").fetchone() == (None,)
        assert db.execute("SELECT count(*) FROM pg_stats WHERE tablename = 'log'").fetchone() == (0,)
    assert done.certificate.passed


def test_children_of_what_a_filter_excludes_go_too(postgres: Postgres, copy: str) -> None:
    postgres.psql(COPY, SMALL)
    apply(policy(POLICY.replace("person: {", "person: {where: id <> 3, ")), copy, COPY, keys=example_keys())
    with postgres.connect(COPY) as db:
        assert db.execute("SELECT (SELECT count(*) FROM person), (SELECT count(*) FROM visit)").fetchone() == (2, 1)


def test_a_failure_leaves_everything(postgres: Postgres, copy: str) -> None:
    postgres.psql(COPY, SMALL + "CREATE UNIQUE INDEX one_initial ON person (left(name, 1));")
    before, raw = structure(postgres, COPY), contents(postgres, COPY)
    text = POLICY.replace("{mask: hash, length: 30}", "redact")
    with pytest.raises(ConnectorError, match="one_initial"):
        apply(policy(text), copy, COPY, keys=example_keys())
    assert (structure(postgres, COPY), contents(postgres, COPY)) == (before, raw)


def test_residue_in_a_table_that_is_kept_stops_it(postgres: Postgres, copy: str) -> None:
    postgres.psql(
        COPY,
        SMALL + "UPDATE person SET name = name || id || '@mail.example'; INSERT INTO town SELECT name FROM person;",
    )
    raw = contents(postgres, COPY)
    with pytest.raises(CheckFailed, match=r"public\.town\.name"):
        apply(policy(), copy, COPY, keys=example_keys())
    assert contents(postgres, COPY) == raw


def test_who_does_not_own_a_table_is_refused(postgres: Postgres, copy: str) -> None:
    postgres.psql(COPY, SMALL)
    role = f"apply_reader_{os.getpid()}"
    postgres.psql(
        COPY, f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}"
    )
    try:
        with pytest.raises(UsageError, match=r"only an owner .* public\.person"):
            apply(policy(), postgres.url(COPY, user=role), COPY, keys=example_keys())
    finally:
        postgres.psql(COPY, f"DROP OWNED BY {role}; DROP ROLE {role}")


# -- what is refused everywhere -----------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "copy.db")) as db, db:
        db.executescript(SMALL)
    return f"sqlite:///{tmp_path}/copy.db"


def ask(url: str, query: str) -> list[Any]:
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as db:
        return db.execute(query).fetchall()


def test_the_name_must_be_typed(small: str) -> None:
    with pytest.raises(UsageError, match="is not the name"):
        apply(policy(), small, "copy", keys=example_keys())


def test_a_source_is_refused(small: str, tmp_path: Path) -> None:
    state = f"sqlite:///{tmp_path}/state.db"
    clone(policy(), small, f"sqlite:///{tmp_path}/replica.db", keys=example_keys(), state=state)
    with pytest.raises(UsageError, match="known as a source"):
        apply(policy(), small, "copy.db", keys=example_keys(), state=state)
    with State(state) as opened:
        assert len(opened.runs()) == 1
    jobs = POLICY + f"jobs: {{nightly: {{source: '{small}', target: 'sqlite:///x.db'}}}}\n"
    with pytest.raises(UsageError, match="known as a source"):
        apply(policy(jobs), small, "copy.db", keys=example_keys())
    assert ask(small, "SELECT name FROM person WHERE id = 1") == [("Ada Lovelace",)]


def test_a_policy_with_problems_changes_nothing(small: str) -> None:
    with pytest.raises(PlanError, match="town"):
        apply(policy(POLICY.replace("  town: keep\n", "")), small, "copy.db", keys=example_keys())
    assert ask(small, "SELECT count(*) FROM person WHERE name = 'Ada Lovelace'") == [(1,)]


# -- other databases ----------------------------------------------------------------------------------------------


def check(done: CloneResult, found: list[Any]) -> None:
    assert done.certificate.passed and done.certificate.job == "apply"
    assert len(found) == 3 and not any("a" in str(row) and "Ada" in str(row) for row in found)


@pytest.mark.parametrize("worth", [1, ahead.WORTH], ids=["searched by a process of its own", ""])
def test_a_sqlite_file(small: str, tmp_path: Path, worth: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "WORTH", worth)
    made: list[Any] = []
    real = ahead.Ahead.result

    def result(self: ahead.Ahead) -> Any:
        made.append(real(self))
        return made[-1]

    monkeypatch.setattr(ahead.Ahead, "result", result)
    done = apply(policy(), small, "copy.db", keys=example_keys())
    check(done, ask(small, "SELECT name FROM person"))
    assert len(made) == (worth == 1) and None not in made
    assert ask(small, "PRAGMA foreign_key_check") == []
    assert [p.name for p in tmp_path.iterdir()] == ["copy.db"]
    assert "visit_person" in {r[0] for r in ask(small, "SELECT name FROM sqlite_master")}


def test_a_duckdb_file(tmp_path: Path) -> None:
    import duckdb

    path = tmp_path / "copy.duckdb"
    with closing(duckdb.connect(str(path))) as db:
        # DuckDB checks a key to the table itself row by row.
        for statement in SMALL.replace(" REFERENCES person (id));\nCREATE TABLE visit", ");\nCREATE TABLE visit").split(
            ";\n"
        )[:-1]:
            db.execute(statement)
    done = apply(
        policy(POLICY + "relations: [person.boss -> person.id]\n"), f"duckdb:///{path}", path.name, keys=example_keys()
    )
    with closing(duckdb.connect(str(path), read_only=True)) as db:
        check(done, db.execute("SELECT name FROM person").fetchall())
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_mariadb_database(mariadb: MariaDB) -> None:
    url = mariadb.create_database(COPY)
    text = SMALL.replace("name text PRIMARY KEY", "name varchar(40) PRIMARY KEY")
    text += "CREATE TRIGGER t BEFORE INSERT ON town FOR EACH ROW SET NEW.name = upper(NEW.name);"
    mariadb.mysql(COPY, text)
    try:
        done = apply(policy(), url, COPY, keys=example_keys())
        with mariadb.connect(COPY) as db, db.cursor() as cursor:
            cursor.execute("SELECT name FROM person")
            check(done, list(cursor.fetchall()))
            cursor.execute("SHOW TRIGGERS")
            assert len(cursor.fetchall()) == 1
            cursor.execute("SHOW DATABASES")
            assert [n for (n,) in cursor.fetchall() if n.startswith(COPY)] == [COPY]
    finally:
        mariadb.drop_database(COPY)


def test_the_command_line(small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBMASK_KEY", "hex:" + "ab" * 32)
    (tmp_path / "p.yaml").write_text(POLICY, "utf-8")
    argv = ["apply", str(tmp_path / "p.yaml"), "--target", small, "--quiet", "--state", f"sqlite:///{tmp_path}/s.db"]
    assert CliRunner().invoke(cli, argv).exit_code == 2
    done = CliRunner().invoke(cli, [*argv, "--database", "copy.db", "--certificate", str(tmp_path / "c.json")])
    assert done.exit_code == 0, done.output
    assert "rows rewritten" in done.output and (tmp_path / "c.html").exists()
