"""Masks that need the whole column are given it, however rows are batched."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dbmask.engine import masked_batches
from dbmask.engine.spool import Spool
from dbmask.masks.build import example_keys
from dbmask.planner import pads_for, plan_source, reading
from dbmask.policy import Policy
from dbmask.registry import connector_for

ROWS = 1_000
POLICY = """
version: 1
tables:
  t:
    columns: {id: permute, city: shuffle, note: redact, code: {mask: chain, masks: [shuffle, redact]}}
"""


@pytest.fixture
def url(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, city TEXT UNIQUE, note TEXT, code TEXT)")
        rows = [(i, f"city {i}", "x" * (i % 7), "y" * (i % 9)) for i in range(ROWS)]
        db.executemany("INSERT INTO t VALUES (?, ?, ?, ?)", rows)
    return f"sqlite:///{tmp_path / 's.db'}"


def masked(url: str, batch_rows: int) -> list[tuple[Any, ...]]:
    keys = example_keys()
    source = connector_for(url).source(url)
    try:
        made = plan_source(Policy.from_text(POLICY), source, keys=keys).require()
        part = reading(next(iter(made)), "sqlite")
        with source.snapshot() as reader:
            reader.use_keys(pads_for([part.query], keys))
            batches = [list(zip(*batch, strict=True)) for batch in masked_batches(reader, part, batch_rows)]
            assert max(map(len, batches)) <= batch_rows
            return [row for batch in batches for row in batch]
    finally:
        source.close()


def test_a_shuffle_deals_over_all_batches(url: str) -> None:
    whole = masked(url, 10_000)
    assert sorted(row[1] for row in whole) == sorted(f"city {i}" for i in range(ROWS))
    assert masked(url, 64) == whole
    far = sum(abs(int(row[1].split()[1]) - i) > 64 for i, row in enumerate(whole))
    assert far > ROWS // 2
    lengths = [len(row[3]) for row in whole]
    assert sorted(lengths) == sorted(i % 9 for i in range(ROWS)) and lengths != [i % 9 for i in range(ROWS)]


def test_a_spool_gives_back_what_it_was_given_and_nothing_is_readable_on_disk() -> None:
    batches: list[list[list[Any]]] = [[[1, None], ["secret", b"\x00"]], [[], []], [[2.5], ["x" * 100_000]]]
    with Spool() as spool:
        for batch in batches:
            spool.write(batch)
        assert list(spool) == batches
        spool.write([[3]])
        assert list(spool) == [*batches, [[3]]]
        spool._file.seek(0)
        assert b"secret" not in spool._file.read()
