"""A replica in MariaDB appears at once or not at all, and replaces only what may be replaced."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest
from sqlglot import exp

from dbmask.errors import ConnectorError, UsageError
from dbmask.schema import ForeignKey
from dbmask.spi import TargetTable
from dbmask_connectors._mysql_build import Built
from tests.connectors.mariadb_tools import (
    copy,
    everything,
    fresh,
    run,
    select_all,
    source,
    target,
)
from tests.connectors.mysql_replicas import clone, databases
from tests.fix_mariadb import MariaDB

pytestmark = pytest.mark.slow


# -- all or nothing ----------------------------------------------------------------------------------------------------


def test_nothing_shows_before_it_is_published(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    with closing(source(mariadb, maria_linked)) as opened, closing(target(mariadb, maria_replica)) as made:
        schema = opened.schema()
        tables = everything(schema)
        structure = opened.structure(schema, tables)
        assert made.identity() == ""
        made.begin()
        made.create(structure)
        made.finish(structure, lambda text: None)
        assert maria_replica not in databases(mariadb, maria_replica)
        with made.reader() as reader:
            assert list(reader.read(select_all(tables[0]))) == []
        made.publish()
        assert databases(mariadb, maria_replica) == [maria_replica]
        assert made.identity() not in ("", opened.identity())
        with made.reader() as reader:
            assert list(reader.read(select_all(tables[0]))) == []


def test_a_replica_takes_the_place_of_the_last_one(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    clone(mariadb, maria_linked, maria_replica)
    run(mariadb, maria_replica, "UPDATE p SET v = 'edited'")
    run(
        mariadb,
        maria_linked,
        "INSERT INTO p VALUES (10, 'ten', 'x')",
        "ALTER VIEW both_of_them AS SELECT 1 AS one FROM c",
    )
    clone(mariadb, maria_linked, maria_replica)
    assert run(mariadb, maria_replica, "SELECT v FROM p ORDER BY id") == [("one",), ("two",), ("",), ("ten",)]
    assert run(mariadb, maria_replica, "SELECT one FROM both_of_them LIMIT 1") == [(1,)]
    run(mariadb, maria_replica, "INSERT INTO c VALUES (77, 10)")


def test_the_database_keeps_the_sources_character_set(mariadb: MariaDB, maria_replica: str) -> None:
    with fresh(mariadb, "latin") as name:
        mariadb.create_database(name, "CHARACTER SET latin2 COLLATE latin2_bin")
        run(mariadb, name, "CREATE TABLE t (id int PRIMARY KEY, v varchar(5))")
        clone(mariadb, name, maria_replica)
    rows = run(
        mariadb,
        None,
        f"SELECT default_collation_name FROM information_schema.schemata WHERE schema_name = '{maria_replica}'",
    )
    assert rows == [("latin2_bin",)]


@pytest.mark.parametrize("there", [False, True])
def test_a_failed_run_leaves_what_was_there(
    mariadb: MariaDB, maria_linked: str, maria_replica: str, there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if there:
        clone(mariadb, maria_linked, maria_replica)
    monkeypatch.setattr(Built, "finish", lambda self, progress: self.session.run("SELECT nonsense"))
    with pytest.raises(ConnectorError, match="no such column"):
        clone(mariadb, maria_linked, maria_replica)
    assert databases(mariadb, maria_replica) == [maria_replica] * there
    if there:
        assert run(mariadb, maria_replica, "SELECT count(*) FROM both_of_them") == [(2,)]


def test_a_swap_that_fails_is_undone(
    mariadb: MariaDB, maria_linked: str, maria_replica: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables have changed places, then a view cannot be made: they change back, with all that hung on them."""
    clone(mariadb, maria_linked, maria_replica)
    run(
        mariadb,
        maria_replica,
        "UPDATE p SET v = 'served'",
        "CREATE FUNCTION mine() RETURNS int DETERMINISTIC RETURN 7",
        "CREATE VIEW my_view AS SELECT v, mine() AS m FROM p",
        "CREATE VIEW a_view AS SELECT m FROM my_view",
        "CREATE TRIGGER mine_too AFTER INSERT ON c FOR EACH ROW SET @seen = 1",
        "CREATE EVENT my_event ON SCHEDULE EVERY 1 DAY DISABLE DO DELETE FROM c",
    )
    finish = Built.finish

    def spoilt(self: Built, progress: Any) -> None:
        finish(self, progress)
        last = self.programs[-1]
        self.programs.append(type(last)("view", "nonsense", "", "CREATE VIEW nonsense AS SELECT * FROM not_there"))

    monkeypatch.setattr(Built, "finish", spoilt)
    with pytest.raises(ConnectorError, match="view nonsense: there is no such table"):
        clone(mariadb, maria_linked, maria_replica, overwrite=True)
    assert databases(mariadb, maria_replica) == [maria_replica]
    assert run(mariadb, maria_replica, "SELECT DISTINCT v FROM my_view") == [("served",)]
    assert run(mariadb, maria_replica, "SELECT DISTINCT m FROM a_view") == [(7,)]
    assert run(mariadb, maria_replica, "INSERT INTO c VALUES (90, 9)", "SELECT @seen") == [(1,)]
    assert [row[1] for row in run(mariadb, maria_replica, "SHOW EVENTS")] == ["my_event"]


