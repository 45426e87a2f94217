"""A job keeps what the proxy's views show of Python's masks fresh, too."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from dbmask.cli import run
from dbmask.policy import Policy
from dbmask.proxy.install import install, uninstall
from tests.fix_postgres import Postgres
from tests.refresher.nights import KEY

ROLE = f"side_job_{os.getpid()}"
POLICY = f"""version: 1
tables:
  note:
    columns:
      id: keep
      body:
        mask: text
        matchers: {{regex: [{{label: NUMBER, pattern: "[0-9-]{{4,}}"}}]}}
        masks: [{{label: NUMBER, masks: [redact]}}]
jobs:
  nightly: {{source: "env:SIDE_SOURCE", target: "env:SIDE_TARGET", keep_previous: 0, side_tables: {ROLE}}}
"""


def test_side_tables_follow(
    postgres: Postgres,
    postgres_db: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name, target = postgres_db.rpartition("/")[2], f"side_target_{os.getpid()}"
    postgres.psql(
        name, "CREATE TABLE note (id int PRIMARY KEY, body text); INSERT INTO note VALUES (1, 'call 555-000-1')"
    )
    monkeypatch.setenv("DBMASK_KEY", KEY)
    monkeypatch.setenv("SIDE_SOURCE", postgres_db)
    monkeypatch.setenv("SIDE_TARGET", postgres.url(target))
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY, "utf-8")
    argv = ["refresh", str(path), "--state", f"sqlite:///{tmp_path / 's.db'}", "--quiet", "--format", "json"]
    install(Policy.load(path), postgres_db, ROLE)
    try:
        assert run(argv) == 0
        assert json.loads(capsys.readouterr().out)["side_tables"] == {"public.note": 1}
        postgres.psql(name, "INSERT INTO note VALUES (2, 'call 555-000-2')")
        assert run(argv) == 0
        facts = json.loads(capsys.readouterr().out)
        assert (facts["mode"], facts["tables"]["public.note"]["rows_read"], facts["side_tables"]) == (
            "incremental",
            1,
            {"public.note": 1},
        )
    finally:
        uninstall(postgres_db, ROLE)
        postgres.drop_database(target)
