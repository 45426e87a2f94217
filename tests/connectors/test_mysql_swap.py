"""A replica changes places with what was there, and its run is killed: at any statement, the next run makes one of both whole."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from typing import Any

import pytest

from dbmask.errors import ConnectorError
from dbmask_connectors import _mysql_previous as previous
from dbmask_connectors import _mysql_swap as swap
from dbmask_connectors._mysql_address import Address
from dbmask_connectors._mysql_catalog import relations
from dbmask_connectors._mysql_session import Session
from dbmask_connectors._mysql_source import exists
from tests.fix_mariadb import MariaDB

_numbers = itertools.count()
OLD = (
    "CREATE TABLE p (id int PRIMARY KEY, v varchar(20))",
    "CREATE TABLE turned (id int)",
    "INSERT INTO p VALUES (1, 'old')",
    "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 1",
    "CREATE FUNCTION old_f() RETURNS int DETERMINISTIC RETURN 1",
    "CREATE VIEW z AS SELECT v, old_f() FROM p",
    "CREATE VIEW a AS SELECT v FROM z",
    "CREATE VIEW table_to_be AS SELECT v FROM p",
    "CREATE TRIGGER t BEFORE INSERT ON p FOR EACH ROW SET NEW.v = 'by the old'",
    "CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO DELETE FROM p",
)
NEW = (
    "CREATE TABLE p (id int PRIMARY KEY, v varchar(20))",
    "CREATE TABLE table_to_be (id int)",
    "INSERT INTO p VALUES (2, 'new')",
    "CREATE FUNCTION f() RETURNS int DETERMINISTIC RETURN 2",
    "CREATE PROCEDURE g() SELECT f()",
    "CREATE VIEW z AS SELECT v, f() FROM p",
    "CREATE VIEW a AS SELECT v FROM z",
    "CREATE VIEW turned AS SELECT v FROM p",
    "CREATE TRIGGER t BEFORE INSERT ON p FOR EACH ROW SET NEW.v = f()",
)
PROGRAMS = tuple(s for s in OLD if "VIEW" not in s and "FUNCTION" in s)


class Killed(BaseException):
    """A process has ended: none of its statements come any more."""


class Dying:
    """Counts the statements that change something; the process ends before the one of that number."""

    def __init__(self, patch: pytest.MonkeyPatch, number: int) -> None:
        self.left, run = number, Session.run

        def counted(session: Session, sql: str, *args: Any, **options: Any) -> list[tuple[Any, ...]]:
            if re.match(r"CREATE|DROP|ALTER|RENAME|INSERT", sql):
                self.left -= 1
            if self.left < 0:
                raise Killed
            return run(session, sql, *args, **options)

        patch.setattr(Session, "run", counted)


class World:
    """A target, and what is to take its place."""

    def __init__(self, server: MariaDB, before: Sequence[str] | None) -> None:
        self.server, self.target = server, f"swap_{os.getpid()}_{next(_numbers)}"
        self.built = swap.building_name(self.target)
        self.there = before is not None
        if before is not None:
            self._make(self.target, before)
        self._make(self.built, NEW)

    def _make(self, name: str, statements: Sequence[str]) -> None:
        self.server.create_database(name)
        with closing(self.server.connect(name)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def session(self) -> Session:
        return Session(Address.parse(f"{self.server.url(self.target)}?ssl_disabled=1"))

    def publish(self, kept: bool) -> None:
        with closing(self.session()) as session:
            swap.hold(session, self.target)
            session.run(f"USE `{self.built}`")
            programs = list(reversed(swap.programs_of(session, self.built)))
            place = previous.kept_name(session, self.target) if kept else ""
            create = f"CREATE DATABASE `{self.target}`"
            swap.Swap(session, self.target, self.built, programs, create, place).run(self.session, self.there)

    def recover(self) -> None:
        with closing(self.session()) as session:
            swap.hold(session, self.target, 5)
            previous.recover(session, self.target)
            swap.clear_leftovers(session, self.target)

    def state(self) -> Any:
        """What is in the target: its relations, rows, and programs as they work."""
        with closing(self.session()) as session:
            if not exists(session, self.target):
                return None
            session.run(f"USE `{self.target}`")
            programs = sorted(
                (e.kind, e.name, e.settings, e.sql.replace(f"`{self.target}`.", ""))
                for e in swap.programs_of(session, self.target)
            )
            tables = sorted(relations(session, self.target))
            if not tables and not programs:
                return None  # an empty database is as good as none
            rows = [session.run(f"SELECT v FROM {name}") for name in ("a", "p") if name in dict(tables)]
            return tables, programs, rows

    def beside(self) -> list[str]:
        with closing(self.session()) as session:
            return [
                name
                for (name,) in session.run("SELECT schema_name FROM information_schema.schemata")
                if name.startswith(f"{self.target}__dbmask_")
            ]

    def unmake(self) -> None:
        for name in [self.target, *self.beside()]:
            self.server.drop_database(name)


def died(world: World, number: int, act: Any) -> bool:
    """Whether the process was killed before it had ended."""
    with pytest.MonkeyPatch.context() as patch:
        Dying(patch, number)
        with suppress(Killed):
            act()
            return False
    return True


def points(server: MariaDB, before: Sequence[str] | None, made: Any) -> Iterator[tuple[World, Any, bool]]:
    """A world, its state before, and whether the kill came in time, for every statement that ``made``'s action consists of."""
    for number in itertools.count():
        world = World(server, before)
        act = made(world)
        try:
            then = world.state()
            there = died(world, number, act)
            yield world, then, there
        finally:
            world.unmake()
        if not there:
            return


