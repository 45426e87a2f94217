"""The previous replica is kept and put back, on every database that can be a target."""

from __future__ import annotations

import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest

from dbmask.cloner import CloneResult, clone, previous_replicas, rollback
from dbmask.cloner.previous import keep_replaced
from dbmask.errors import ConnectorError, UsageError
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from dbmask.registry import connector_for
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

POLICY = Policy.from_text("version: 1\ntables: {p: {columns: {id: keep, v: {mask: hash, length: 8}}}}")
_numbers = itertools.count(1)


@dataclass
class Place:
    """A source whose number of rows tells replicas apart, and a target."""

    source: str
    target: str
    grow: Callable[[], None]
    count: Callable[[], int]
    around: Callable[[], list[str]]
    spoil: Callable[[], None]

    def clone(self, keep: int | None = None, **options: Any) -> CloneResult:
        self.grow()
        return clone(POLICY, self.source, self.target, keys=example_keys(), keep_previous=keep, **options)


def _files(tmp_path: Path, kind: str) -> Place:
    source, target = tmp_path / f"s.{kind}", tmp_path / f"t.{kind}"

    def run(path: Path, sql: str) -> list[Any]:
        if kind == "sqlite":
            with closing(sqlite3.connect(path)) as db, db:
                return db.execute(sql).fetchall()
        with duckdb.connect(str(path)) as made:
            return made.execute(sql).fetchall()

    run(source, "CREATE TABLE p (id INTEGER PRIMARY KEY, v TEXT)")
    return Place(
        f"{kind}:///{source}",
        f"{kind}:///{target}",
        lambda: _ignore(run(source, "INSERT INTO p SELECT count(*) + 1, 'v' FROM p")),
        lambda: int(run(target, "SELECT count(*) FROM p")[0][0]),
        lambda: sorted(p.name for p in tmp_path.iterdir() if p != source),
        lambda: _ignore(target.write_bytes(b"precious")),
    )


def _ignore(_: object) -> None:
    return None


def _postgres(server: Postgres, name: str) -> Place:
    source, target = f"{name}_s", f"{name}_t"
    url = server.create_database(source)
    server.psql(source, "CREATE TABLE p (id int PRIMARY KEY, v text); CREATE VIEW many AS SELECT count(*) AS n FROM p")
    listed = f"SELECT datname FROM pg_database WHERE starts_with(datname, '{target}') ORDER BY 1"

    def spoil() -> None:
        server.create_database(target)
        server.psql(target, "CREATE TABLE precious (id int)")

    return Place(
        url,
        server.url(target),
        lambda: _ignore(server.psql(source, "INSERT INTO p SELECT count(*) + 1, 'v' FROM p")),
        lambda: int(server.psql(target, "SELECT n FROM many")),
        lambda: server.psql("postgres", listed).split(),
        spoil,
    )


def _mariadb(server: MariaDB, name: str) -> Place:
    source, target = f"{name}_s", f"{name}_t"
    url = server.create_database(source)

    def run(database: str, *statements: str) -> list[Any]:
        with closing(server.connect(database)) as db, db.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            db.commit()
            return list(cursor.fetchall())

    run(
        source,
        "CREATE TABLE p (id int PRIMARY KEY, v varchar(20))",
        "CREATE VIEW a_last AS SELECT 1 AS n",
        "CREATE VIEW many AS SELECT count(*) AS n FROM p",
        "CREATE OR REPLACE VIEW a_last AS SELECT n FROM many",
        "CREATE TRIGGER t BEFORE INSERT ON p FOR EACH ROW SET NEW.v = concat(NEW.v, '!')",
    )

    def spoil() -> None:
        server.create_database(target)
        run(target, "CREATE TABLE precious (id int)")

    return Place(
        url,
        server.url(target),
        lambda: _ignore(run(source, "INSERT INTO p SELECT count(*) + 1, 'v' FROM p")),
        lambda: int(run(target, "SELECT n FROM a_last")[0][0]),
        lambda: sorted(d for (d,) in run(source, "SHOW DATABASES") if d.startswith(target)),
        spoil,
    )


