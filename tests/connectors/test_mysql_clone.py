"""A whole clone by policy, MariaDB to MariaDB: masks in SQL and in Python, checks that pass, keys in no log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbmask.cloner import CloneResult, clone
from dbmask.errors import CheckFailed, UsageError
from dbmask.planner import RunsIn
from dbmask.policy import Policy
from dbmask.schema import TableName
from tests.connectors.mariadb_tools import fresh, rich_database
from tests.fix_mariadb import MariaDB

KEY = "hex:" + bytes(range(100, 132)).hex()
POLICY = """version: 1
key: env:DBMASK_KEY
default: keep
tables:
  person:
    columns:
      id: permute
      first_name: {mask: redact, keep_start: 1}
      last_name: {mask: hash, length: 16}
      email: {mask: email, unique: true}
      born: "null"
      secret: drop
      details: "null"
      insurer: keep
      "*": keep
  department: {columns: {name: {mask: hash, length: 20, domain: ward}, "*": keep}}
  visit: {columns: {note: {mask: redact}, note_length: recompute, "*": keep}}
  log: empty
  every_type: skip
"""


@pytest.fixture(scope="module")
def rich(mariadb: MariaDB) -> Iterator[str]:
    with rich_database(mariadb) as name:
        with closing(mariadb.connect(name)) as connection, connection.cursor() as cursor:
            cursor.execute("UPDATE person SET id = 4 WHERE id > 4")
            cursor.execute("ALTER TABLE department DROP INDEX department_name")
        yield name


@pytest.fixture
def replica(mariadb: MariaDB) -> Iterator[str]:
    with fresh(mariadb, "replica") as name:
        yield name


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBMASK_KEY", KEY)


def policy(tmp_path: Path, text: str = POLICY) -> Policy:
    path = tmp_path / "policy.yaml"
    path.write_text(text, "utf-8")
    return Policy.load(path)


def run(server: MariaDB, name: str, *statements: str) -> list[tuple[Any, ...]]:
    with closing(server.connect(name)) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())


def test_a_masked_replica(mariadb: MariaDB, rich: str, replica: str, tmp_path: Path) -> None:
    result = clone(policy(tmp_path), mariadb.url(rich), mariadb.url(replica))
    assert result.certificate.passed
    assert result.certificate.snapshot.startswith("binlog.")
    person = {c.column.name: c for c in result.plan.tables[TableName(rich, "person")].columns}
    assert person["last_name"].runs_in is RunsIn.SQL
    assert person["email"].runs_in is RunsIn.SQL
    rows = run(
        mariadb, replica, "SELECT first_name, char_length(last_name), email, born, full_name, email_domain FROM person"
    )
    assert len(rows) == 4
    assert {row[1] for row in rows} == {16}
    assert all(row[3] is None and "Nov" not in row[4] for row in rows)
    assert {row[5] for row in rows if row[2]} == {"example.com"}
    assert run(mariadb, replica, "SELECT note, note_length FROM visit WHERE char_length(note) > 3") == [("*" * 17, 17)]
    # Foreign keys follow their parents' masks, the department's head as well.
    assert run(mariadb, replica, "SELECT count(*) FROM visit JOIN person p ON p.id = person_id") == [(4,)]
    assert run(mariadb, replica, "SELECT count(*) FROM department JOIN person p ON p.id = head_id") == [(1,)]
    assert run(mariadb, replica, "SELECT count(*) FROM log") == [(0,)]
    assert "every_type" not in {row[0] for row in run(mariadb, replica, "SHOW TABLES")}
    again = clone(policy(tmp_path), mariadb.url(rich), mariadb.url(replica))
    assert rows == run(
        mariadb, replica, "SELECT first_name, char_length(last_name), email, born, full_name, email_domain FROM person"
    )
    assert again.certificate.key_fingerprint == result.certificate.key_fingerprint


def test_no_key_is_in_a_log(mariadb: MariaDB, rich: str, replica: str, tmp_path: Path) -> None:
    loaded = policy(tmp_path)
    ring = loaded.keyring()
    with mariadb.logged():
        result = clone(loaded, mariadb.url(rich), mariadb.url(replica), keys=ring)
    said = mariadb.general_log.read_bytes()
    written = b"".join(path.read_bytes() for path in mariadb.general_log.parent.glob("binlog.0*"))
    assert b"dbmask_k0_inner" in said
    assert b"SHA2(CONCAT(" in said
    secrets = [
        bytes.fromhex(KEY.removeprefix("hex:")),
        *(p for pair in ring.pads(_keys(result)).values() for p in pair),
    ]
    assert len(secrets) > 4
    for secret in secrets:
        for form in (secret, secret.hex().encode(), secret.hex().upper().encode()):
            assert form[4:20] not in said
            assert form[4:20] not in written


def _keys(result: CloneResult) -> list[str]:
    from dbmask.planner import reading
    from dbmask_sql.keyref import key_names

    plans = [p for p in result.plan if p.writes]
    return list(dict.fromkeys(name for p in plans for name in key_names(reading(p, "mysql").query)))


def test_a_check_that_fails_leaves_nothing(mariadb: MariaDB, rich: str, replica: str, tmp_path: Path) -> None:
    """A row of the source that refers to nothing is found before the replica is published."""
    run(
        mariadb,
        rich,
        "SET foreign_key_checks = 0",
        "INSERT INTO visit (id, person_id, at) VALUES (77, 555, '2024-01-01')",
    )
    try:
        with pytest.raises(CheckFailed, match=r"visit_person.*1 rows refer to nothing"):
            clone(policy(tmp_path), mariadb.url(rich), mariadb.url(replica))
    finally:
        run(mariadb, rich, "DELETE FROM visit WHERE id = 77")
    names = {name for (name,) in run(mariadb, rich, "SHOW DATABASES")}
    assert not [name for name in names if name.startswith(replica)]


def test_a_source_is_no_target(mariadb: MariaDB, rich: str, tmp_path: Path) -> None:
    other = mariadb.url(rich).replace("127.0.0.1", "localhost") + f"?unix_socket={mariadb.socket}"
    with pytest.raises(UsageError, match="same database"):
        clone(policy(tmp_path), mariadb.url(rich), other, overwrite=True)
