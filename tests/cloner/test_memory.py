"""Memory does not grow with the table: a clone of a table several times the memory that the process may have."""

from __future__ import annotations

import os
import resource
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

LIMIT = 320 * 2**20
ROWS, WIDTH = 100_000, 10_000  # about a gigabyte, three times the limit
ROOT = Path(__file__).parent.parent.parent


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "mask", ["{mask: redact, keep_start: 2}", "{mask: hash, keyed: false, algo: sha512}"], ids=["sql", "python"]
)
def test_a_gigabyte_is_cloned_within_a_third_of_it(tmp_path: Path, mask: str) -> None:
    source = tmp_path / "big.db"
    with closing(sqlite3.connect(source)) as db, db:
        db.execute("CREATE TABLE big (id INTEGER PRIMARY KEY, body TEXT, kept TEXT)")
        db.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO big SELECT i, printf('%0*d', ?, i), 'x' FROM n",
            (ROWS, WIDTH),
        )
    assert source.stat().st_size > 3 * LIMIT * 0.9
    policy = tmp_path / "p.yaml"
    policy.write_text(f"version: 1\ntables: {{big: {{columns: {{id: keep, body: {mask}, kept: keep}}}}}}\n", "utf-8")
    paths = os.pathsep.join(str(ROOT / p) for p in (".", "sql", "connectors"))
    urls = ["--source", f"sqlite:///{source}", "--target", f"sqlite:///{tmp_path / 'r.db'}"]
    done = subprocess.run(
        [sys.executable, "-m", "dbmask", "clone", str(policy), *urls],
        env={**os.environ, "PYTHONPATH": paths, "DBMASK_KEY": "hex:" + "01" * 32},
        preexec_fn=limited,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"{ROWS:,} rows cloned" in done.stdout
