"""Refreshes on PostgreSQL: each leaves what a fresh clone would."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from dbmask.cli import run
from dbmask.cloner.book import place_of
from dbmask.errors import CheckFailed, ConnectorError
from dbmask.keys import KeyRing, MasterKey
from dbmask.refresher.lock import only_run
from dbmask.state import State
from dbmask_connectors._postgres_source import PostgresSource
from tests.fix_postgres import Postgres
from tests.refresher.nights import KEY, Night


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


def test_drift_stops_the_job_before_anything_is_touched(night: Night) -> None:
    night.policy = night.policy.replace('name: redact, email: hash, "*": keep', "id: keep, name: redact, email: hash")
    night.refresh()
    before = night.replica()
    night.sql("UPDATE person SET name = 'Other'; ALTER TABLE person ADD COLUMN phone text; CREATE TABLE added (a int)")
    with pytest.raises(CheckFailed, match=r"public\.added[\s\S]*person\.phone") as stopped:
        night.refresh()
    assert stopped.value.exit_code == 3 and night.replica() == before
    night.policy = night.policy.replace("id: keep, name", "phone: redact, id: keep, name").replace(
        "jobs:", "  added: keep\njobs:"
    )
    done = night.refresh()
    assert (done.mode, done.why) == ("clone", "the structure of source or replica has changed")
    assert night.replica() == night.fresh()
    night.sql("ALTER TABLE person DROP COLUMN phone; DROP TABLE added")
    night.policy = night.policy.replace("phone: redact, ", "").replace("  added: keep\n", "")
    night.refresh()
    assert "public.added" not in night.replica() and night.replica() == night.fresh()


def test_another_mask_masks_its_own_table_anew_and_another_key_everything(night: Night) -> None:
    night.refresh()
    night.policy = night.policy.replace("label: {mask: redact, keep_start: 2}", "label: redact")
    done = night.refresh()
    assert done.mode == "incremental" and night.replica() == night.fresh()
    assert [n for n, t in done.tables.items() if t.why == "its masks have changed"] == ["public.item"]
    assert [n for n, t in done.tables.items() if t.rows] == ["public.item"]
    night.policy = night.policy.replace("version: 1", "version: 1\nepoch: spring")
    done = night.refresh()
    assert "every row of every table is masked anew" in night.said[-1]
    assert {t.why for t in done.tables.values()} == {"the masking key or the epoch has changed"}
    assert done.mode == "incremental" and night.replica() == night.fresh()
    other = KeyRing(MasterKey(b"another key, as long as one must be"), "spring")
    done = night.refresh(keys=other)
    assert done.mode == "clone" and "the masking key has changed" in night.said[-1]
    assert night.replica() == night.fresh(keys=other)


def test_writes_of_others_are_found(night: Night) -> None:
    for meddling in (
        "UPDATE person SET name = name WHERE id = (SELECT min(id) FROM person)",
        "DELETE FROM loose WHERE what = (SELECT max(what) FROM loose)",
        "ALTER TABLE person ADD COLUMN mine int",
    ):
        night.policy = night.policy.replace("keep_previous: 0\n", "keep_previous: 0\n    on_local_change: fail\n")
        night.refresh()
        with night.postgres.connect(night.target) as connection:
            connection.execute(meddling.encode())
        with pytest.raises(CheckFailed, match=r"somebody else|it holds 19 rows, and held 20"):
            night.refresh()
        night.policy = night.policy.replace("    on_local_change: fail\n", "")
        night.refresh()
    assert night.replica() == night.fresh()


def test_one_run_at_a_time_and_a_dead_one_holds_nothing(night: Night) -> None:
    night.refresh()
    place = place_of(os.environ["NIGHT_TARGET"])
    with only_run(night.folder, "nightly", place), pytest.raises(ConnectorError, match=rf"process {os.getpid()}"):
        night.refresh()
    night.sql("UPDATE person SET name = 'Tonight'; TRUNCATE loose; DELETE FROM log; UPDATE item SET amount = 5")
    last, tonight = night.replica(), night.fresh()
    for phase, wait in (("compare", 0.0), ("rows", 0.0), ("statistics", 0.01)):
        killed = night.start()
        assert killed.stderr is not None
        for line in killed.stderr:
            if line.startswith(phase):
                break
        time.sleep(wait)
        killed.kill()
        killed.communicate()
        assert night.replica() in (last, tonight)
    night.refresh()
    assert night.replica() == tonight
    with State(night.state) as state:
        runs = [r for r in state.runs() if r.kind == "refresh"]
    assert [r.status for r in runs][::4] == ["done", "done"] and not any(r.status == "running" for r in runs)
    assert runs[1].error == "its process ended without a word"


def test_a_first_clone_that_was_killed_is_continued(night: Night) -> None:
    killed = night.start()
    assert killed.stderr is not None
    assert any(line.startswith("indexes") for line in killed.stderr)
    killed.kill()
    killed.communicate()
    night.sql("UPDATE person SET name = 'After the fall'")
    done = night.refresh()
    reused = {n: (t.chunks, t.chunks_reused) for n, t in done.tables.items()}
    assert done.mode == "clone" and sum(r for _, r in reused.values()) >= 6, reused
    assert night.refresh().mode == "incremental" and night.replica() == night.fresh()


def test_where_it_cannot_be_continued_a_clone_begins(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as dying:
        dying.setattr("dbmask.cloner.run.verify_rows", lost)
        with pytest.raises(ConnectorError, match="went away"):
            night.refresh()
    night.policy = night.policy.replace("label: {mask: redact, keep_start: 2}", "label: redact")
    done = night.refresh()
    assert any("is not continued" in said and "policy" in said for said in night.said)
    assert done.mode == "clone" and not any(t.chunks_reused for t in done.tables.values())
    assert night.replica() == night.fresh()


def lost(*_: object) -> None:
    """A database that is gone when all rows are there."""
    raise ConnectorError("the server went away")


def test_the_history_says_what_was_read_and_written_and_a_webhook_hears_of_it(night: Night) -> None:
    heard: list[dict[str, object]] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            heard.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200 if len(heard) < 3 else 500)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Hook) as server:
        threading.Thread(target=server.serve_forever).start()
        os.environ["NIGHT_HOOK"] = f"http://127.0.0.1:{server.server_port}/hook"
        night.policy = night.policy.replace(
            "keep_previous: 0", 'keep_previous: 0\n    notify: {webhook: "env:NIGHT_HOOK"}'
        )
        night.refresh()
        night.sql("ALTER TABLE person ADD COLUMN phone text; UPDATE item SET amount = 7 WHERE id = 1")
        night.policy = night.policy.replace(
            'name: redact, email: hash, "*": keep', "id: keep, name: redact, email: hash"
        )
        with pytest.raises(CheckFailed):
            night.refresh()
        night.sql("ALTER TABLE person DROP COLUMN phone")
        done = night.refresh()
        server.shutdown()
    assert [h["status"] for h in heard] == ["done", "failed", "done"]
    assert heard[0]["mode"] == "clone" and heard[2]["rows_written"] == 1 and "phone" in str(heard[1]["error"])
    assert done.warnings == ("the webhook was not told (500)",)
    with State(night.state) as state:
        runs = [r for r in state.runs() if r.kind == "refresh"]
        assert [(r.job, r.status) for r in runs] == [("nightly", "done"), ("nightly", "failed"), ("nightly", "done")]
        rows = {t.name: t for t in state.tables(runs[0].id)}
        assert (rows["public.item"].rows_read, rows["public.item"].rows, rows["public.item"].mode) == (1, 1, "diff")
        assert "primary key" in rows["public.item"].why


def test_the_command_line(night: Night, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBMASK_KEY", KEY)
    path = night.folder / "policy.yaml"
    path.write_text(night.policy, "utf-8")
    argv = ["refresh", str(path), "--state", night.state, "--quiet"]
    assert run([*argv, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["mode"] == "clone"
    night.sql("DELETE FROM item WHERE id = 1")
    assert run(argv) == 0
    said = capsys.readouterr().out
    assert "public.item: 0 rows read, 0 written, 1 removed (diff: chosen: it has a primary key)" in said
    assert run(["runs", "--state", night.state, "--format", "json"]) == 0
    number = json.loads(capsys.readouterr().out)[0]["id"]
    assert run(["runs", str(number), "--state", night.state]) == 0
    assert "public.item: 0 rows read, 0 rows in" in capsys.readouterr().out
    assert run([*argv, "--job", "other"]) == 2
    assert "no job other: it has nightly" in capsys.readouterr().err
    night.sql("CREATE TABLE added (a int)")
    assert run(argv) == 3
    monkeypatch.delenv("NIGHT_SOURCE")
    assert run(argv) == 2
    assert "NIGHT_SOURCE is not set" in capsys.readouterr().err


def test_a_table_that_grew_from_one_part_is_cut_anew(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("baseline", "bring"):
        monkeypatch.setattr(f"dbmask.refresher.{module}.PART_ROWS", 20)
    night.sql("DELETE FROM item WHERE id > 15")
    assert night.refresh().tables["public.item"].chunks == 1
    night.sql(
        "INSERT INTO item (person, code, label, amount) SELECT 1, 'n' || i, 'l', i FROM generate_series(1, 500) i"
    )
    night.refresh()
    night.sql("UPDATE item SET label = 'Other' WHERE code = 'n400'")
    monkeypatch.setattr(PostgresSource, "still", lambda *_: False)
    done = night.refresh().tables["public.item"]
    assert done.chunks >= 20 and done.rows_read <= 20
    assert night.replica() == night.fresh()


def test_raw_keys_reach_no_log_of_the_servers_and_no_file(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dbmask.refresher.baseline.PART_ROWS", 3)
    night.sql("""
        UPDATE pair SET a = 'rawkey-' || a;
        UPDATE account SET changed = changed + interval '77777 seconds';
    """)
    night.refresh()
    night.sql(
        "UPDATE pair SET body = 'Other' WHERE b = 1; INSERT INTO account VALUES (gen_random_uuid(), 'A', '2031-12-13 14:15:16')"
    )
    with night.postgres.connect() as connection:
        for name in (night.source, night.target):
            for setting in ("log_statement = 'all'", "log_min_duration_statement = 0"):
                connection.execute(f"ALTER DATABASE {name} SET {setting}".encode())
    began = night.postgres.log.stat().st_size
    monkeypatch.setattr(PostgresSource, "still", lambda *_: False)
    for _ in range(2):
        assert night.refresh().mode == "incremental"
    with night.postgres.log.open("rb") as log:
        log.seek(began)
        said = log.read()
    assert b"width_bucket" in said and b"dbmask_mark" in said
    kept = b"".join(path.read_bytes() for path in night.folder.glob("state.db*"))
    for raw in (b"rawkey-", b"2031-12-13", b"14:15:16"):
        assert raw not in said and raw not in kept
    assert night.replica() == night.fresh()


def test_a_role_that_may_make_databases_and_no_more_is_enough(night: Night, monkeypatch: pytest.MonkeyPatch) -> None:
    role = f"refresher_{os.getpid()}"
    with night.postgres.connect(night.source) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN CREATEDB PASSWORD 'pw'".encode())
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {role}".encode())
        connection.execute(f"GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}".encode())
    try:
        monkeypatch.setenv("NIGHT_SOURCE", night.postgres.url(night.source, role, "pw"))
        monkeypatch.setenv("NIGHT_TARGET", night.postgres.url(night.target, role, "pw"))
        night.refresh()
        night.sql("UPDATE person SET name = 'Other' WHERE id = 3; DELETE FROM item WHERE id < 9; TRUNCATE loose")
        assert night.refresh().mode == "incremental"
        assert night.replica() == night.fresh()
    finally:
        for name in (night.target, f"{night.name}_fresh"):
            night.postgres.drop_database(name)
        with night.postgres.connect(night.source) as connection:
            connection.execute(f"DROP OWNED BY {role}; DROP ROLE {role}".encode())