def test_what_dead_runs_left_is_cleared(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    with closing(source(mariadb, maria_linked)) as opened:
        schema = opened.schema()
        dead = target(mariadb, maria_replica)
        dead.begin()
        dead.create(opened.structure(schema, everything(schema)))
        mariadb.create_database(f"{maria_replica}__dbmask_mine")  # of another making
        with (
            closing(target(mariadb, maria_replica)) as second,
            pytest.raises(ConnectorError, match="another run is building"),
        ):
            second.begin()
        dead.session.kill()
    left = databases(mariadb, maria_replica)
    assert len(left) == 2
    clone(mariadb, maria_linked, maria_replica)
    assert databases(mariadb, maria_replica) == [maria_replica, f"{maria_replica}__dbmask_mine"]
    mariadb.drop_database(f"{maria_replica}__dbmask_mine")


def test_ctrl_c_leaves_nothing(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    def interrupt(rows: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clone(mariadb, maria_linked, maria_replica, progress=interrupt)
    assert databases(mariadb, maria_replica) == []


# -- what may be replaced ----------------------------------------------------------------------------------------------


def test_what_dbmask_did_not_make_is_not_overwritten(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    mariadb.create_database(maria_replica)
    clone(mariadb, maria_linked, maria_replica)  # it was empty
    mariadb.create_database(maria_replica)
    run(mariadb, maria_replica, "CREATE TABLE precious (id int)")
    with pytest.raises(UsageError, match="is not empty and was not made by dbmask"):
        clone(mariadb, maria_linked, maria_replica)
    clone(mariadb, maria_linked, maria_replica, overwrite=True)
    assert ("precious",) not in run(mariadb, maria_replica, "SHOW TABLES")


def test_what_was_added_to_a_replica_is_not_lost_unseen(
    mariadb: MariaDB, maria_linked: str, maria_replica: str
) -> None:
    clone(mariadb, maria_linked, maria_replica)
    clone(mariadb, maria_linked, maria_replica)
    run(mariadb, maria_replica, "CREATE TABLE precious (id int)")
    with pytest.raises(UsageError, match="precious was added since"):
        clone(mariadb, maria_linked, maria_replica)


@pytest.mark.parametrize(
    "thing", ["CREATE PROCEDURE q() SELECT 1", "CREATE EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1"]
)
def test_a_database_with_programs_alone_is_not_empty(mariadb: MariaDB, maria_replica: str, thing: str) -> None:
    mariadb.create_database(maria_replica)
    run(mariadb, maria_replica, thing)
    with closing(target(mariadb, maria_replica)) as made, pytest.raises(UsageError, match="is not empty"):
        made.check(False)


def test_the_servers_own_databases_are_not_to_be_had(mariadb: MariaDB) -> None:
    with closing(target(mariadb, "mysql")) as made, pytest.raises(UsageError, match="server's own"):
        made.check(True)


def test_source_and_target_are_one(mariadb: MariaDB, maria_linked: str) -> None:
    with closing(source(mariadb, maria_linked)) as opened, closing(target(mariadb, maria_linked)) as made:
        assert opened.identity() == made.identity()
        tables = everything(opened.schema())
        made.begin()
        made.create(opened.structure(opened.schema(), tables))
        with opened.snapshot() as reader, pytest.raises(UsageError, match="one database"):
            made.relay(opened, reader, tables[0], select_all(tables[0]), lambda rows: None)
    assert databases(mariadb, maria_linked) == [maria_linked]


def test_long_names(mariadb: MariaDB, maria_linked: str) -> None:
    name = "n" * 64
    mariadb.drop_database(name)
    try:
        clone(mariadb, maria_linked, name)
        clone(mariadb, maria_linked, name)
        assert databases(mariadb, "n" * 20) == [name]
    finally:
        mariadb.drop_database(name)


def test_foreign_keys_are_counted(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    masks = {"c": {"p": lambda c: exp.Add(this=c, expression=exp.Literal.number(1))}}
    with closing(source(mariadb, maria_linked)) as opened, closing(target(mariadb, maria_replica)) as made:
        schema = opened.schema()
        child, parent = everything(schema)
        declared = ForeignKey("", ("id",), parent.name, ("id",), declared=True)
        table = type(child.table)(**{**vars(child.table), "foreign_keys": (*child.table.foreign_keys, declared)})
        tables = [TargetTable(table, child.columns), parent]
        result = copy(opened, made, tables, schema=schema, masks=masks)
    assert result.broken == {f"{maria_linked}.c.c_p": 1, f"{maria_linked}.c.id": 1}


def test_other_databases_structure_is_refused(mariadb: MariaDB, maria_linked: str, maria_replica: str) -> None:
    with closing(source(mariadb, maria_linked)) as opened, closing(target(mariadb, maria_replica)) as made:
        structure = opened.structure(opened.schema(), [])
        with pytest.raises(ConnectorError, match="nothing is being built"):
            made.create(structure)
        made.begin()
        with pytest.raises(UsageError, match="postgres"):
            made.create(type(structure)(**{**vars(structure), "dialect": "postgres"}))
