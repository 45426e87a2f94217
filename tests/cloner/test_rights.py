"""What managed services give is enough: SELECT on a source that belongs to others, CREATEDB where the replica goes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from dbmask.cloner import clone, rollback, verify_replica
from dbmask.errors import PlanError, UsageError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from tests.fix_postgres import Postgres
from tests.fix_servers import alone

SOURCE, REPLICA = f"owned_{os.getpid()}", f"owned_{os.getpid()}_replica"
SCHEMA = """
CREATE TYPE mood AS ENUM ('fine', 'sad');
CREATE DOMAIN address AS varchar(40) CHECK (length(VALUE) > 1);
CREATE TABLE person (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, mail address NOT NULL, m mood, words tsvector,
  loud text GENERATED ALWAYS AS (upper(mail::text)) STORED);
CREATE TABLE visit (id serial PRIMARY KEY, person_id bigint REFERENCES person, at date NOT NULL) ;
CREATE TABLE event (id int, at date NOT NULL, note text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.words := to_tsvector('simple', NEW.mail); RETURN NEW; END $$;
CREATE TRIGGER fills BEFORE INSERT OR UPDATE ON person FOR EACH ROW EXECUTE FUNCTION fill();
CREATE MATERIALIZED VIEW many AS SELECT count(*) AS n, max(mail::text) AS last FROM person;
INSERT INTO person (mail, m) SELECT 'person' || i || '@shop.example', 'fine' FROM generate_series(1, 50) i;
INSERT INTO visit (person_id, at) SELECT i, DATE '2024-01-01' + i FROM generate_series(1, 50) i;
INSERT INTO event SELECT i, DATE '2024-01-01' + i, 'note' FROM generate_series(1, 50) i;
CREATE ROLE owned_cloner LOGIN CREATEDB PASSWORD 'x';
CREATE ROLE owned_reader LOGIN PASSWORD 'x';
GRANT SELECT ON ALL TABLES IN SCHEMA public TO owned_cloner, owned_reader;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO owned_cloner, owned_reader;
"""
POLICY = Policy.from_text("""version: 1
tables:
  person: {columns: {id: permute, mail: {mask: hash, length: 30}, m: keep, words: recompute}}
  visit: {columns: {id: keep, at: {mask: date_shift, days: 9}}}
  event: keep
""")


@pytest.fixture
def source(postgres: Postgres) -> Iterator[str]:
    with alone(postgres.log.parent, "roles"):
        postgres.create_database(SOURCE)
        postgres.psql(SOURCE, SCHEMA)
        yield postgres.url(SOURCE, "owned_cloner", "x")
        query = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{SOURCE}') ORDER BY datname DESC"
        for name in postgres.psql("postgres", query).split():
            postgres.drop_database(name)
        postgres.psql("postgres", "DROP ROLE owned_cloner, owned_reader")


def test_the_whole_job_without_superuser_and_without_ownership(postgres: Postgres, source: str, tmp_path: Path) -> None:
    target = postgres.url(REPLICA, "owned_cloner", "x")
    first = clone(POLICY, source, target, keys=example_keys(), certificate=tmp_path / "c.json")
    assert first.certificate.passed and (tmp_path / "c.html").exists()
    postgres.psql(SOURCE, "INSERT INTO person (mail, m) VALUES ('new@shop.example', 'sad')")
    clone(POLICY, source, target, keys=example_keys())
    made = verify_replica(POLICY, source, target, keys=example_keys())
    assert made.passed, [c for c in made.checks if not c.passed]
    facts = "SELECT n, last ~ '^[0-9a-f]{30}$' FROM many"
    assert postgres.psql(REPLICA, facts) == "51|t\n"
    assert (
        postgres.psql(REPLICA, "SELECT count(*) FROM person WHERE words::text LIKE '%shop%' OR loud LIKE '%SHOP%'")
        == "0\n"
    )
    rollback(target)
    assert postgres.psql(REPLICA, facts) == "50|t\n"
    rollback(target)
    assert postgres.psql(REPLICA, facts) == "51|t\n"
    owner = f"SELECT DISTINCT pg_get_userbyid(datdba) FROM pg_database WHERE starts_with(datname, '{REPLICA}')"
    assert postgres.psql("postgres", owner) == "owned_cloner\n"


def test_what_is_missing_is_said_before_anything_is_made(postgres: Postgres, source: str) -> None:
    reader = postgres.url(REPLICA, "owned_reader", "x")
    with pytest.raises(UsageError, match="needs the CREATEDB right"):
        clone(POLICY, source, reader, keys=example_keys())
    postgres.psql(SOURCE, "REVOKE SELECT ON visit FROM owned_cloner")
    with pytest.raises(PlanError, match=r"public\.visit: cannot be read"):
        clone(POLICY, source, postgres.url(REPLICA, "owned_cloner", "x"), keys=example_keys())
    query = f"SELECT count(*) FROM pg_database WHERE starts_with(datname, '{REPLICA}')"
    assert postgres.psql("postgres", query) == "0\n"


def test_another_users_replicas_are_left_alone(postgres: Postgres, source: str) -> None:
    """Neither what another role keeps, nor what it is building, is this user's to exchange or to drop."""
    target = postgres.url(REPLICA, "owned_cloner", "x")
    for _ in range(2):
        clone(POLICY, source, postgres.url(REPLICA), keys=example_keys())
    with pytest.raises(UsageError, match="no previous replica is kept"):
        rollback(target)
    kept = f"SELECT count(*) FROM pg_database WHERE starts_with(datname, '{REPLICA}__dbmask_was_')"
    assert postgres.psql("postgres", kept) == "1\n"
    with (
        pytest.raises(psycopg.Error, match="must be owner"),
        psycopg.connect(postgres.url("postgres", "owned_cloner", "x"), autocommit=True) as connection,
    ):
        connection.execute(f'ALTER DATABASE "{REPLICA}" RENAME TO other'.encode())
