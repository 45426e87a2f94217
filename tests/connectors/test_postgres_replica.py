"""A replica of a hard database equals it in structure and rows, whichever way the rows travelled."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.connectors.postgres_spi import LOADS, RECOMPUTE, replicate, targets
from tests.fix_postgres import Postgres

pytestmark = pytest.mark.slow


def ddl(postgres: Postgres, database: str, *options: str) -> list[str]:
    """The statements of a database's structure, without the settings around them, sorted: their order follows oids."""
    argv = [postgres.program("pg_dump"), "--schema-only", *options, postgres.url(database)]
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    text = re.sub(r"(?m)^\\(un)?restrict .*$", "", text)
    return sorted(part.strip() for part in re.split(r"\n--\n-- Name: .*\n--\n", text)[1:])


def rows(postgres: Postgres, database: str) -> dict[str, tuple[int, str]]:
    """Of each table and materialized view: its rows and their digest."""
    found = {}
    with postgres.connect(database) as connection:
        connection.execute("SET extra_float_digits = 1")
        names = connection.execute(
            "SELECT c.oid::regclass::text, c.relkind IN ('r', 'm') FROM pg_class c "
            "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' "
            "AND n.nspname <> 'information_schema' ORDER BY 1"
        ).fetchall()
        for name, alone in names:
            only = "ONLY " if alone else ""
            query = f"SELECT count(*), coalesce(md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))), '') FROM {only}{name} t"
            row = connection.execute(query.encode()).fetchone()
            assert row is not None
            found[name] = (row[0], row[1])
    return found


@pytest.mark.parametrize("through_python", [False, True], ids=["relayed", "through Python"])
@pytest.mark.parametrize("what", LOADS)
def test_a_replica_equals_its_source(
    postgres: Postgres, loaded: Callable[[str], str], replica: str, what: str, through_python: bool
) -> None:
    source = loaded(what)
    choose = partial(targets, recompute=RECOMPUTE)
    made = replicate(postgres.url(source), postgres.url(replica), choose, through_python=through_python)
    assert made.structure.left_out == ()
    assert made.left_out == ("owners",)
    assert ddl(postgres, replica, "--no-owner") == ddl(postgres, source, "--no-owner")
    assert rows(postgres, replica) == rows(postgres, source)
    assert made.broken
    assert set(made.broken.values()) == {0}
    with postgres.connect() as connection:
        # Other workers of the run build on the same server.
        query = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"
        left = connection.execute(query, (f"{replica}__dbmask_",)).fetchall()
    assert left == []


MEMORY = """
import resource, sys
from tests.connectors.postgres_spi import replicate
url, target, python = sys.argv[1:]
replicate(url + "_small", target + "_small", through_python=python == "yes")
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
replicate(url, target, through_python=python == "yes")
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.parametrize("through_python", ["no", "yes"])
def test_memory_does_not_grow_with_the_table(postgres: Postgres, replica: str, through_python: str) -> None:
    """200 MB, in rows of 2 KB and rows of 1 MB, into a target that is slower than the source."""
    table = "CREATE TABLE t AS SELECT i AS id, repeat('x', 2000) AS v FROM generate_series(1, {}) i;"
    wide = "INSERT INTO t SELECT i, repeat('y', 1000000) FROM generate_series(1, {}) i;"
    names = f"{replica}_source_small", f"{replica}_source"
    for name, rows, few in zip(names, (10, 50_000), (1, 100), strict=True):
        postgres.create_database(name)
        postgres.psql(name, (table + "ALTER TABLE t ALTER v SET STORAGE EXTERNAL;" + wide).format(rows, few))
    root = Path(__file__).parents[2]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(str(root / p) for p in ("", "sql", "connectors"))}
    argv = [sys.executable, "-c", MEMORY, postgres.url(names[1]), postgres.url(replica), through_python]
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=env)
    assert int(done.stdout) < 60
    assert postgres.psql(replica, "SELECT count(*) FROM t") == "50100\n"
