"""What a replica's server lacks or forbids: roles, superuser rights, things that live outside of the database."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from sqlglot import exp, parse_one

from dbmask.errors import ConnectorError
from dbmask.schema import ForeignKey, Schema, TableName
from dbmask.spi import TargetTable
from dbmask_connectors.postgresql import CONNECTOR
from tests.connectors.postgres_spi import RECOMPUTE, replicate, targets
from tests.fix_postgres import Postgres
from tests.fix_servers import alone


def named(url: str) -> str:
    return url.rpartition("/")[2]


@pytest.fixture
def roles(postgres: Postgres) -> Iterator[None]:
    """Roles belong to the whole server, so that one worker at a time has them."""
    ours = f"t_{os.getpid()}_"
    with alone(postgres.log.parent, "roles"):
        postgres.psql(
            "postgres",
            "CREATE ROLE rights_app; CREATE ROLE rights_gone; CREATE ROLE rights_cloner LOGIN CREATEDB PASSWORD 'x'",
        )
        yield
        with postgres.connect() as connection:
            query = "SELECT datname FROM pg_database WHERE datallowconn AND starts_with(datname, %s)"
            databases = [r[0] for r in connection.execute(query, (ours,))]
        for database in databases:
            postgres.psql(database, "DROP OWNED BY rights_app, rights_cloner")
        postgres.psql("postgres", "DROP ROLE IF EXISTS rights_app, rights_gone, rights_cloner")


@pytest.mark.usefixtures("roles")
def test_an_ordinary_user_clones_what_it_may_read(
    postgres: Postgres, loaded: Callable[[str], str], replica: str
) -> None:
    """CREATEDB on the target's server and SELECT on the source: nothing more."""
    source = loaded("hard")
    postgres.psql(source, "GRANT pg_read_all_data TO rights_cloner")
    choose = partial(targets, recompute=RECOMPUTE, skip=["public.secret_note"])
    url = postgres.url(source, "rights_cloner", "x")
    for through_python in (False, True):
        made = replicate(url, postgres.url(replica, "rights_cloner", "x"), choose, through_python=through_python)
        assert made.left_out == ("owners",)
        assert set(made.broken.values()) == {0}
    assert postgres.psql(replica, "SELECT count(*) FROM hr.employee") == "4\n"
    owners = f"SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = '{replica}'"
    assert postgres.psql("postgres", owners) == "rights_cloner\n"
    postgres.drop_database(replica)


@pytest.mark.usefixtures("roles")
def test_grants_and_policies_arrive_where_their_roles_are(postgres: Postgres, postgres_db: str, replica: str) -> None:
    postgres.psql(
        named(postgres_db),
        """
        CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (2, 'b');
        CREATE TABLE forced (id int); INSERT INTO forced VALUES (1);
        GRANT SELECT, UPDATE (v) ON t TO rights_app;
        GRANT SELECT ON t TO rights_gone;
        GRANT INSERT ON forced TO rights_gone;
        ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO rights_app;
        ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE POLICY one ON t TO rights_app USING (id = 1);
        ALTER TABLE forced ENABLE ROW LEVEL SECURITY;
        ALTER TABLE forced FORCE ROW LEVEL SECURITY;
        """,
    )
    with closing(CONNECTOR.source(postgres_db)) as source, closing(CONNECTOR.target(postgres.url(replica))) as target:
        schema = source.schema()
        tables = targets(schema)
        structure = source.structure(schema, tables)
        # As if the replica's server had never heard of this role.
        postgres.psql(named(postgres_db), "DROP OWNED BY rights_gone")
        postgres.psql("postgres", "DROP ROLE rights_gone")
        target.begin()
        left_out = target.create(structure)
        with target.sink(next(t for t in tables if t.name.name == "t")) as sink:
            sink.write([[1, 2], ["a", "b"]])
        target.finish(structure, lambda phase: None)
        with target.reader() as reader:
            assert list(reader.read(exp.select("id").from_("t"))) == [[[1, 2]]]
        target.publish()
    assert left_out == (
        "owners",
        "grants on TABLE forced: a role is missing here, or this user may not",
        "grants on TABLE t: a role is missing here, or this user may not",
        "FORCE ROW LEVEL SECURITY of public.forced: the replica's owner reads it",
    )
    facts = "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname IN ('t', 'forced')"
    assert postgres.psql(replica, facts) == "t|f\nt|f\n"
    assert postgres.psql(replica, "SELECT polname FROM pg_policy") == "one\n"
    assert postgres.psql(replica, "SELECT has_table_privilege('rights_app', 't', 'SELECT')") == "f\n"
    assert postgres.psql(replica, "SELECT defaclobjtype FROM pg_default_acl") == "r\n"
    postgres.drop_database(replica)


