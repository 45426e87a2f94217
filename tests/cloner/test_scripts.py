"""A script that clones by several workers need not guard its main module: they do not import it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fix_postgres import Postgres

SOURCE, TARGET = (f"script_{os.getpid()}_{what}" for what in ("source", "target"))
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
print("once", flush=True)
import sys
from dbmask import Policy, clone
from dbmask.cloner import Options
from dbmask.masks.build import example_keys

def shout(value):
    return value.upper()

POLICY = '''version: 1
tables: {{person: {{columns: {{id: keep, name: {{mask: python, function: "{function}"}}, mail: hash}}}}}}'''
done = clone(Policy.from_text(POLICY), sys.argv[1], sys.argv[2], keys=example_keys(), jobs=2,
    options=Options(chunk_bytes=8192), state=sys.argv[3])
print(sum(done.rows.values()), done.certificate.passed)
"""


@pytest.fixture
def source(postgres: Postgres) -> Iterator[str]:
    postgres.create_database(SOURCE)
    postgres.psql(
        SOURCE,
        "CREATE TABLE person (id int PRIMARY KEY, name text, mail text);"
        "INSERT INTO person SELECT i, 'name' || i, 'user' || i || '@shop.example' FROM generate_series(1, 500) AS i",
    )
    yield postgres.url(SOURCE)
    for name in (SOURCE, TARGET):
        postgres.drop_database(name)


def run(tmp_path: Path, source: str, target: str, function: str, by: str) -> subprocess.CompletedProcess[str]:
    script = tmp_path / "job.py"
    script.write_text(SCRIPT.format(function=function), "utf-8")
    (tmp_path / "helper.py").write_text("def shout(value):\n    return value.upper()\n", "utf-8")
    argv = [sys.executable, *([str(script)] if by == "file" else ["-"])]
    paths = os.pathsep.join(str(p) for p in (tmp_path, ROOT, ROOT / "sql", ROOT / "connectors"))
    return subprocess.run(
        [*argv, source, target, f"sqlite:///{tmp_path / 'state.db'}"],
        input=script.read_text("utf-8") if by == "stdin" else None,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("by", ["file", "stdin"])
def test_an_unguarded_script_runs_once(postgres: Postgres, source: str, tmp_path: Path, by: str) -> None:
    done = run(tmp_path, source, postgres.url(TARGET), "helper:shout", by)
    assert (done.returncode, done.stdout) == (0, "once\n500 True\n"), done.stderr
    query = "SELECT count(*) FILTER (WHERE name = 'NAME' || id AND mail ~ '^[0-9a-f]{64}$') FROM person"
    assert postgres.psql(TARGET, query).strip() == "500"


def test_a_function_of_the_script_itself_is_refused_by_name(postgres: Postgres, source: str, tmp_path: Path) -> None:
    done = run(tmp_path, source, postgres.url(TARGET), "__main__:shout", "file")
    assert done.returncode == 1 and done.stdout == "once\n"
    last = done.stderr.strip().splitlines()[-1]
    assert "__main__" in last and "a module of its own" in last
    assert TARGET not in postgres.psql("postgres", "SELECT datname FROM pg_database")
