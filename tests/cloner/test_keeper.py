"""A keeper outlives the process that started it only where a later run can find it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dbmask.cloner.keeper import Keeper
from tests.fix_postgres import Postgres

NAME = f"kept_{os.getpid()}"
_STARTER = """
import sys, time
from dbmask.cloner.keeper import Keeper
keeper = Keeper.start(sys.argv[1], float(sys.argv[2]))
for step in sys.argv[3].split():
    getattr(keeper, step)()
print(keeper.address, flush=True)
time.sleep(60)
"""


@pytest.fixture
def url(postgres: Postgres) -> Iterator[str]:
    postgres.create_database(NAME)
    yield postgres.url(NAME)
    postgres.drop_database(NAME)


def killed_starter(url: str, grace: float, steps: str) -> str:
    """Start a keeper in another process, kill that; where the keeper is."""
    process = subprocess.Popen(
        [sys.executable, "-c", _STARTER, url, str(grace), steps],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    process.kill()
    process.communicate()
    return address


def gone(address: str, seconds: float = 30.0) -> bool:
    """Whether the keeper ends: it removes its folder last."""
    deadline = time.monotonic() + seconds
    while Path(address).parent.exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


@pytest.mark.parametrize("steps", ["", "shared"], ids=["before its snapshot", "with a snapshot"])
def test_nobody_could_find_it(url: str, steps: str) -> None:
    assert gone(killed_starter(url, 600.0, steps))


def test_it_is_found_while_its_grace_lasts(url: str) -> None:
    address = killed_starter(url, 600.0, "shared keep")
    for _ in range(2):  # a second client after the first
        keeper = Keeper.reach(address)
        assert keeper is not None
        keeper.close()
    keeper = Keeper.reach(address)
    assert keeper is not None
    keeper.end()
    assert gone(address) and Keeper.reach(address) is None


def test_it_ends_after_its_grace(url: str) -> None:
    assert gone(killed_starter(url, 0.2, "shared keep"))


def test_it_is_given_up_while_somebody_uses_it(url: str) -> None:
    address = killed_starter(url, 600.0, "shared keep")
    user = Keeper.reach(address)
    assert user is not None
    Keeper.give_up(address)
    Keeper.give_up(f"{address}-that-is-gone")
    assert not gone(address, 0.3)
    user.close()
    assert gone(address)
