"""PostgreSQL replicas of MariaDB and SQLite: what arrives, what is told not to, and the same masked values everywhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg
import pytest

from dbmask.cloner import CloneResult, clone
from dbmask.cloner.compare import verify_replica
from dbmask.errors import ConnectorError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.registry import connector_for
from tests.connectors.copying import copy, duckdb_rows, sqlite_file
from tests.connectors.mariadb_tools import fresh, rich_database
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres


@pytest.fixture(scope="module")
def rich(mariadb: MariaDB) -> Iterator[str]:
    """The rich database without the values that no PostgreSQL holds."""
    with rich_database(mariadb) as name:
        with closing(mariadb.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE every_type SET dt = NULL, dtm = NULL WHERE id IN (2, 3)")
            cursor.execute("UPDATE every_type SET vc = NULL WHERE id = 3")
            cursor.execute("UPDATE visit SET `at` = '2020-01-01' WHERE note = '\\\\'")
            connection.commit()
        yield name


def types(postgres: Postgres, database: str, table: str) -> dict[str, str]:
    query = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = %s::regclass AND attnum > 0 ORDER BY attnum"
    )
    with postgres.connect(database) as connection:
        return dict(connection.execute(query, (table,)).fetchall())


def test_mariadb_into_postgres(mariadb: MariaDB, postgres: Postgres, rich: str, replica: str) -> None:
    done = copy(mariadb.url(rich), postgres.url(replica))
    assert not any(done.relayed.values()) and len(done.broken) == 5 and not any(done.broken.values())
    told = {line.replace(f"{rich}.", "") for line in done.lost}
    assert told >= {
        'the values of generated column person."email_domain": in another database\'s words',
        'the labels of person."sex": they come as text',
        'the labels of every_type."st": they come as text',
        'the default of visit."id": in another database\'s words',
        "index words of person: of a kind that PostgreSQL does not make of columns",
        f"foreign key person_insurer of person: {rich}_other.insurer is not in the replica",
        "what foreign keys do ON DELETE and ON UPDATE",
        "check born_late of person: in another database's words",
        "trigger visit_log of visit: in another database's words",
        "view patient: in another database's words",
        "sequence ticket_no: in another database's words",
    }
    declared = types(postgres, replica, "every_type")
    assert " ".join(f"{c}={t}" for c, t in declared.items()).replace("character varying", "varchar") == (
        "id=integer ti=smallint si=smallint mi=integer i=integer bi=bigint ubi=numeric(20,0) dec=numeric(65,30) "
        "f=double precision d=double precision b1=boolean b12=bigint b64=numeric(20,0) dt=date tm=interval "
        "dtm=timestamp without time zone ts=timestamp with time zone y=integer ch=varchar(10) vc=varchar(300) tx=text "
        "lt=text latin=varchar(50) wide=varchar(50) kana=varchar(50) bn=bytea vb=bytea bl=bytea en=text st=text js=json "
        "u=uuid ip=text g=bytea"
    )
    with postgres.connect(replica) as connection:
        shown = (
            "SELECT ubi::text, dec::text, d::text, b1, b12, b64::text, tm::text, dtm::text, y, ch, latin, wide, "
            "encode(substr(bl, 1, 4), 'hex'), en, st, js::text, ip, encode(bn, 'hex') FROM every_type WHERE id = 1"
        )
        assert connection.execute(shown).fetchone() == (
            *("18446744073709551615", "12345678901234567890123456789012345.123456789012345678901234567890", "0.1"),
            *(True, 2730, "18446744073709551615", "23:59:59.999999", "2024-02-29 12:00:00.000001", 2024, "char"),
            *("Žlu?ou?ký", "漢字😀", "00ff5c27", "ž", "x,z", '{"k": "v\\n"}', "2001:db8::1", "6162000000"),
        )
        assert connection.execute("SELECT tm::text, b1 FROM every_type WHERE id = 2").fetchone() == (
            "-838:59:59",
            False,
        )
        assert connection.execute("SELECT full_name, active FROM person WHERE id = 2").fetchone() == (
            "Σοφία O'Brien \\ Sons",
            2,
        )
        described = "SELECT obj_description('department'::regclass), col_description('department'::regclass, 2)"
        assert connection.execute(described).fetchone() == ('wards; and "offices"', "it's a \\ name")
        made = connection.execute("INSERT INTO old_style (what) VALUES ('new') RETURNING id").fetchone()
        assert made == (6,)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            connection.execute("INSERT INTO visit (id, person_id, at) VALUES (1, 99, now())")


def test_numbers_go_on_behind_a_wide_unsigned_key(mariadb: MariaDB, postgres: Postgres, replica: str) -> None:
    script = "CREATE TABLE t (id bigint unsigned AUTO_INCREMENT PRIMARY KEY, x int); INSERT INTO t VALUES (41, 1);"
    with fresh(mariadb, "wide", make=True) as name:
        mariadb.mysql(name, script)
        copy(mariadb.url(name), postgres.url(replica))
    with postgres.connect(replica) as connection:
        assert connection.execute("INSERT INTO t (x) VALUES (2) RETURNING id").fetchone() == (42,)


@pytest.mark.parametrize(
    ("column", "value"),
    [("`born on` date", "'0000-00-00'"), ("`born on` datetime", "'2024-02-31'"), ("`born on` timestamp", "'0'")],
    ids=["zero-date", "no-such-day", "zero-timestamp"],
)
def test_dates_that_only_mariadb_holds_are_told_by_their_column(
    mariadb: MariaDB, postgres: Postgres, replica: str, column: str, value: str
) -> None:
    with fresh(mariadb, "zero", make=True) as name:
        script = f"SET sql_mode = 'ALLOW_INVALID_DATES'; CREATE TABLE t (id int PRIMARY KEY, {column}); INSERT INTO t VALUES (1, {value})"
        mariadb.mysql(name, script)
        with pytest.raises(ConnectorError, match=r't\."born on": a value does not fit') as caught:
            copy(mariadb.url(name), postgres.url(replica))
    assert "0000" not in str(caught.value) and "2024" not in str(caught.value)
    with postgres.connect() as connection:
        query = "SELECT count(*) FROM pg_database WHERE starts_with(datname, %s)"
        assert connection.execute(query, (replica,)).fetchone() == (0,)


HARD = """
CREATE TABLE target_ (id int PRIMARY KEY, code varchar(5) NOT NULL, KEY (code)) COLLATE utf8mb4_bin;
CREATE TABLE child (id int PRIMARY KEY, code varchar(5), FOREIGN KEY no_key (code) REFERENCES target_ (code)) COLLATE utf8mb4_bin;
CREATE TABLE long_text (body text NOT NULL, note varchar(700), UNIQUE KEY u (body(50)), KEY n (note(20)), KEY first_ (id_(3)),
  id_ varchar(20));
