"""The benchmark runs, small, and what it measures grows with what changed."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from tests.fix_postgres import Postgres
from tests.refresher.nights import KEY


def test_the_benchmark_small(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "bench_refresh.py"
    spec = importlib.util.spec_from_file_location("bench_refresh", path)
    assert spec is not None and spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    monkeypatch.setenv("DBMASK_KEY", KEY)
    names = [f"bench_refresh_{os.getpid()}_{end}" for end in ("a", "b")]
    made = bench.measure(*(postgres.url(n) for n in names), 5000, (0, 1, 100))
    assert made["mode"] == "clone"
    idle, some, every = made["refreshes"]
    assert (idle["rows_read"], idle["rows_written"], idle["mode"]) == (0, 0, "incremental")
    assert 10 < some["changed"] == some["rows_read"] == some["rows_written"] < 200
    assert every["rows_read"] == every["rows_written"] == 5000
