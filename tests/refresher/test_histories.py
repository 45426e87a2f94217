"""Whatever happened by day, after the night the replica is what a fresh clone of the source would be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest

from dbmask_connectors._postgres_source import PostgresSource
from tests.fix_postgres import Postgres
from tests.refresher.histories import a_day, change_policy, meddle, reshape
from tests.refresher.nights import Night

SEEDS = range(int(os.environ.get("DBMASK_FIRST_HISTORY", "1")), 1 + int(os.environ.get("DBMASK_HISTORIES", "2")))
NIGHTS = 4


@pytest.fixture
def night(postgres: Postgres, tmp_path: Path) -> Iterator[Night]:
    made = Night(postgres, tmp_path, f"history_{os.getpid()}")
    made.open()
    yield made
    made.close()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda s: f"history_{s}")
def test_random_histories(night: Night, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(seed)  # noqa: S311 - a history that can be repeated
    monkeypatch.setattr("dbmask.refresher.baseline.PART_ROWS", random.choice([2, 5, 2000]))
    if seed % 2:
        night.policy = night.policy.replace("{name: redact", "{id: permute, name: redact")
    night.refresh()
    modes = []
    for number in range(NIGHTS):
        told = a_day(night, random, random.choice([1, 3, 12]))
        if random.random() < 0.3:
            told.append(change_policy(night, random))
        if random.random() < 0.15:
            told.append(reshape(night, random, number))
        if random.random() < 0.3:
            told.append(meddle(night, random))
        with monkeypatch.context() as patch:
            if random.random() < 0.3:  # another server has taken over: transactions tell nothing
                patch.setattr(PostgresSource, "still", lambda *_: False)
            done = night.refresh()
        modes.append(done.mode)
        assert night.replica() == night.fresh(), told
    assert "incremental" in modes