@pytest.mark.parametrize("before", [OLD, PROGRAMS, None], ids=["full", "programs", "absent"])
def test_a_kill_at_any_statement_leaves_the_old_or_the_new(mariadb: MariaDB, before: Sequence[str] | None) -> None:
    seen = []
    for world, old, killed in points(mariadb, before, lambda w: lambda: w.publish(kept=True)):
        world.recover()
        now = world.state()
        kept = [n for n in world.beside() if "__dbmask_was_" in n]
        assert kept == world.beside()
        assert len(kept) == (1 if now != old and before is OLD else 0)
        seen.append((now == old, now, killed))
    assert not seen[-1][2]  # the last one came through
    assert len({repr(now) for _, now, _ in seen}) == 2 and seen[0][0]
    assert [s for s, _, _ in seen] == sorted((s for s, _, _ in seen), reverse=True)  # once it is new, it stays so


def test_a_kill_at_any_statement_of_a_way_back(mariadb: MariaDB) -> None:
    def back(world: World) -> Any:
        world.publish(kept=True)
        (name,) = world.beside()

        def act() -> None:
            with closing(world.session()) as session:
                session.run("SET @@session.lock_wait_timeout = 5")
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(swap, "is_marked", lambda *_: True)
                    previous.roll_back(session, world.target, name, world.session)

        return act

    states = []
    for world, new, _killed in points(mariadb, OLD, back):
        world.recover()
        now = world.state()
        assert len(world.beside()) == 1  # the other one
        states.append(now == new)
        last = now
    assert states[0] and not states[-1] and states == sorted(states, reverse=True)
    assert last[2] == [[("old",)], [("old",)]] and ("function", "old_f") in {(k, n) for k, n, *_ in last[1]}


@pytest.mark.parametrize("before", [OLD, None], ids=["full", "absent"])
def test_a_kill_while_a_failed_swap_is_undone(mariadb: MariaDB, before: Sequence[str] | None) -> None:
    install = swap.install

    def failing(world: World) -> Any:
        def act() -> None:
            def spoilt(session: Session, target: str, programs: Sequence[Any]) -> None:
                install(session, target, programs[:2])
                raise ConnectorError("it cannot be made")

            with pytest.MonkeyPatch.context() as patch, pytest.raises(ConnectorError, match="cannot be made"):
                patch.setattr(swap, "install", spoilt)
                world.publish(kept=False)

        return act

    states = []
    for world, old, killed in points(mariadb, before, failing):
        if not killed:  # the failed run may be resumed: its tables are where they were
            with closing(world.session()) as session:
                assert {"p", "table_to_be"} <= {name for name, _ in relations(session, world.built)}
            assert world.beside() == [world.built] and world.state() == old
        world.recover()
        states.append(world.state())
        assert world.beside() == []
        if states[-1] not in (old, None):
            assert {n for k, n, *_ in states[-1][1]} >= {"f", "g", "t", "a"}
    assert states[0] == states[-1] and len({repr(s) for s in states}) == 2
