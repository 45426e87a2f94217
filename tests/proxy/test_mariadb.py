"""Masked views and an account in MariaDB: what it reads is masked, and it reads nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from dbmask.cli import run as command
from dbmask.errors import ConnectorError, PlanError, UsageError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.proxy import mariadb as module
from dbmask.proxy.install_roles import RoleError
from dbmask.proxy.mariadb import install_mariadb, uninstall_mariadb
from tests.fix_mariadb import PASSWORD, MariaDB
from tests.fix_servers import alone

ROLE = f"ana_{os.getpid()}"
WORD = "a pass'word \\ 1"
SETUP = """
CREATE TABLE person (id int PRIMARY KEY, name varchar(20), email varchar(60), note text, born date, kept varchar(10), KEY (kept),
                     initial varchar(1) AS (left(name, 1)) STORED, twice int AS (id * 2) VIRTUAL);
INSERT INTO person (id, name, email, note, born, kept)
  SELECT seq, CONCAT('Secret', seq), CONCAT('secret', seq, '@example.com'), 'secret', '1980-01-01', CONCAT('k', seq) FROM seq_1_to_500;
CREATE TABLE visit (id int PRIMARY KEY, person int, FOREIGN KEY (person) REFERENCES person (id));
INSERT INTO visit SELECT seq, seq FROM seq_1_to_500;
CREATE TABLE hidden (secret text);
CREATE TABLE void (id int, secret text);
INSERT INTO void VALUES (1, 'secret');
CREATE VIEW names AS SELECT p.name, v.id FROM person p JOIN visit v ON v.person = p.id WHERE v.id < 3;
CREATE VIEW of_hidden AS SELECT secret FROM hidden;
CREATE FUNCTION shown(i int) RETURNS text READS SQL DATA RETURN (SELECT name FROM person WHERE id = i);
CREATE VIEW by_function AS SELECT shown(id) AS name FROM person;
"""
POLICY = """
version: 1
tables:
  person:
    columns:
      id: keep
      name: {mask: redact, keep_start: 1}
      email: email
      note: {mask: text, matchers: {regex: [{label: A, pattern: ".+"}]}, masks: [{label: A, masks: [redact]}]}
      born: {mask: date_shift, days: 30}
      kept: keep
  visit: keep
  hidden: skip
  void: empty
