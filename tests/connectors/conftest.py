"""Databases loaded from files once a module, and a place for replicas."""

from __future__ import annotations

import gzip
import itertools
import os
import re
from collections.abc import Callable, Iterator

import pytest

from tests.connectors.mariadb_tools import rich_database, small_table
from tests.connectors.mysql_replicas import place, small_source
from tests.connectors.postgres_spi import LOADS
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

__all__ = ["loaded", "maria_linked", "maria_replica", "maria_rich", "maria_small", "replica"]

_numbers = itertools.count(1)
# A script may name owners that are not here, and make a database of its own.
_ELSEWHERE = re.compile(r"(?im)^(ALTER .* OWNER TO .*;|(DROP|CREATE) DATABASE .*;|\\c .*)$")


@pytest.fixture(scope="module")
def loaded(postgres: Postgres) -> Iterator[Callable[[str], str]]:
    """Loads a database of LOADS into PostgreSQL, once, and gives its name. It is not to be changed."""
    made: dict[str, str] = {}

    def load(what: str) -> str:
        if what not in made:
            name = f"t_{os.getpid()}_{next(_numbers)}_{what.replace('-', '_')}"
            postgres.create_database(name)
            data = LOADS[what].read_bytes()
            script = (gzip.decompress(data) if LOADS[what].suffix == ".gz" else data).decode()
            postgres.psql(name, _ELSEWHERE.sub("", script))
            made[what] = name
        return made[what]

    yield load
    for name in made.values():
        postgres.drop_database(name)


@pytest.fixture
def replica(postgres: Postgres) -> Iterator[str]:
    """The name of a database that does not exist; it and all that is built beside it are dropped after the test."""
    name = f"t_{os.getpid()}_{next(_numbers)}_replica"
    yield name
    with postgres.connect() as connection:
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        left = [row[0] for row in connection.execute(query, (name,))]
    for each in left:
        postgres.drop_database(each)


@pytest.fixture(scope="module")
def maria_rich(mariadb: MariaDB) -> Iterator[str]:
    """The name of a MariaDB database with the rich fixture. It is not to be changed."""
    with rich_database(mariadb) as name:
        yield name


@pytest.fixture
def maria_small(mariadb: MariaDB) -> Iterator[str]:
    """The name of a MariaDB database with one table of three rows."""
    with small_table(mariadb) as name:
        yield name


@pytest.fixture
def maria_linked(mariadb: MariaDB) -> Iterator[str]:
    """The name of a MariaDB database with two tables, a key between them, a view and a trigger."""
    with small_source(mariadb) as name:
        yield name


@pytest.fixture
def maria_replica(mariadb: MariaDB) -> Iterator[str]:
    """The name of a MariaDB database that does not exist; beside it nothing may be left."""
    with place(mariadb) as name:
        yield name