INSERT INTO target_ VALUES (1, 'a'), (2, 'a');
INSERT INTO child VALUES (1, 'a');
"""


def test_keys_that_postgres_does_not_hold_are_told(mariadb: MariaDB, postgres: Postgres, replica: str) -> None:
    with fresh(mariadb, "hard", make=True) as name:
        mariadb.mysql(name, HARD)
        done = copy(mariadb.url(name), postgres.url(replica))
    assert [line.replace(f"{name}.", "") for line in done.lost] == [
        "unique key u of long_text: partial, over long texts or a dropped column",
        "index n of long_text: of a kind that PostgreSQL does not make of columns",
        "foreign key no_key of child: what it refers to is no key",
        "what foreign keys do ON DELETE and ON UPDATE",
        "owners",
    ]
    assert list(done.broken.values()) == [0]
    with postgres.connect(replica) as connection:
        query = "SELECT indexdef FROM pg_indexes WHERE tablename = 'long_text'"
        assert [row[0].partition("USING ")[2] for row in connection.execute(query)] == ["btree (id_)"]


def test_names_longer_than_postgres_keeps_are_refused(mariadb: MariaDB, postgres: Postgres, replica: str) -> None:
    with fresh(mariadb, "long", make=True) as name:
        mariadb.mysql(name, f"CREATE TABLE t (id int PRIMARY KEY, {'ž' * 32} int)")
        with pytest.raises(ConnectorError, match="longer than the 63 bytes"):
            copy(mariadb.url(name), postgres.url(replica))


SQLITE = """
CREATE TABLE team (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, born DATE, seen DATETIME, amount DECIMAL(10, 2), rate REAL,
  active BOOLEAN, photo BLOB, doc JSON, any_thing, team INTEGER REFERENCES team,
  upper_ TEXT GENERATED ALWAYS AS (upper(name)) STORED);
