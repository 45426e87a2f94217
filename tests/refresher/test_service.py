"""Jobs that run by schedules, and jobs between databases that are refreshed by clones."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dbmask.cli import run
from dbmask.errors import UsageError
from dbmask.policy import Policy
from dbmask.policy.jobs import Job
from dbmask.refresher.daemon import next_run, serve
from dbmask.refresher.unit import unit
from tests.refresher.nights import KEY

POLICY = """version: 1
tables: {p: {columns: {id: keep, mail: hash}}}
jobs:
  nightly: {source: "sqlite:///shop.db", target: "sqlite:///masked.db"}
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DBMASK_KEY", KEY)
    with closing(sqlite3.connect("shop.db")) as db, db:
        db.executescript("CREATE TABLE p (id INTEGER PRIMARY KEY, mail TEXT); INSERT INTO p VALUES (1, 'a@b.example')")
    Path("p.yaml").write_text(POLICY, "utf-8")
    return tmp_path


def test_other_databases_are_cloned_and_the_reason_is_told(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):
        assert run(["refresh", "p.yaml", "--state", f"sqlite:///{shop}/s.db", "--quiet", "--format", "json"]) == 0
        facts = json.loads(capsys.readouterr().out)
        assert (facts["mode"], facts["why"]) == ("clone", "sqlite to sqlite is refreshed by a clone of its own")
        assert facts["tables"]["main.p"]["rows_read"] == 1
    assert run(["runs", "--state", f"sqlite:///{shop}/s.db"]) == 0
    assert capsys.readouterr().out.count("refresh nightly  done") == 2


def test_clock_changes_are_the_time_zones() -> None:
    job = Job(source="a", target="b", schedule="30 2 * * *", timezone="Europe/Prague")
    assert next_run(job, datetime(2024, 3, 30, 0, tzinfo=UTC)) == datetime(2024, 3, 30, 1, 30, tzinfo=UTC)
    assert next_run(job, datetime(2024, 4, 1, 12, tzinfo=UTC)) == datetime(2024, 4, 2, 0, 30, tzinfo=UTC)
    with pytest.raises(UsageError, match="no `schedule:`"):
        next_run(Job(source="a", target="b"), datetime.now(UTC))
    with pytest.raises(UsageError, match="no job of the policy has a `schedule:`"):
        serve(Policy.from_text(POLICY), None, [], print)


def test_the_daemon_runs_what_is_due_and_stops_when_told(shop: Path) -> None:
    Path("p.yaml").write_text(POLICY.replace("{source", '{schedule: "* * * * * *", source'), "utf-8")
    argv = [sys.executable, "-m", "dbmask", "refresh", "p.yaml", "--daemon", "--state", f"sqlite:///{shop}/s.db"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=environment) as daemon:
        assert daemon.stderr is not None
        said = ""
        for line in daemon.stderr:
            said += line
            if line.startswith("Job nightly: done"):
                break
        daemon.send_signal(signal.SIGTERM)
        daemon.communicate()
    assert daemon.returncode == 0 and "Job nightly: next at" in said
    with closing(sqlite3.connect("masked.db")) as db:
        assert db.execute("SELECT count(*) FROM p").fetchone() == (1,)


def test_units(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.yaml").write_text(
        POLICY.replace("{source", '{schedule: "*/15 2,4 * 1-6 1-5", timezone: Europe/Prague, source'), "utf-8"
    )
    assert run(["refresh", "p.yaml", "--print-unit", "--state", "sqlite:////var/lib/dbmask/state.db"]) == 0
    said = capsys.readouterr().out
    assert "OnCalendar=Mon..Fri *-1..6-* 2,4:0/15:00 Europe/Prague" in said
    assert f"refresh {shop}/p.yaml --job nightly --quiet --state sqlite:////var/lib/dbmask/state.db" in said
    assert f"CRON_TZ=Europe/Prague\n*/15 2,4 * 1-6 1-5 cd {shop} && " in said
    job = Job(source="a", target="b", schedule="0 2 1 * 1")
    assert "systemd's timers cannot say `0 2 1 * 1`" in unit(Policy.load("p.yaml"), "nightly", job)
    with pytest.raises(UsageError, match="in a file"):
        unit(Policy.from_text(POLICY), "nightly", job)


@pytest.mark.parametrize("way", ["--daemon", "--print-unit"])
def test_a_state_database_s_url_is_handed_on_as_it_was_written(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    """What a variable holds would else stand in a list of processes, or in a file that all may read."""
    monkeypatch.setenv("STATE_URL", "postgresql://u:hush@db/state")
    given: list[str] = []
    monkeypatch.setattr("dbmask.refresher.daemon.serve", lambda policy, job, more, say: given.extend(more))
    assert run(["refresh", "p.yaml", way, "--state", "env:STATE_URL"]) == 0
    said = capsys.readouterr().out + " ".join(given)
    assert "env:STATE_URL" in said and "hush" not in said


@pytest.mark.parametrize("way", ["--daemon", "--print-unit"])
def test_where_certificates_go_is_handed_on(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], way: str
) -> None:
    given: list[str] = []
    monkeypatch.setattr("dbmask.refresher.daemon.serve", lambda policy, job, more, say: given.extend(more))
    assert run(["refresh", "p.yaml", way, "--certificate", "c-{run}.json", "--sign-with", "c.key"]) == 0
    said = capsys.readouterr().out + " ".join(given)
    assert "--certificate" in said and "c-{run}.json" in said and "--sign-with c.key" in said


def test_a_policy_that_breaks_under_the_daemon_is_told_once(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the schedules that were good stay."""
    monkeypatch.setattr("dbmask.refresher.daemon._LONGEST", 0.05)
    path = Path("p.yaml")
    path.write_text(POLICY.replace('masked.db"', 'masked.db", schedule: "0 2 1 1 *"'), "utf-8")
    policy = Policy.load(str(path))
    path.write_text("version: 1\ntables: []\n", "utf-8")
    said: list[str] = []
    before = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    stopping = threading.Timer(0.6, os.kill, (os.getpid(), signal.SIGTERM))
    stopping.start()
    try:
        serve(policy, None, [], said.append)
    finally:
        stopping.join()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert [line[:30] for line in said] == ["Job nightly: next at " + said[0][21:30], "The policy is not as it should"]
