"""Clones in chunks: several workers, the ledger, the history, and going on where a run stopped."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmask.errors import ConnectorError, UsageError
from dbmask.spi import Shared
from dbmask.state import State
from tests.cloner.crashing import SCHEMA, Place, contents, leftovers, run_clone
from tests.fix_postgres import Postgres

NAME = f"chunks_{os.getpid()}"
ROWS = 900


@pytest.fixture(scope="module")
def source(postgres: Postgres) -> Iterator[str]:
    name = f"{NAME}_source"
    postgres.create_database(name)
    postgres.psql(name, SCHEMA.replace("{n}", str(ROWS)))
    yield name
    postgres.drop_database(name)


@pytest.fixture
def place(postgres: Postgres, source: str, tmp_path: Path) -> Iterator[Place]:
    made = Place(postgres, source, f"{NAME}_target", tmp_path)
    fresh = f"{NAME}_fresh"
    yield made
    for name in (made.target, fresh):
        postgres.drop_database(name)
    left = leftovers(postgres, made)
    assert left == {"sessions": [], "databases": [], "prepared": []}


def fresh(place: Place) -> list[object]:
    """What a clone in one process makes of the source as it is now."""
    run_clone(place, f"{NAME}_fresh", overwrite=True)
    return contents(place.postgres, f"{NAME}_fresh")


def test_workers_make_the_same_replica(place: Place) -> None:
    done = run_clone(place, state=place.state, moving={"jobs": 2})
    assert contents(place.postgres, place.target) == fresh(place)
    assert done.certificate.passed and sum(done.rows.values()) == ROWS * 7
    assert all(chunks > 1 and reused == 0 for chunks, reused in done.chunks.values())
    with State(place.state) as state:
        (run,) = state.runs()
        assert (run.status, run.phase, run.jobs, run.building) == ("done", "", 2, "")
        assert {t.name: t.rows for t in state.tables(run.id)} == {str(n): r for n, r in done.rows.items()}
        assert state.chunks(run.id) == []
    with pytest.raises(UsageError, match="nothing to resume"):
        run_clone(place, state=place.state, resume=True)