def test_what_lives_outside_of_the_database_is_said_and_left_out(
    postgres: Postgres, postgres_db: str, replica: str
) -> None:
    postgres.psql(
        named(postgres_db),
        """
        CREATE EXTENSION postgres_fdw;
        CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host 'far.example');
        CREATE USER MAPPING FOR CURRENT_USER SERVER far OPTIONS (user 'u', password 'mapped-secret');
        CREATE FOREIGN TABLE remote (id int) SERVER far;
        CREATE TABLE near (id int PRIMARY KEY); INSERT INTO near VALUES (1);
        CREATE VIEW both_ends AS SELECT n.id FROM near n JOIN remote r USING (id);
        CREATE VIEW here AS SELECT id FROM near;
        CREATE PUBLICATION pub FOR TABLE near;
        CREATE FUNCTION on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN RETURN; END';
        CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION on_ddl();
        SELECT lo_create(0);
        """,
    )
    made = replicate(postgres_db, postgres.url(replica))
    assert set(made.structure.left_out) == {
        "foreign table public.remote",
        "view both_ends in schema public",
        "publication pub",
        "event trigger watch",
        "1 large objects",
    }
    assert not [sql for sql in (*made.structure.pre, *made.structure.post) if "mapped-secret" in sql]
    assert postgres.psql(replica, "SELECT id FROM here") == "1\n"


class TestForeignKeys:
    @pytest.fixture
    def source(self, postgres: Postgres, postgres_db: str) -> str:
        postgres.psql(
            named(postgres_db),
            """
            CREATE TABLE parent (id int PRIMARY KEY, a int, b int, UNIQUE (a, b));
            CREATE TABLE child (id int PRIMARY KEY, parent_id int, a int, b int);
            INSERT INTO parent VALUES (1, 1, 1), (2, 2, 2);
            INSERT INTO child VALUES (1, 1, 1, 1), (2, 99, 1, NULL), (3, 2, 1, 2), (4, NULL, 2, 2);
            ALTER TABLE child ADD CONSTRAINT old_rows FOREIGN KEY (parent_id) REFERENCES parent NOT VALID;
            """,
        )
        return postgres_db

    def test_keys_that_are_not_validated_are_counted(self, postgres: Postgres, source: str, replica: str) -> None:
        made = replicate(source, postgres.url(replica))
        assert made.broken == {"public.child.old_rows": 1}
        query = "SELECT convalidated FROM pg_constraint WHERE conname = 'old_rows'"
        assert postgres.psql(replica, query) == "f\n"

    def test_declared_keys_are_counted(self, postgres: Postgres, source: str, replica: str) -> None:
        def declare(schema: Schema) -> list[TargetTable]:
            key = ForeignKey("", ("a", "b"), TableName("public", "parent"), ("a", "b"), declared=True)
            found = []
            for target in targets(schema):
                if target.name.name == "child":
                    found.append(replace(target, table=replace(target.table, foreign_keys=(key,))))
                else:
                    found.append(target)
            return found

        assert replicate(source, postgres.url(replica), declare).broken == {"public.child.a+b": 1}

    def test_rows_that_break_a_key_stop_the_run(self, postgres: Postgres, source: str, replica: str) -> None:
        postgres.psql(
            named(source), "DELETE FROM child WHERE parent_id = 99; ALTER TABLE child VALIDATE CONSTRAINT old_rows"
        )
        broken: Any = parse_one("SELECT id, parent_id + 5000 AS parent_id, a, b FROM child", read="postgres")
        with pytest.raises(ConnectorError, match=r"23503.*old_rows") as caught:
            replicate(source, postgres.url(replica), queries={("public", "child"): broken})
        assert "500" not in str(caught.value).partition(": ")[2]  # an address may hold any digits

    def test_an_inheritance_child_is_no_part_of_its_parents_key(
        self, postgres: Postgres, source: str, replica: str
    ) -> None:
        postgres.psql(named(source), "CREATE TABLE grown () INHERITS (parent); INSERT INTO grown VALUES (99, 9, 9)")
        made = replicate(source, postgres.url(replica))
        assert made.broken == {"public.child.old_rows": 1}
        assert postgres.psql(replica, "SELECT count(*) FROM ONLY parent") == "2\n"


def test_sequences_stay_within_their_bounds(postgres: Postgres, postgres_db: str, replica: str) -> None:
    postgres.psql(
        named(postgres_db),
        """
        CREATE SEQUENCE narrow MAXVALUE 50;
        CREATE TABLE t (id bigint PRIMARY KEY DEFAULT nextval('narrow'), n numeric DEFAULT nextval('narrow'));
        CREATE TABLE u (id int GENERATED ALWAYS AS IDENTITY, v text DEFAULT nextval('narrow')::text);
        CREATE TABLE low (id serial);
        INSERT INTO t VALUES (1, 2); INSERT INTO u (v) VALUES ('not a number'); INSERT INTO low VALUES (-40);
        """,
    )
    high: Any = parse_one("SELECT CAST(9999999999 AS BIGINT) AS id, CAST(7.5 AS NUMERIC) AS n", read="postgres")
    replicate(postgres_db, postgres.url(replica), queries={("public", "t"): high})
    state = "SELECT last_value, is_called FROM {}"
    assert postgres.psql(replica, state.format("narrow")) == "50|t\n"
    assert postgres.psql(replica, state.format("u_id_seq")) == "1|t\n"
    assert postgres.psql(replica, "SELECT nextval('low_id_seq') > 0") == "t\n"
