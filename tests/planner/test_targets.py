"""What only both ends together can refuse, seen by the plan."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dbmask.cli import run
from dbmask.errors import UsageError
from dbmask.masks.build import example_keys
from dbmask.planner import plan
from dbmask.policy import Policy
from dbmask.registry import connector_for
from dbmask.schema import TableKind
from dbmask.spi import Capabilities
from tests.fix_postgres import Postgres
from tests.schemas import column, name, schema, table

POLICY = Policy.from_text("version: 1\ntables: {t: {columns: {a: redact}}}")


@pytest.fixture
def url(tmp_path: Path) -> str:
    with closing(sqlite3.connect(tmp_path / "s.db")) as db, db:
        db.execute("CREATE TABLE t (a TEXT)")
    return f"sqlite:///{tmp_path / 's.db'}"


def test_a_target_that_a_clone_could_not_write_to(url: str, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    assert plan(POLICY, url, target=f"sqlite:///{other}", keys=example_keys()).problems == ()
    assert not other.exists()
    with pytest.raises(UsageError, match="source and target are the same database"):
        plan(POLICY, url, target=url, overwrite=True, keys=example_keys())
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("CREATE TABLE precious (a TEXT)")
    with pytest.raises(UsageError, match="overwrite"):
        plan(POLICY, url, target=f"sqlite:///{other}", keys=example_keys())
    assert plan(POLICY, url, target=f"sqlite:///{other}", overwrite=True, keys=example_keys()).problems == ()


def test_only_a_clone_needs_a_structure(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(connector_for(url).source(url)) as source:
        monkeypatch.setattr(type(source), "structure", None)
    assert plan(POLICY, url, profile="view", keys=example_keys()).problems == ()


def test_the_plan_command_looks_at_the_target(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBMASK_KEY", "hex:" + "07" * 32)
    (tmp_path / "p.yaml").write_text("version: 1\ntables: {t: {columns: {a: redact}}}", "utf-8")
    assert run(["plan", str(tmp_path / "p.yaml"), "--source", url, "--target", url]) == 2
    assert "the same database" in capsys.readouterr().err


def test_a_structure_that_cannot_stand_is_a_problem_of_the_plan(postgres: Postgres, postgres_db: str) -> None:
    database = postgres_db.rpartition("/")[2]
    postgres.psql(database, "CREATE TABLE base (a text); CREATE TABLE child (b text) INHERITS (base)")
    policy = Policy.from_text("version: 1\ntables: {base: skip, child: {columns: {a: redact, b: redact}}}")
    (problem,) = plan(policy, postgres_db, keys=example_keys()).problems
    assert "public.child cannot be cloned without a table that the policy skips" in str(problem)


def test_a_partition_key_cannot_be_dropped() -> None:
    root = table("t", column("a"), column("b"), kind=TableKind.PARTITIONED)
    db = schema(replace(root, partition_key=("a",)))
    policy = Policy.from_text("version: 1\ntables: {t: {columns: {a: drop, b: keep}}}")
    found = plan(policy, schema=db, capabilities=Capabilities("postgres"), keys=example_keys())
    assert [str(p) for p in found.problems] == [
        f"{name('t')}.a: drop would remove a column of the partitions' key (mask it)"
    ]