@pytest.fixture(params=["sqlite", "duckdb", "postgres", "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    name = f"back_{os.getpid()}_{next(_numbers)}"
    if request.param in ("sqlite", "duckdb"):
        yield _files(tmp_path, request.param)
        return
    server = request.getfixturevalue(request.param)
    made = (_postgres if request.param == "postgres" else _mariadb)(server, name)
    yield made
    for left in [*made.around(), f"{name}_s"]:
        server.drop_database(left)


def test_back_and_forth(place: Place) -> None:
    place.clone()
    assert previous_replicas(place.target) == [] and len(place.around()) == 1
    with pytest.raises(UsageError, match="no previous replica is kept"):
        rollback(place.target)
    place.clone()
    assert place.count() == 2 and len(place.around()) == 2
    first = rollback(place.target)
    assert first.replaced.endswith("+00:00")
    assert place.count() == 1 and len(place.around()) == 2
    second = rollback(place.target)
    assert place.count() == 2 and second.name > first.name
    rollback(place.target)
    place.clone()
    assert place.count() == 3 and len(place.around()) == 2
    rollback(place.target)
    assert place.count() == 1


def test_as_many_stay_as_were_asked_for(place: Place) -> None:
    for _ in range(4):
        place.clone(keep=2)
    kept = previous_replicas(place.target)
    assert len(kept) == 2 and kept[0].name > kept[1].name and len(place.around()) == 3
    with pytest.raises(UsageError, match="is none of the replicas that are kept"):
        rollback(place.target, "elsewhere")
    rollback(place.target, kept[1].name)
    assert place.count() == 2
    rollback(place.target)
    assert place.count() == 4
    place.clone(keep=0)
    assert place.count() == 5 and len(place.around()) == 1


def test_what_a_run_overwrote_can_be_had_back(place: Place) -> None:
    place.spoil()
    place.clone(overwrite=True)
    assert place.count() == 1
    rollback(place.target)
    with pytest.raises(UsageError, match="not made by dbmask"):
        place.clone()
    rollback(place.target)
    assert place.count() == 1


def test_what_dbmask_did_not_make_is_not_exchanged(place: Place) -> None:
    place.spoil()
    place.clone(overwrite=True)
    place.spoil()
    with pytest.raises(UsageError, match="it exchanges what it made itself"):
        rollback(place.target)
    assert len(place.around()) == 2


def test_a_failed_run_drops_nothing_that_is_kept(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.clone()
    place.clone()
    before = place.around()

    def broken(*_: object) -> object:
        raise ConnectorError("the line is cut")

    kind = type(connector_for(place.target).target(place.target))
    monkeypatch.setattr(kind, "finish", broken)
    with pytest.raises(ConnectorError, match="the line is cut"):
        place.clone(keep=0)
    assert place.around() == before and place.count() == 2


def test_settings_and_grants_go_with_the_name(postgres: Postgres) -> None:
    place = _postgres(postgres, f"back_{os.getpid()}_{next(_numbers)}")
    target = place.target.rpartition("/")[2]
    facts = (
        "SELECT datacl::text, datconnlimit, (SELECT array_agg(setconfig::text) FROM pg_db_role_setting "
        f"WHERE setdatabase = d.oid) FROM pg_database d WHERE datname = '{target}'"
    )
    try:
        place.clone()
        postgres.psql(
            "postgres",
            f'ALTER DATABASE "{target}" SET work_mem = \'7MB\'; ALTER DATABASE "{target}" CONNECTION LIMIT 9;'
            f'GRANT CREATE ON DATABASE "{target}" TO PUBLIC',
        )
        place.clone()
        postgres.psql(
            "postgres",
            f'ALTER DATABASE "{target}" RESET ALL; ALTER DATABASE "{target}" SET search_path = app, public;'
            f'ALTER DATABASE "{target}" CONNECTION LIMIT -1; REVOKE ALL ON DATABASE "{target}" FROM PUBLIC',
        )
        now = postgres.psql("postgres", facts)
        rollback(place.target)
        assert place.count() == 1 and postgres.psql("postgres", facts) == now
        assert "search_path" in now and "7MB" not in now
        kept = previous_replicas(place.target)[0].name
        with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
            postgres.connect(kept)
    finally:
        for left in [*place.around(), target.removesuffix("_t") + "_s"]:
            postgres.drop_database(left)


def test_a_replica_that_was_lost_comes_back(postgres: Postgres) -> None:
    place = _postgres(postgres, f"back_{os.getpid()}_{next(_numbers)}")
    target = place.target.rpartition("/")[2]
    try:
        place.clone()
        place.clone()
        postgres.drop_database(target)
        rollback(place.target)
        assert place.count() == 1 and place.around() == [target]
    finally:
        for left in [*place.around(), target.removesuffix("_t") + "_s"]:
            postgres.drop_database(left)


def test_the_number_comes_from_the_call_then_the_policy_then_one() -> None:
    class Keeping:
        def __init__(self) -> None:
            self.count = -1

        def keep_previous(self, count: int) -> None:
            self.count = count

        def previous(self) -> list[Any]:
            return []

        def roll_back(self, name: str) -> None:
            raise AssertionError

    def told(policy: Policy, count: int | None) -> int:
        target: Any = Keeping()
        keep_replaced(target, policy, count)
        return int(target.count)

    three = Policy.from_text("version: 1\nkeep_previous: 3\ntables: {p: keep}")
    assert (told(three, 0), told(three, None), told(POLICY, None)) == (0, 3, 1)
    for wrong in ("-1", "yes", "many"):
        with pytest.raises(UsageError, match="a number of replicas"):
            told(Policy.from_text(f"version: 1\nkeep_previous: {wrong}\ntables: {{p: keep}}"), None)
    other: Any = object()
    keep_replaced(other, POLICY, None)
    with pytest.raises(UsageError, match="cannot keep the replica"):
        keep_replaced(other, POLICY, 2)