CREATE INDEX by_name ON person (name);
INSERT INTO team VALUES (3, 'Red'), (9, 'Grün');
INSERT INTO person VALUES
  (1, 'Ann', '1980-02-29', '2020-01-01 10:00:00', 12.3, 1.5, 1, x'00ff', '{"a":1}', 5, 3),
  (2, NULL, NULL, '2020-01-01T10:00:00.25', '7.25', 2, 0, NULL, NULL, 'text', NULL);
"""


def test_sqlite_into_postgres(tmp_path: Path, postgres: Postgres, replica: str) -> None:
    done = copy(sqlite_file(tmp_path / "a.db", SQLITE), postgres.url(replica))
    assert done.lost == ("what foreign keys do ON DELETE and ON UPDATE", "owners")
    with postgres.connect(replica) as connection:
        shown = (
            "SELECT name, born::text, seen::text, amount::text, rate, active, photo, doc::text, any_thing, team, upper_ "
            "FROM person ORDER BY id"
        )
        assert connection.execute(shown).fetchall() == [
            ("Ann", "1980-02-29", "2020-01-01 10:00:00", "12.30", 1.5, True, b"\0\xff", '{"a":1}', "5", 3, "ANN"),
            (None, None, "2020-01-01 10:00:00.25", "7.25", 2.0, False, None, None, "text", None, None),
        ]
        assert connection.execute("INSERT INTO team (name) VALUES ('Blue') RETURNING id").fetchone() == (10,)
        query = "SELECT count(*) FROM pg_indexes WHERE tablename = 'person'"
        assert connection.execute(query).fetchone() == (2,)


POLICY = """version: 1
default: keep
tables:
  person:
    columns:
      id: permute
      first_name: {mask: redact, keep_start: 1}
      last_name: {mask: hash, length: 16}
      email: {mask: email, unique: true}
      born: {mask: date_shift, days: 100}
      secret: drop
      details: "null"
      "*": keep
  department: {columns: {name: keep, "*": keep}}
  visit: {columns: {note: redact, lasted: drop, at: {mask: date_shift, days: 30}, "*": keep}}
  log: empty
  every_type: {columns: {ubi: {mask: noise, sigma: 5}, u: uuid, "*": keep}}
"""
PERSON = "SELECT id, first_name, last_name, email, born, sex, active FROM person ORDER BY last_name"
VISIT = "SELECT v.person_id, v.w_a, v.w_c, v.at, v.year, v.note FROM visit v ORDER BY id"


def cloned(source: str, target: str, policy: str = POLICY, **options: Any) -> CloneResult:
    return clone(Policy.from_text(policy, "yaml"), source, target, keys=example_keys(), **options)


def test_the_same_masked_values_wherever_the_replica_is(
    mariadb: MariaDB, postgres: Postgres, rich: str, replica: str, tmp_path: Path
) -> None:
    source = mariadb.url(rich)
    done = cloned(source, postgres.url(replica), certificate=tmp_path / "c.json")
    assert done.certificate.passed and (tmp_path / "c.json").exists()
    with postgres.connect(replica) as connection:
        made = [connection.execute(q.encode()).fetchall() for q in (PERSON, VISIT)]
    assert "Anežka" not in str(made)
    with fresh(mariadb, "same") as same:
        cloned(source, mariadb.url(same))
        with closing(mariadb.connect(same)) as opened, opened.cursor() as cursor:
            for query, expected in zip((PERSON, VISIT), made, strict=True):
                cursor.execute(query)
                assert list(cursor.fetchall()) == expected
    day_only = re.sub("every_type: .*", "every_type: skip", POLICY)  # its spans of time are none of DuckDB's times
    cloned(source, f"duckdb:///{tmp_path / 'b.duckdb'}", day_only)
    shown = [duckdb_rows(tmp_path / "b.duckdb", q) for q in (PERSON, VISIT)]
    assert shown == made


def test_verify_compares_both_kinds(mariadb: MariaDB, postgres: Postgres, rich: str, replica: str) -> None:
    source, target = mariadb.url(rich), postgres.url(replica)
    cloned(source, target)
    policy = Policy.from_text(POLICY, "yaml")
    assert verify_replica(policy, source, target, keys=example_keys()).passed
    with postgres.connect(replica) as connection:
        connection.execute("DELETE FROM visit WHERE id = 1010")
    with closing(connector_for(target).source(target)) as opened:
        assert opened.schema().default_schema == rich
    assert not verify_replica(policy, source, target, keys=example_keys()).passed
