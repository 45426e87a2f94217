"""One connection to the run's PostgreSQL for all tests of masks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import psycopg

    from tests.fix_postgres import Postgres


@pytest.fixture(scope="package")
def pg(postgres: Postgres) -> Iterator[psycopg.Connection[Any]]:
    """An open connection; tests work in temporary tables."""
    with postgres.connect() as connection:
        yield connection