"""


def policy(text: str = POLICY) -> Policy:
    return Policy.from_text(text, "yaml")


@pytest.fixture
def url(mariadb: MariaDB, mariadb_db: str) -> Iterator[str]:
    """A database with tables; what is installed belongs to the whole server, so that one worker at a time has it."""
    with alone(mariadb.general_log.parent, "installed"):
        mariadb.mysql(mariadb_db.rpartition("/")[2], SETUP)
        yield mariadb_db
        with mariadb.connect() as c, c.cursor() as cursor:
            for name in ("dbmask", f"dbmask_{ROLE}_{mariadb_db.rpartition('/')[2]}"):
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")
            cursor.execute(f"DROP USER IF EXISTS '{ROLE}'@'%'")
            cursor.execute("DROP USER IF EXISTS 'dbmask_owner'@'localhost'")


def rows(connection: Any, query: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def state(mariadb: MariaDB, url: str) -> list[Any]:
    """Everything that an install could have changed: accounts and their rights, databases, tables, routines.

    Databases and accounts of tests in other processes, which have a number in their names, come and go.
    """
    name = url.rpartition("/")[2]
    mine = f"NOT REGEXP '[0-9][0-9][0-9]' OR {{0}} LIKE '%{os.getpid()}%'"
    with mariadb.connect() as c:
        return [
            rows(c, f"SELECT User, Host FROM mysql.user WHERE User {mine.format('User')} ORDER BY 1, 2"),
            rows(c, f"SHOW DATABASES WHERE `Database` {mine.format('`Database`')}"),
            rows(c, f"SELECT * FROM mysql.db WHERE Db {mine.format('Db')} OR User = '{ROLE}' ORDER BY 1, 2, 3"),
            rows(
                c,
                f"SELECT table_name, table_type FROM information_schema.tables WHERE table_schema = '{name}' ORDER BY 1",
            ),
        ]


def as_role(mariadb: MariaDB, url: str) -> Any:
    return pymysql.connect(
        host=mariadb.host,
        port=mariadb.port,
        user=ROLE,
        password=WORD,
        database=f"dbmask_{ROLE}_{url.rpartition('/')[2]}",
        charset="utf8mb4",
    )


def test_values_are_masked_and_nothing_else_can_be_read(mariadb: MariaDB, url: str) -> None:
    done = install_mariadb(policy(), url, ROLE, keys=example_keys(), password=WORD)
    done = install_mariadb(policy(), url, ROLE, keys=example_keys(), password=WORD)
    said = {w.where.rpartition(".")[2]: w.what for w in done.warnings}
    assert {"of_hidden", "person"} <= set(said)
    assert done.gaps == ()
    name = url.rpartition("/")[2]
    with as_role(mariadb, url) as c:
        found = rows(c, "SELECT name, note, initial, twice, email, born FROM person WHERE id = 7")[0]
        assert found[:4] == ("S******", "[masked]", "S", 14)
        assert found[4].endswith("@example.com")
        assert "secret" not in found[4]
        assert str(found[5]) != "1980-01-01"
        assert rows(c, "SELECT * FROM void") == []
        assert [r[0][:2] for r in rows(c, "SELECT name, id FROM names")] == ["S*", "S*"]
        for query in (
            f"SELECT * FROM `{name}`.person",
            f"SELECT `{name}`.shown(1)",
            "SELECT * FROM dbmask.class",
            "SELECT * FROM hidden",
            "SELECT * FROM by_function",
            "SHOW CREATE VIEW person",
            "EXPLAIN EXTENDED SELECT * FROM person",
            "ANALYZE FORMAT=JSON SELECT * FROM person",
            "UPDATE person SET kept = 'x'",
            "CREATE TABLE t (a int)",
            "SELECT LOAD_FILE('/etc/passwd') FROM mysql.user",
        ):
            with pytest.raises(pymysql.err.MySQLError):
                rows(c, query)


def test_no_key_reaches_the_role_or_a_log(mariadb: MariaDB, url: str) -> None:
    with mariadb.connect() as c:
        with mariadb.logged():
            install_mariadb(policy(), url, ROLE, keys=example_keys(), password=WORD)
        log = mariadb.general_log.read_bytes()
        views = repr(rows(c, "SELECT * FROM information_schema.views")).encode()
    with as_role(mariadb, url) as c:
        with c.cursor() as cursor:
            cursor.execute("SET optimizer_trace = 'enabled=on'")
        rows(c, "SELECT * FROM person WHERE email = 'x'")
        trace = repr(rows(c, "SELECT * FROM information_schema.optimizer_trace")).encode()
        traced = trace + repr(rows(c, "SELECT * FROM information_schema.views")).encode()
    ring = example_keys()
    for pad in (p for d in ("email", "date_shift") for p in ring.column(d).pads):
        for form in (pad, pad.hex().encode(), pad.hex().upper().encode(), repr(pad)[2:40].encode()):
            for text in (log, views, traced):
                assert form not in text
    assert WORD.encode() not in log


def test_indexes_are_used_through_the_views(mariadb: MariaDB, url: str) -> None:
    install_mariadb(policy(), url, ROLE, keys=example_keys(), password=WORD)
    database = f"dbmask_{ROLE}_{url.rpartition('/')[2]}"
    with mariadb.connect(database) as c:

        def keys(query: str) -> list[Any]:
            return [r[5] for r in rows(c, f"EXPLAIN {query}")]

        assert "kept" in keys("SELECT name, email FROM person WHERE kept = 'k7'")
        assert (
            keys("SELECT p.email, v.id FROM person p JOIN visit v ON v.person = p.id WHERE v.id = 7").count("PRIMARY")
            == 3
        )
        assert "DERIVED" not in {r[1] for r in rows(c, "EXPLAIN SELECT email FROM person WHERE id = 7")}


def test_uninstall_leaves_no_trace(mariadb: MariaDB, url: str) -> None:
    before = state(mariadb, url)
    install_mariadb(policy(), url, ROLE, keys=example_keys())
    assert state(mariadb, url) != before
    assert uninstall_mariadb(url, ROLE) == []
    assert state(mariadb, url) == before
    with pytest.raises(UsageError, match="nothing is installed"):
        uninstall_mariadb(url, ROLE)


def test_a_failed_first_install_is_taken_back(mariadb: MariaDB, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = state(mariadb, url)

    def broken(*_: object) -> None:
        raise ConnectorError("at the end")

    monkeypatch.setattr(module, "_gaps", broken)
    with pytest.raises(ConnectorError, match="at the end"):
        install_mariadb(policy(), url, ROLE, keys=example_keys())
    assert state(mariadb, url) == before


def test_an_account_without_a_password_is_locked(mariadb: MariaDB, url: str) -> None:
    done = install_mariadb(policy(), url, ROLE, keys=example_keys())
    assert any("locked" in w.what for w in done.warnings)
    with pytest.raises(pymysql.err.MySQLError):
        pymysql.connect(host=mariadb.host, port=mariadb.port, user=ROLE)


def test_an_account_that_may_do_more_is_refused(mariadb: MariaDB, url: str) -> None:
    with mariadb.connect() as c, c.cursor() as cursor:
        cursor.execute(f"CREATE USER '{ROLE}'@'%' IDENTIFIED BY 'x'")
        cursor.execute(f"GRANT SELECT ON `{url.rpartition('/')[2]}`.person TO '{ROLE}'@'%'")
    with pytest.raises(RoleError, match="person"):
        install_mariadb(policy(), url, ROLE, keys=example_keys())


def test_the_commands(
    mariadb: MariaDB, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written, key = tmp_path / "policy.yaml", tmp_path / "key"
    written.write_text(POLICY, "utf-8")
    key.write_text("a master key of the tests", "utf-8")
    given = [str(written), "--source", url, "--role", ROLE]
    assert command(["install", *given, "--key-file", str(key), "--format", "json"]) == 0
    said = capsys.readouterr()
    assert '"gaps": []' in said.out
    assert PASSWORD not in said.out + said.err
    assert command(["install", *given, "--key-file", str(key), "--harden"]) == 2
    assert command(["uninstall", *given]) == 0
    with pytest.raises(PlanError):
        install_mariadb(policy(POLICY.replace("hidden: skip", "hidden: {columns: {}}")), url, ROLE, keys=example_keys())


def test_warnings_say_masked_values_alone(mariadb: MariaDB, url: str) -> None:
    text = POLICY.replace("  person:\n", "  person:\n    where: id < 100\n")
    install_mariadb(policy(text), url, ROLE, keys=example_keys(), password=WORD)
    with as_role(mariadb, url) as c:
        assert rows(c, "SELECT count(*) FROM person") == [(99,)]
        for query in (
            "SELECT * FROM person",
            "SELECT id FROM person WHERE CAST(name AS int) = 1 OR CAST(email AS date) > '2020-01-01' OR born = 'x'",
            "SELECT CAST(note AS int), CAST(initial AS int) FROM person ORDER BY name + 1",
        ):
            rows(c, query)
            said = repr(rows(c, "SHOW WARNINGS"))
            assert "ecret" not in said
        definition = "SELECT algorithm FROM information_schema.views WHERE table_name = %r"
    with mariadb.connect() as c:
        assert rows(c, definition % "person") == [("TEMPTABLE",)]
        assert rows(c, definition % "visit") == [("UNDEFINED",)]
