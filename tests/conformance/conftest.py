"""One engine of each kind per worker, opened when a test first asks for it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from tests.conformance.engines import DuckDBEngine, Engine, MariaDBEngine, PostgresEngine, SQLiteEngine
from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres

NAMES = ("postgres", "mysql", "sqlite", "duckdb")


@pytest.fixture(scope="session")
def engines(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Engine]]:
    """A function from a dialect's name to its engine."""
    opened: dict[str, Engine] = {}

    def engine(name: str) -> Engine:
        if name not in opened:
            database = f"conformance_{os.getpid()}"
            if name == "postgres":
                server: Postgres = request.getfixturevalue("postgres")
                server.create_database(database)
                opened[name] = PostgresEngine(server, database)
            elif name == "mysql":
                maria: MariaDB = request.getfixturevalue("mariadb")
                maria.create_database(database)
                opened[name] = MariaDBEngine(maria, database)
            else:
                opened[name] = SQLiteEngine() if name == "sqlite" else DuckDBEngine()
        return opened[name]

    yield engine
    for each in opened.values():
        each.close()


@pytest.fixture(params=NAMES)
def engine(request: pytest.FixtureRequest, engines: Callable[[str], Engine]) -> Engine:
    """Each engine in turn."""
    name: str = request.param
    return engines(name)
