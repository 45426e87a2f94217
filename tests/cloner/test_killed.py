"""Clones whose processes are killed, at seeded moments of every phase, while the source is being written to."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmask.cloner.keeper import Keeper
from dbmask.errors import UsageError
from dbmask.spi import Shared
from dbmask.state import State
from tests.cloner.crashing import (
    SCHEMA,
    Place,
    Writer,
    expected,
    leftovers,
    replica_rows,
    run_clone,
    settle,
    start_clone,
    strike,
)
from tests.fix_postgres import Postgres

NAME = f"killed_{os.getpid()}"
# What a clone says when the phase begins, and for how long after that it may be killed.
PHASES = (
    ("", 1.2),  # plan
    ("structure", 0.4),
    ("rows", 0.05),
    ("  public.person", 0.1),
    ("  public.item", 0.1),
    ("  public.event", 0.1),
    ("indexes and keys", 0.05),
    ("derived values", 0.05),
    ("verify", 0.1),
    ("verify", 0.5),  # and the swap
)
VICTIMS = ("client", "all", "client", "all", "worker", "keeper")
GROUPS, POINTS = 10, 52
PROGRAMS = (
    ("-m", "dbmask"),
    # Small tables, too, are searched by a process of its own.
    ("-c", "from dbmask.cloner import ahead; ahead.WORTH = 1; from dbmask.cli import main; main()"),
)


@pytest.fixture
def place(postgres: Postgres, tmp_path: Path) -> Iterator[Place]:
    made = Place(postgres, f"{NAME}_source", f"{NAME}_target", tmp_path)
    postgres.create_database(made.source)
    postgres.psql(made.source, SCHEMA.replace("{n}", "300"))
    settle(postgres, made.source)
    run_clone(made)
    yield made
    for name in (made.source, made.target):
        postgres.drop_database(name)


def held_snapshot(place: Place) -> Shared | None:
    """The snapshot that a keeper still holds."""
    with State(place.state) as state:
        runs = state.runs(1)
    keeper = Keeper.reach(runs[0].keeper) if runs and runs[0].status != "done" else None
    if keeper is None:
        return None
    keeper.close()
    told = json.loads(runs[0].snapshot)
    return Shared(told["token"], told["position"])


@pytest.mark.slow
@pytest.mark.parametrize("group", range(GROUPS))
def test_killed_clones_are_resumed(place: Place, group: int) -> None:
    for point in range(group, POINTS, GROUPS):
        rng = random.Random(point)  # noqa: S311 - a seed that can be repeated
        phase, span = PHASES[(point + point // GROUPS) % len(PHASES)]
        victim = VICTIMS[point % len(VICTIMS)]
        old = replica_rows(place)
        with Writer(place, point):
            program = PROGRAMS[point // len(PHASES) % 2]
            process = start_clone(place, "--jobs", "2", "--keep-snapshot", "60", program=program)
            strike(process, victim, phase, rng.random() * span)
            _, err = process.communicate(timeout=60)
        if process.returncode == 0:
            continue  # it came through
        assert victim != "worker", err
        assert "Traceback" not in err
        assert replica_rows(place) == old or phase == "verify"
        resumed(place, point)
    assert leftovers(place.postgres, place)["prepared"] == []


def resumed(place: Place, point: int) -> None:
    """Resume; the replica is what its snapshot's rows are, masked, and nothing else is left."""
    shared = held_snapshot(place)
    with State(place.state) as state:
        runs = state.runs(1)
        written = (
            bool(runs)
            and runs[0].phase in ("rows", "finish", "verify")
            and any(c.done for c in state.chunks(runs[0].id))
        )
    then = expected(place, shared)
    try:
        done = run_clone(place, state=place.state, resume=True)
    except UsageError as error:  # killed before it began, or after it ended
        assert "nothing to resume" in str(error) and (not runs or runs[0].status == "done"), f"point {point}"
        return
    assert replica_rows(place) == then, f"point {point}"
    assert done.certificate.passed
    if written:
        assert sum(reused for _, reused in done.chunks.values()) > 0, f"point {point}"
    left = leftovers(place.postgres, place)
    assert left == {"sessions": [], "databases": [], "prepared": []}, f"point {point}"
