"""Clones of MariaDB whose processes are killed, at seeded moments of every phase, while the source is being written to."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmask.cloner import previous_replicas, rollback
from dbmask.errors import ConnectorError, UsageError
from dbmask.state import State
from dbmask_connectors._mysql_catalog import LEDGER
from tests.cloner.crashing import expected, run_clone, start_clone, strike
from tests.cloner.crashing_mariadb import MariaPlace, MariaWriter, contents, leftovers, make, replica_rows, unmake
from tests.cloner.test_chunks_mariadb import arm
from tests.fix_mariadb import MariaDB

NAME = f"mkilled_{os.getpid()}"
# What a clone says when the phase begins, and for how long after that it may be killed.
PHASES = (
    ("", 1.2),  # plan
    ("structure", 0.2),
    ("rows", 0.1),
    ("indexes", 0.05),
    ("verify", 0.1),
    ("verify", 0.5),  # and the swap
)
POINTS = tuple(
    (point, phase, victim) for point, (phase, victim) in enumerate((p, v) for p in PHASES for v in ("client", "all"))
)
ENOUGH = 8
"""Of 16 chunks; the writer may have changed those that are fewer."""


@pytest.fixture
def place(mariadb: MariaDB, tmp_path: Path) -> Iterator[MariaPlace]:
    made = MariaPlace(mariadb, f"{NAME}_source", f"{NAME}_target", tmp_path)
    make(made, 300)
    run_clone(made)
    yield made
    unmake(made)


@pytest.mark.parametrize("group", range(2))
def test_killed_clones_are_resumed(place: MariaPlace, group: int) -> None:
    for point, (phase, span), victim in POINTS[group::2]:
        rng = random.Random(point)  # noqa: S311 - a seed that can be repeated
        old = contents(place)
        with MariaWriter(place, point):
            process = start_clone(place, "--jobs", str(1 + point // 2 % 2))
            strike(process, victim, phase, rng.random() * span)
            _, err = process.communicate(timeout=60)
        if process.returncode == 0:
            continue  # it came through
        assert "Traceback" not in err
        if phase != "verify":
            assert contents(place) == old
        resumed(place, f"point {point}")


def in_ledger(place: MariaPlace) -> int:
    """The chunks that are committed in what the killed run was building, if its tables have not moved into their place."""
    tables = "SELECT table_schema FROM information_schema.tables WHERE table_schema LIKE '{}%' AND table_name = '{}'"
    found = (
        f"{tables} AND table_schema IN (SELECT table_schema FROM information_schema.tables WHERE table_name = 'person')"
    )
    built = place.server.mysql("", found.format(f"{place.target}__dbmask".replace("_", "\\_"), LEDGER)).split()
    return sum(int(place.server.mysql(name, f"SELECT count(*) FROM {LEDGER} WHERE size > 0")) for name in built)


def resumed(place: MariaPlace, which: str) -> None:
    """Resume; the replica is what a fresh clone would be, and nothing else is left."""
    with State(place.state) as state:
        runs = state.runs(1)
    written = in_ledger(place)
    try:
        done = run_clone(place, state=place.state, resume=True)
    except UsageError as error:  # killed before it began, or after it ended
        assert "nothing to resume" in str(error) and (not runs or runs[0].status == "done"), which
        return
    assert replica_rows(place) == expected(place), which
    assert done.certificate.passed
    if written >= ENOUGH:
        assert sum(reused for _, reused in done.chunks.values()) > 0, which
    assert leftovers(place) == {"sessions": [], "databases": []}, which


@pytest.mark.parametrize(
    ("phase", "delay"), [("", 0.8), ("structure", 0.0), ("rows", 0.0), ("rows", 0.03), ("indexes", 0.0)]
)
def test_one_of_two_workers_is_killed(place: MariaPlace, phase: str, delay: float) -> None:
    """The other does its work, if both had begun; if not, that is said, and a resume is a clone."""
    old = contents(place)
    place.sql("UPDATE item SET amount = amount + 1")
    process = start_clone(place, "--jobs", "2")
    strike(process, "worker", phase, delay)
    _, err = process.communicate(timeout=60)
    if process.returncode == 0:
        assert replica_rows(place) == expected(place)
        assert leftovers(place) == {"sessions": [], "databases": []}
        return
    assert phase in ("", "structure") and "a worker process died before it began" in err
    assert contents(place) == old
    resumed(place, f"{phase} {delay}")


DYING = """
import os, signal, sys
from dbmask_connectors._mysql_session import Session
from dbmask.cli import main

run = Session.run

def dying(session, sql, *args, **options):
    done = run(session, sql, *args, **options)
    if sql.startswith("RENAME TABLE"):
        os.kill(os.getpid(), signal.SIGKILL)
    return done

Session.run = dying
sys.exit(main())
"""


def test_killed_behind_the_rename(place: MariaPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tables have changed places, and what hangs on them is not there: the next run makes it, whatever becomes of that."""
    whole = contents(place)
    process = start_clone(place, "--keep-previous", "1", program=("-c", DYING))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert contents(place) != whole and place.server.mysql(place.target, "SHOW TRIGGERS") == ""
    arm(monkeypatch, "rows", 0)
    with pytest.raises(ConnectorError, match="went away"):
        run_clone(place)
    monkeypatch.undo()
    assert contents(place) == whole
    assert len(previous_replicas(place.url(place.target))) == 1  # what was replaced is there
    resumed(place, "behind the rename")
    assert contents(place) == whole


def test_the_way_back_makes_a_killed_swap_good(place: MariaPlace) -> None:
    whole, url = contents(place), place.url(place.target)
    place.sql("UPDATE item SET amount = amount + 1")
    process = start_clone(place, "--keep-previous", "1", program=("-c", DYING))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL and contents(place) != whole
    (kept,) = previous_replicas(url)
    assert rollback(url) == kept and contents(place) == whole
    rollback(url)
    assert replica_rows(place) == expected(place) and contents(place)[len(whole) - 6 :] == whole[-6:]
