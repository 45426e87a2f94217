"""Subsets of random databases: exactly the rows that a plain choice gives, and every foreign key holds."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dbmask.cloner import clone
from dbmask.masks.build import example_keys
from dbmask.policy import Policy
from tests.cloner import worlds
from tests.cloner.worlds import Wanted, World
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

Rows = dict[int, Counter[tuple[Any, ...]]]
_RANDOMS = st.randoms(use_true_random=False)
_NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)


@contextmanager
def place() -> Iterator[Path]:
    found = Path(tempfile.mkdtemp(prefix="dbmask-worlds-"))
    try:
        yield found
    finally:
        shutil.rmtree(found)


def counted(world: World, read: Callable[[str], list[Any]], name: Callable[[int], str]) -> Rows:
    return {
        t.number: Counter(tuple(r) for r in read(f"SELECT {', '.join(t.columns)} FROM {name(t.number)}"))
        for t in world.tables
    }


def cloned(world: World, want: Wanted, name: Callable[[int], str], source: str, target: str) -> None:
    policy = Policy.from_dict(worlds.policy(world, want, name))
    done = clone(policy, source, target, keys=example_keys(), overwrite=True)
    assert done.certificate.passed


@given(_RANDOMS)
@settings(max_examples=60, deadline=None)
def test_subsets_of_sqlite_files(random: Random) -> None:
    world = worlds.world(random)
    want = worlds.wanted(random, world)

    def name(number: int) -> str:
        return f"t{number}"

    with place() as folder:
        create, _ = worlds.ddl(world, name, later=False)
        with closing(sqlite3.connect(folder / "source.db")) as db, db:
            for statement in [*create, *worlds.inserts(world, name)]:
                db.execute(statement)
        cloned(world, want, name, f"sqlite:///{folder}/source.db", f"sqlite:///{folder}/replica.db")
        with closing(sqlite3.connect(folder / "replica.db")) as db:
            assert db.execute("PRAGMA foreign_key_check").fetchall() == []
            found = counted(world, lambda q: db.execute(q).fetchall(), name)
    assert found == worlds.chosen(world, want, example_keys())


@given(_RANDOMS)
@settings(max_examples=10, deadline=None)
def test_subsets_of_duckdb_files(random: Random) -> None:
    import duckdb

    world = worlds.world(random, circles=False)
    want = worlds.wanted(random, world)

    def name(number: int) -> str:
        return f"t{number}"

    with place() as folder:
        create, _ = worlds.ddl(world, name, later=False)
        with closing(duckdb.connect(str(folder / "source.duckdb"))) as db:
            for statement in [*create, *worlds.inserts(world, name)]:
                db.execute(statement)
        cloned(world, want, name, f"duckdb:///{folder}/source.duckdb", f"duckdb:///{folder}/replica.duckdb")
        with closing(duckdb.connect(str(folder / "replica.duckdb"), read_only=True)) as db:
            found = counted(world, lambda q: db.execute(q).fetchall(), name)
    assert found == worlds.chosen(world, want, example_keys())


@pytest.mark.slow
@given(random=_RANDOMS)
@settings(
    max_examples=8, deadline=None, phases=_NO_SHRINKING, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_subsets_of_postgres_databases_in_two_schemas(postgres: Postgres, random: Random) -> None:
    world = worlds.world(random)
    want = worlds.wanted(random, world)
    source, replica = f"world_{os.getpid()}", f"world_{os.getpid()}_replica"

    def name(number: int) -> str:
        return f"s{number % 2}.t{number}"

    create, alter = worlds.ddl(world, name, later=True)
    postgres.create_database(source)
    try:
        script = ["CREATE SCHEMA s0", "CREATE SCHEMA s1", *create, *worlds.inserts(world, name), *alter]
        postgres.psql(source, ";\n".join(script))
        cloned(world, want, name, postgres.url(source), postgres.url(replica))
        with postgres.connect(replica) as db:
            found = counted(world, lambda q: db.execute(q.encode()).fetchall(), name)
            broken = db.execute(
                "SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND NOT convalidated"
            ).fetchone()
    finally:
        postgres.drop_database(source)
        postgres.drop_database(replica)
    assert broken == (0,)
    assert found == worlds.chosen(world, want, example_keys())


@pytest.mark.slow
@given(random=_RANDOMS)
@settings(
    max_examples=8, deadline=None, phases=_NO_SHRINKING, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_subsets_of_mariadb_databases(mariadb: MariaDB, random: Random) -> None:
    world = worlds.world(random)
    want = worlds.wanted(random, world, keyless_most=False)
    source, replica = f"world_{os.getpid()}", f"world_{os.getpid()}_replica"

    def name(number: int) -> str:
        return f"t{number}"

    create, alter = worlds.ddl(world, name, later=True)
    mariadb.create_database(source)
    try:
        mariadb.mysql(source, ";\n".join([*create, *worlds.inserts(world, name), *alter]))
        cloned(world, want, lambda n: f"{source}.t{n}", mariadb.url(source), mariadb.url(replica))
        with mariadb.connect(replica) as db, db.cursor() as cursor:

            def read(query: str) -> list[Any]:
                cursor.execute(query)
                return list(cursor.fetchall())

            found = counted(world, read, name)
    finally:
        mariadb.drop_database(source)
        mariadb.drop_database(replica)
    assert found == worlds.chosen(world, want, example_keys())
