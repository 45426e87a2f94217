"""The benchmark runs, small, and what it measures grows with what changed."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path
from types import ModuleType

import pytest

from tests.fix_mariadb import MariaDB
from tests.fix_postgres import Postgres
from tests.refresher.nights import KEY


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "bench_refresh.py"
    spec = importlib.util.spec_from_file_location("bench_refresh", path)
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    monkeypatch.setenv("DBMASK_KEY", KEY)
    return made


NAMES = [f"bench_refresh_{os.getpid()}_{end}" for end in ("a", "b")]


def test_postgresql_small(bench: ModuleType, postgres: Postgres) -> None:
    made = bench.measure(*(postgres.url(n) for n in NAMES), 5000, (0, 1, 100), ())
    assert made["mode"] == "clone"
    idle, some, every = made["refreshes"]
    assert (idle["rows_read"], idle["rows_written"], idle["mode"]) == (0, 0, "incremental")
    assert 10 < some["changed"] == some["rows_read"] == some["rows_written"] < 200
    assert every["rows_read"] == every["rows_written"] == 5000


def test_mariadb_small(bench: ModuleType, mariadb: MariaDB) -> None:
    made = bench.measure(*(mariadb.url(n) for n in NAMES), 6000, (0,), (1,))
    assert made["mode"] == "clone"
    idle, some = made["refreshes"]
    assert (idle["rows_read"], idle["mode"]) == (0, "incremental")
    assert (some["changed"], some["rows_read"]) == (60, 2000)
