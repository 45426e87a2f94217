"""Refreshes on PostgreSQL: each leaves what a fresh clone would."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_postgres import Postgres
from tests.refresher.nights import Night


@pytest.fixture
def night(postgres: Postgres, tmp_path: Path) -> Iterator[Night]:
    made = Night(postgres, tmp_path, f"night_{os.getpid()}")
    made.open()
    yield made
    made.close()


def test_the_first_run_clones_and_the_next_writes_what_changed(night: Night) -> None:
    first = night.refresh()
    assert first.mode == "clone" and "first run" in first.why
    assert night.replica() == night.fresh()
    idle = night.refresh()
    assert (idle.mode, idle.rows_written) == ("incremental", 0)
    assert idle.rows_read <= 1  # the watermark's own row is read again
    night.sql("""
        UPDATE person SET name = 'Someone else' WHERE id = 7;
        UPDATE item SET code = 'new' WHERE id = 3;
        DELETE FROM item WHERE id = 5;
        INSERT INTO item (person, code, label, amount) VALUES (9, 'more', 'more', 1);
        UPDATE pair SET a = 'moved' WHERE a = 'k3' AND b = 1;
        UPDATE event SET day = day + 300 WHERE id = 4;
        DELETE FROM loose WHERE who = 'Who 3';
        INSERT INTO log (said) VALUES ('more');
        UPDATE account SET holder = 'Other', changed = '2025-01-01' WHERE holder = 'Holder 4';
        DELETE FROM account WHERE holder = 'Holder 9';
        SELECT setval('own_count', 17);
    """)
    done = night.refresh()
    assert done.mode == "incremental"
    assert night.replica() == night.fresh()
    read = {n: (t.mode, t.rows_read, t.rows, t.rows_gone) for n, t in done.tables.items()}
    assert read["public.person"] == ("diff", 1, 1, 0)
    assert read["public.item"] == ("diff", 2, 2, 1)
    assert read["public.pair"] == ("diff", 1, 1, 1)
    assert read["public.loose"] == ("full", 19, 19, 20)
    assert read["public.log"] == ("append", 1, 1, 0)
    assert read["public.account"][0] == "watermark" and read["public.account"][2:] == (1, 1)
